"""What two profiles found between fields and requests, as one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from premortem.domain.places import Place
from premortem.domain.relations import (
    PAIRS_MAX,
    Correlation,
    Echo,
    Follow,
    Pool,
    Rule,
    View,
    Volatile,
)
from premortem.domain.traffic import VALUES_MAX, Answer, Link, Profile
from premortem.learn import (
    correlations,
    echoes,
    links,
    order,
    pools,
    rules,
    support,
    views,
    volatile,
)
from premortem.learn.chance import lower_bound
from premortem.learn.merge_fields import Side


def merge_rules(a: Sequence[Rule], b: Sequence[Rule], one: Side, other: Side) -> tuple[Rule, ...]:
    """Rules of both, supports added; one that the other side had to find, and did not, is gone.

    ONE and OTHER: the fields that A and B are about.
    """
    mine, theirs = _by_key(a), _by_key(b)
    kept: list[Rule] = []
    for key in dict.fromkeys((*mine, *theirs)):
        first, second = mine.get(key), theirs.get(key)
        if first is not None and second is not None:
            rule = _both(first, second)
            kept += [rule] if rule is not None else []
            continue
        alone = first if first is not None else theirs[key]
        silent = other if first is not None else one
        if _seen(silent, alone.places) < support.SUPPORT_MIN or _fits(silent, alone):
            kept.append(alone)
    return tuple(sorted(kept, key=rules.strength)[: rules.RULES_MAX])


def _by_key(found: Sequence[Rule]) -> dict[object, Rule]:
    """`requires` by what requires; `equal` whatever the order of its places."""
    keyed: dict[object, Rule] = {}
    for rule in found:
        places: object = rule.places
        if rule.kind == "equal":
            places = frozenset(rule.places)
        elif rule.kind == "requires":
            places = rule.places[0]
        keyed[rule.kind, places] = rule
    return keyed


def _both(a: Rule, b: Rule) -> Rule | None:
    counted = {"support": a.support + b.support, "failed": a.failed + b.failed}
    if a.kind != "requires":
        return replace(a, **counted)
    others = [place for place in a.places[1:] if place in b.places[1:]]
    return replace(a, places=(a.places[0], *others), **counted) if others else None


def _fits(side: Side, rule: Rule) -> bool:
    """Whether what SIDE counted agrees with RULE, which its messages had no way to fail."""
    fields = [side.fields.get(str(place)) for place in rule.places]
    known = [field for field in fields if field is not None]
    if rule.kind == "requires":
        return len(known) == len(fields) and all(f.presence >= 1 for f in known[1:])
    if rule.kind == "equal":
        complete = all(len(f.values) == f.distinct and not f.redacted for f in known)
        return complete and len({frozenset(f.values) for f in known}) == 1
    return False


def _seen(side: Side, places: Iterable[Place]) -> int:
    """Messages in which all PLACES can have been, at most."""
    counts = []
    for place in places:
        field = side.fields.get(str(place))
        counts.append(field.seen if field is not None else 0)
    return min(counts, default=0)


def merge_echoes(
    a: tuple[Sequence[Echo], Side], b: tuple[Sequence[Echo], Side]
) -> tuple[Echo, ...]:
    """Echoes of both, supports added; one that the other side had to find, and did not, is gone.

    A and B: the echoes, and the fields of the answers that they are about.
    """
    mine, theirs = ({(e.asked, e.answered): e for e in found} for found, _ in (a, b))
    kept: list[Echo] = []
    for key in dict.fromkeys((*mine, *theirs)):
        first, second = mine.get(key), theirs.get(key)
        if first is not None and second is not None:
            counted = first.support + second.support
            distinct = max(first.distinct, second.distinct)
            kept.append(replace(first, support=counted, distinct=distinct))
            continue
        alone, silent = (first, b[1]) if first is not None else (theirs[key], a[1])
        if _seen(silent, (alone.answered,)) < support.SUPPORT_MIN:
            kept.append(alone)
    return echoes.ranked(kept)


def merge_views(a: Answer, b: Answer, one: Side, other: Side) -> tuple[View, ...]:
    """Views of both; one that the other side had to find, and did not, is gone.

    ONE and OTHER: the fields of A and B.
    """
    mine, theirs = ({(v.place, v.role, v.form): v for v in x.views} for x in (a, b))
    kept: list[View] = []
    for key in dict.fromkeys((*mine, *theirs)):
        first, second = mine.get(key), theirs.get(key)
        if first is not None and second is not None:
            counted = first.support + second.support
            kept.append(replace(first, support=counted, whole=first.whole + second.whole))
            continue
        alone, silent = (first, other) if first is not None else (theirs[key], one)
        if _seen(silent, (alone.place,)) < support.SUPPORT_MIN:
            kept.append(alone)
    return views.ranked(kept)


def merge_correlations(
    a: Sequence[Correlation], b: Sequence[Correlation], one: Side, other: Side
) -> tuple[Correlation, ...]:
    """Correlations of both, strengths weighed by support; one that the other side had enough
    requests to find, and did not, is gone."""
    mine = {(c.kind, c.first, c.second): c for c in a}
    theirs = {(c.kind, c.first, c.second): c for c in b}
    kept: list[Correlation] = []
    for key in dict.fromkeys((*mine, *theirs)):
        first, second = mine.get(key), theirs.get(key)
        if first is not None and second is not None:
            kept.append(_weighed(first, second))
            continue
        alone = first if first is not None else theirs[key]
        silent = other if first is not None else one
        if _seen(silent, (alone.first, alone.second)) < correlations.SUPPORT_MIN:
            kept.append(alone)
    ranked = sorted(kept, key=lambda c: (-c.strength, str(c.first), str(c.second), c.kind))
    return tuple(ranked[: correlations.CORRELATIONS_MAX])


def _weighed(a: Correlation, b: Correlation) -> Correlation:
    total = a.support + b.support
    pairs: Counter[tuple[str, str]] = Counter()
    for x, y, n in (*a.pairs, *b.pairs):
        pairs[x, y] += n
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return replace(
        a,
        strength=round((a.strength * a.support + b.strength * b.support) / total, 4),
        support=total,
        pairs=tuple((x, y, n) for (x, y), n in ranked[:PAIRS_MAX]),
    )


def merge_volatility(a: Sequence[Volatile], b: Sequence[Volatile]) -> tuple[Volatile, ...]:
    """Evidence of both, added up place by place."""
    counts: dict[tuple[str, str], Volatile] = {}
    for one in (*a, *b):
        known = counts.get((one.place, one.why))
        if known is None:
            counts[one.place, one.why] = one
            continue
        shown, tried = known.support + one.support, known.tried + one.tried
        confidence = round(lower_bound(shown, tried), 4)
        counts[one.place, one.why] = replace(one, support=shown, tried=tried, confidence=confidence)
    return volatile.ranked(counts.values())


def merge_links(a: Profile, b: Profile) -> tuple[Link, ...]:
    """Links of both: supports add, over all requests that had a value at the place."""
    key = tuple[str, Place, str, Place]
    supports: Counter[key] = Counter()
    declared: set[key] = set()
    totals: defaultdict[key, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for side, profile in enumerate((a, b)):
        for link in profile.links:
            spot = (link.producer, link.select, link.consumer, link.place)
            supports[spot] += link.support
            if link.declared:
                declared.add(spot)
            totals[spot][side] = link.support / link.confidence
    seen = [{(o.id, f.place): f.seen for o in p.operations for f in o.fields} for p in (a, b)]
    merged = []
    for spot, count in supports.items():
        producer, select, consumer, place = spot
        total = sum(
            known or seen[side].get((consumer, place), 0) for side, known in enumerate(totals[spot])
        )
        confidence = min(1.0, count / max(1.0, total)) if count else 1.0
        if confidence >= links.CONFIDENCE_MIN:
            merged.append(
                Link(
                    producer=producer,
                    select=select,
                    consumer=consumer,
                    place=place,
                    support=count,
                    confidence=round(confidence, 4),
                    declared=spot in declared,
                )
            )
    return links.ranked(merged)


def merge_follows(a: Sequence[Follow], b: Sequence[Follow]) -> tuple[Follow, ...]:
    """Steps of both, counts and gaps added."""
    counts: Counter[tuple[str, str, str]] = Counter()
    gaps: defaultdict[tuple[str, str, str], Counter[int]] = defaultdict(Counter)
    for step in (*a, *b):
        key = (step.role, step.before, step.after)
        counts[key] += step.count
        gaps[key].update(dict(step.gap_bins))
    return order.ranked(order.follow(*key, count, gaps[key]) for key, count in counts.items())


def merge_pools(a: Sequence[Pool], b: Sequence[Pool]) -> tuple[Pool, ...]:
    """Pools of both by name; numbers and texts of one name stay apart."""
    merged: dict[tuple[str, bool], Pool] = {}
    for pool in (*a, *b):
        key = (pool.name, bool(pool.values) and pool.values[0][0].startswith('"'))
        known = merged.get(key)
        merged[key] = pool if known is None else _united(known, pool)
    return pools.ranked(merged.values())


def _united(a: Pool, b: Pool) -> Pool:
    values = Counter(dict(a.values)) + Counter(dict(b.values))
    complete = len(a.values) == a.distinct and len(b.values) == b.distinct
    ranked = sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))
    return replace(
        a,
        format=a.format or b.format,
        values=tuple(ranked[:VALUES_MAX]),
        distinct=len(values) if complete else max(a.distinct, b.distinct, len(values)),
        places=tuple(dict.fromkeys((*a.places, *b.places)))[: pools.PLACES_MAX],
    )
