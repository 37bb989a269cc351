"""An operation on a thing that itself holds a value at the edge: approve a very large invoice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem.agent.planning import titles
from premortem.agent.planning.draft import Draft
from premortem.agent.planning.expectation import Expectation, facts_of, success_status
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import (
    Ground,
    as_role,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.plans.values_in import with_value
from premortem.agent.understanding.boundaries import edge_value
from premortem.agent.understanding.fields_meant import main_field
from premortem.agent.understanding.inputs import input_fields
from premortem.agent.understanding.said import MORE
from premortem.agent.understanding.words import tokens
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile

_LIMIT = re.compile(r"limit|exceed|too.?(?:large|high|much|big)|maximum|threshold", re.IGNORECASE)


def on_large_thing(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request about a thing that was made as large as it may be.

    Only of things that go into nothing else: what they go into has a limit of its own.
    """
    if not MORE.search(ground.understood.prompt.lower()):
        return
    last = reached.cases[-1]
    named = sorted({b.step for b in last.bindings if b.place.part == "path"}, reverse=True)
    for index in named:
        between = reached.cases[index + 1 : -1]
        if "{" in reached.cases[index].operation_id or any(
            case.request.method not in SAFE_METHODS for case in between
        ):
            continue  # what comes in between may have the limit
        made = _at_most(ground, reached.cases[index])
        if made is None:
            continue
        case, name = made
        cases = (*reached.cases[:index], case, *reached.cases[index + 1 :])
        yield _judged(ground, operation, as_role(cases, ground), name)
        return


def _at_most(ground: Ground, case: Case) -> tuple[Case, str] | None:
    """CASE with its main number at the declared maximum, and that number's name."""
    operation = ground.profile.operation(case.operation_id)
    field = main_field(input_fields(operation), ("maximum",)) if operation is not None else None
    if field is None or not field.types & {"number", "integer"}:
        return None
    edge = edge_value("maximum", schema=field.constraints, types=field.types, usual=None)
    if edge is None:
        return None
    changed = with_value(case, field.place, edge.value)
    return None if changed is case else (changed, field.name)


def _judged(
    ground: Ground, operation: OperationProfile, cases: tuple[Case, ...], name: str
) -> Scenario:
    expected = _expected(ground, operation, cases[-1].role)
    draft = Draft(cases)
    last = len(cases) - 1
    for index in range(last):
        draft.setup(index)
    seen = witness(draft, operation, ground) if expected.refused else None
    if seen is not None:
        look(draft, seen, before=True)
    draft.request("When", last)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)
    said = " ".join(tokens(name)) or name
    title = f"{titles.happens(operation)} with {said} at its maximum"
    return to_scenario(ground, operation, draft, expected, title)


def _expected(ground: Ground, operation: OperationProfile, role: str) -> Expectation:
    """What production refused the role with for a limit, or the specification says of one; else
    success, which is not certain."""
    refused = [
        exchange.response
        for exchange in ground.evidence.of(operation)
        if exchange.tags.role == role and 400 <= exchange.response.status < 500
    ]
    limited = [r for r in refused if any(_LIMIT.search(code) for _, code in facts_of([r]))]
    if limited:
        status = limited[0].status
        return Expectation(
            status=status,
            because=f"production answered {status} to {role} beyond a limit ({len(limited)} "
            "captured)",
            source="captured",
            facts=facts_of(limited),
        )
    for status in (403, 409, 422):
        said = operation.meaning(status)
        if _LIMIT.search(said):
            same = [o for o in ground.profile.operations if o.meaning(status) == said]
            return Expectation(
                status=status,
                because=f"the specification says of {status}: {said}",
                source="specification",
                # What is said of every operation need not be meant of this one.
                certain=len(same) == 1,
            )
    return Expectation(
        status=success_status(operation),
        because="convention: nothing known forbids it, however large",
        source="convention",
        certain=False,
    )
