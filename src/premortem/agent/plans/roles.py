"""The request as somebody whose role may not allow it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from premortem.agent.outcomes.role import of_role
from premortem.agent.planning import titles
from premortem.agent.planning.draft import CannotWrite, Draft
from premortem.agent.planning.reach import Reached, reach
from premortem.agent.plans.ground import (
    Ground,
    in_edition,
    is_meant,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile


def forbidden_role(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request by the role asked about, refused or not, and that nothing changed."""
    for role in _who(ground, operation):
        expected = of_role(operation, role, ground.evidence, roles=ground.roles)
        expected = in_edition(ground, operation, expected)
        if not expected.refused and _may_be_anothers(operation, reached, role):
            expected = replace(expected, certain=False)
        way = reached if expected.refused else _with_an_item(ground, operation, reached)
        draft = Draft(way.cases)
        last = len(way.cases) - 1
        for index in range(last):
            draft.setup(index)
        changes_none = expected.refused and ground.witnessed
        seen = witness(draft, operation, ground) if changes_none else None
        if seen is not None:
            look(draft, seen, before=True)
        draft.request("When", last, role="" if role == ANONYMOUS else role)
        say_outcome(draft, expected)
        if seen is not None:
            look(draft, seen, before=False)
        meant = is_meant(ground, operation) and role == ground.understood.role
        title = titles.from_prompt(ground.understood.prompt) if meant else ""
        yield to_scenario(
            ground, operation, draft, expected, title or titles.by_role(operation, role), role=role
        )


def _with_an_item(ground: Ground, operation: OperationProfile, reached: Reached) -> Reached:
    """REACHED behind the request that makes an item of the list which OPERATION reads: an empty
    one shows nothing that a role should not see."""
    template = operation.operation.template
    if operation.operation.method not in SAFE_METHODS or len(reached.cases) > 1 or "{" in template:
        return reached
    maker = ground.profile.operation(f"POST {template}")
    if maker is None:
        return reached
    way = reach(maker, ground.profile, ground.exchanges, roles=ground.roles)
    if isinstance(way, str):
        return reached
    draft = Draft(way.cases)
    try:
        for index in range(len(way.cases)):
            draft.setup(index)
    except CannotWrite:
        return reached  # the list is read as it is
    return replace(way, cases=(*way.cases, *reached.cases))


def _may_be_anothers(operation: OperationProfile, reached: Reached, role: str) -> bool:
    """Whether the thing was made for another role: that ROLE may do it to its own says little."""
    done_by = reached.cases[-1].role
    changes = operation.operation.method not in SAFE_METHODS
    return changes and "{" in operation.operation.template and role != done_by


def _who(ground: Ground, operation: OperationProfile) -> tuple[str, ...]:
    """The role asked about; none named: those that production refused, or nobody signed in."""
    if ground.understood.role:
        return (ground.understood.role,)
    refused = [
        role
        for role in ground.roles
        if {"401", "403"} & set(operation.roles.get(role, {}))
        and not any(status[0] == "2" for status in operation.roles[role])
    ]
    # A specification that lists who may says of everybody else that they may not.
    barred = [role for role in ground.roles if role not in operation.allowed_roles]
    return tuple((refused or (barred if operation.allowed_roles else []))[:2]) or (ANONYMOUS,)
