"""Test methods in the code of the service's own tests."""
