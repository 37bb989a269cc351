"""What was added, as Markdown for quality assurance and the Studio.

`studio_summary_markdown`: what went where and what came of it (`qa-augmented-tests.md`).
`generate_studio_markdown_summary`: what a feature file gained.
`augmentation_summary`: the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from premortem.agent.emit.augmentation import Added, Augmentation, roles_of, source
from premortem.agent.emit.sections import code, plain, quoted
from premortem.agent.emit.tags import kinds, shown
from premortem.domain.proposal import Artifact, Signal

FILE_NAME = "qa-augmented-tests.md"
_ASKED = {
    "prompt": "QA prompt",
    "instruction": "QA instruction",
    "coverage": "coverage gap",
    "telemetry": "telemetry",
    "bug": "bug report",
    "edition": "edition gap",
    "role": "role gap",
    "rule": "new business rule",
    "self": "self-evaluation",
}
_REFUSED = frozenset({"denied", "not_found", "conflict", "unchanged", "one_wins", "unavailable"})


def studio_summary_markdown(augmentation: Augmentation) -> str:
    """The skill StudioSummaryMarkdown: what was added for a trace, where, and what came of it."""
    lines = [f"### QA Scenario Augmentation -> Trace: {plain(augmentation.trace_id)}", ""]
    lines += [_gained(artifact) for artifact in augmentation.artifacts if artifact.names]
    lines.append("")
    lines += [
        f"- Scenario: {plain(one.scenario.title)} -> {came_of(one)}" for one in augmentation.added
    ]
    lines += ["", f"Reasoning: Triggered by {reason(augmentation.signal)}"]
    return "\n".join(lines) + "\n"


def generate_studio_markdown_summary(augmentation: Augmentation, *, feature: str, path: str) -> str:
    """The skill GenerateStudioMarkdownSummary: what the feature FEATURE in PATH gained."""
    asked = reason(augmentation.signal)
    asked = asked.replace("QA prompt", "Studio prompt") if _from_studio(augmentation) else asked
    made = [one for one in augmentation.added if one.feature_file in ("", path)]
    lines = [
        f"### Test Scenario Expansion for {plain(feature)}",
        "",
        f"Trace: {plain(augmentation.trace_id)}",
        f"Trigger: {asked[0].upper()}{asked[1:]}",
        "",
        f"Appended to {code(PurePosixPath(path).name)}:",
        *(f"- Scenario: {plain(one.scenario.title)}" for one in made),
    ]
    found = kinds(one.scenario for one in made)
    if found:
        lines += ["", f"@tags: {', '.join(found)}"]
    return "\n".join(lines) + "\n"


def augmentation_summary(augmentation: Augmentation) -> str:
    """The numbers of AUGMENTATION: tests, roles, tags, what people said, coverage."""
    signal = augmentation.signal
    about = signal.handler or augmentation.trace_id
    roles = ", ".join(roles_of(augmentation.scenarios))
    accepted, rejected = judged(augmentation)
    tags = _tags(augmentation)
    lines = [f"### Test Augmentation Summary -> {plain(about)}", ""]
    lines.append(f"Trace: {plain(augmentation.trace_id)}")
    if signal.text:
        name = "Prompt" if source(signal).endswith("prompt") else "Signal"
        lines.append(f"{name}: {quoted(signal.text)}")
    lines += ["", "Tests Added:", f"- Scenarios: {len(augmentation.added)}"]
    for kind, name in (("unit", "Unit Tests"), ("integration", "Integration Tests")):
        count = sum(len(a.names) for a in augmentation.artifacts if a.test_kind == kind)
        if count or kind == "unit":
            lines.append(f"- {name}: {count}")
    lines.append(f"- Roles Added: [{plain(roles)}]")
    if tags:
        lines += ["", "Tags:", *(f"- {shown([tag])}" for tag in tags)]
    lines += ["", "QA Feedback:", f"- Accepted: {accepted}", f"- Rejected: {rejected}"]
    lines.append(f"- Retry: {augmentation.retry_count}")
    if augmentation.after is not None and augmentation.after.coverage:
        lines += ["", f"Coverage Delta: {augmentation.coverage_delta:+.0f}%"]
    return "\n".join(lines) + "\n"


def came_of(one: Added) -> str:
    """What came of a scenario, in words: `status: handled`, `validator failed as expected`."""
    verdict, outcome = one.verdict, one.scenario.origin.outcome
    if verdict is None:
        return "status: not run"
    if verdict.outcome == "finding":
        return "status: finding, a person rules"
    if verdict.outcome == "junk":
        return "status: left out"
    if outcome == "invalid":
        return "validator failed as expected"
    return "status: handled" if outcome in _REFUSED else "status: accepted"


def reason(signal: Signal) -> str:
    """What set it off: `QA prompt "What if ...?"`."""
    text = f" {quoted(signal.text)}" if signal.text else ""
    origin = f" ({plain(signal.origin)})" if signal.origin and signal.kind != "prompt" else ""
    return f"{_ASKED[signal.kind]}{origin}{text}"


def judged(augmentation: Augmentation) -> tuple[int, int]:
    """How many scenarios people accepted, and how many they rejected."""
    decisions = [one.judgement.decision for one in augmentation.added if one.judgement]
    accepted = sum(decision.startswith("accepted") for decision in decisions)
    return accepted, decisions.count("not_relevant")


def _tags(augmentation: Augmentation) -> Sequence[str]:
    editions = {f"edition:{s.edition}": None for s in augmentation.scenarios if s.edition}
    found = kinds(augmentation.scenarios)
    return [*(kind for kind in found if kind != "prompt-driven"), *editions]


def _gained(artifact: Artifact) -> str:
    count, name = len(artifact.names), code(PurePosixPath(artifact.path).name)
    more = "s" if count > 1 else ""
    if artifact.kind == "feature":
        return f"Added {count} BDD scenario{more} to {name}  "
    return f"Appended {count} {artifact.test_kind or 'unit'} test{more} to {name}  "


def _from_studio(augmentation: Augmentation) -> bool:
    return source(augmentation.signal) == "studio-prompt"
