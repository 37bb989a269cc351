"""What a correct service answers, one file per kind of question."""
