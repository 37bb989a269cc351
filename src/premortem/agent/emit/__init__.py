"""Writes scenarios as the files that test runners read."""
