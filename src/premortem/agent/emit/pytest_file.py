"""Scenarios as plain pytest functions: no Gherkin, the same steps."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from premortem.agent.emit.feature import line_of
from premortem.agent.emit.files import Change, newline_of, read, text_of
from premortem.agent.emit.sections import cut
from premortem.agent.emit.tags import ID_TAG, shown
from premortem.domain.scenario import Scenario, Step
from premortem.errors import InputError

NAME_CHARACTERS_MAX = 80
_IMPORT = "from premortem.agent.adapters.plain import given, play, then, when\n"
_HEAD = '"""{title}: scenarios for pytest; run it below premortem.toml."""\n\n' + _IMPORT


def pytest_change(
    root: Path,
    path: str,
    scenarios: Sequence[Scenario],
    *,
    title: str = "",
    notes: Sequence[Sequence[str]] = (),
) -> Change:
    """The Python file PATH below ROOT with a test function for each of SCENARIOS.

    What stands there stays byte for byte; a scenario that is there is not added again. NOTES:
    remarks for each, as its retries. Raises InputError when the file is no Python.
    """
    data = read(root, path)
    text = text_of(data, root / path)
    names = _functions(text, root / path)
    newline = newline_of(text)
    blocks: list[str] = []
    added: list[str] = []
    remarks = [*notes, *[()] * len(scenarios)]
    for scenario, remark in zip(scenarios, remarks, strict=False):
        name = function_name(scenario)
        if name in names or f"@{ID_TAG}:{scenario.id}" in text:
            continue
        names.add(name)
        added.append(name)
        blocks.append(_function(name, scenario, remark))
    after = text
    if blocks:
        heading = line_of(title or scenarios[0].feature).replace('"', "'").replace("\\", "/")
        head = "" if text.strip() else _HEAD.format(title=heading)
        if text.strip() and not _imports(text):
            head = "\n\n" + _IMPORT
        gap = "" if not text or text.endswith(("\n", "\r")) else "\n"
        after = text + (gap + head + "".join(blocks)).replace("\n", newline)
        _functions(after, root / path)
    return Change(
        path=path,
        before=data,
        after=after.encode(),
        kind="pytest",
        test_kind="integration",
        names=tuple(added),
        check=lambda made: _check(made, root / path),
    )


def function_name(scenario: Scenario) -> str:
    """`test_refund_is_issued_twice`."""
    words = re.sub(r"[^a-z0-9]+", "_", scenario.title.lower()).strip("_")
    return f"test_{words[:NAME_CHARACTERS_MAX].strip('_') or scenario.id}"


def _function(name: str, scenario: Scenario, notes: Sequence[str]) -> str:
    origin = scenario.origin
    told = [line_of(scenario.title).rstrip(".") + "."]
    if origin.prompt:
        told += ["", f"Asked: {cut(origin.prompt)}"]
    if origin.expectation:
        told += ["", f"Expected because {cut(origin.expectation)}."]
    trace = [f"trace_id:{scenario.trace_id}"] if scenario.trace_id else []
    told += ["", shown([*scenario.tags, *trace, f"{ID_TAG}:{scenario.id}"])]
    doc = "\n".join(f"    {line}".rstrip() for line in told).strip()
    lines = [f"\n\ndef {name}() -> None:", f'    """{_escaped(doc)}', '    """']
    lines += [*(f"    # {cut(note)}" for note in notes), "    play("]
    word = "given"
    for step in scenario.steps:
        word = word if step.keyword == "And" else step.keyword.lower()
        lines.append(f"        {word}({_arguments(step)}),")
    return "\n".join([*lines, "    )\n"])


def _arguments(step: Step) -> str:
    parts = [repr(line_of(step.text))]
    if step.docstring:
        parts.append(f'"""{_escaped(step.docstring)}"""')
    if step.table:
        parts.append(f"table={step.table!r}")
    return ", ".join(parts)


def _escaped(text: str) -> str:
    """TEXT to stand between three double quotes."""
    safe = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').replace("\r", "\\r")
    return safe[:-1] + '\\"' if safe.endswith('"') else safe


def _functions(text: str, path: object) -> set[str]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path} cannot be read as Python ({error}); mend it there") from None
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def _check(made: bytes, path: object) -> None:
    _functions(text_of(made, path), path)


def _imports(text: str) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "premortem.agent.adapters.plain"
        for node in ast.parse(text).body
    )
