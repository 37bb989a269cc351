"""The Test Generator Agent: from a what-if question to an executed scenario with a verdict."""
