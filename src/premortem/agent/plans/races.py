"""Several of the same request at the same moment, or two that compete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from premortem.agent.outcomes.repetition import of_repetition
from premortem.agent.outcomes.version import of_outdated
from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.draft import DoesNotApply, Draft
from premortem.agent.planning.expectation import Expectation, replacing_status, success_status
from premortem.agent.planning.reach import Reached
from premortem.agent.planning.whole import whole_amount
from premortem.agent.plans.aftermath import listing_of, twin_of
from premortem.agent.plans.ground import (
    Ground,
    as_role,
    is_meant,
    to_scenario,
)
from premortem.agent.plans.marks import say_trace
from premortem.agent.plans.repeats import once_only
from premortem.agent.plans.states import Found, done_by, in_states
from premortem.agent.plans.totals import of_excess
from premortem.agent.plans.values_in import with_value
from premortem.agent.plans.versions import (
    keep_version,
    made_first,
    stale_change,
    version_of,
    with_version,
)
from premortem.agent.plans.ways import Asked, led_by, start_of
from premortem.agent.steps.catalogue import text
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile
from premortem.generate.steps import unkeyed

TIMES_MAX = 20
"""Requests at once; more of them say nothing more."""
_ONLY_NEW = re.compile(
    r"\bonly (?:if|when)\b.{0,30}\b(?:not|isn't|no|none|new|missing|absent|free)\b|"
    r"\bif-none-match\b|\bunless\b.{0,20}\bexist",
    re.IGNORECASE,
)
"""How a question says that only the first may make something."""


def concurrent_change(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The same request several times at once: of what may happen once, one succeeds."""
    if operation.operation.method in SAFE_METHODS:
        raise DoesNotApply("it changes nothing, so two at once do no harm")
    versioned = version_of(ground, operation)
    based = versioned is not None and versioned.known and operation.operation.method != "POST"
    if based and not _makes_new(ground, operation):
        yield from _of_one_version(ground, operation, reached)
        for scenario in stale_change(ground, operation, reached):
            yield replace(scenario, title=state_titles.stale(operation))
        return
    competing = list(_competing(ground, operation, reached))
    yield from competing or [_race(ground, operation, reached)]


def _competing(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    """Two operations of which one thing allows only one, as `approve` and `cancel`: whoever comes
    second is refused. Steps send equal requests at once, so here one follows the other."""
    other = next(iter(_others(ground, operation)), None)
    theirs = start_of(ground, other) if other is not None else None
    if other is None or theirs is None:
        return
    way = Reached(cases=(*theirs.setup, theirs.final), recorded=theirs.recorded)
    found: list[tuple[OperationProfile, Found]] = []
    for second, first, to_it in ((operation, other, reached), (other, operation, way)):
        asked = Asked(
            words=frozenset(led_by(ground, first)), named=True, moves=frozenset({first.id})
        )
        ways = in_states(ground, second, to_it, asked, right_after=True)
        found += [(second, one) for one in islice((w for w in ways if w[1].refused), 1)]
    ordered = sorted(found, key=lambda pair: not pair[1][1].certain)
    for number, (second, (draft, expected, move)) in enumerate(ordered):
        expected = replace(
            expected,
            because=f"of two at once one succeeds: {expected.because}",
            outcome="one_wins",
        )
        said = "" if number else titles.from_prompt(ground.understood.prompt)
        title = said or state_titles.transition(second, state=done_by(move), refused=True)
        yield to_scenario(ground, second, draft, expected, title)


def _others(ground: Ground, operation: OperationProfile) -> Iterator[OperationProfile]:
    """What the question names besides OPERATION that changes something, and does so otherwise."""
    for identity in ground.understood.beside:
        other = ground.kit.operations.get(identity)
        if other is None or other.operation.method in SAFE_METHODS or other.id == operation.id:
            continue
        if titles.verb(other) != titles.verb(operation):
            yield other


def _makes_new(ground: Ground, operation: OperationProfile) -> bool:
    """Whether the question is about who of several makes what is not there yet."""
    asked = _ONLY_NEW.search(ground.understood.prompt) is not None
    return asked and operation.operation.method == "PUT"


def _times(ground: Ground) -> int:
    return min(max(ground.understood.times, 2), TIMES_MAX)


def _race(ground: Ground, operation: OperationProfile, reached: Reached) -> Scenario:
    repetition = of_repetition(operation, ground.evidence)
    cases = as_role(tuple(map(unkeyed, reached.cases)), ground)
    again = repetition.refused
    if not again:
        repetition, cases = _for_all_there_is(ground, operation, cases, repetition)
    new = _makes_new(ground, operation)
    shown = repetition.refused and not new
    listing = listing_of(ground, operation, cases) if shown else None
    twin = twin_of(ground, operation, cases) if shown and listing is None else None
    draft = Draft(twin.cases if twin is not None else cases)
    last, times = len(draft.cases) - 1, _times(ground)
    if twin is not None:
        twin.bring_about(draft, second=False)
        _, body = once_only(ground, operation, draft, repetition, index=twin.alone)
        draft.request("Given", twin.alone, body=body)
        twin.look(draft, compare=False)
        twin.bring_about(draft, second=True)
    else:
        for index in range(last):
            draft.setup(index)
    if listing is not None:
        listing.look(draft, made=False)
    repetition, body = once_only(ground, operation, draft, repetition)
    if new:
        draft.add("Given", text("header_next", "If-None-Match", "*"))
        repetition = replace(
            of_outdated(operation, ground.evidence, header=True),
            because="only the first may make it (RFC 9110, 13.1.2)",
        )
    draft.request("When", last, body=body, times=times)
    # Once nothing is left, the state may be why the others are refused, with a status of its own.
    others = again or new
    expected = _say(operation, draft, repetition, times, others=others)
    if listing is not None and repetition.refused:
        listing.look(draft, made=True)
    if twin is not None and repetition.refused:
        twin.look(draft, compare=True)
    if repetition.refused and again:
        say_trace(ground, operation, draft)
    return _named(ground, operation, draft, expected, times)


def _for_all_there_is(
    ground: Ground, operation: OperationProfile, cases: tuple[Case, ...], answered: Expectation
) -> tuple[Expectation, tuple[Case, ...]]:
    """What may happen again as long as there is something left: each of them takes all of it."""
    whole = whole_amount(operation, cases, ground.exchanges)
    excess = of_excess(operation, ground.evidence)
    if whole is None or not excess.certain:
        return answered, cases
    return excess, (*cases[:-1], with_value(cases[-1], *whole))


def _of_one_version(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """All of them based on one version: the first makes it outdated for the others."""
    versioned = version_of(ground, operation)
    # The case before the last stands for the change in between, which does not come here.
    reached = made_first(reached)
    cases = as_role(tuple(map(unkeyed, (*reached.cases, reached.cases[-1]))), ground)
    draft = Draft(cases)
    last, times = len(cases) - 1, _times(ground)
    for index in range(last - 1):
        draft.setup(index)
    if versioned is None or not keep_version(ground, operation, draft, versioned):
        return
    with_version(draft, last, versioned, times=times)
    outdated = of_outdated(operation, ground.evidence, header=versioned.header)
    # What one has deleted is not there for the others, whatever version they name.
    others = operation.operation.method != "DELETE"
    expected = _say(operation, draft, outdated, times, others=others, there=True)
    yield _named(ground, operation, draft, expected, times)


def _say(
    operation: OperationProfile,
    draft: Draft,
    loser: Expectation,
    times: int,
    *,
    others: bool = True,
    there: bool = False,
) -> Expectation:
    """Steps that say who succeeds, and what is expected; LOSER: what the OTHERS are answered, where
    that is sure. THERE: the thing is there before."""
    success = replacing_status(operation) if there else success_status(operation)
    if not loser.refused:
        draft.add("Then", text("race_status", times, success))
        return replace(loser, status=success, facts=(), outcome=loser.outcome)
    draft.add("Then", text("race_status", 1, success))
    if others and loser.source in ("captured", "specification") and loser.certain:
        draft.add("Then", text("race_status", times - 1, loser.status))
    return replace(
        loser,
        status=success,
        facts=(),
        because=f"of several at once one succeeds: {loser.because}",
        outcome="one_wins",
    )


def _named(
    ground: Ground, operation: OperationProfile, draft: Draft, expected: Expectation, times: int
) -> Scenario:
    title = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
    return to_scenario(
        ground, operation, draft, expected, title or state_titles.at_once(operation, times)
    )
