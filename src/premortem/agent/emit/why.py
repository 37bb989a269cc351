"""Why a scenario matters: what its absence may cost, for the person who decides about it."""

from __future__ import annotations

from collections.abc import Mapping

from premortem.agent.emit.sections import plain
from premortem.domain.proposal import Gap
from premortem.domain.scenario import Scenario, ScenarioVerdict

COST: Mapping[str, str] = {
    "duplicate": "a {thing} sent again takes effect a second time: counted, paid or booked twice",
    "boundary": "a value beyond its limits gets in and is trusted by everything behind",
    "missing_value": "a missing value ends in an unexplained error, or in a half-made {thing}",
    "wrong_type": "malformed input ends in a server error instead of a clear refusal",
    "unknown_value": "a {thing} is stored with a value that nothing behind it knows",
    "unit_switch": "amounts of different units are added up, and totals are wrong without a trace",
    "forbidden_role": "somebody without the right does it, and nothing shows it",
    "invalid_token": "credentials that ended, or were tampered with, still open the door",
    "others_data": "one customer sees or changes the data of another",
    "unknown_reference": "a {thing} hangs on something that does not exist",
    "forbidden_transition": "a {thing} changes in a state in which it must stay as it is",
    "wrong_order": "a step is skipped, and what it guards is not guarded",
    "stale_change": "somebody's change is overwritten, and nobody notices",
    "concurrent_change": "two at the same moment both succeed where only one may",
    "retry_after_timeout": "a client that lost the answer does the same thing twice",
    "over_total": "many small requests, each fine alone, go beyond the whole",
    "pagination_edge": "entries are lost or shown twice at the edge of a page",
    "time_edge": "a date at its edge is taken for another day, or lets through what is over",
    "injection": "text from outside is run or shown as code",
    "mass_assignment": "a client sets what only the service may set",
    "dependency_failure": "a failure behind the service leaves a {thing} half done",
}
"""Failure mode -> what may happen unseen without a test."""


def explain_why_scenario_matters(
    scenario: Scenario,
    *,
    entity: str = "",
    gap: Gap | None = None,
    verdict: ScenarioVerdict | None = None,
) -> str:
    """The skill ExplainWhyScenarioMatters: some sentences for the person who reviews SCENARIO.

    What leaving it out may cost, which gap it closes, and what running it showed. Nothing is
    claimed that was not run.
    """
    mode = scenario.origin.failure_mode
    said: list[str] = []
    cost = COST.get(mode)
    if cost:
        who = f" by {scenario.role}" if scenario.role and mode == "forbidden_role" else ""
        where = f" ({scenario.operation_id}{who})" if scenario.operation_id else ""
        said.append(
            f"Without this test, it can go unseen that "
            f"{cost.format(thing=entity or 'thing')}{where}."
        )
    if gap is not None:
        said.append(f"It closes a gap: {plain(gap.what).rstrip('.')}.")
        if gap.impact:
            said.append(f"{plain(gap.impact).rstrip('.')}.")
    if scenario.origin.expectation:
        said.append(f"The outcome is expected because {plain(scenario.origin.expectation)}.")
    if verdict is not None:
        said.append(_shown(verdict))
    return " ".join(said) or "It was asked for."


def _shown(verdict: ScenarioVerdict) -> str:
    if verdict.outcome == "finding":
        return f"The service does otherwise today: {plain(verdict.reason)}."
    if verdict.outcome == "junk":
        return f"It shows nothing: {plain(verdict.reason)}."
    killed = ", ".join(verdict.faults_killed)
    return f"The service does so today; the test fails under: {killed}." if killed else ""
