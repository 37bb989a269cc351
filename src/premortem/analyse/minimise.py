"""A failing sequence made shorter and simpler, as long as it fails in the same way.

Delta debugging (Zeller, Hildebrandt 2002, Simplifying and isolating failure-inducing input, IEEE
Trans. Softw. Eng. 28(2)): over the requests of the sequence, then level by level over the members
of bodies (Misherghi, Su 2006, HDD: hierarchical delta debugging, ICSE), over query and headers,
then over single values. Pure: candidates are yielded, and whoever sends them says what came.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Literal

from msgspec.structs import replace

from premortem.analyse.delta import fewest
from premortem.analyse.minimise_request import Simpler, fewer_headers, fewer_query, simpler_bodies
from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.location import meant
from premortem.domain.places import Place, body_place
from premortem.domain.run import SAFE_METHODS, Binding, Case, Sent, Sequence

Freedom = Literal["free", "same_state", "none"]
"""What may be left out. `free`: the failure is wrong in whatever state and whatever else was
asked, so anything. `same_state`: it is wrong in the state that the sequence brings about, so only
requests that change nothing. `none`: nothing."""
Answers = tuple[Sent, ...] | None
"""What came of a candidate's cases; None when it did not fail in the same way."""
Search = Generator[Sequence, Answers, Sequence]
"""Yields candidates, is sent what came of each, returns the least sequence that failed."""

PASSES_MAX = 3
"""Rounds over all that can be left out; a later one finds what an earlier one made possible."""


def minimise(
    sequence: Sequence,
    sent: tuple[Sent, ...],
    freedom: Freedom,
    *,
    fits: Callable[[Case, Case], bool] = lambda _case, _simpler: True,
) -> Search:
    """The search for a lesser SEQUENCE, which ends with the failing case.

    SENT: what came of its cases when it failed. FITS: whether a simpler form of a case is as
    well-formed as the case: a request that is wrong in more ways may fail for another reason.
    Every yielded sequence is well-formed: bindings
    name earlier cases, and where the one that a value came from is left out, it comes from
    another answer that holds it, or stays as it was recorded.
    """
    if freedom == "none":
        return sequence
    sequence, sent = yield from _fewer_cases(sequence, sent, freedom)
    if freedom == "free":
        for _ in range(PASSES_MAX):
            before = sequence
            for step in (fewer_headers, fewer_query, simpler_bodies):
                for index in reversed(range(len(sequence.cases))):
                    sequence, sent = yield from _simpler(sequence, sent, index, step, fits)
            if sequence == before:
                break
            sequence, sent = yield from _fewer_cases(sequence, sent, freedom)
    return sequence


State = tuple[Sequence, tuple[Sent, ...]]


def _fewer_cases(
    sequence: Sequence, sent: tuple[Sent, ...], freedom: Freedom
) -> Generator[Sequence, Answers, State]:
    """Without the cases that it fails without, all but the last one."""
    droppable = _droppable(sequence, sent, freedom)
    fixed = set(range(len(sequence.cases))) - set(droppable)
    least = (sequence, sent)
    search = fewest(droppable)
    try:
        kept = next(search)
        while True:
            candidate = without(sequence, sent, sorted(fixed | set(kept)))
            answers = yield candidate
            if answers is not None:
                least = (candidate, answers)
            kept = search.send(answers is not None)
    except StopIteration:
        return least


def _droppable(sequence: Sequence, sent: tuple[Sent, ...], freedom: Freedom) -> list[int]:
    """Indices of cases that may be left out. What the verdict refers to may not, and neither may
    those sent at once with the last one: all together they are what failed."""
    last = sequence.cases[-1]
    end = len(sequence.cases) - 1
    needed = {end, *last.intent.refers, *sequence.beside(end)}
    found = [i for i in range(len(sequence.cases)) if i not in needed]
    if freedom == "free":
        return found
    unchanged = {i for i in found if sequence.cases[i].request.method in SAFE_METHODS}
    if last.intent.expects != "same":
        # Where nothing may have changed, a refused request is just what may have changed it.
        unchanged |= {i for i in found if _refused(sent[i])}
    return [i for i in found if i in unchanged]


def _refused(sent: Sent) -> bool:
    return sent.response is not None and 400 <= sent.response.status < 500


def _simpler(
    sequence: Sequence,
    sent: tuple[Sent, ...],
    index: int,
    step: Simpler,
    fits: Callable[[Case, Case], bool],
) -> Generator[Sequence, Answers, State]:
    """SEQUENCE with its case at INDEX made simpler by STEP."""
    search = step(sequence.cases[index])
    try:
        case = next(search)
        while True:
            candidate, answers = _with(sequence, index, case), None
            if fits(sequence.cases[index], case):
                answers = yield candidate
            if answers is not None:
                sequence, sent = candidate, answers
            case = search.send(answers is not None)
    except StopIteration:
        return sequence, sent


def _with(sequence: Sequence, index: int, case: Case) -> Sequence:
    cases = list(sequence.cases)
    cases[index] = case
    return Sequence(cases=tuple(cases))


def without(sequence: Sequence, sent: tuple[Sent, ...], order: Iterable[int]) -> Sequence:
    """The cases of SEQUENCE that ORDER names, ascending, with their references put right.

    SENT: what came of all cases: where a value's producer is left out, another answer that held
    the same value gives it.
    """
    order = list(order)
    index = {old: new for new, old in enumerate(order)}
    cases = []
    for old, case in zip(order, sequence.only(order).cases, strict=True):
        bound = (_bound(binding, old, sent, index) for binding in sequence.cases[old].bindings)
        cases.append(replace(case, bindings=tuple(b for b in bound if b is not None)))
    return Sequence(cases=tuple(cases))


def _bound(
    binding: Binding, consumer: int, sent: tuple[Sent, ...], index: Mapping[int, int]
) -> Binding | None:
    """BINDING of the case CONSUMER among those that INDEX keeps; None: its value stays as it was
    recorded."""
    if binding.step in index:
        return replace(binding, step=index[binding.step])
    told = _live(sent[binding.step], binding.select)
    live = meant(binding.select, binding.recorded, told)
    if live:
        for step in index:
            if step < consumer and (place := _place_of(live, sent[step])) is not None:
                return replace(binding, step=index[step], select=place)
    return None


def _live(sent: Sent, select: Place) -> str:
    if sent.response is None:
        return ""
    if select.part == "header":
        return sent.response.header(select.name.lower()) or ""
    return next((text for place, text in _texts(sent) if place == select), "")


def _place_of(live: str, sent: Sent) -> Place | None:
    return next((place for place, text in _texts(sent) if text == live), None)


def _texts(sent: Sent) -> Iterable[tuple[Place, str]]:
    if sent.response is None or not 200 <= sent.response.status < 300:
        return
    try:
        body = read_body(sent.response)
    except ValueError:
        return
    if isinstance(body, dict | list):
        for place, value in leaves(body):
            if isinstance(value, str | int) and not isinstance(value, bool):
                yield place, text_of(value)
    elif body is not None:
        yield body_place(), text_of(body)
