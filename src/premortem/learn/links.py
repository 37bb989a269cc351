"""Values of answers that later requests reuse."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from premortem.domain.places import Place
from premortem.domain.traffic import Link
from premortem.learn.facts import Facts, FactSheet, strong

PRODUCERS_MAX = 16
"""Places remembered per identifier, first come."""
IDENTIFIERS_MAX = 1_000_000
LINKS_PER_PLACE_MAX = 8
LINKS_MAX = 5000
WEAK_SUPPORT_MIN = 3
"""Requests that must show a link through short numbers or words; a UUID needs one."""
WEAK_DISTINCT_MIN = 2
"""Distinct values that must show it: one value everywhere is a constant."""
CONFIDENCE_MIN = 0.05
"""Share of the consumer's requests from which a reuse is more than an exception."""

_Spot = tuple[str, Place]
"""(operation id, place)."""


class _Support:
    """How often a consumer's value came from one producer."""

    __slots__ = ("count", "strong", "texts")

    def __init__(self) -> None:
        self.count = 0
        self.strong = False
        self.texts: set[str] = set()

    def add(self, text: str) -> None:
        self.count += 1
        self.strong = self.strong or strong(text)
        if len(self.texts) < WEAK_DISTINCT_MIN:
            self.texts.add(text)

    @property
    def convinces(self) -> bool:
        """Chance does not explain it."""
        return self.strong or (
            self.count >= WEAK_SUPPORT_MIN and len(self.texts) >= WEAK_DISTINCT_MIN
        )


def find_links(sheet: FactSheet) -> tuple[Link, ...]:
    """The links that the exchanges of SHEET show, highest support first.

    A value counts for every place that an earlier answer had it at. An identifier counts
    across sessions: what a clerk creates, a manager approves.
    """
    producers: dict[str, dict[_Spot, int]] = {}
    support: defaultdict[tuple[_Spot, _Spot], _Support] = defaultdict(_Support)
    totals: Counter[_Spot] = Counter()
    for facts in sheet.rows:
        _count_uses(facts, producers, support, totals)
        for made in facts.makes:
            for key in made.keys:
                known = producers.get(key)
                if known is None:
                    if len(producers) >= IDENTIFIERS_MAX:
                        continue
                    known = producers[key] = {}
                if len(known) < PRODUCERS_MAX:
                    known.setdefault((facts.operation_id, made.place), 0)
    return _accepted(support, totals)


def _count_uses(
    facts: Facts,
    producers: dict[str, dict[_Spot, int]],
    support: defaultdict[tuple[_Spot, _Spot], _Support],
    totals: Counter[_Spot],
) -> None:
    counted: set[tuple[_Spot, _Spot]] = set()
    placed: set[_Spot] = set()
    for used in facts.uses:
        consumer = (facts.operation_id, used.place)
        if consumer not in placed:
            placed.add(consumer)
            totals[consumer] += 1
        for key in used.keys:
            for producer in producers.get(key, ()):
                pair = (producer, consumer)
                if pair not in counted:
                    counted.add(pair)
                    support[pair].add(used.text)


def _accepted(
    support: dict[tuple[_Spot, _Spot], _Support], totals: Counter[_Spot]
) -> tuple[Link, ...]:
    found_links: list[Link] = []
    for (producer, consumer), found in support.items():
        confidence = min(1.0, found.count / totals[consumer])
        if found.convinces and confidence >= CONFIDENCE_MIN:
            found_links.append(
                Link(
                    producer=producer[0],
                    select=producer[1],
                    consumer=consumer[0],
                    place=consumer[1],
                    support=found.count,
                    confidence=round(confidence, 4),
                )
            )
    return ranked(found_links)


def ranked(links: Iterable[Link]) -> tuple[Link, ...]:
    """LINKS, highest support first: LINKS_PER_PLACE_MAX per place, LINKS_MAX in all."""
    kept: list[Link] = []
    taken: Counter[_Spot] = Counter()
    for link in sorted(links, key=_strength):
        taken[link.consumer, link.place] += 1
        if taken[link.consumer, link.place] <= LINKS_PER_PLACE_MAX:
            kept.append(link)
    return tuple(kept[:LINKS_MAX])


def _strength(link: Link) -> tuple[int, str, str, str, str]:
    return (-link.support, link.producer, str(link.select), link.consumer, str(link.place))
