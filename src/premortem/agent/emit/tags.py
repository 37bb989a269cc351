"""The tags of scenarios: which ones a scenario earns, and how they get into a file.

`@auth @denied @edition:<name> @prompt @prompt-driven @security @edge @regression`, and
`@trace_id:<id>`. Written without a space behind the colon, read with one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.understanding.failure_modes import mode_named
from premortem.domain.scenario import Scenario
from premortem.errors import InputError

AGENT = "test-generator-agent"
ID_TAG = "premortem_id"
_KINDS = ("security", "edge", "regression", "prompt-driven")
_AUTH_MODES = frozenset({"forbidden_role", "invalid_token", "others_data"})


def insert_scenario_tags(
    scenario: Scenario, *, outcome: str = "", enriches: bool = False
) -> Scenario:
    """The skill InsertScenarioTags: SCENARIO with every tag it earns, those it has first.

    OUTCOME: its verdict; `regression` becomes a tag. ENRICHES: it goes into a file that people
    have; a question's scenario is then `prompt-driven`, too.
    """
    origin = scenario.origin
    mode = origin.failure_mode
    tags = [*scenario.tags]
    if origin.source == "prompt" and origin.prompt:
        tags += ["prompt", "prompt-driven"] if enriches else ["prompt"]
    if mode:
        tags.append(mode_named(mode).tag)
    if mode in _AUTH_MODES:
        tags.append("auth")
    if origin.outcome == "denied":
        tags.append("denied")
    if scenario.edition:
        tags.append(f"edition:{scenario.edition}")
    if outcome == "regression":
        tags.append("regression")
    return msgspec.structs.replace(scenario, tags=tuple(dict.fromkeys(map(spaceless, tags))))


def tag_lines(text: str, title: str, tags: Iterable[str], *, path: object) -> str:
    """TEXT of a feature with TAGS above the scenario TITLE; every other byte as it was.

    Tags that it has are not added again. Raises InputError when there is no such scenario, or
    more than one.
    """
    feature = parse_feature(text, path=path)
    found = [scenario for scenario in feature.scenarios if scenario.title == title]
    if len(found) != 1:
        many = "several scenarios are" if found else "no scenario is"
        raise InputError(f"{path}: {many} titled {title!r}; give the title of exactly one")
    new = [t for t in dict.fromkeys(map(spaceless, tags)) if t not in found[0].tags]
    if not new:
        return text
    lines = text.splitlines(keepends=True)
    at = found[0].line - 1
    indent = re.match(r"[ \t]*", lines[at])
    newline = "\r\n" if lines[at].endswith("\r\n") else "\n"
    lines.insert(at, (indent.group() if indent else "") + shown(new) + newline)
    after = "".join(lines)
    parse_feature(after, path=path, problem="could not be read any more with the tags added")
    return after


def shown(tags: Iterable[str]) -> str:
    """`@a @b:c`."""
    return " ".join(f"@{spaceless(tag)}" for tag in dict.fromkeys(tags))


def spaceless(tag: str) -> str:
    """TAG as every runner reads it: no `@` before it, no space in it."""
    name, colon, value = tag.strip().lstrip("@").partition(":")
    return re.sub(r"[\s@#]+", "_", name + colon + value.strip())


def kinds(scenarios: Iterable[Scenario]) -> tuple[str, ...]:
    """What kinds of test SCENARIOS are, for people: `security`, `regression`, `prompt-driven`."""
    tags = {tag for scenario in scenarios for tag in scenario.tags}
    return tuple(kind for kind in _KINDS if kind in tags)


def is_security(scenario: Scenario) -> bool:
    """Whether SCENARIO is a security test."""
    return "security" in scenario.tags
