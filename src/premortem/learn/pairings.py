"""Pairings: was a thing approved, paid or closed by who had asked for it, or by somebody else?

A recording tells who sends by role, so a role stands for a person here: where several people share
one, the same role is seen to do both steps sooner or later, and nothing follows from it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from premortem.domain.relations import Pairing
from premortem.learn.facts import Facts, Named

THINGS_MAX = 100_000
"""Identifiers of things whose makers are remembered, the first ones."""
PAIRINGS_MAX = 500
REFUSALS = frozenset({403, 409, 422, 423})
"""Statuses by which services refuse who made a thing."""

_NAMES = frozenset({"id", "uuid", "key", "name"})
"""What the identifier of a thing is called in the answer that brings it."""
_WRAPPED = 2
"""Tokens of a pointer to it: at the top, or wrapped once."""


class _Counts:
    def __init__(self) -> None:
        self.passed: Counter[bool] = Counter()
        self.refused: tuple[Counter[str], Counter[str]] = (Counter(), Counter())


def find_pairings(rows: Iterable[Facts]) -> tuple[Pairing, ...]:
    """What ROWS, exchanges in their order, show; those seen most first, at most PAIRINGS_MAX."""
    made: dict[str, tuple[str, str]] = {}
    found: defaultdict[tuple[str, str], _Counts] = defaultdict(_Counts)
    for facts in rows:
        if facts.safe or not facts.role:
            continue
        for used in facts.uses:
            known = _maker(used, made)
            if known is None or not known[1]:
                continue
            counts, own = found[known[0], facts.operation_id], known[1] == facts.role
            if facts.succeeded:
                counts.passed[own] += 1
            elif facts.status in REFUSALS and facts.reason:
                counts.refused[own][facts.reason] += 1
        if facts.succeeded and len(made) < THINGS_MAX:
            for named in facts.makes:
                if is_own_name(named):
                    for key in named.keys:
                        made.setdefault(key, (facts.operation_id, facts.role))
    return ranked(_pairing(maker, doer, counts) for (maker, doer), counts in found.items())


def is_own_name(named: Named) -> bool:
    """Whether an answer calls by it the thing that it shows, not one that the thing refers to."""
    tokens = named.place.tokens
    if named.place.part != "body" or not tokens or "*" in tokens or len(tokens) > _WRAPPED:
        return False
    return tokens[-1].lower() in _NAMES


def _maker(used: Named, made: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    if used.place.part != "path":
        return None
    return next((made[key] for key in used.keys if key in made), None)


def _pairing(maker: str, doer: str, counts: _Counts) -> Pairing:
    others, own = (tuple(sorted(c.items())) for c in counts.refused)
    return Pairing(
        maker=maker,
        doer=doer,
        own=counts.passed[True],
        others=counts.passed[False],
        refused_own=own,
        refused_others=others,
    )


def ranked(pairings: Iterable[Pairing]) -> tuple[Pairing, ...]:
    """PAIRINGS by maker and doer; of more than PAIRINGS_MAX those that were seen most."""
    most = sorted(pairings, key=lambda p: (-_seen(p), p.maker, p.doer))[:PAIRINGS_MAX]
    return tuple(sorted(most, key=lambda p: (p.maker, p.doer)))


def _seen(pairing: Pairing) -> int:
    refused = (*pairing.refused_own, *pairing.refused_others)
    return pairing.own + pairing.others + sum(count for _, count in refused)


def merge_pairings(a: Iterable[Pairing], b: Iterable[Pairing]) -> tuple[Pairing, ...]:
    """Those of both, counts added."""
    together: defaultdict[tuple[str, str], list[Pairing]] = defaultdict(list)
    for pairing in (*a, *b):
        together[pairing.maker, pairing.doer].append(pairing)
    return ranked(
        Pairing(
            maker=maker,
            doer=doer,
            own=sum(p.own for p in parts),
            others=sum(p.others for p in parts),
            refused_own=added(p.refused_own for p in parts),
            refused_others=added(p.refused_others for p in parts),
        )
        for (maker, doer), parts in together.items()
    )


def added(counted: Iterable[tuple[tuple[str, int], ...]]) -> tuple[tuple[str, int], ...]:
    """(word, times) of all of COUNTED, by word."""
    total: Counter[str] = Counter()
    for pairs in counted:
        total.update(dict(pairs))
    return tuple(sorted(total.items()))
