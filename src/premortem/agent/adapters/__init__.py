"""Thin step libraries over the one engine, a module per test runner."""
