"""Values of answers that change though nothing was changed: clocks, generated ids, counters.

Conservative: a value that is wrongly taken for volatile hides a difference that a comparison
was made to find. So each kind of evidence must be shown several times and never contradicted.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from premortem.domain.moments import epoch_seconds, moment_of
from premortem.domain.relations import Volatile
from premortem.domain.run import SAFE_METHODS
from premortem.domain.traffic import Exchange
from premortem.learn.bodies import read_body
from premortem.learn.chance import lower_bound
from premortem.learn.facts import Facts
from premortem.learn.rows import Row, key_of

ANSWERS_MAX = 5_000
ANSWER_BYTES_MAX = 24 * 1024 * 1024
"""Answers that are remembered to be held against the next equal request's, and their bodies."""
BODY_BYTES_MAX = 128 * 1024
APART_MAX_S = 600.0
"""Equal requests further apart than this may well have met different states."""
LEAVES_MAX = 2_000
DEPTH_MAX = 12
PLACES_MAX = 20_000
"""(operation, status, place) that are counted."""

DIFFERS_MIN = 0.34
"""Confidence from which a difference counts: two pairs of answers of two, three of four."""
CLOCK_MIN = 0.5
"""Confidence from which a time counts as the answer's own: four answers of four."""
GENERATED_MIN = 0.5
NEAR_S = 1.0
"""How far the service's clock may be from the time of its answer."""
TOLD_SHARE_MAX = 0.03
"""Share of an answer's times that earlier answers may have told already. The creation of what is
shown may be among the messages that were not kept, so a small share is much."""
SAFE_CLOCK_SEEN_MIN = 6
SAFE_CLOCK_SPAN_S = 60.0
"""What a safe request shows may have been stored just before; the answers that show a clock must
be this many, over this long."""
GENERATED_SHARE_MIN = 0.95
EVIDENCE_MIN = 2
"""Answers that show a change, before it is worth remembering."""
EVIDENCE_MAX = 60
"""Places per operation and status."""

_Key = tuple[str, int]
"""(operation id, status)."""
Evidence = Mapping[_Key, tuple[Volatile, ...]]


class Repeats:
    """Equal safe requests with nothing changed between: what their answers differ in."""

    def __init__(self) -> None:
        self._answers: OrderedDict[object, tuple[int, float, Exchange]] = OrderedDict()
        self._bytes = 0
        self._changes = 0
        self._same: Counter[_Key] = Counter()
        self._tried: Counter[tuple[_Key, str]] = Counter()
        self._differs: Counter[tuple[_Key, str]] = Counter()

    def add(self, exchange: Exchange, operation_id: str) -> None:
        """Take in the next exchange."""
        request, response = exchange.request, exchange.response
        if request.method not in SAFE_METHODS:
            # what was refused changed nothing; of what failed or is unknown nobody can say
            self._changes += not 400 <= response.status < 500
            return
        if exchange.recorded != "all" or response.status // 100 != 2:
            return
        if len(response.body) > BODY_BYTES_MAX:
            return
        tags = exchange.tags
        key = (request.method, request.origin, request.path, request.query, request.body)
        spot = (*key, tags.session, tags.role, request.header("accept"))
        before = self._answers.pop(spot, None)
        if before is not None:
            self._bytes -= len(before[2].response.body)
            near = exchange.started_at - before[1] <= APART_MAX_S
            if before[0] == self._changes and near:
                self._compare(before[2], exchange, (operation_id, response.status))
        self._answers[spot] = (self._changes, exchange.started_at, exchange)
        self._bytes += len(response.body)
        while len(self._answers) > ANSWERS_MAX or self._bytes > ANSWER_BYTES_MAX:
            _, (_, _, gone) = self._answers.popitem(last=False)
            self._bytes -= len(gone.response.body)

    def _compare(self, before: Exchange, after: Exchange, key: _Key) -> None:
        if before.response.status != after.response.status:
            return
        if before.response.body == after.response.body and (
            before.response.headers == after.response.headers
        ):
            self._same[key] += 1
            return
        old, new = dict(_leaves(before)), dict(_leaves(after))
        if old.keys() != new.keys():
            return  # items came or went: somebody changed something
        tried: set[str] = set()
        differs: set[str] = set()
        for (place, position), value in old.items():
            tried.add(place)
            if new[place, position] != value:
                differs.add(place)
        for place in tried:
            if len(self._tried) < PLACES_MAX or (key, place) in self._tried:
                self._tried[key, place] += 1
        self._differs.update((key, place) for place in differs)

    def found(self) -> dict[_Key, list[Volatile]]:
        """Places that differed at least once, by operation and status."""
        found: defaultdict[_Key, list[Volatile]] = defaultdict(list)
        for (key, place), count in self._differs.items():
            tried = max(count, self._tried[key, place] + self._same[key])
            found[key].append(_volatile(place, "differs", count, tried))
        return found


def _leaves(exchange: Exchange) -> Iterator[tuple[tuple[str, tuple[int, ...]], Any]]:
    """((place, indexes of its items), value) of an answer's headers and body."""
    for number, (name, value) in enumerate(exchange.response.headers):
        yield (f"header:{name}", (number,)), value
    body = read_body(exchange.response)
    if body.kind != "json":
        return
    stack: list[tuple[tuple[str, ...], tuple[int, ...], Any]] = [((), (), body.value)]
    left = LEAVES_MAX
    while stack and left:
        tokens, indexes, item = stack.pop()
        if isinstance(item, dict) and len(tokens) < DEPTH_MAX:
            stack.extend(((*tokens, key), indexes, child) for key, child in item.items())
        elif isinstance(item, list) and len(tokens) < DEPTH_MAX:
            stack.extend(((*tokens, "*"), (*indexes, i), child) for i, child in enumerate(item))
        else:
            left -= 1
            yield (key_of(tokens), indexes), item


def _volatile(place: str, why: Any, support: int, tried: int) -> Volatile:
    confidence = round(lower_bound(support, tried), 4)
    return Volatile(place=place, why=why, support=support, tried=tried, confidence=confidence)


def find_clocks(
    rows: Mapping[_Key, Sequence[Row]], creating: Container[_Key]
) -> dict[_Key, list[Volatile]]:
    """Places that told the time of the answer itself; ROWS are answers by operation and status.

    CREATING: those that make something new. What others tell may be when it was made, though it
    was just now: a time that an earlier answer told is none of the answer's own.
    """
    first = _first_told(row for several in rows.values() for row in several)
    found: defaultdict[_Key, list[Volatile]] = defaultdict(list)
    for key, several in rows.items():
        safe = key[0].partition(" ")[0] in SAFE_METHODS
        seen: Counter[str] = Counter()
        told: Counter[str] = Counter()
        near: defaultdict[str, list[float]] = defaultdict(list)
        for row in several:
            for place, cell in row.cells.items():
                seen[place] += 1
                moment = _moment(cell)
                if moment is None or not (_now(row, moment) or _now(row, moment - row.ahead_s)):
                    continue
                near[place].append(moment)
                told[place] += first[moment] < row.began
        for place, moments in near.items():
            known = told[place] >= EVIDENCE_MIN and told[place] > TOLD_SHARE_MAX * len(moments)
            span = max(moments) - min(moments)
            few = len(moments) < SAFE_CLOCK_SEEN_MIN or span < SAFE_CLOCK_SPAN_S
            if (known and key not in creating) or (safe and few) or not span:
                continue
            found[key].append(_volatile(place, "clock", len(moments), seen[place]))
    return found


def _now(row: Row, moment: float) -> bool:
    """Whether MOMENT, by the recorder's clock, is when ROW was answered."""
    return row.began - NEAR_S <= moment <= row.ended + NEAR_S


def _moment(cell: object) -> float | None:
    """CELL as seconds since the epoch, where it tells a time of day."""
    if isinstance(cell, str):
        moment = moment_of(cell) if 16 <= len(cell) <= 40 else None
        return None if moment is None or moment[1] else moment[0]
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return epoch_seconds(cell)
    return None


def _first_told(rows: Iterable[Row]) -> dict[float, float]:
    """Moment -> when the first of ROWS that told it was answered."""
    first: dict[float, float] = {}
    for row in rows:
        for cell in row.cells.values():
            moment = _moment(cell)
            if moment is not None:
                first[moment] = min(first.get(moment, row.ended), row.ended)
    return first


def find_generated(facts: Iterable[Facts]) -> dict[_Key, list[Volatile]]:
    """Places in answers to unsafe requests that always held an identifier nobody knew before."""
    known: set[str] = set()
    made: Counter[tuple[_Key, str]] = Counter()
    new: Counter[tuple[_Key, str]] = Counter()
    for one in facts:
        key = (one.operation_id, one.status)
        if not one.safe and one.succeeded:
            for named in one.makes:
                if named.place.part == "body" and "*" not in named.place.tokens:
                    spot = (key, str(named.place))
                    made[spot] += 1
                    new[spot] += known.isdisjoint(named.keys) and bool(named.keys)
        for named in (*one.uses, *one.makes):
            known.update(named.keys)
    found: defaultdict[_Key, list[Volatile]] = defaultdict(list)
    for (key, place), count in new.items():
        if count:
            found[key].append(_volatile(place, "generated", count, made[key, place]))
    return found


_ENOUGH = {"differs": DIFFERS_MIN, "clock": CLOCK_MIN, "generated": GENERATED_MIN}


def settled(evidence: Sequence[Volatile]) -> tuple[str, ...]:
    """The places that EVIDENCE convinces of, sorted."""
    convincing = (v for v in evidence if v.confidence >= _ENOUGH[v.why])
    return tuple(
        sorted(
            {
                v.place
                for v in convincing
                if v.why != "generated" or v.support >= GENERATED_SHARE_MIN * v.tried
            }
        )
    )


def joined(*several: Mapping[_Key, Sequence[Volatile]]) -> Evidence:
    """All evidence by operation and status."""
    found: defaultdict[_Key, list[Volatile]] = defaultdict(list)
    for evidence in several:
        for key, items in evidence.items():
            found[key] += items
    return {key: ranked(items) for key, items in found.items()}


def ranked(evidence: Iterable[Volatile]) -> tuple[Volatile, ...]:
    """EVIDENCE, what convinces most first, at most EVIDENCE_MAX; single observations left out."""
    worth = (v for v in evidence if v.support >= EVIDENCE_MIN)
    return tuple(sorted(worth, key=lambda v: (-v.confidence, v.place, v.why))[:EVIDENCE_MAX])
