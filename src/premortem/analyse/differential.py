"""Answers to replayed sequences held against the recorded ones.

Which fields may differ is learned: a place that hardly ever differs is determined by what was
recorded, and another value there is suspicious.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from premortem.checks import unlike_recorded
from premortem.checks.likeness import changes_by_itself
from premortem.checks.unlike_recorded import LENGTH, STATUS, general_name
from premortem.domain.agreement import Agreement, agreed
from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.places import Place, body_place
from premortem.domain.references import says_reference
from premortem.domain.run import SAFE_METHODS, Case, Result, Sequence, Verdict
from premortem.domain.template import split_path
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Exchange, Request, Response

PENDING_MAX = 5_000
"""Sequences of which not all results came yet."""
KEPT_MAX = 5
"""Answers kept for a place that differs."""
LEAVES_MAX = 400
"""Values of one answer that are compared."""
NAMES_MAX = 500
"""Recorded names of one sequence that are others now."""
NAME_CHARS_MIN = 4
SHOWN_MAX = 3
VALUE_CHARS_MAX = 80

Key = tuple[str, int, str]


class _Compared(NamedTuple):
    place: str
    was: str
    """JSON text; for what is not literal (a name that is another one now) empty."""
    now: str
    equal: bool


class _Seen(NamedTuple):
    """An answer of which some places differ."""

    result: Result
    sequence: Sequence
    compared: tuple[_Compared, ...]


class Differential:
    """Follows one run. EXCHANGES: the recorded ones, by id. SEQUENCE_OF: one that was sent."""

    def __init__(
        self, exchanges: Mapping[str, Exchange], sequence_of: Callable[[str], Sequence | None]
    ) -> None:
        self._exchanges = exchanges
        self._sequence_of = sequence_of
        self._pending: dict[str, dict[int, Result]] = {}
        self._counts: dict[Key, list[int]] = {}
        self._kept: dict[Key, list[_Seen]] = {}

    def take(self, results: Iterable[Result]) -> None:
        """What came of cases; a sequence counts once all of it came."""
        for result in results:
            case = result.case
            if case.origin.source != "replay" or not case.recorded_status:
                continue
            held = self._pending.setdefault(result.sequence_id, {})
            held[result.position] = result
            sequence = self._sequence_of(result.sequence_id)
            if sequence is not None and sequence.replays and len(held) == len(sequence.cases):
                self._compare(sequence, [held[i] for i in range(len(sequence.cases))])
                del self._pending[result.sequence_id]
            while len(self._pending) > PENDING_MAX:
                del self._pending[next(iter(self._pending))]

    @property
    def differs(self) -> bool:
        """An answer was not as recorded somewhere."""
        return bool(self._kept)

    def agreements(self, *, without: Iterable[Key] = ()) -> tuple[Agreement, ...]:
        """How often each place was as recorded; WITHOUT those."""
        left_out = set(without)
        return agreed(
            Agreement(operation_id=o, status=s, place=p, equal=equal, differ=differ)
            for (o, s, p), (equal, differ) in self._counts.items()
            if (o, s, p) not in left_out
        )

    def suspicious(self, past: Iterable[Agreement]) -> Iterator[tuple[Result, Sequence, set[Key]]]:
        """Results that differ where PAST runs, or else the other answers of this one, were as
        recorded; with what they differ in."""
        holding = {one.key for one in past if one.holds}
        holding |= {one.key for one in self.agreements() if one.holds}
        # What is in lists whose length nobody can tell may be about anything.
        trusted = {key for key in holding if all((*key[:2], p) in holding for p in _around(key[2]))}
        first: dict[str, _Seen] = {}
        for key in sorted(self._kept.keys() & trusted):
            for seen in self._kept[key]:
                before = first.get(seen.sequence.id)
                if before is None or seen.result.position < before.result.position:
                    # What differs later in a sequence comes of what differed first.
                    first[seen.sequence.id] = seen
        for seen in first.values():
            of = (seen.result.case.operation_id, seen.result.case.recorded_status)
            differ = {(*of, general_name(c.place)) for c in seen.compared if not c.equal}
            verdict = _verdict(seen, trusted, of)
            yield replace(seen.result, verdicts=(verdict,)), seen.sequence, differ & trusted

    def _compare(self, sequence: Sequence, results: list[Result]) -> None:
        names: dict[str, str] = {}
        reused = {binding.recorded for case in sequence.cases for binding in case.bindings}
        for case, result in zip(sequence.cases, results, strict=True):
            exchange = self._exchanges.get(next(iter(case.origin.parents), ""))
            answer = result.sent.response
            if exchange is None or answer is None or case.together:
                return
            _learn_names(names, _request_texts(exchange.request, result.sent.request))
            was = exchange.response
            # What another check says of an answer needs not be said twice.
            if not result.verdicts and _stands_alone(case, exchange, names):
                of = (case.operation_id, case.recorded_status)
                compared = tuple(_compared(was, answer, names))
                for one in compared:
                    key = (*of, general_name(one.place))
                    self._counts.setdefault(key, [0, 0])[0 if one.equal else 1] += 1
                    if not one.equal and len(self._kept.setdefault(key, [])) < KEPT_MAX:
                        self._kept[key].append(_Seen(result, sequence, compared))
            if was.status != answer.status:
                return  # what follows met another state than production's
            _learn_names(names, _answer_texts(was, answer, reused))


def _compared(was: Response, now: Response, names: Mapping[str, str]) -> Iterator[_Compared]:
    same = was.status == now.status
    yield _Compared(STATUS, str(was.status), str(now.status), same)
    if not same:
        return
    try:
        one, other = read_body(was), read_body(now)
    except ValueError:
        return
    found = _values(one, other, (), names)
    for index, compared in enumerate(found):
        if index >= LEAVES_MAX:
            return
        yield compared


def _values(
    was: Any, now: Any, tokens: tuple[str, ...], names: Mapping[str, str]
) -> Iterator[_Compared]:
    """What stands at the ends of WAS, and what stands there in NOW."""
    place = str(body_place(*tokens))
    if isinstance(was, dict) and isinstance(now, dict):
        for name, value in was.items():
            if name in now:
                yield from _values(value, now[name], (*tokens, str(name)), names)
            elif not changes_by_itself((*tokens, str(name)), value, None):
                gone = str(body_place(*tokens, str(name)))
                yield _Compared(gone, unlike_recorded.text_of(value), "", False)
        return
    if isinstance(was, list) and isinstance(now, list):
        same = len(was) == len(now)
        yield _Compared(place + LENGTH, str(len(was)), str(len(now)), same)
        # Of another length nothing tells which item is which.
        for index, (one, other) in enumerate(zip(was, now, strict=True) if same else ()):
            yield from _values(one, other, (*tokens, str(index)), names)
        return
    if isinstance(was, str) and holds_token(was):
        return  # redacted: nobody knows what it was
    told, telling = unlike_recorded.text_of(was), unlike_recorded.text_of(now)
    if told == telling:
        yield _Compared(place, told, telling, True)
    elif _renamed(was, names) == (now if isinstance(now, str) else text_of(now)):
        yield _Compared(place, "", telling, True)
    elif not changes_by_itself(tokens, was, now):
        yield _Compared(place, told, telling, False)


def _renamed(value: Any, names: Mapping[str, str]) -> str | None:
    """VALUE with names that are others now; None where none is in it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = text_of(value)
    if text in names:
        return names[text]
    if not isinstance(value, str):
        return None
    for was, now in names.items():
        if len(was) >= NAME_CHARS_MIN and was in text:
            text = text.replace(was, now)
    return text if text != value else None


def _learn_names(names: dict[str, str], pairs: Iterable[tuple[str, str]]) -> None:
    for was, now in pairs:
        if was != now and len(names) < NAMES_MAX:
            names.setdefault(was, now)


def _request_texts(was: Request, now: Request) -> Iterator[tuple[str, str]]:
    """What was sent and what is sent in its place."""
    yield from zip(split_path(was.path), split_path(now.path), strict=False)
    yield from _leaf_pairs(was, now)


def _answer_texts(
    was: Response, now: Response, reused: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Names of things in both answers: what looks like one, and what is REUSED."""
    for one, other in _leaf_pairs(was, now):
        if one in reused or changes_by_itself((), one, other):
            yield one, other


def _leaf_pairs(was: Request | Response, now: Request | Response) -> Iterator[tuple[str, str]]:
    try:
        one, other = read_body(was), read_body(now)
    except ValueError:
        return
    there = dict(leaves(other))
    for place, value in leaves(one):
        if place in there and isinstance(value, str | int) and not isinstance(value, bool):
            yield text_of(value), text_of(there[place])


def _stands_alone(case: Case, exchange: Exchange, names: Mapping[str, str]) -> bool:
    """Whether all that CASE names was made before it in its sequence, and a reading names some of
    it: what else is there is shared with everybody."""
    bound = {binding.place for binding in case.bindings}
    if case.request.method in SAFE_METHODS and not bound:
        return False
    template = split_path(case.operation_id.partition(" ")[2].partition("?")[0])
    for index, segment in enumerate(template):
        named = Place(part="path", name=str(index)) in bound
        parts = split_path(exchange.request.path)
        there = index < len(parts) and parts[index] in names
        if "{" in segment and not (named or there):
            return False
    for name, value in exchange.request.query:
        free = Place(part="query", name=name) not in bound and value not in names
        if says_reference(name) and free:
            return False
    try:
        body = read_body(exchange.request)
    except ValueError:
        return False
    for place, value in leaves(body):
        name = next((t for t in reversed(place.tokens) if not t.isdigit()), "")
        free = place not in bound and text_of(value) not in names
        if says_reference(name) and value not in (None, "") and free:
            return False
    return True


def _around(place: str) -> Iterator[str]:
    """The lengths of the arrays that PLACE is in."""
    pieces = place.split("/*")
    for end in range(1, len(pieces)):
        yield "/*".join(pieces[:end]) + LENGTH


def _verdict(seen: _Seen, trusted: set[Key], of: tuple[str, int]) -> Verdict:
    held = [c for c in seen.compared if (*of, general_name(c.place)) in trusted]
    differ = [c for c in held if not c.equal]
    literal = [c for c in held if c.was]
    first = differ[0]
    pointer = first.place.partition(":")[2]
    where = "the status" if first.place == STATUS else f"`{pointer}`"
    if pointer.endswith(LENGTH):
        where = f"the length of `{pointer.removesuffix(LENGTH)}`"
    more = f" and {len(differ) - 1} more" if len(differ) > 1 else ""
    shown = "; ".join(
        f"{c.place} was {c.was[:VALUE_CHARS_MAX]}, is {c.now[:VALUE_CHARS_MAX] or 'not there'}"
        for c in differ[:SHOWN_MAX]
    )
    return Verdict(
        check=unlike_recorded.NAME,
        title=f"answers {where}{more} otherwise than production did",
        signature=" ".join(sorted({general_name(c.place) for c in differ})),
        evidence=f"{shown}; the recorded request was sent again after all that production had "
        f"sent before it, and elsewhere these places are as recorded",
        recorded=tuple((c.place, c.was) for c in literal),
    )
