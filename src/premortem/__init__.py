"""Premortem: ask what could go wrong before it does."""

__version__ = "0.1.0"
