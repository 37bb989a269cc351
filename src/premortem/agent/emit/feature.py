"""Writes scenarios into `.feature` files that people own.

A file is only ever appended to: no byte that stands in it is touched. A scenario that is in it
already, by its id or by question and title, is not added again, whatever became of its text.
What would not parse is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal

from gherkin.errors import ParserError
from gherkin.parser import Parser
from msgspec import Struct

from premortem.domain.scenario import Scenario
from premortem.errors import InputError

FEATURE_BYTES_MAX = 4 * 1024 * 1024
ID_TAG = "premortem_id"
STEP_LIBRARY = "steps/premortem_steps.py"
_STEPS = '''"""Premortem's step catalogue, for behave."""

from premortem.agent.adapters.behave import *  # noqa: F403
'''
_ENVIRONMENT = '''"""Brings the target back to a fresh state before each scenario of Premortem's."""

from premortem.agent.adapters.behave import before_scenario  # noqa: F401
'''


class Written(Struct, frozen=True, kw_only=True):
    """What became of a scenario's file."""

    path: Path
    action: Literal["created", "appended", "unchanged"]


def write_feature(scenario: Scenario, folder: Path, *, outcome: str = "") -> Written:
    """SCENARIO in the file of its feature in FOLDER, with behave's step library beside it.

    OUTCOME `regression` becomes a tag. Raises InputError when the file there cannot be read as
    Gherkin, or could not any more; then nothing is changed.
    """
    path = folder / f"{_slug(scenario.feature)}.feature"
    before = _read(path)
    text = _decoded(before, path)
    if text.strip():
        document = _parse(text, path, "cannot be read as Gherkin, so nothing was added")
        if any(_is_there(scenario, found) for found in _scenarios(document["feature"])):
            return Written(path=path, action="unchanged")
    newline = "\r\n" if "\r\n" in text else "\n"
    block = render(scenario, outcome=outcome)
    if text.strip():
        gap = "\n" if text.endswith(("\n", "\r")) else "\n\n"
        added = gap + block
    else:
        added = f"Feature: {_line(scenario.feature)}\n\n{block}"
    after = text + added.replace("\n", newline)
    _parse(after, path, "could not be read as Gherkin any more with the scenario added")
    _replace(path, before + added.replace("\n", newline).encode())
    write_step_library(folder)
    return Written(path=path, action="appended" if text.strip() else "created")


def write_step_library(folder: Path) -> None:
    """behave's steps and environment in FOLDER; files that are there stay as they are."""
    for name, content in ((STEP_LIBRARY, _STEPS), ("environment.py", _ENVIRONMENT)):
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content.encode())


def render(scenario: Scenario, *, outcome: str = "") -> str:
    """SCENARIO as Gherkin, indented to stand in a feature, ending in a line break."""
    tags = [*scenario.tags]
    if outcome == "regression":
        tags.append("regression")
    if scenario.trace_id:
        tags.append(f"trace_id:{scenario.trace_id}")
    tags.append(f"{ID_TAG}:{scenario.id}")
    lines = ["  " + " ".join(f"@{_tag(tag)}" for tag in dict.fromkeys(tags))]
    lines.append(f"  Scenario: {_line(scenario.title)}")
    if scenario.origin.prompt:
        lines.append(f"    # Asked: {_line(scenario.origin.prompt)}")
    if scenario.origin.expectation:
        lines.append(f"    # Expected because {_line(scenario.origin.expectation)}")
    for step in scenario.steps:
        lines.append(f"    {step.keyword} {_line(step.text)}")
        if step.docstring:
            lines.append('      """')
            lines += [f"      {line}" for line in _docstring(step.docstring)]
            lines.append('      """')
    return "\n".join(lines) + "\n"


def _scenarios(parent: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The scenarios of a parsed feature, those of its rules too."""
    for child in parent["children"]:
        if "scenario" in child:
            yield child["scenario"]
        elif "rule" in child:
            yield from _scenarios(child["rule"])


def _is_there(scenario: Scenario, found: Mapping[str, Any]) -> bool:
    tags = {tag["name"] for tag in found["tags"]}
    if f"@{ID_TAG}:{scenario.id}" in tags:
        return True
    asked = f"@{_tag('trace_id:' + scenario.trace_id)}"
    return asked in tags and found["name"] == _line(scenario.title)


def _docstring(text: str) -> list[str]:
    return [line.replace('"""', '\\"\\"\\"') for line in text.split("\n")]


def _line(text: str) -> str:
    return " ".join(text.split())


def _tag(text: str) -> str:
    return re.sub(r"[\s@#]+", "_", text)


def _slug(feature: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", feature.lower()).strip("_") or "service"


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > FEATURE_BYTES_MAX:
        raise InputError(f"{path} has {len(data)} bytes; at most {FEATURE_BYTES_MAX} are read")
    return data


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason}); save it as UTF-8 first") from None


def _parse(text: str, path: Path, problem: str) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = Parser().parse(text)
    except ParserError as error:
        first = str(error).split("\n")[1 if "\n" in str(error) else 0]
        raise InputError(f"{path} {problem}: {first}; mend it there") from None
    if not document.get("feature"):
        raise InputError(f"{path} {problem}: it has no Feature line; write one first")
    return document


def _replace(path: Path, data: bytes) -> None:
    """All of DATA or nothing: a half-written file helps nobody."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        with NamedTemporaryFile(dir=path.parent, delete=False, suffix=".part") as part:
            part.write(data)
        made = Path(part.name)
        made.chmod(mode)
        made.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
