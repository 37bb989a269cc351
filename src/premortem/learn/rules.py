"""Relations between the fields of a message that production always kept.

A relation is a rule only when it could have failed: its values vary, chance does not explain it
(exact tests, `chance`), and no simpler one implies it. Found on a sample of messages (`rows`);
one message that breaks it ends it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from premortem.domain.relations import Rule, RuleKind
from premortem.learn import chance
from premortem.learn.calculated import products, sums
from premortem.learn.ordered import bounds, orders
from premortem.learn.rows import (
    LONG,
    MISSING,
    VARIES,
    Cell,
    Row,
    Table,
    item_tables,
    message_table,
    place_of,
    text_of,
    words_of,
)
from premortem.learn.support import CHANCE_MAX, SUPPORT_MIN, VARYING_MIN, Found, spread

RULES_MAX = 60
"""Of one message side; those with the most support."""
EQUAL_DISTINCT_MIN = 3
"""Different values that two places of different names must share; for one name two are enough."""
EQUAL_NUMBERS_MIN = 5
"""The same for numbers, which agree more easily."""
COUNT_DISTINCT_MIN = 3
"""Different lengths that a count must have followed."""
REQUIRES_MAX = 20
"""Of one table."""


def find_rules(rows: Sequence[Row], *, status: int = 0) -> tuple[Rule, ...]:
    """The rules that ROWS, messages of one operation and side, show; most support first.

    STATUS: of the answers that ROWS are; 0 for requests.
    """
    whole = [row for row in rows if row.whole]
    if len(whole) < SUPPORT_MIN:
        return ()
    messages = message_table(whole)
    tables = [messages, *item_tables(whole)]
    same = [found for table in tables for found in _equals(table)]
    same += _equal_throughout(messages)
    twins = _representatives(same)
    found = list(same)
    for table in tables:
        found += [f for f in products(table) if twins.isdisjoint(f.places)]
        found += orders(table, twins=twins)
        found += _requires(table)
    found += [f for f in sums(messages) if twins.isdisjoint(f.places)]
    found += _counts(messages)
    rules = [_rule(item, status) for item in dict.fromkeys(found)]
    return tuple(sorted(rules, key=strength)[:RULES_MAX])


def _rule(found: Found, status: int) -> Rule:
    places = tuple(place_of(key) for key in found.places)
    return Rule(kind=found.kind, places=places, support=found.support, status=status)


_KINDS: tuple[RuleKind, ...] = ("sum", "product", "equal", "count", "order", "requires")


def strength(rule: Rule) -> tuple[int, int, tuple[str, ...]]:
    """The order of rules: by kind, then by support."""
    return (_KINDS.index(rule.kind), -rule.support, tuple(map(str, rule.places)))


def _equals(table: Table) -> Iterator[Found]:
    """Places that hold the same value wherever they are together, as groups."""
    columns = {key: texts for key, cells in table.columns.items() if (texts := _comparable(cells))}
    pairs: dict[tuple[str, str], int] = {}
    for a, b in combinations(columns, 2):
        if bounds(a, b) or bounds(b, a):
            continue  # the ends of a range that were always equal are still a range
        support = _agree(a, columns[a], b, columns[b], table.owners)
        if support:
            pairs[a, b] = support
    yield from _grouped(pairs)


def _comparable(cells: Sequence[Cell]) -> list[str | None]:
    """Texts that could be equal to others; empty for what never varies or is true or false."""
    texts = [None if isinstance(cell, bool) else text_of(cell) for cell in cells]
    texts = [
        _UNLIKE if cell is LONG or cell is VARIES else text
        for cell, text in zip(cells, texts, strict=True)
    ]
    return texts if len({*texts} - {None, ""}) > 1 else []


_UNLIKE = "\0"
"""Stands for what is equal to nothing."""


def _agree(
    a: str, first: list[str | None], b: str, second: list[str | None], owners: list[int]
) -> int:
    """Messages that show A and B to be equal, 0 when they do not convince."""
    shown: dict[int, str] = {}
    for one, other, owner in zip(first, second, owners, strict=True):
        if one is None or other is None:
            continue
        if one != other or one is _UNLIKE:
            return 0
        shown.setdefault(owner, one)
    values = list(shown.values())
    distinct = len({*values} - {""})
    if len(values) < SUPPORT_MIN or distinct < _distinct_min(a, b, values):
        return 0
    return len(values) if chance.agreement(values) <= CHANCE_MAX else 0


def _distinct_min(a: str, b: str, values: Sequence[str]) -> int:
    named, other = words_of(a), words_of(b)
    if named and other and named[-1] == other[-1]:
        return 2
    numbers = all(value.replace(".", "", 1).lstrip("-").isdigit() for value in values)
    return EQUAL_NUMBERS_MIN if numbers else EQUAL_DISTINCT_MIN


def _grouped(pairs: dict[tuple[str, str], int]) -> Iterator[Found]:
    """Places of which every two are equal, as one rule with the least of their supports."""
    groups: list[list[str]] = []
    for a, b in pairs:
        for group in groups:
            known = [x for x in (a, b) if x in group]
            new = b if known == [a] else a if known == [b] else None
            if len(known) == 2:
                break
            if new and all((x, new) in pairs or (new, x) in pairs for x in group):
                group.append(new)
                break
        else:
            groups.append([a, b])
    for group in groups:
        supports = [pairs[p] for p in combinations(group, 2) if p in pairs]
        yield Found(kind="equal", places=tuple(group), support=min(supports))


def _equal_throughout(messages: Table) -> Iterator[Found]:
    """A value of the message that all items of an array repeat, as a currency."""
    tops = {key: c for key, cells in messages.columns.items() if (c := _comparable(cells))}
    for member, lists in messages.lists.items():
        uniform = _comparable([_single(cells) for cells in lists])
        several = sum(cells is not None and len(cells) > 1 for cells in lists)
        if not uniform or several < VARYING_MIN:
            continue
        for top, texts in tops.items():
            support = _agree(top, texts, member, uniform, messages.owners)
            if support:
                yield Found(kind="equal", places=(top, member), support=support)


def _single(cells: list[Cell] | None) -> Cell:
    if not cells:
        return MISSING
    first = cells[0]
    return first if all(type(c) is type(first) and c == first for c in cells) else VARIES


def _representatives(same: Sequence[Found]) -> set[str]:
    """Places that only repeat another one: rules are told of the first of each group."""
    return {key for found in same for key in found.places[1:]}


def _counts(messages: Table) -> Iterator[Found]:
    """Numbers that are the length of an array in the same message."""
    for array, lengths in messages.lengths.items():
        for key, cells in messages.columns.items():
            shown: list[int] = []
            for length, cell in zip(lengths, cells, strict=True):
                if length is None or type(cell) is not int:
                    continue
                if cell != length:
                    shown = []
                    break
                shown.append(length)
            if (
                len(shown) >= SUPPORT_MIN
                and len(set(shown)) >= COUNT_DISTINCT_MIN
                and chance.agreement(shown) <= CHANCE_MAX
            ):
                yield Found(kind="count", places=(key, array), support=len(shown))


def _requires(table: Table) -> Iterator[Found]:
    """Optional places that never come without another optional one."""
    total = len(table)
    masks = {
        key: mask
        for key, cells in table.columns.items()
        if 0 < (mask := _mask(cells)).bit_count() < total
    }
    always = _always(masks)
    needs: defaultdict[str, list[str]] = defaultdict(list)
    for a, mask in masks.items():
        owners = spread(table, mask)
        if owners < SUPPORT_MIN:
            continue
        for b, other in masks.items():
            if a == b or mask & ~other or b in always.get(_parent(a), ()):
                continue
            absent = total - other.bit_count()
            scale = owners / mask.bit_count()
            tested = chance.contained(
                max(1, round(total * scale)), owners, max(owners, round((total - absent) * scale))
            )
            if tested <= CHANCE_MAX:
                needs[a].append(b)
    ranked = sorted(needs, key=lambda a: -masks[a].bit_count())[:REQUIRES_MAX]
    for a in ranked:
        yield Found(kind="requires", places=(a, *needs[a]), support=spread(table, masks[a]))


def _mask(cells: Sequence[Cell]) -> int:
    """A bit for every row that has the cell."""
    mask = 0
    for position, cell in enumerate(cells):
        if cell is not MISSING:
            mask |= 1 << position
    return mask


def _parent(key: str) -> str:
    return key.rpartition("/")[0]


def _always(masks: dict[str, int]) -> dict[str, set[str]]:
    """Object -> optional places that are there whenever the object is: nothing new to say.

    An object is there when any of its places is; an outer object's places count for the inner.
    """
    around: dict[str, int] = defaultdict(int)
    for key, mask in masks.items():
        parent = _parent(key)
        while parent:
            around[parent] |= mask
            parent = _parent(parent)
    always: dict[str, set[str]] = defaultdict(set)
    for key, mask in masks.items():
        parent = _parent(key)
        if around.get(parent) == mask:
            for inner in around:
                if inner == parent or inner.startswith(parent + "/"):
                    always[inner].add(key)
    return always
