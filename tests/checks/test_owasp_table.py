"""The OWASP table of docs/security.md names every item, and only checks that there are."""

from __future__ import annotations

import re

from premortem.checks import CHECKS
from tests.shared import ROOT


def table() -> dict[str, str]:
    """Item -> what the table says of it."""
    text = (ROOT / "docs" / "security.md").read_text()
    return dict(re.findall(r"^\| (API\d+) [^|]*\| ([^|]+) \|$", text, re.MULTILINE))


def test_every_item_is_there_and_every_check():
    said = table()
    assert list(said) == [f"API{number}" for number in range(1, 11)]
    named = {name for words in said.values() for name in re.findall(r"`(\w+_\w+)`", words)}
    assert named <= {check.name for check in CHECKS}
