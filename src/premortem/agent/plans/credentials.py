"""The request with credentials that are worth nothing: expired, revoked, tampered with."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.agent.outcomes.role import of_credentials
from premortem.agent.planning import titles
from premortem.agent.planning.draft import CannotWrite, Draft
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import (
    Ground,
    is_meant,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile

_BROKEN = ("signature", "invalid")
"""The claim that every token has: with it changed no service can tell it from one that ended,
and no key is needed to change it."""


def invalid_token(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request by somebody who may, but whose token is none any more; nothing changed."""
    role = _bearer(ground, reached)
    expected = of_credentials(operation, ground.evidence)
    draft = Draft(reached.cases)
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    seen = witness(draft, operation, ground) if expected.refused else None
    if seen is not None:
        look(draft, seen, before=True)
    actor = draft.newcomer("intruder", role)
    draft.add("Given", text("token_claim", actor, *_BROKEN))
    draft.request("When", last, actor=actor)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)
    said = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
    title = said or f"{titles.happens(operation)} with an invalid token"
    yield to_scenario(ground, operation, draft, expected, title, role=role)


def _bearer(ground: Ground, reached: Reached) -> str:
    """Whose token it is: who is asked about, else who did it, else anybody with credentials."""
    asked = ground.understood.role
    role = asked if asked != ANONYMOUS else ""
    role = role or reached.cases[-1].role or next(iter(ground.roles), "")
    if not role:
        raise CannotWrite("no role is configured whose token could be spoiled")
    return role
