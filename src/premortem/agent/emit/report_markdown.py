"""Reports for people: the agent's check of itself, its hypotheses, and what people decided."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from premortem.agent.emit.augmentation import Added, Augmentation, CoverageRow, CoverageState
from premortem.agent.emit.files import Change
from premortem.agent.emit.sections import code, plain, quoted, section_change
from premortem.agent.emit.story_markdown import retry_notes, status
from premortem.agent.emit.summary_markdown import came_of, reason
from premortem.domain.proposal import Gap

HYPOTHESES = "hypothesis-report.md"
REPORT = "qa-report.md"
FEEDBACK = "qa-feedback.md"
_MISSING = re.compile(
    r"^(?:there is )?(?:no|missing|untested)[: ]+"
    r"(?:(?:bdd |edition-specific )?(?:tests?|scenarios?|features?|`?\.feature`?)"
    r"(?: case)?(?: exists?| found)? (?:for|covers|of) )?",
    re.IGNORECASE,
)
_TRAILING = re.compile(r" (?:error|test|scenario|case|path)s?$", re.IGNORECASE)


def self_evaluation(
    gaps: Sequence[Gap], *, about: str, trace_id: str, planned: Sequence[str] = ()
) -> str:
    """What the agent found missing about a handler; PLANNED: the steps it means to take."""
    lines = [f"### Self-Evaluation Summary: {plain(about)} (Trace: {plain(trace_id)})", ""]
    if not gaps:
        return "\n".join([*lines, "Nothing is missing."]) + "\n"
    lines += ["Missing:", *(f"- [ ] {_missing(gap)}" for gap in gaps)]
    lines += ["", f"Planned augmentation steps: {len(planned)}"]
    lines += [f"- {plain(step)}" for step in planned]
    return "\n".join(lines) + "\n"


def self_check(gaps: Sequence[Gap]) -> dict[str, Any]:
    """The same as metadata: what is missing by kind, and which skills would fill it.

    Roles and editions have lists of their own, from which ApplyRoleMatrixToFeature works.
    """
    conditions = [_camel(gap) for gap in gaps if gap.kind in ("edge", "scenario", "unit", "bug")]
    found: dict[str, Any] = {
        "self_check_result": "failed" if gaps else "passed",
        "missing_roles": [gap.role for gap in gaps if gap.kind == "role"],
        "untested_conditions": conditions,
        "edition_variants_missing": [gap.edition for gap in gaps if gap.kind == "edition"],
        "next_actions": sorted(filter(None, map(_next_action, gaps)), key=_order),
    }
    return {name: value for name, value in found.items() if value != []}


def hypotheses(augmentation: Augmentation) -> str:
    """What was supposed about the service, and what running the scenarios showed of it."""
    lines = [
        f"### Hypotheses -> Trace: {plain(augmentation.trace_id)}",
        "",
        f"Set off by {reason(augmentation.signal)}.",
    ]
    for number, one in enumerate(augmentation.added, start=1):
        lines += ["", *_hypothesis(number, one)]
    return "\n".join(lines) + "\n"


def hypothesis_change(root: Path, path: str, augmentation: Augmentation) -> Change:
    """The report PATH below ROOT with those of AUGMENTATION. Raises InputError."""
    return section_change(root, path, [hypotheses(augmentation)], title="Hypotheses")


def qa_report_change(root: Path, path: str, augmentations: Sequence[Augmentation]) -> Change:
    """`qa-report.md`: what was added for each trace, for who follows coverage."""
    return section_change(root, path, [_report(a) for a in augmentations], title="QA report")


def qa_feedback_change(root: Path, path: str, augmentations: Sequence[Augmentation]) -> Change:
    """`qa-feedback.md`: what was suggested for each trace, and what people decided."""
    sections = [_feedback(augmentation) for augmentation in augmentations]
    return section_change(root, path, sections, title="QA feedback")


def coverage_delta(
    trace_id: str,
    before: CoverageState,
    after: CoverageState,
    *,
    rows: Sequence[CoverageRow] = (),
) -> str:
    """What tests there were before and after, as YAML, with the difference; ROWS: the same by
    trace, handler, role and edition."""
    roles = len(set(after.roles_tested) - set(before.roles_tested))
    lines = [f"trace_id: {trace_id}"]
    for name, state in (("coverage_before", before), ("coverage_after", after)):
        lines += [
            f"{name}:",
            f"  unit_tests: {state.unit_tests}",
            f"  feature_scenarios: {state.feature_scenarios}",
            f"  roles_tested: [{', '.join(state.roles_tested)}]",
        ]
    lines += [
        "delta:",
        f"  feature_scenarios: {after.feature_scenarios - before.feature_scenarios:+d}",
        f"  unit_tests: {after.unit_tests - before.unit_tests:+d}",
        f"  roles_tested: {roles:+d}",
    ]
    if before.coverage or after.coverage:
        lines.append(f"  coverage_percent: {after.coverage - before.coverage:+.1f}")
    lines += ["tests:"] if rows else []
    lines += [
        f"  - {{{row.by}: {_yaml(row.name)}, before: {row.before}, after: {row.after}}}"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _yaml(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z][\w-]*", name) else json.dumps(name)


def stated(refusal: str) -> str:
    """A refusal's name, in words, as a statement: `invoice exists` -> `invoice already exists`."""
    words = refusal.split() or ["nothing"]
    *before, last = words
    if words[0] == "duplicate" and before:
        return " ".join([*words[1:], "is", "duplicate"])
    if last == "exists":
        return " ".join([*before, "already", last])
    if last == "found" and before[-1:] == ["not"]:
        return " ".join([*before[:-1], "does not exist"])
    return " ".join([*before, "is", last] if last.endswith("ed") else words)


def _missing(gap: Gap) -> str:
    if gap.kind == "role":
        return f"Role: {plain(gap.role)}"
    if gap.kind == "edition":
        return f"Edition-specific: {code(gap.edition)} test case"
    if gap.kind == "edge":
        return f"Negative validator test: {plain(_camel(gap))}"
    subject = plain(_subject(gap))
    name = {"unit": "Unit test", "assertion": "Assertion", "event": "Event"}.get(gap.kind)
    return f"{name or 'Scenario'}: {subject[:1].upper()}{subject[1:]}"


def _subject(gap: Gap) -> str:
    return _MISSING.sub("", " ".join(gap.what.split())).rstrip(".") or gap.what


def _camel(gap: Gap) -> str:
    words = re.findall(r"[A-Za-z0-9]+", _TRAILING.sub("", _subject(gap)))
    return "".join(word[:1].upper() + word[1:] for word in words)


def _next_action(gap: Gap) -> str:
    subject = _TRAILING.sub("", _subject(gap))
    if gap.kind == "edge" and gap.field:
        words = [w for w in subject.split() if w.lower() != gap.field.lower()]
        condition = "".join(word.capitalize() for word in words) or gap.failure_mode
        return f"trigger GenerateValidatorTest(field={gap.field}, condition={condition})"
    if gap.kind == "unit":
        return f'trigger GenerateFeatureScenario(prompt="What if {stated(subject)}?")'
    if gap.kind not in ("scenario", "bug"):
        return ""
    thing = re.sub(r"^duplicated? ", "", subject, flags=re.IGNORECASE)
    prompt = f"What if {thing} already exists?" if thing != subject else f"What if {subject}?"
    return f'trigger GenerateFeatureScenario(prompt="{prompt}")'


def _order(action: str) -> bool:
    """Scenarios first."""
    return not action.startswith("trigger GenerateFeatureScenario")


def _hypothesis(number: int, one: Added) -> list[str]:
    scenario, verdict = one.scenario, one.verdict
    because = scenario.origin.expectation
    outcome = scenario.origin.outcome or "answered as its Then says"
    lines = [
        f"{number}. {plain(scenario.title)}",
        f"   - Supposed: the service's answer is {code(outcome)}"
        + (f", because {plain(because)}" if because else ""),
    ]
    if verdict is None:
        return [*lines, "   - Shown: nothing, it was not run"]
    word = {"regression": "holds", "finding": "does not hold", "junk": "undecided"}
    lines.append(f"   - Shown: {word[verdict.outcome]} ({plain(verdict.reason)})")
    return lines


def _report(augmentation: Augmentation) -> str:
    lines = [f"### {plain(augmentation.trace_id)}: {reason(augmentation.signal)}", ""]
    for artifact in augmentation.artifacts:
        lines += [f"- {code(artifact.path)}: {plain(name)}" for name in artifact.names]
    lines += [
        f"- {plain(one.scenario.title)} -> {came_of(one)}; {status(one)}"
        for one in augmentation.added
    ]
    if augmentation.before is not None and augmentation.after is not None:
        delta = coverage_delta(
            augmentation.trace_id,
            augmentation.before,
            augmentation.after,
            rows=augmentation.coverage_rows,
        )
        lines += ["", "```yaml", delta.rstrip("\n"), "```"]
    return "\n".join(lines) + "\n"


_GROUPS: Mapping[str, str] = {
    "accepted": "Approved Scenarios",
    "accepted_with_edits": "Approved Scenarios",
    "needs_correction": "Rejected or Needs Fix",
    "not_relevant": "Rejected or Needs Fix",
    "delivered": "Approved Scenarios",
    "": "Suggested Tests",
}


def _feedback(augmentation: Augmentation) -> str:
    asked = f"Trigger: {reason(augmentation.signal)}"
    lines = [f"### Suggestions -> Trace: {plain(augmentation.trace_id)}", "", asked]
    for group in dict.fromkeys(_GROUPS.values()):
        members = [
            one
            for one in augmentation.added
            if _GROUPS.get(one.judgement.decision if one.judgement else "", _GROUPS[""]) == group
        ]
        if not members:
            continue
        lines += ["", f"{group}:"]
        for one in members:
            why = one.judgement.reason if one.judgement else ""
            lines.append(f"- {plain(one.scenario.title)}" + (f": {quoted(why)}" if why else ""))
            lines += [f"  - {note}" for note in retry_notes(one)]
    return "\n".join(lines) + "\n"
