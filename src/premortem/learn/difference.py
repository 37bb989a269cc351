"""What changed from one profile to another, and whether chance can have done it.

What one side lacks is a change only when it had enough messages to show it; a share or a
distribution has changed only when a test says so and the change is large enough to matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from premortem.domain.difference import CHANGES_MAX, Change, ChangeKind, Difference
from premortem.domain.histogram import Bins, aligned, divergence
from premortem.domain.places import Place
from premortem.domain.relations import Rule
from premortem.domain.traffic import Answer, Field, OperationProfile, Profile
from premortem.learn.chance import chi_square_tail
from premortem.learn.machine import changed_bans
from premortem.learn.merge_fields import Side
from premortem.learn.renaming import agreed
from premortem.learn.support import SUPPORT_MIN

UNSEEN_MAX = 0.01
"""Chance left that something was there and did not show."""
CHANCE_MAX = 0.001
"""Of a changed share or distribution; a profile has hundreds of fields."""
SHARE_MIN = 0.1
"""Change of a share (presence, statuses) that matters."""
DIVERGENCE_MIN = 0.1
"""Jensen-Shannon divergence that matters, in bits."""
COUNTED_MIN = 30
"""Values on either side before distributions are compared."""
SLOWER_MIN = 1.5
"""Ratio of 95 % quantiles of durations."""
RANGE_MIN = 0.1
"""How far a number must be outside the old range, as a share of the range."""
VALUES_SHOWN = 8
CATEGORIES_MAX = 50

WEIGHTS: Mapping[ChangeKind, int] = {
    "operation_removed": 90,
    "status_added": 70,
    "rule_removed": 75,
    "type": 72,
    "field_removed": 65,
    "role": 68,
    "operation_added": 60,
    "status_removed": 45,
    "status_share": 50,
    "values": 48,
    "presence": 46,
    "range": 42,
    "field_added": 40,
    "link_removed": 38,
    "rule_added": 30,
    "link_added": 28,
    "distribution": 25,
    "timing": 35,
    "volume": 5,
}
"""What breaks a client comes first, then what a test has to cover anew, then drift."""


def compare_profiles(before: Profile, after: Profile) -> Difference:
    """The changes from BEFORE to AFTER, what matters most first.

    Operations count as the same when only their parameters are named differently.
    """
    before, after = agreed(before, after)
    mine = {o.id: o for o in before.operations}
    theirs = {o.id: o for o in after.operations}
    changes: list[Change] = []
    for id_ in dict.fromkeys((*mine, *theirs)):
        if id_ not in theirs:
            changes += _gone(mine[id_], before, after)
        elif id_ not in mine:
            changes += _new(theirs[id_])
        else:
            changes += _operation(mine[id_], theirs[id_])
    changes += _links(before, after)
    for operation_id, was, now in changed_bans(before.machines, after.machines):
        if operation_id in theirs:
            kind: ChangeKind = "rule_removed" if was else "rule_added"
            changes.append(_change(kind, theirs[operation_id], before=was, after=now))
    changes.sort(key=lambda c: (-c.weight, -c.support, c.operation_id, c.where, c.kind))
    return Difference(
        before=before.version,
        after=after.version,
        exchanges=(before.exchanges, after.exchanges),
        operations=(len(mine), len(theirs)),
        changes=tuple(changes[:CHANGES_MAX]),
        omitted=max(0, len(changes) - CHANGES_MAX),
    )


def _change(
    kind: ChangeKind,
    operation: OperationProfile,
    where: str = "",
    *,
    before: str = "",
    after: str = "",
    more: int = 0,
    support: int = 0,
) -> Change:
    return Change(
        kind=kind,
        operation_id=operation.id,
        where=where,
        before=before,
        after=after,
        weight=max(0, min(100, WEIGHTS[kind] + more)),
        support=support,
    )


def _gone(operation: OperationProfile, before: Profile, after: Profile) -> Iterator[Change]:
    """An operation that is in no traffic and no specification any more."""
    if operation.in_spec or expected(operation.count, before.exchanges, after.exchanges):
        yield _change(
            "operation_removed",
            operation,
            before=f"{operation.count:,} calls",
            after="none",
            support=operation.count,
        )


def expected(shown: int, tried: int, again: int) -> bool:
    """Whether what SHOWN of TRIED messages had must have come up among AGAIN others.

    One more is added to the misses (Laplace), so that rare things are not missed in vain.
    """
    if not tried:
        return False
    share = shown / (tried + 1)
    return bool((1 - share) ** again <= UNSEEN_MAX)


def _new(operation: OperationProfile) -> Iterator[Change]:
    seen = f"{operation.count:,} calls" if operation.count else "declared"
    yield _change("operation_added", operation, after=seen, support=operation.count)


def _operation(a: OperationProfile, b: OperationProfile) -> Iterator[Change]:
    if not a.count or not b.count:
        if a.count != b.count:
            calls = (f"{o.count:,} calls" for o in (a, b))
            yield _change("volume", b, before=next(calls), after=next(calls))
        return
    one = Side(a.fields, count=a.count, whole=a.count - a.unrecorded)
    other = Side(b.fields, count=b.count, whole=b.count - b.unrecorded)
    yield from _fields(b, "request", one, other)
    told = _told_rules(a.rules), _told_rules(b.rules)
    yield from _rules(b, "request", told, (one, other))
    yield from _statuses(a, b)
    yield from _roles(a, b)
    yield from _timing(a, b)
    answers = {answer.status: answer for answer in a.answers if answer.count}
    for answer in b.answers:
        if answer.count and answer.status in answers:
            yield from _answer(b, answers[answer.status], answer)


def _answer(operation: OperationProfile, a: Answer, b: Answer) -> Iterator[Change]:
    one, other = (Side(x.fields, count=x.count, whole=x.count - x.unrecorded) for x in (a, b))
    yield from _fields(operation, str(a.status), one, other)
    yield from _rules(operation, str(a.status), (_told(a), _told(b)), (one, other))


def _statuses(a: OperationProfile, b: OperationProfile) -> Iterator[Change]:
    mine = {x.status: x.count for x in a.answers if x.count}
    theirs = {x.status: x.count for x in b.answers if x.count}
    first, second = sum(mine.values()), sum(theirs.values())
    for status in sorted({*mine, *theirs}):
        was, now = mine.get(status, 0), theirs.get(status, 0)
        kind: ChangeKind | None = None
        if not was:
            kind = "status_added" if expected(now, second, first) or status >= 500 else None
        elif not now:
            kind = "status_removed" if expected(was, first, second) else None
        elif _moved(was, first, now, second):
            kind = "status_share"
        if kind is not None:
            yield _change(
                kind,
                b,
                str(status),
                before=f"{was:,} of {first:,}",
                after=f"{now:,} of {second:,}",
                more=_alarm(status) if now * first > was * second else 0,
                support=max(was, now),
            )


def _alarm(status: int) -> int:
    return 25 if status >= 500 else 0


def _moved(shown: int, tried: int, again: int, tried_again: int) -> bool:
    """Whether a share has changed by more than chance, and by enough to matter."""
    if not tried or not tried_again:
        return False
    if abs(shown / tried - again / tried_again) < SHARE_MIN:
        return False
    return _tail([shown, tried - shown], [again, tried_again - again]) <= CHANCE_MAX


def _tail(a: Sequence[int], b: Sequence[int]) -> float:
    """P that counts A and B, per category, come from one distribution (Pearson's chi-square)."""
    first, second = sum(a), sum(b)
    total = first + second
    statistic, used = 0.0, 0
    for x, y in zip(a, b, strict=True):
        if x + y:
            used += 1
            for seen, size in ((x, first), (y, second)):
                wanted = (x + y) * size / total
                statistic += (seen - wanted) ** 2 / wanted
    return chi_square_tail(statistic, used - 1)


def _roles(a: OperationProfile, b: OperationProfile) -> Iterator[Change]:
    for role in sorted(a.roles.keys() & b.roles.keys()):
        was, now = _passed(a.roles[role]), _passed(b.roles[role])
        if was[1] and now[1] and (was[0] > 0) != (now[0] > 0):
            words = [f"{p:,} of {n:,} let through" for p, n in (was, now)]
            enough = expected(*was, now[1]) if was[0] else expected(*now, was[1])
            if enough:
                yield _change(
                    "role", b, role or "(nobody)", before=words[0], after=words[1], support=now[1]
                )


def _passed(counts: Mapping[str, int]) -> tuple[int, int]:
    """(requests not refused for who sent them, all)."""
    refused = sum(n for status, n in counts.items() if status in ("401", "403"))
    total = sum(counts.values())
    return total - refused, total


def _timing(a: OperationProfile, b: OperationProfile) -> Iterator[Change]:
    if len(a.duration_ms) < 3 or len(b.duration_ms) < 3 or min(a.count, b.count) < COUNTED_MIN:
        return
    was, now = a.duration_ms[2], b.duration_ms[2]
    slower = was > 0 and not 1 / SLOWER_MIN < now / was < SLOWER_MIN
    if slower and _tail(*aligned(dict(a.duration_bins), dict(b.duration_bins))) <= CHANCE_MAX:
        more = 10 if now > was else -15
        yield _change("timing", b, "p95", before=f"{was:.0f} ms", after=f"{now:.0f} ms", more=more)


def _fields(operation: OperationProfile, side: str, a: Side, b: Side) -> Iterator[Change]:
    for key in dict.fromkeys((*a.fields, *b.fields)):
        first, second = a.fields.get(key), b.fields.get(key)
        where = f"{side} {key}"
        if first is not None and second is not None:
            yield from _field(operation, where, (first, second), (a, b))
        elif first is not None:
            parents = b.parents(first)
            if expected(first.seen, a.parents(first), parents):
                yield _change(
                    "field_removed",
                    operation,
                    where,
                    before=_share(first.seen, a.parents(first)),
                    after=f"in none of {parents:,}",
                    support=first.seen,
                )
        elif second is not None and expected(second.seen, b.parents(second), a.parents(second)):
            yield _change(
                "field_added",
                operation,
                where,
                before=f"in none of {a.parents(second):,}",
                after=f"{_share(second.seen, b.parents(second))}, {_kinds(second)}",
                support=second.seen,
            )


def _share(seen: int, parents: int) -> str:
    return f"in {seen:,} of {parents:,}"


def _kinds(field: Field) -> str:
    return "/".join(sorted(field.types))


def _field(
    operation: OperationProfile,
    where: str,
    both: tuple[Field, Field],
    sides: tuple[Side, Side],
) -> Iterator[Change]:
    a, b = both
    new = {k: n for k, n in b.types.items() if k not in a.types}
    lost = {k: n for k, n in a.types.items() if k not in b.types and expected(n, a.seen, b.seen)}
    if {*new, *lost} and _number_types(new, lost, a, b):
        more = -30 if {*new, *lost} == {"null"} and lost else 0
        yield _change(
            "type",
            operation,
            where,
            before=_kinds(a),
            after=_kinds(b),
            more=more,
            support=sum(new.values()) or sum(lost.values()),
        )
    parents = sides[0].parents(a), sides[1].parents(b)
    if a.place.tokens[-1:] != ("*",) and _moved(
        min(a.seen, parents[0]), parents[0], min(b.seen, parents[1]), parents[1]
    ):
        yield _change(
            "presence",
            operation,
            where,
            before=_share(a.seen, parents[0]),
            after=_share(b.seen, parents[1]),
            support=b.seen,
        )
    if not (a.redacted or b.redacted):
        yield from _sets(operation, where, a, b)
        yield from _ranges(operation, where, a, b)


def _number_types(new: Mapping[str, int], lost: Mapping[str, int], a: Field, b: Field) -> bool:
    """Whether the types differ by more than decimals that happened to be zero."""
    numeric = {"integer", "number"}
    if {*new, *lost} - numeric:
        return True
    return not ({*a.types} & numeric and {*b.types} & numeric)


def _sets(operation: OperationProfile, where: str, a: Field, b: Field) -> Iterator[Change]:
    was, now = dict(a.values), dict(b.values)
    if a.enumeration or b.enumeration:
        new = [v for v in now if v not in was] if a.enumeration else []
        lost = (
            [v for v, n in was.items() if v not in now and expected(n, a.seen, b.seen)]
            if b.enumeration
            else []
        )
        if new or lost:
            yield _change(
                "values",
                operation,
                where,
                before=_listed(lost, "never again: ") or "a closed set",
                after=_listed(new, "new: ")
                if b.enumeration or len(new) <= VALUES_SHOWN
                else f"{b.distinct:,} different values, no closed set",
                support=sum(now[v] for v in new),
            )
            return
    if a.numbers is None and b.numbers is None:
        counts = _categories(a, b)
        if counts is not None:
            yield from _drifted(operation, where, *counts)


def _listed(values: Iterable[str], lead: str) -> str:
    named = list(values)
    if not named:
        return ""
    more = f" and {len(named) - VALUES_SHOWN} more" if len(named) > VALUES_SHOWN else ""
    return lead + ", ".join(named[:VALUES_SHOWN]) + more


def _categories(a: Field, b: Field) -> tuple[dict[str, int], dict[str, int]] | None:
    """Counts per value, what was not kept together; None where most values are new each time."""
    counted = [Counter(dict(f.values)) for f in (a, b)]
    if any(f.distinct * 3 > sum(f.types.values()) for f in (a, b)):
        return None
    named = {v for v, _ in (counted[0] + counted[1]).most_common(CATEGORIES_MAX)}
    found = []
    for field, counts in zip((a, b), counted, strict=True):
        kept = {v: n for v, n in counts.items() if v in named}
        rest = sum(field.types.values()) - field.types.get("null", 0) - sum(kept.values())
        found.append(kept | ({"": rest} if rest > 0 else {}))
    return found[0], found[1]


def _drifted(
    operation: OperationProfile,
    where: str,
    a: Mapping[Any, int],
    b: Mapping[Any, int],
) -> Iterator[Change]:
    one, other = aligned(dict(a), dict(b))
    if min(sum(one), sum(other)) < COUNTED_MIN:
        return
    moved = divergence(one, other)
    if moved >= DIVERGENCE_MIN and _tail(one, other) <= CHANCE_MAX:
        yield _change(
            "distribution",
            operation,
            where,
            after=f"divergence {moved:.2f} bits",
            more=round(15 * moved),
            support=sum(other),
        )


def _ranges(operation: OperationProfile, where: str, a: Field, b: Field) -> Iterator[Change]:
    if a.numbers is None or b.numbers is None or min(a.seen, b.seen) < COUNTED_MIN:
        return
    was, now = a.numbers.quantiles, b.numbers.quantiles
    slack = RANGE_MIN * (was[-1] - was[0])
    if now[0] < was[0] - slack or now[-1] > was[-1] + slack:
        negative = was[0] >= 0 > now[0]
        yield _change(
            "range",
            operation,
            where,
            before=f"{was[0]:g} to {was[-1]:g}",
            after=f"{now[0]:g} to {now[-1]:g}",
            more=15 if negative else 0,
            support=b.seen,
        )
    mine: Bins = a.numbers.bins
    theirs: Bins = b.numbers.bins
    yield from _drifted(operation, where, dict(mine), dict(theirs))


Told = Mapping[str, tuple[Sequence[Place], int]]
"""Relations in words -> (the places of these messages that they are about, support)."""


def _told_rules(rules: Iterable[Rule]) -> Told:
    return {spelled(rule): (rule.places, rule.support) for rule in rules}


def _told(answer: Answer) -> Told:
    echoes = {f"{e.answered} repeats {e.asked}": ((e.answered,), e.support) for e in answer.echoes}
    views = {f"{v.role} sees {v.place} {v.form}": ((v.place,), v.support) for v in answer.views}
    return {**_told_rules(answer.rules), **echoes, **views}


def _rules(
    operation: OperationProfile, side: str, told: tuple[Told, Told], sides: tuple[Side, Side]
) -> Iterator[Change]:
    first, second = told
    for words, (places, support) in first.items():
        if words not in second and _shown(sides[1], places) >= SUPPORT_MIN:
            yield _change(
                "rule_removed",
                operation,
                side,
                before=words,
                after="no longer holds, or no longer shows",
                support=support,
            )
    for words, (places, support) in second.items():
        if words not in first and _shown(sides[0], places) >= SUPPORT_MIN:
            yield _change("rule_added", operation, side, after=words, support=support)


def _shown(side: Side, places: Iterable[Place]) -> int:
    fields = [side.fields.get(str(place)) for place in places]
    return min((f.seen if f is not None else 0 for f in fields), default=0)


def spelled(rule: Rule) -> str:
    """RULE in one line."""
    return f"{rule.kind}: {', '.join(map(str, rule.places))}"


def _links(before: Profile, after: Profile) -> Iterator[Change]:
    operations = {o.id: o for o in (*before.operations, *after.operations)}
    mine, theirs = (
        {(x.producer, str(x.select), x.consumer, str(x.place)): x for x in p.links}
        for p in (before, after)
    )
    for one, other, kind, profile in (
        (mine, theirs, "link_removed", after),
        (theirs, mine, "link_added", before),
    ):
        counts = {o.id: o.count for o in profile.operations}
        for key, link in one.items():
            producer, select, consumer, place = key
            asked = counts.get(consumer, 0) if counts.get(producer) else 0
            if key in other or not expected(
                link.support, round(link.support / link.confidence), asked
            ):
                continue
            told = f"{producer} {select}"
            changed: ChangeKind = "link_removed" if kind == "link_removed" else "link_added"
            yield _change(
                changed,
                operations[consumer],
                f"request {place}",
                before=told if changed == "link_removed" else "",
                after=told if changed == "link_added" else "",
                support=link.support,
            )
