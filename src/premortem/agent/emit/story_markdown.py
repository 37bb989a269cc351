"""The story of a scenario: what was generated, why, how it changed, what people said."""

from __future__ import annotations

from premortem.agent.emit.augmentation import (
    Added,
    Augmentation,
    prompt_source,
    scenario_ids,
)
from premortem.agent.emit.augmentation_yaml import kinds_of_test
from premortem.agent.emit.sections import code, plain, quoted
from premortem.agent.emit.summary_markdown import reason
from premortem.agent.emit.why import explain_why_scenario_matters
from premortem.agent.emit.yaml_patch import written
from premortem.domain.proposal import Gap

_KIND_NAMES = {"bdd": "BDD", "unit": "Unit", "integration": "Integration"}
_STATUS = {
    "accepted": "Approved by QA",
    "accepted_with_edits": "Approved with edits by QA",
    "needs_correction": "Needs correction",
    "not_relevant": "Rejected as not relevant",
}


def story(augmentation: Augmentation, one: Added, *, gap: Gap | None = None) -> str:
    """The story of ONE, a scenario of AUGMENTATION, with its seven tags."""
    scenario = one.scenario
    types = " + ".join(_KIND_NAMES[kind] for kind in kinds_of_test(augmentation))
    lines = [f"### Scenario: {plain(scenario.title)}", ""]
    lines += [f"Trace: {plain(augmentation.trace_id)}", f"Source: {_source(augmentation)}"]
    lines += ["", "Test generated:", f"- Type: {types}"]
    edition = scenario.edition or augmentation.signal.edition
    if edition:
        lines.append(f"- Edition: {code(edition)}")
    if scenario.role:
        lines.append(f"- Roles tested: {code(scenario.role)}")
    lines += ["", "Scenario Summary:", ""]
    lines += [f"> {step.keyword} {plain(step.text)}  " for step in scenario.steps]
    if one.asserts:
        lines += ["", "Assertions:", *(f"- {plain(said)}" for said in one.asserts)]
    why = explain_why_scenario_matters(scenario, entity=one.entity, gap=gap, verdict=one.verdict)
    lines += ["", f"Why it matters: {why}"]
    if one.attempts or one.comments:
        lines += ["", "Feedback:", *attempts(one)]
        lines += [f"- QA Comment: {quoted(comment)}" for comment in one.comments]
    lines += ["", f"Status: {status(one)}", "", *_tags(augmentation, one)]
    return "\n".join(lines) + "\n"


def attempts(one: Added) -> list[str]:
    """The history of ONE, a line an attempt: `- Attempt #1: Missing THEN clause -> resolved`."""
    return [
        f"- Attempt #{number}: {plain(attempt.reason)} -> "
        f"{'resolved' if attempt.resolved else 'open'}"
        for number, attempt in enumerate(one.attempts, start=1)
    ]


def status(one: Added) -> str:
    """What people decided about ONE, and whether that was carried out."""
    told = _STATUS.get(one.judgement.decision if one.judgement else "", "Awaiting review")
    return told.replace(" by QA", " and committed by QA") if one.delivered else told


def retry_notes(one: Added) -> list[str]:
    """The history of ONE, for remarks inside artifacts."""
    return [line.removeprefix("- ") for line in attempts(one)]


def _source(augmentation: Augmentation) -> str:
    signal = augmentation.signal
    what = reason(signal)
    return what.replace(' "', ' -> "', 1) if signal.text else what


def _tags(augmentation: Augmentation, one: Added) -> list[str]:
    scenario = one.scenario
    told = {
        "trace_id": augmentation.trace_id,
        "scenario_id": scenario_ids(augmentation)[scenario.id],
        "prompt_source": prompt_source(augmentation),
        "edition": scenario.edition or augmentation.signal.edition,
        "role": scenario.role,
        "retry_count": len(one.attempts),
        "source_skill": scenario.origin.skill,
    }
    return ["```yaml", written(told).rstrip("\n"), "```"]
