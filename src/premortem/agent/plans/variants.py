"""The same request in one edition and in another: what differs, and what does not.

Not a failure mode: a difference that is known, so both of its branches are tested.
"""

from __future__ import annotations

from msgspec.structs import replace

from premortem.agent.planning.draft import Draft
from premortem.agent.planning.expectation import Expectation
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import Ground, say_outcome, to_scenario
from premortem.agent.steps.catalogue import text
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile


def in_variant(
    ground: Ground,
    operation: OperationProfile,
    reached: Reached,
    *,
    expected: Expectation,
    title: str,
    role: str = "",
    header: tuple[str, str] = ("", ""),
    event: tuple[str, int] = ("", 0),
) -> Scenario:
    """OPERATION as REACHED says, in the edition that GROUND's question names, and its outcome.

    ROLE: who sends it; empty: who did. HEADER: what tells the tenant or locale. EVENT: one that is
    to be recorded so often. Raises CannotWrite.
    """
    draft = Draft(reached.cases)
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    if header[0]:
        draft.add("Given", text("header_next", *header))
    draft.request("When", last, role=role or None)
    say_outcome(draft, expected)
    if event[0]:
        draft.add("Then", text("event", *event))
    scenario = to_scenario(ground, operation, draft, expected, title, role=role)
    said = [tag for tag in scenario.tags if tag != "prompt"]
    return replace(scenario, tags=tuple(said), origin=replace(scenario.origin, prompt=""))
