"""From what was understood to scenarios: the way to the request, its expectation, its title."""
