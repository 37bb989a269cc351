"""What the documents tell a user to type exists."""

from __future__ import annotations

import re

import pytest

from tests.shared import ROOT

HELP = ROOT / "tests" / "cli" / "help"
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "examples" / "demo.py",
    *(ROOT / "docs").glob("*.md"),
    ROOT / "src" / "premortem" / "cli" / "premortem.template.toml",
]
SHARED_OPTIONS = {"--help", "--json", "--config", "--store", "--version"}


def told() -> list[tuple[str, str]]:
    """(document, command line) of everything in code that starts with `premortem`."""
    found = []
    for path in DOCUMENTS:
        for line in path.read_text().splitlines():
            commands = re.findall(r"(?:^\s*\$? ?|`|; )(premortem [a-z][^`#;]*)", line)
            found += [(path.name, text.strip()) for text in commands]
    return found


@pytest.mark.parametrize(("document", "line"), told())
def test_a_command_in_the_documents_has_the_options_it_is_shown_with(document, line):
    words = line.split()[1:]
    names = {path.stem for path in HELP.glob("*.txt")}
    command = "-".join(words[:2]) if "-".join(words[:2]) in names else words[0]
    assert command in names, f"{document}: premortem {words[0]}"
    text = (HELP / f"{command}.txt").read_text()
    options = set(re.findall(r"--[a-z][a-z-]*", line)) - SHARED_OPTIONS
    assert not {option for option in options if option not in text}


def test_links_between_documents_lead_somewhere():
    for path in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"
