"""What was written, read again as its readers will: naming, format, trace tags, structure."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from premortem.agent.emit.augmentation import Augmentation
from premortem.agent.emit.event_logs import log_lines
from premortem.agent.emit.feature_text import FoundScenario, parse_feature
from premortem.agent.emit.files import Change, placed, read
from premortem.agent.emit.git_patch import check_patch
from premortem.agent.emit.summary_markdown import judged
from premortem.agent.emit.tags import kinds, spaceless
from premortem.agent.emit.yaml_patch import documents
from premortem.agent.steps.catalogue import match
from premortem.domain.proposal import Artifact
from premortem.domain.scenario import Scenario
from premortem.errors import InputError

FILE_NAME = "validation-report.json"
PROBLEMS_MAX = 200
TITLE_CHARACTERS_MAX = 200
_METHOD = re.compile(r"[A-Z][A-Za-z0-9]*_Should[A-Z][A-Za-z0-9]*(?:_[A-Z][A-Za-z0-9]*)*")
Rule = Literal["naming", "format", "trace-tag", "structure"]
State = Literal["passed", "failed", "not_checked"]


class Problem(Struct, frozen=True, kw_only=True):
    """What is wrong with a written test."""

    path: str
    rule: Rule
    what: str


class QaFeedback(Struct, frozen=True, kw_only=True):
    """What people said so far."""

    accepted: int
    rejected: int
    requires_followup: bool


class ValidationReport(Struct, frozen=True, kw_only=True):
    """Whether an augmentation's files are as they must be."""

    trace_id: str
    status: Literal["success", "failed"]
    scenarios_added: int
    unit_tests_appended: int
    integration_tests_appended: int
    qa_feedback: QaFeedback
    assertions_present: bool
    tags: tuple[str, ...]
    lint: State
    snapshot: State
    """Whether emitting the same again changes nothing."""
    coverage_inclusion: State
    """Whether test runner and coverage report see the new tests."""
    problems: tuple[Problem, ...] = ()


def validate_generated_tests(
    root: Path,
    augmentation: Augmentation,
    *,
    artifacts: Sequence[Artifact] = (),
    again: Callable[[], Sequence[Change]] | None = None,
) -> ValidationReport:
    """The skill ValidateGeneratedTests: the files of AUGMENTATION below ROOT, read again.

    ARTIFACTS: further files. AGAIN: makes the same changes once more; they must change nothing.
    """
    files = {artifact.path: artifact for artifact in (*artifacts, *augmentation.artifacts)}
    problems: list[Problem] = []
    for artifact in files.values():
        problems += _file(root, artifact, augmentation)
    snapshot = _snapshot(again)
    return ValidationReport(
        trace_id=augmentation.trace_id,
        status="failed" if problems or snapshot == "failed" else "success",
        scenarios_added=len(augmentation.added),
        unit_tests_appended=_count(augmentation, "unit"),
        integration_tests_appended=_count(augmentation, "integration"),
        qa_feedback=_feedback(augmentation),
        assertions_present=all(map(_asserts, augmentation.scenarios)),
        tags=_tags(augmentation),
        lint="failed" if problems else "passed",
        snapshot=snapshot,
        coverage_inclusion=_inclusion(augmentation),
        problems=tuple(problems[:PROBLEMS_MAX]),
    )


def report_change(root: Path, path: str, report: ValidationReport) -> Change:
    """REPORT as the file PATH below ROOT, which dashboards read."""
    after = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    return Change(path=path, before=read(root, path), after=after, kind="bundle")


def _file(root: Path, artifact: Artifact, augmentation: Augmentation) -> Iterator[Problem]:
    place = placed(root, artifact.path)
    try:
        data = place.read_bytes()
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(path=artifact.path, rule="format", what=f"cannot be read: {error}")
        return
    try:
        kind = "csharp" if artifact.path.endswith(".cs") else artifact.kind
        yield from _CHECKS[kind](text, artifact, augmentation, root)
    except (InputError, SyntaxError, msgspec.DecodeError) as error:
        yield Problem(path=artifact.path, rule="format", what=str(error))


def _feature(
    text: str, artifact: Artifact, augmentation: Augmentation, _: Path
) -> Iterator[Problem]:
    feature = parse_feature(text, path=artifact.path)
    wanted = spaceless(f"trace_id:{augmentation.trace_id}")
    for title in artifact.names:
        found = [scenario for scenario in feature.scenarios if scenario.title == title]
        if not found:
            yield Problem(path=artifact.path, rule="structure", what=f"{title!r} is missing")
        elif augmentation.trace_id and not any(
            wanted in {*scenario.tags, *feature.tags} for scenario in found
        ):
            yield Problem(path=artifact.path, rule="trace-tag", what=f"{title!r} lacks @{wanted}")
        for scenario in found[-1:]:
            yield from _scenario(scenario, artifact.path)


def _scenario(scenario: FoundScenario, path: str) -> Iterator[Problem]:
    title = scenario.title
    if not title.strip() or len(title) > TITLE_CHARACTERS_MAX:
        yield Problem(path=path, rule="naming", what=f"{title[:60]!r} is no title")
    kinds_ = {kind for kind, _ in scenario.steps}
    for kind, name in (("Action", "When"), ("Outcome", "Then")):
        if kind not in kinds_:
            yield Problem(path=path, rule="structure", what=f"{title!r} has no {name}")


def _csharp(
    text: str, artifact: Artifact, augmentation: Augmentation, _: Path
) -> Iterator[Problem]:
    for name in artifact.names:
        found = re.search(rf"((?:^\s*\[[^\n]*\]\s*\n)*)[^\n]*\b{re.escape(name)}\s*\(", text, re.M)
        if _METHOD.fullmatch(name) is None:
            yield Problem(path=artifact.path, rule="naming", what=f"{name} is no test's name")
        if found is None:
            yield Problem(path=artifact.path, rule="structure", what=f"{name} is missing")
        elif augmentation.trace_id and f'TraceId("{augmentation.trace_id}")' not in found.group(1):
            yield Problem(path=artifact.path, rule="trace-tag", what=f"{name} lacks its TraceId")


def _python(text: str, artifact: Artifact, _: Augmentation, __: Path) -> Iterator[Problem]:
    tree = ast.parse(text)
    names = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name in artifact.names:
        if not name.startswith("test_"):
            yield Problem(path=artifact.path, rule="naming", what=f"{name} is no test's name")
        if name not in names:
            yield Problem(path=artifact.path, rule="structure", what=f"{name} is missing")


def _metadata(
    text: str, artifact: Artifact, augmentation: Augmentation, _: Path
) -> Iterator[Problem]:
    found = [value for _, value in documents(text, path=artifact.path)]
    if not any(_tells(value, augmentation) for value in found):
        yield Problem(
            path=artifact.path, rule="trace-tag", what=f"nothing of {augmentation.trace_id}"
        )


def _tells(value: dict[str, Any], augmentation: Augmentation) -> bool:
    listed = value.get("augmented_tests")
    entries = [value, *(entry for entry in listed or () if isinstance(entry, dict))]
    return any(entry.get("trace_id") == augmentation.trace_id for entry in entries)


def _log(text: str, artifact: Artifact, augmentation: Augmentation, _: Path) -> Iterator[Problem]:
    lines = log_lines(text, path=artifact.path)
    told = any(line.get("trace_id") == augmentation.trace_id for line in lines)
    if augmentation.added and not told:
        yield Problem(
            path=artifact.path, rule="trace-tag", what=f"nothing of {augmentation.trace_id}"
        )


def _markdown(
    text: str, artifact: Artifact, augmentation: Augmentation, _: Path
) -> Iterator[Problem]:
    if augmentation.trace_id not in text:
        yield Problem(
            path=artifact.path, rule="trace-tag", what=f"nothing of {augmentation.trace_id}"
        )


def _patch(text: str, _: Artifact, __: Augmentation, root: Path) -> Iterator[Problem]:
    check_patch(text.encode(), repository=root)
    return iter(())


def _json(text: str, _: Artifact, __: Augmentation, ___: Path) -> Iterator[Problem]:
    msgspec.json.decode(text)
    return iter(())


_CHECKS: dict[str, Callable[[str, Artifact, Augmentation, Path], Iterator[Problem]]] = {
    "feature": _feature,
    "csharp": _csharp,
    "pytest": _python,
    "glue": _python,
    "metadata": _metadata,
    "log": _log,
    "markdown": _markdown,
    "patch": _patch,
    "bundle": _json,
}


def _snapshot(again: Callable[[], Sequence[Change]] | None) -> State:
    if again is None:
        return "not_checked"
    return "passed" if all(change.before == change.after for change in again()) else "failed"


def _inclusion(augmentation: Augmentation) -> State:
    seen = [
        one.verdict.evidence.runner_sees and one.verdict.evidence.in_coverage
        for one in augmentation.added
        if one.verdict is not None and one.verdict.evidence.runner
    ]
    if not seen:
        return "not_checked"
    return "passed" if all(seen) else "failed"


def _asserts(scenario: Scenario) -> bool:
    found = (match(step.text) for step in scenario.steps)
    return any(step is not None and step.entry.checks for step in found)


def _count(augmentation: Augmentation, kind: str) -> int:
    return sum(len(a.names) for a in augmentation.artifacts if a.test_kind == kind)


def _feedback(augmentation: Augmentation) -> QaFeedback:
    accepted, rejected = judged(augmentation)
    decisions = {one.judgement.decision for one in augmentation.added if one.judgement}
    findings = any(
        one.verdict is not None and one.verdict.outcome == "finding" and one.judgement is None
        for one in augmentation.added
    )
    return QaFeedback(
        accepted=accepted,
        rejected=rejected,
        requires_followup=findings or "needs_correction" in decisions,
    )


def _tags(augmentation: Augmentation) -> tuple[str, ...]:
    found = sorted(kind for kind in kinds(augmentation.scenarios) if kind != "prompt-driven")
    editions = dict.fromkeys(f"edition:{s.edition}" for s in augmentation.scenarios if s.edition)
    return (*found, *editions)
