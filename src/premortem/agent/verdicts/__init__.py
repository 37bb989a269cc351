"""What a scenario is worth, found by running it, and what a person is asked about it."""
