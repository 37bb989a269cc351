"""Defects found and code reached on real services, with Schemathesis beside us.

`python -m benches.defects --help` says how it goes.
"""
