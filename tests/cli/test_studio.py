"""`premortem studio`, where it cannot open; where it can, see tests/browser."""

from __future__ import annotations

from tests.cli.console import premortem


def test_without_a_store_there_is_nothing_to_show(empty):
    assert "there is no traffic in the store yet" in premortem("studio").complaint
    assert list(empty.iterdir()) == []
