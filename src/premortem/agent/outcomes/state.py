"""What a request is answered in a state that may not allow it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile

from msgspec.structs import replace

from premortem.agent.planning import titles
from premortem.agent.planning.expectation import (
    Evidence,
    Expectation,
    captured,
    facts_of,
    success_status,
)
from premortem.agent.understanding.words import stems, tokens
from premortem.checks import reason_of
from premortem.domain.proposal import OutcomeClass
from premortem.domain.relations import StateMachine, Transition
from premortem.domain.template import split_template
from premortem.domain.traffic import Exchange, OperationProfile

_CONFLICTS = (409, 423, 412)
OTHER_REASONS = re.compile(
    r"exceed|duplicat|idempoten|version|precondition|limit|insufficient|too.?m|quota|"
    r"already.?(?:exist|charged|sent|issued)|invalid|validation|missing|required|malformed",
    re.IGNORECASE,
)
"""Words of refusals that are about the request, a total or a repetition, not about a state."""
_DENIES = frozenset({"not", "no", "must", "only", "required", "requires", "needs", "never"})
SHOWN_MIN = 5
"""Times that production did something in one state alone, from which that is no chance."""


def of_refusal(exchange: Exchange) -> Expectation:
    """What production answered when it was asked in this very way: EXCHANGE."""
    status, reason = exchange.response.status, reason_of(exchange.response)
    said = f" {reason}" if reason else ""
    return Expectation(
        status=status,
        because=f"production answered {status}{said} when this was done",
        source="captured",
        facts=facts_of([exchange.response]),
        outcome="conflict" if status < 404 or status == 422 else "",
    )


def of_state(
    operation: OperationProfile,
    states: Sequence[tuple[StateMachine, str]],
    evidence: Evidence,
    *,
    words: Collection[str] = (),
) -> Expectation:
    """What OPERATION should answer for a thing in STATES: machine and state (JSON text) by what
    the last move brought about. WORDS: stems of the words that the question has for the state."""
    return (
        _refused_there(operation, states, evidence)
        or _let_through_there(operation, states)
        or _named_by_refusals(operation, words, evidence)
        or _declared(operation, words)
        or _among_siblings(operation, evidence)
        or Expectation(
            status=409,
            because="convention: the state does not allow it (RFC 9110, 15.5.10)",
            source="convention",
            certain=False,
        )
    )


def of_skipped(
    operation: OperationProfile, states: Sequence[tuple[StateMachine, str]], evidence: Evidence
) -> Expectation:
    """What OPERATION should answer before the step that brings a thing into STATES was done."""
    expected = _declared(operation) or _among_siblings(operation, evidence)
    if expected is None:
        return of_state(operation, (), evidence)
    for machine, state in states:
        known = [t for t in machine.transitions if t.operation_id == operation.id and t.passed]
        count = sum(t.passed for t in known)
        if count >= SHOWN_MIN and {t.before for t in known} == {state}:
            return replace(
                expected,
                because=f"{expected.because}; production did it in state {state} only "
                f"({count} captured)",
                certain=expected.source != "sibling" and _needs(operation, machine, state),
            )
    return expected


def _needs(operation: OperationProfile, machine: StateMachine, state: str) -> bool:
    """Whether more than habit says that OPERATION is for STATE alone: its own words, or that it
    was refused in another."""
    text = " ".join((operation.summary, operation.description, *(m for _, m in operation.meanings)))
    said = set(stems(text))
    others = (t for t in machine.transitions if t.operation_id == operation.id and t.refused)
    return bool(said & set(stems(state))) or any(t.before != state for t in others)


def as_asked(asked: Iterable[OutcomeClass], expected: Expectation) -> Expectation:
    """EXPECTED, or what the question itself says where nothing captured speaks against it."""
    wanted = next(iter(asked), "")
    statuses = {"conflict": 409, "denied": 403, "not_found": 404}
    if wanted not in statuses or expected.source == "captured":
        return expected
    if wanted == expected.outcome_class:
        return expected
    return Expectation(
        status=statuses[wanted],
        because="the question says so",
        source="convention",
        certain=False,
    )


def _refused_there(
    operation: OperationProfile, states: Sequence[tuple[StateMachine, str]], evidence: Evidence
) -> Expectation | None:
    found = [
        (machine, state, there)
        for machine, state in states
        if (there := _known(machine, operation, state))
        and any(t.refused for t in there)
        and not any(t.passed for t in there)
    ]
    for machine, state, there in sorted(found, key=lambda f: not f[0].forbids(operation.id, f[1])):
        return _refused(operation, machine, there, state, evidence)
    return None


def _let_through_there(
    operation: OperationProfile, states: Sequence[tuple[StateMachine, str]]
) -> Expectation | None:
    for machine, state in states:
        passed = sum(t.passed for t in _known(machine, operation, state))
        if passed:
            return Expectation(
                status=success_status(operation),
                because=f"production let it through in state {state} ({passed} captured)",
                source="captured",
            )
    return None


def _known(machine: StateMachine, operation: OperationProfile, state: str) -> list[Transition]:
    return [t for t in machine.transitions if t.operation_id == operation.id and t.before == state]


def _refused(
    operation: OperationProfile,
    machine: StateMachine,
    there: list[Transition],
    state: str,
    evidence: Evidence,
) -> Expectation:
    reason = max(there, key=lambda t: t.refused).reason
    count = sum(t.refused for t in there)
    alike = [
        e.response
        for e in evidence.of(operation)
        if 400 <= e.response.status < 500 and reason and reason_of(e.response) == reason
    ]
    status = alike[0].status if alike else 409
    return Expectation(
        status=status,
        because=f"production answered {status} {reason} in state {state} ({count} captured)",
        source="captured",
        facts=facts_of([r for r in alike if r.status == status]),
        certain=machine.forbids(operation.id, state),
        outcome="conflict" if status in (400, 422) else "",
    )


def _named_by_refusals(
    operation: OperationProfile, words: Collection[str], evidence: Evidence
) -> Expectation | None:
    """Other operations were refused with a word for this very state, and OPERATION knows such
    refusals."""
    # A word for a thing, as in a payment's, names no state.
    things = {stem for o in evidence.profile.operations for stem in stems(titles.entity(o))}
    words = set(words) - things
    if not words or not knows_conflicts(operation):
        return None
    for other in evidence.profile.operations:
        for exchange in evidence.of(other):
            status = exchange.response.status
            reason = reason_of(exchange.response) if status in _CONFLICTS else ""
            # `OrderNotConfirmed` speaks of any state but that one.
            named = words & set(stems(reason)) and not _DENIES.intersection(tokens(reason))
            if named and not OTHER_REASONS.search(reason):
                return Expectation(
                    status=status,
                    because=f"production refuses what comes in this state with {status} {reason} "
                    f"({other.id})",
                    source="sibling",
                    # What is done to another kind of thing may well go on; to make a new one
                    # below it may not.
                    certain=_collection(other) == _collection(operation)
                    or titles.verb(operation) == "create",
                )
    return None


def _collection(operation: OperationProfile) -> tuple[str, ...]:
    segments = split_template(operation.operation.template)
    return tuple(takewhile(lambda segment: "{" not in segment, segments))


def knows_conflicts(operation: OperationProfile) -> bool:
    """Whether OPERATION may be refused for the state that things are in."""
    return any(s in operation.declared or captured(operation, s) for s in _CONFLICTS)


def _declared(operation: OperationProfile, words: Collection[str] = ()) -> Expectation | None:
    for status in (409, 423):  # 412 is about versions
        count, meaning = captured(operation, status), operation.meaning(status)
        if not count and OTHER_REASONS.search(meaning):
            continue
        if count or status in operation.declared:
            known = f"production answered {status} to this operation ({count} captured)"
            said = f": {meaning[:80]}" if meaning else ""
            return Expectation(
                status=status,
                because=known if count else f"the specification declares {status}{said}",
                source="captured" if count else "specification",
                certain=bool(set(words) & set(stems(meaning))),
            )
    return None


def _among_siblings(operation: OperationProfile, evidence: Evidence) -> Expectation | None:
    for other in evidence.profile.operations:
        if other.id != operation.id and captured(other, 409):
            return Expectation(
                status=409,
                because=f"{other.id} answers conflicts with 409",
                source="sibling",
                certain=False,
            )
    return None
