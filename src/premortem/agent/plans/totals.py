"""Several requests, each fine alone, that together take more than there is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from premortem.agent.outcomes.state import as_asked
from premortem.agent.planning import state_titles
from premortem.agent.planning.draft import DoesNotApply, Draft
from premortem.agent.planning.expectation import Evidence, Expectation, captured, codes_of
from premortem.agent.planning.reach import Reached
from premortem.agent.planning.whole import whole_amount
from premortem.agent.plans.ground import (
    Ground,
    as_role,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.plans.valued import named_field
from premortem.agent.plans.values_in import share, with_value
from premortem.agent.understanding.fields_meant import main_field
from premortem.agent.understanding.inputs import input_fields
from premortem.agent.understanding.said import numbers
from premortem.domain.run import Case
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import loose
from premortem.generate.steps import unkeyed

FIRST, SECOND = 0.6, 0.5
"""Parts of the whole that are taken: unequal, so that no check of repetitions steps in before."""
TIMES_MAX = 10
"""Requests that a question may count."""
PARTS_MIN = 2
"""A whole below is taken twice: it may not be divisible."""
_EXCEEDS = re.compile(
    r"exceed|over|insufficient|limit|balance|remain|too.?(?:much|many|large|high)|quota|more.?than",
    re.IGNORECASE,
)


def over_total(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    """More than half of the whole, then half of it."""
    cases = as_role(tuple(map(unkeyed, reached.cases)), ground)
    whole = whole_amount(operation, cases, ground.exchanges)
    if whole is None:
        yield from _as_counted(ground, operation, cases)
        return
    place, most = whole
    first, second = share(most, FIRST), share(most, SECOND)
    if first + second <= most or most < PARTS_MIN:
        first, second = most, most
    final = cases[-1]
    both = (
        *cases[:-1],
        loose(with_value(final, place, first)),
        with_value(final, place, second),
    )
    draft = Draft(both)
    last = len(both) - 1
    for index in range(last):
        draft.setup(index)
    expected = as_asked(ground.understood.outcomes, of_excess(operation, ground.evidence))
    seen = witness(draft, operation, ground) if expected.refused else None
    if seen is not None:
        look(draft, seen, before=True)
    draft.request("When", last)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)
    yield to_scenario(ground, operation, draft, expected, state_titles.over_total(operation))


def _as_counted(
    ground: Ground, operation: OperationProfile, cases: tuple[Case, ...]
) -> Iterator[Scenario]:
    """As often, and with as much, as the question says, where nothing else shows the whole.

    Raises DoesNotApply where it counts nothing.
    """
    said = [n.value for n in numbers(ground.understood.prompt) if n.value > 0]
    if not said:
        raise DoesNotApply("nothing shows the whole that its parts could exceed")
    counts = [int(n) for n in said if 1 < n <= TIMES_MAX and n == int(n)]
    amounts = [n for n in said if n > TIMES_MAX] or said
    final = cases[-1]
    field = named_field(ground, operation) or main_field(input_fields(operation), ("too_large",))
    if field is not None and field.types & {"number", "integer"}:
        final = with_value(final, field.place, min(amounts))
    times = max(min(counts, default=PARTS_MIN), PARTS_MIN)
    draft = Draft((*cases[:-1], *[loose(final)] * (times - 1), final))
    last = len(draft.cases) - 1
    for index in range(last):
        draft.setup(index)
    expected = replace(of_excess(operation, ground.evidence), certain=False)
    draft.request("When", last)
    say_outcome(draft, expected)
    yield to_scenario(ground, operation, draft, expected, state_titles.over_total(operation))


def of_excess(operation: OperationProfile, evidence: Evidence) -> Expectation:
    """What OPERATION should answer to a part that is more than what is left."""
    words: Counter[tuple[int, str, str]] = Counter()
    for exchange in evidence.of(operation):
        status = exchange.response.status
        if 400 <= status < 500:
            for pointer, code in codes_of(exchange.response):
                if _EXCEEDS.search(code):
                    words[status, pointer, code] += 1
    if words:
        (status, pointer, code), count = words.most_common(1)[0]
        return Expectation(
            status=status,
            because=f"production answered {status} {code} ({count} captured)",
            source="captured",
            facts=((pointer, code),),
            outcome="conflict" if status == 409 else "",
        )
    for status in (409, 422, 400):
        count = captured(operation, status)
        if status in operation.declared or count:
            how = f"the specification declares {status}"
            return Expectation(
                status=status,
                because=how if status in operation.declared else f"production answers {status}",
                source="specification" if status in operation.declared else "captured",
                certain=False,
            )
    return replace(
        Expectation(status=409, because="", source="convention", certain=False),
        because="convention: more than there is cannot be taken",
    )
