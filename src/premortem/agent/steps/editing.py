"""A scenario as text that a person edits, and that text as a scenario again.

The text is Gherkin: tags, one `Scenario:` line, its steps. Only that: a Background or examples
belong into the feature file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from gherkin.errors import ParserError
from gherkin.parser import Parser
from msgspec import Struct

from premortem.agent.emit.feature import render
from premortem.agent.emit.feature_text import without_spaces_in_tags
from premortem.domain.scenario import Keyword, Scenario, Step
from premortem.errors import InputError

EDIT_CHARACTERS_MAX = 20_000
"""Longer texts are no scenario that anybody reviews."""
STEPS_MAX = 200
_HEAD = "Feature: edited\n"
_HEAD_LINES = 1
_PLACE = re.compile(r"^\((\d+):\d+\): ")
_GOT = re.compile(r", got '(.*)'$")
_KEYWORDS: Mapping[str, Keyword] = {"Given": "Given", "When": "When", "Then": "Then"}


class Edited(Struct, frozen=True, kw_only=True):
    """A person's text, read."""

    scenario: Scenario
    lines: tuple[int, ...]
    """Where each step stands in the text, from 1."""


def as_text(scenario: Scenario) -> str:
    """SCENARIO as a person edits it: without the remarks and the id that its file gets."""
    plain = msgspec.structs.replace(scenario, trace_id="")
    lines = render(plain).splitlines()
    tags = " ".join(f"@{tag}" for tag in scenario.tags)
    body = [line.removeprefix("  ") for line in lines[1:] if not line.startswith("    # ")]
    return "\n".join([*([tags] if tags else []), *body]) + "\n"


def from_text(text: str, *, like: Scenario) -> Edited:
    """TEXT as a scenario that takes over all else from LIKE.

    Raises InputError, with the line, for a text that is not exactly one scenario with steps.
    """
    if len(text) > EDIT_CHARACTERS_MAX:
        raise InputError(
            f"the scenario has {len(text)} characters; at most {EDIT_CHARACTERS_MAX} are read"
        )
    clean = without_spaces_in_tags(text.replace("\r\n", "\n"))
    try:
        document: Mapping[str, Any] = Parser().parse(_HEAD + clean)
    except ParserError as error:
        raise InputError(_said(str(error))) from None
    children = document["feature"]["children"] if document.get("feature") else []
    if len(children) != 1 or "scenario" not in children[0]:
        raise InputError(
            "write exactly one `Scenario:` with its steps; a Background, a Rule or a second "
            "scenario belongs into the feature file"
        )
    found = children[0]["scenario"]
    if found["examples"]:
        raise InputError("examples belong into the feature file; write the values into the steps")
    if not found["name"].strip():
        raise InputError(f"line {_line(found)}: the scenario has no title; write one behind it")
    if not 0 < len(found["steps"]) <= STEPS_MAX:
        raise InputError(f"a scenario has between 1 and {STEPS_MAX} steps")
    scenario = msgspec.structs.replace(
        like,
        title=" ".join(found["name"].split()),
        steps=tuple(_step(step) for step in found["steps"]),
        tags=tuple(dict.fromkeys(tag["name"].removeprefix("@") for tag in found["tags"])),
    )
    return Edited(scenario=scenario, lines=tuple(_line(step) for step in found["steps"]))


def _step(found: Mapping[str, Any]) -> Step:
    rows = found.get("dataTable", {}).get("rows", ())
    return Step(
        keyword=_KEYWORDS.get(found["keyword"].strip(), "And"),
        text=found["text"],
        docstring=found.get("docString", {}).get("content", ""),
        table=tuple(tuple(cell["value"] for cell in row["cells"]) for row in rows),
    )


def _line(found: Mapping[str, Any]) -> int:
    return int(found["location"]["line"]) - _HEAD_LINES


def _said(message: str) -> str:
    """The first of the parser's complaints, with the line as the person counts it."""
    lines = [line for line in message.splitlines() if _PLACE.match(line)]
    if not lines:
        return "this cannot be read as Gherkin"
    place = _PLACE.match(lines[0])
    number = max(int(place[1]) - _HEAD_LINES, 1) if place else 1
    complaint = _PLACE.sub("", lines[0])
    got = _GOT.search(complaint)
    if got is not None and "#StepLine" in complaint:
        return f"line {number}: {got[1]!r} is no step; begin it with Given, When, Then or And"
    return f"line {number}: {complaint}"
