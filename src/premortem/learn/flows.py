"""Exchanges that belong together, because one uses what another made."""

from __future__ import annotations

from collections import defaultdict

from premortem.domain.traffic import Flow
from premortem.learn.facts import Facts, FactSheet, is_once

FLOW_MAX = 500
"""Exchanges of one flow; longer ones are cut, and what follows starts a flow of its own."""
IDENTIFIERS_MAX = 2_000_000


class _Sets:
    """Disjoint sets of 0..n-1 (Tarjan 1975); the root is the smallest member."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def find(self, item: int) -> int:
        """The root of ITEM's set."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def union(self, a: int, b: int) -> None:
        """Join the sets of A and B."""
        first, second = sorted((self.find(a), self.find(b)))
        self._parent[second] = first


def group_flows(sheet: FactSheet) -> tuple[Flow, ...]:
    """Every exchange of SHEET in exactly one flow, flows by start.

    An exchange joins the first one that made an identifier it uses: the one that created the
    resource, not the many that mention it later. What a safe request found was put there by
    the unsafe one that told it first, which joins too. What shares nothing is grouped by session.
    """
    rows = sheet.rows
    sets = _Sets(len(rows))
    makers: dict[str, int] = {}
    tellers: dict[str, int] = {}
    linked: set[int] = set()
    for index, facts in enumerate(rows):
        for used in facts.uses:
            key = next((key for key in used.keys if key in makers), None)
            if key is None:
                if is_once(used) and used.keys and used.keys[0] in tellers:  # a retry
                    sets.union(tellers[used.keys[0]], index)
                    linked |= {tellers[used.keys[0]], index}
                continue
            joined = {makers[key], index}
            if rows[makers[key]].safe and key in tellers:
                joined.add(tellers[key])
            for other in joined:
                sets.union(other, index)
            linked |= joined
        note_makers(facts, index, makers)
        note_tellers(facts, index, tellers)
    sessions: dict[str, int] = {}
    for index, facts in enumerate(rows):
        if index not in linked:
            sets.union(sessions.setdefault(facts.session, index), index)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index in range(len(rows)):
        groups[sets.find(index)].append(index)
    flows = [
        Flow(
            exchange_ids=tuple(rows[i].id for i in group[start : start + FLOW_MAX]),
            started_at=rows[group[start]].at,
        )
        for group in groups.values()
        for start in range(0, len(group), FLOW_MAX)
    ]
    return tuple(sorted(flows, key=lambda flow: (flow.started_at, flow.exchange_ids[0])))


def note_makers(facts: Facts, index: int, makers: dict[str, int]) -> None:
    """Remember INDEX as the maker of what FACTS is the first to make."""
    if len(makers) >= IDENTIFIERS_MAX:
        return
    for key in facts.creates:
        makers.setdefault(key, index)
    for made in facts.makes:
        for key in made.keys:
            makers.setdefault(key, index)


def note_tellers(facts: Facts, index: int, tellers: dict[str, int]) -> None:
    """Remember INDEX for what FACTS, if it changed something, was the first to tell."""
    if facts.safe or not facts.succeeded or len(tellers) >= IDENTIFIERS_MAX:
        return
    for used in facts.uses:
        for key in used.keys:
            tellers.setdefault(key, index)
