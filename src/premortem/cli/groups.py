"""The groups of commands in the help, in the order of the road."""

from __future__ import annotations

from cyclopts import Group

SET_UP = Group("Set up", sort_key=1)
LEARN = Group("Learn", sort_key=2)
TEST = Group("Test", sort_key=3)
READ = Group("Read", sort_key=4)
KEEP = Group("Keep", sort_key=5)
