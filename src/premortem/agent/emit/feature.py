"""Writes scenarios into `.feature` files that people own.

No byte that stands in a file is touched: scenarios are added at its end, or before its first
Rule (behind it they would belong to the rule). A scenario that is in it already, by its id or by
question and title, is not added again, whatever became of its text. What would not parse is not
written. In a file of another language the keywords are that language's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from typing import Literal

from msgspec import Struct

from premortem.agent.emit.behave_glue import write_step_library
from premortem.agent.emit.feature_text import FeatureText, FoundScenario, parse_feature
from premortem.agent.emit.files import (
    FILE_BYTES_MAX,
    Change,
    newline_of,
    read,
    text_of,
    write,
)
from premortem.agent.emit.sections import cut
from premortem.agent.emit.tags import AGENT, ID_TAG, insert_scenario_tags, shown, spaceless
from premortem.domain.scenario import Scenario, Step
from premortem.errors import InputError

_EMPTY = "Feature: unwritten\n"
_QUALIFIER = re.compile(r" (?:edge cases|access control)$", re.IGNORECASE)


class Written(Struct, frozen=True, kw_only=True):
    """What became of a scenario's file."""

    path: Path
    action: Literal["created", "appended", "unchanged"]


def write_feature(scenario: Scenario, folder: Path, *, outcome: str = "") -> Written:
    """SCENARIO in the file of its feature in FOLDER, with behave's step library beside it.

    OUTCOME `regression` becomes a tag. Raises InputError when the file there cannot be read as
    Gherkin, or could not any more; then nothing is changed.
    """
    name = file_name(scenario.feature)
    tagged = insert_scenario_tags(scenario, outcome=outcome)
    change = feature_change(folder, name, [tagged], title=scenario.feature)
    write(folder, change)
    if change.before != change.after:
        write_step_library(folder)
    action: Literal["created", "appended", "unchanged"] = "appended"
    if change.before == change.after:
        action = "unchanged"
    elif not (change.before or b"").strip():
        action = "created"
    return Written(path=folder / name, action=action)


def feature_change(
    root: Path,
    path: str,
    scenarios: Sequence[Scenario],
    *,
    title: str = "",
    feature_tags: Sequence[str] = (),
    notes: Sequence[Sequence[str]] = (),
) -> Change:
    """SCENARIOS in the feature file PATH below ROOT, which is made with TITLE where it is none.

    FEATURE_TAGS: of a file that is made. NOTES: remarks for each scenario, as its retries.
    Raises InputError when what stands there cannot be read as Gherkin.
    """
    data = read(root, path)
    text = text_of(data, root / path)
    after, added = patched(
        text,
        scenarios,
        path=root / path,
        title=title or (scenarios[0].feature if scenarios else "Service"),
        feature_tags=feature_tags,
        notes=notes,
    )
    if len(after.encode()) > FILE_BYTES_MAX:
        raise InputError(f"{root / path} would have more than {FILE_BYTES_MAX} bytes; split it")
    return Change(
        path=path,
        before=data,
        after=(data or b"") if after == text and data is not None else after.encode(),
        kind="feature",
        test_kind="bdd",
        names=tuple(added),
        check=lambda written: _check(written, root / path),
    )


def patched(
    text: str,
    scenarios: Sequence[Scenario],
    *,
    path: object,
    title: str,
    feature_tags: Sequence[str] = (),
    notes: Sequence[Sequence[str]] = (),
) -> tuple[str, list[str]]:
    """TEXT of a feature with SCENARIOS that it lacks, and the titles that those have in it."""
    bare = not text.strip()
    head = f"Feature: {line_of(title)}\n"
    if feature_tags:
        head = f"{shown(feature_tags)}\n{head}"
    feature = parse_feature(
        _EMPTY if bare else text,
        path=path,
        problem="cannot be read as Gherkin, so nothing was added",
    )
    there = list(feature.scenarios)
    remarks = [*notes, *[()] * len(scenarios)]
    added: list[str] = []
    blocks: list[str] = []
    for scenario, remark in zip(scenarios, remarks, strict=False):
        if any(is_there(scenario, found) for found in there):
            continue
        found = _as_found(scenario, {other.title for other in there})
        added.append(found.title)
        there.append(found)
        blocks.append(render(scenario, title=found.title, notes=remark, language=feature))
    if not added:
        return text, []
    block = "\n".join(blocks)
    after = text + f"{head}\n{block}" if bare else _inserted(text, feature, block)
    parse_feature(
        after, path=path, problem="could not be read as Gherkin any more with the scenario added"
    )
    return after, added


def render(
    scenario: Scenario,
    *,
    title: str = "",
    outcome: str = "",
    notes: Sequence[str] = (),
    language: FeatureText | None = None,
) -> str:
    """SCENARIO as Gherkin, indented to stand in a feature, ending in a line break.

    TITLE: what it is called there; empty: as it is. NOTES become remarks. LANGUAGE: the feature
    whose keywords it takes; None: English.
    """
    tags = [*scenario.tags]
    if outcome == "regression":
        tags.append("regression")
    if scenario.trace_id:
        tags.append(f"trace_id:{scenario.trace_id}")
    tags.append(f"{ID_TAG}:{scenario.id}")
    lines = [f"  {shown(tags)}"]
    lines.append(f"  {_word(language, 'scenario')}: {line_of(title or scenario.title)}")
    if scenario.origin.prompt:
        lines.append(f"    # Asked: {cut(scenario.origin.prompt)}")
    if scenario.origin.expectation:
        lines.append(f"    # Expected because {cut(scenario.origin.expectation)}")
    lines += [f"    # {cut(note)}" for note in notes]
    for step in scenario.steps:
        lines += _step(step, _word(language, step.keyword))
    return "\n".join(lines) + "\n"


def file_name(feature: str) -> str:
    """Where the feature stands: `Refund flow edge cases` in `refund_flow.feature`."""
    words = re.sub(r"[^a-z0-9]+", "_", _QUALIFIER.sub("", feature).lower()).strip("_")
    return f"{words or 'service'}.feature"


def edge_feature(entity: str) -> str:
    """The feature for edge cases of ENTITY: `Refund flow edge cases`."""
    return f"{line_of(entity).capitalize()} flow edge cases"


def feature_head_tags(*, trace_id: str, source: str, edition: str = "") -> tuple[str, ...]:
    """The tags of a feature file that the agent made."""
    told = {"edition": edition, "trace_id": trace_id, "augmented_by": AGENT, "source": source}
    return tuple(f"{name}:{value}" for name, value in told.items() if value)


def line_of(text: str) -> str:
    """TEXT in one line."""
    return " ".join(text.split())


def _step(step: Step, keyword: str) -> list[str]:
    lines = [f"    {keyword} {line_of(step.text)}"]
    if step.docstring:
        lines.append('      """')
        quoted = (line.replace('"""', '\\"\\"\\"') for line in step.docstring.split("\n"))
        lines += [f"      {line}" for line in quoted]
        lines.append('      """')
    if step.table:
        rows = [[_cell(cell) for cell in row] for row in step.table]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            f"      | {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |"
            for row in rows
        ]
    return lines


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "\\n")


def _word(language: FeatureText | None, kind: str) -> str:
    return kind.capitalize() if language is None else language.keyword(kind)


def _inserted(text: str, feature: FeatureText, block: str) -> str:
    newline = newline_of(text)
    block = block.replace("\n", newline)
    if not feature.first_rule_line:
        gap = newline if text.endswith(("\n", "\r")) else newline * 2
        return text + gap + block
    lines = text.split("\n")
    at = feature.first_rule_line - 1
    while at > feature.line and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    before, after = "\n".join(lines[:at]), "\n".join(lines[at:])
    lead = "" if not lines[at - 1].strip() else newline
    return f"{before}\n{lead}{block}{newline}{after}"


def is_there(scenario: Scenario, found: FoundScenario) -> bool:
    """Whether FOUND is SCENARIO, whatever became of its text."""
    if found.tag(ID_TAG) == scenario.id:
        return True
    if found.title != line_of(scenario.title):
        return False
    asked = spaceless(f"trace_id:{scenario.trace_id}")
    return asked in found.tags


def _as_found(scenario: Scenario, titles: Collection[str]) -> FoundScenario:
    """SCENARIO as it will stand there, numbered where its title is among TITLES: of two scenarios
    of one name pytest-bdd runs the last, and says nothing."""
    tags = (f"{ID_TAG}:{scenario.id}", spaceless(f"trace_id:{scenario.trace_id}"))
    title = line_of(scenario.title)
    numbered = (title if n == 1 else f"{title} ({n})" for n in count(1))
    free = next(one for one in numbered if one not in titles)
    return FoundScenario(title=free, tags=tags, line=0, first_line=0, steps=())


def _check(written: bytes, path: object) -> None:
    parse_feature(
        text_of(written, path), path=path, problem="does not read back as Gherkin; left as it was"
    )
