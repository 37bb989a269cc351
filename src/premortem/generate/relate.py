"""What holds between the values of one body, brought about in drawn ones.

Columns are drawn independently; production's are not: sums add up, dates are in order, parallel
arrays are equally long, and what depends on a state stays within what that state allowed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import prod
from typing import Any

import msgspec
from msgspec import Struct
from numpy.random import Generator

from premortem.domain.relations import Correlation, Rule
from premortem.domain.shape import Shape
from premortem.domain.traffic import OperationProfile
from premortem.generate.bounds import in_order, ranges
from premortem.generate.filler import NOTHING
from premortem.generate.fresh import Draw
from premortem.generate.walk import put, without

FAILED_SHARE_MAX = 0.02
"""A rule that failed more often is a habit, not a rule."""
STRENGTH_MIN = 0.3
"""Weaker correlations are left to chance."""
PARALLEL_LENGTH_MIN = 2
"""Arrays of one item each are equally long by chance, in one body."""
DECIMALS_MAX = 9
COMPANY_SEEN_MIN = 5
"""Requests that have to agree on whether a member is there."""
TREND_SEEN_MIN = 8
NEIGHBOURS = 5
"""Recorded numbers nearest to a drawn one that tell what may stand beside it."""
INSTANCES_MAX = 200
"""Items of one array for which a rule is brought about."""

Pointer = tuple[str, ...]
encode = msgspec.json.Encoder().encode


class Span(Struct, frozen=True, kw_only=True):
    """Two members that are the ends of a range, as their names say."""

    low: Pointer
    high: Pointer
    numbers: bool
    """Numbers are ends, too, not only moments."""
    equal: bool
    """Production sent the same value in both."""
    pairs: tuple[tuple[Any, Any], ...]
    """Recorded ones that are in order."""


class Company(Struct, frozen=True, kw_only=True):
    """Whether one member is there, told by another (`Correlation.kind == "presence"`)."""

    first: Pointer
    second: Pointer
    known: Mapping[str, tuple[int, int]]
    """JSON text of the first, empty where it is absent -> requests (with, without) the second."""
    open: bool
    """The first is no closed set: `true` stands for all its values."""
    values: Mapping[str, tuple[Any, ...]]
    """JSON text of the first -> what the second was."""


class Trend(Struct, frozen=True, kw_only=True):
    """Two numbers that rise, or fall, together."""

    first: Pointer
    second: Pointer
    firsts: tuple[float, ...]
    """Recorded, ascending."""
    seconds: tuple[float, ...]
    """What stood beside each of `firsts`."""


class Bond(Struct, frozen=True, kw_only=True):
    """What always held between the values at some places (`Rule`)."""

    kind: str
    places: tuple[Pointer, ...]


class Pair(Struct, frozen=True, kw_only=True):
    """Two members of closed sets, of which the first tells what the second may be."""

    first: Pointer
    second: Pointer
    ways: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]]
    """JSON text of the first -> (those of the second that stood beside it, how often each or one
    before it did)."""


class Ties(Struct, frozen=True, kw_only=True):
    """What holds between the values of an operation's bodies."""

    limits: Mapping[Pointer, float] = {}
    """Numbers that must not be greater than what worked in the state that the setup makes."""
    parallel: tuple[tuple[Pointer, tuple[str, ...]], ...] = ()
    """(object, its members that are equally long arrays)."""
    rules: tuple[Bond, ...] = ()
    correlations: tuple[Pair, ...] = ()
    spans: tuple[Span, ...] = ()
    companies: tuple[Company, ...] = ()
    trends: tuple[Trend, ...] = ()
    fixed: frozenset[Pointer] = frozenset()
    """Values that stay as they are."""

    @property
    def none(self) -> bool:
        """Nothing holds."""
        return not (
            self.limits
            or self.parallel
            or self.rules
            or self.correlations
            or self.spans
            or self.companies
            or self.trends
        )


def ties_of(
    rules: Sequence[Rule],
    correlations: Sequence[Correlation],
    *,
    limits: Mapping[Pointer, float],
    bodies: Sequence[Any],
    fixed: frozenset[Pointer],
    places: Sequence[Pointer] = (),
) -> Ties:
    """What can be brought about of RULES and CORRELATIONS, of what recorded BODIES show, and of
    what the names of PLACES say."""
    kept = [
        r
        for r in rules
        if not r.status
        and all(p.part == "body" for p in r.places)
        and r.failed <= FAILED_SHARE_MAX * max(1, r.support + r.failed)
    ]
    told = [
        c
        for c in correlations
        if c.strength >= STRENGTH_MIN
        and c.first.part == c.second.part == "body"
        and "*" not in (*c.first.tokens, *c.second.tokens)
    ]
    return Ties(
        limits=limits,
        parallel=tuple(parallel_arrays(bodies)),
        rules=tuple(Bond(kind=r.kind, places=tuple(p.tokens for p in r.places)) for r in kept),
        correlations=tuple(_pair(c) for c in told if c.kind == "set" and c.pairs),
        spans=tuple(_spans(places, bodies)),
        companies=tuple(_company(c, bodies) for c in told if c.kind == "presence" and c.pairs),
        trends=tuple(_trends([c for c in told if c.kind == "number"], bodies)),
        fixed=fixed,
    )


def places_of(operation: OperationProfile, shape: Shape | None) -> list[Pointer]:
    """Pointers in OPERATION's bodies that were seen, or that SHAPE declares on two levels."""
    found = [f.place.tokens for f in operation.fields if f.place.part == "body"]
    for name in shape.names if shape is not None else ():
        inner = shape.member(name) if shape is not None else None
        found += [(name,), *((name, other) for other in (inner.names if inner else ()))]
    return found


def _spans(places: Sequence[Pointer], bodies: Sequence[Any]) -> Iterator[Span]:
    for low, high, numbers in ranges(p for p in places if "*" not in p):
        pairs = [(_at(body, low), _at(body, high)) for body in bodies]
        equal = any(a is not NOTHING and a == b for a, b in pairs)
        right = [(a, b) for a, b in pairs if in_order(a, b, numbers=numbers)]
        wrong = [(a, b) for a, b in pairs if in_order(b, a, numbers=numbers)]
        if not wrong:
            yield Span(low=low, high=high, numbers=numbers, equal=equal, pairs=tuple(right))


def _pair(pair: Correlation) -> Pair:
    ways: dict[str, list[tuple[str, int]]] = {}
    for one, text, count in pair.pairs:
        ways.setdefault(one, []).append((text, count))
    return Pair(
        first=pair.first.tokens,
        second=pair.second.tokens,
        ways={
            one: (tuple(t for t, _ in found), tuple(accumulate(n for _, n in found)))
            for one, found in ways.items()
        },
    )


def _company(pair: Correlation, bodies: Sequence[Any]) -> Company:
    first, second = pair.first.tokens, pair.second.tokens
    known: dict[str, tuple[int, int]] = {}
    for text, there, count in pair.pairs:
        yes, no = known.get(text, (0, 0))
        known[text] = (yes + count, no) if there else (yes, no + count)
    values: dict[str, list[Any]] = {}
    for body in bodies:
        item = _at(body, second)
        if item is not NOTHING:
            values.setdefault(_text(_at(body, first), known), []).append(item)
    return Company(
        first=first,
        second=second,
        known=known,
        open=known.keys() <= {"", "true"},
        values={text: tuple(items) for text, items in values.items()},
    )


def _text(value: Any, known: Mapping[str, object]) -> str:
    if value is NOTHING:
        return ""
    return "true" if known.keys() <= {"", "true"} else encode(value).decode()


def _trends(pairs: Sequence[Correlation], bodies: Sequence[Any]) -> Iterator[Trend]:
    for pair in pairs:
        first, second = pair.first.tokens, pair.second.tokens
        found = [(_at(body, first), _at(body, second)) for body in bodies]
        numbers = sorted((a, b) for a, b in found if _is_number(a) and _is_number(b))
        if len(numbers) >= TREND_SEEN_MIN:
            yield Trend(
                first=first,
                second=second,
                firsts=tuple(a for a, _ in numbers),
                seconds=tuple(b for _, b in numbers),
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parallel_arrays(bodies: Sequence[Any]) -> Iterator[tuple[Pointer, tuple[str, ...]]]:
    """(object, members) that were equally long arrays in all BODIES that had them."""
    lengths: dict[Pointer, list[dict[str, int]]] = {}
    for body in bodies:
        for at, value in _objects(body, ()):
            arrays = {name: len(v) for name, v in value.items() if isinstance(v, list)}
            if len(arrays) > 1:
                lengths.setdefault(at, []).append(arrays)
    for at, seen in lengths.items():
        alike: Counter[tuple[str, ...]] = Counter()
        for arrays in seen:
            by_length: dict[int, list[str]] = {}
            for name, length in arrays.items():
                by_length.setdefault(length, []).append(name)
            alike.update(tuple(sorted(n)) for n in by_length.values() if len(n) > 1)
        longest = max(max(arrays.values()) for arrays in seen)
        for names, count in alike.items():
            if count == len(seen) and longest >= PARALLEL_LENGTH_MIN:
                yield at, names


def _objects(value: Any, at: Pointer) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    if isinstance(value, dict):
        yield at, value
        for name, item in value.items():
            yield from _objects(item, (*at, name))


def related(draw: Draw, ties: Ties) -> Draw:
    """DRAW's values with everything that TIES says."""
    if ties.none:
        return draw

    def drawn(rng: Generator, rows: int) -> list[Any]:
        return [tied(value, ties, rng) for value in draw(rng, rows)]

    return drawn


def tied(value: Any, ties: Ties, rng: Generator) -> Any:
    """VALUE with everything that TIES says."""
    if not isinstance(value, dict):
        return value
    for trend in ties.trends:
        value = _trending(value, trend, ties, rng)
    value = _limited(value, ties, rng)
    value = _parallel(value, ties)
    for pair in ties.correlations:
        value = _paired(value, pair, ties, rng)
    for company in ties.companies:
        value = _accompanied(value, company, ties, rng)
    for span in ties.spans:
        value = _spanned(value, span, ties, rng)
    for rule in ties.rules:
        for places in _instances(value, rule.places):
            value = _ruled(value, rule.kind, places, ties)
    return value


def _limited(value: Any, ties: Ties, rng: Generator) -> Any:
    for at, limit in ties.limits.items():
        found = _at(value, at)
        if isinstance(found, int | float) and not isinstance(found, bool) and found > limit:
            value = _set(value, at, _within(found, limit, rng), ties)
    return value


def _parallel(value: Any, ties: Ties) -> Any:
    for at, names in ties.parallel:
        arrays = {name: _at(value, (*at, name)) for name in names}
        lists = [array for array in arrays.values() if isinstance(array, list)]
        shortest = min(map(len, lists), default=0)
        for name, array in arrays.items():
            if isinstance(array, list) and len(array) > shortest:
                value = _set(value, (*at, name), array[:shortest], ties)
    return value


def _within(value: Any, limit: float, rng: Generator) -> Any:
    """A positive number up to LIMIT with as many decimals as VALUE."""
    made = limit * (0.05 + 0.95 * float(rng.random()))
    if isinstance(value, int):
        return max(min(1, int(limit)), int(made))
    return round(made, _decimals([value, limit]))


def _decimals(values: Sequence[Any]) -> int:
    texts = [repr(float(v)).partition(".")[2] for v in values]
    return min(DECIMALS_MAX, max((0 if t == "0" else len(t) for t in texts), default=0))


def _at(value: Any, at: Pointer) -> Any:
    for key in at:
        if isinstance(value, dict):
            value = value.get(key, NOTHING)
            if value is NOTHING:
                return NOTHING
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return NOTHING
    return value


def _set(value: Any, at: Pointer, item: Any, ties: Ties) -> Any:
    """VALUE with ITEM at AT, unless that has to stay as it is."""
    if ties.fixed and any(at[: len(f)] == f or f[: len(at)] == at for f in ties.fixed):
        return value
    changed = put(value, [(at, item, True)])
    return value if changed is NOTHING else changed


def _instances(value: Any, places: tuple[Pointer, ...]) -> Iterator[tuple[Pointer, ...]]:
    """PLACES for each item, where the first is within an array; else themselves."""
    first = places[0]
    if "*" not in first:
        yield places
        return
    head = first[: first.index("*")]
    items = _at(value, head)
    if not isinstance(items, list) or not items:
        return
    every = (*head, "*")
    inner = [p[len(every) :] if p[: len(every)] == every else None for p in places]
    for index in range(min(len(items), INSTANCES_MAX)):
        item = (*head, str(index))
        yield tuple(p if i is None else item + i for p, i in zip(places, inner, strict=True))


def _all_at(value: Any, at: Pointer) -> list[Any]:
    """The values at AT, `*` standing for all items."""
    if "*" not in at:
        found = _at(value, at)
        return [] if found is NOTHING else [found]
    index = at.index("*")
    items = _at(value, at[:index])
    if not isinstance(items, list):
        return []
    return [inner for item in items for inner in _all_at(item, at[index + 1 :])]


def _ruled(value: Any, kind: str, places: tuple[Pointer, ...], ties: Ties) -> Any:
    first, *others = places
    if _at(value, first) is NOTHING:
        return value
    if kind == "order":
        return _ordered(value, places, ties)
    have = [_all_at(value, at) for at in others]
    if kind == "requires":
        changed = without(value, first) if first and not all(have) else NOTHING
        return value if changed is NOTHING else changed
    if not all(have):
        return value
    if kind == "count":
        return _set(value, first, len(have[0][0]), ties) if isinstance(have[0][0], list) else value
    if kind == "equal":
        for at in others:
            value = _set(value, at, _at(value, first), ties)
        return value
    numbers = [v for row in have for v in row]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers):
        return value
    whole = all(isinstance(v, int) for v in numbers)
    result = sum(numbers) if kind == "sum" else prod(numbers)
    decimals = _decimals([*numbers, *([_at(value, first)] if kind == "product" else [])])
    return _set(value, first, result if whole else round(result, decimals), ties)


def _ordered(value: Any, places: tuple[Pointer, ...], ties: Ties) -> Any:
    found = [_at(value, at) for at in places]
    if all(isinstance(v, str) for v in found) or all(map(_is_number, found)):
        right = sorted(found)
        for at, item in zip(places, right, strict=True) if right != found else ():
            value = _set(value, at, item, ties)
    return value


def _trending(value: Any, trend: Trend, ties: Ties, rng: Generator) -> Any:
    """VALUE with a second number that stood beside one like its first."""
    first, second = _at(value, trend.first), _at(value, trend.second)
    if not (_is_number(first) and _is_number(second)):
        return value
    at = bisect_left(trend.firsts, first)
    low = max(0, min(at - NEIGHBOURS // 2, len(trend.firsts) - NEIGHBOURS))
    near = trend.seconds[low : low + NEIGHBOURS]
    if min(near) <= second <= max(near):
        return value
    return _set(value, trend.second, near[int(rng.integers(len(near)))], ties)


def _accompanied(value: Any, company: Company, ties: Ties, rng: Generator) -> Any:
    """VALUE with or without its second member, where the first one decided that always."""
    first = _at(value, company.first)
    text = "" if first is NOTHING else "true" if company.open else encode(first).decode()
    yes, no = company.known.get(text, (0, 0))
    if yes + no < COMPANY_SEEN_MIN or (yes and no):
        return value
    there = _at(value, company.second) is not NOTHING
    if there and no and not any(company.second[: len(f)] == f for f in ties.fixed):
        changed = without(value, company.second)
        return value if changed is NOTHING else changed
    items = company.values.get(text, ())
    if not there and yes and items:
        return _set(value, company.second, items[int(rng.integers(len(items)))], ties)
    return value


def _spanned(value: Any, span: Span, ties: Ties, rng: Generator) -> Any:
    """VALUE with the ends of a range in order."""
    low, high = _at(value, span.low), _at(value, span.high)
    if in_order(low, high, numbers=span.numbers) is not False or (span.equal and low == high):
        return value
    if low == high:
        if not span.pairs:
            return value
        low, high = span.pairs[int(rng.integers(len(span.pairs)))]
    else:
        low, high = high, low
    return _set(_set(value, span.low, low, ties), span.high, high, ties)


def _paired(value: Any, pair: Pair, ties: Ties, rng: Generator) -> Any:
    first, second = _at(value, pair.first), _at(value, pair.second)
    if first is NOTHING or second is NOTHING:
        return value
    texts, steps = pair.ways.get(encode(first).decode(), ((), ()))
    if not texts or encode(second).decode() in texts:
        return value
    text = texts[bisect_right(steps, float(rng.random()) * steps[-1])]
    return _set(value, pair.second, msgspec.json.decode(text), ties)
