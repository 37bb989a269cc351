"""Which earlier columns tell what a column will be: found by trying on sessions left out.

Each level mixes what was seen in its situation with what the level before says, by how many
different tokens were seen there (Witten and Bell 1991, The zero-frequency problem, IEEE Trans.
Inf. Theory 37(4)). A parent counts if it makes the tokens of the other half of the sessions more
likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from premortem.domain.traffic_model import Level

PARENTS_MAX = 4
CANDIDATES_MAX = 40
"""Earlier columns that are tried, the nearest ones and those that are given."""
GAIN_MIN = 0.02
"""Nats per request that a parent has to bring."""
GAIN_TOTAL_MIN = 4.0
"""Nats that it has to bring over all requests: less is chance."""
BACK_OFF = 0.5
"""Weight of the level before, times the number of different tokens seen here."""
SURE_TIMES = 30
"""Seen so many times as often as there are different tokens: what never came does not come."""
CONTEXTS_MAX = 5_000
"""Situations of one level that are kept."""
_LEAST = 1e-6

Codes = np.ndarray[Any, Any]
"""Shape (requests,), of tokens or of situations."""


def levels_of(
    tokens: Codes, size: int, earlier: Sequence[Codes], halves: Codes
) -> tuple[Level, ...]:
    """What a column's TOKENS, below SIZE, depend on of the EARLIER columns.

    HALVES: 0 or 1 for each request, by its session.
    """
    parents = _parents(tokens, size, earlier, halves)
    levels = [Level(parent=-1, counts=_counts(tokens, []))]
    for depth in range(len(parents)):
        held = [earlier[parent] for parent in parents[: depth + 1]]
        levels.append(Level(parent=parents[depth], counts=_counts(tokens, held)))
    return tuple(levels)


def _parents(tokens: Codes, size: int, earlier: Sequence[Codes], halves: Codes) -> list[int]:
    count = len(tokens)
    if count < 2 or len(np.unique(tokens)) < 2:
        return []
    chosen: list[int] = []
    contexts = np.zeros(count, dtype=np.int64)
    known = _shares(tokens, contexts, np.full(count, 1.0 / size), halves, size)
    candidates = [i for i, codes in enumerate(earlier) if len(np.unique(codes)) > 1]
    candidates = candidates[:CANDIDATES_MAX]
    while len(chosen) < PARENTS_MAX:
        best, gain, shares, context = -1, 0.0, known, contexts
        for candidate in candidates:
            if candidate in chosen:
                continue
            joined = _joined(contexts, earlier[candidate])
            tried = _shares(tokens, joined, known, halves, size)
            more = float(np.log(tried).sum() - np.log(known).sum())
            if more > gain:
                best, gain, shares, context = candidate, more, tried, joined
        if best < 0 or gain < max(GAIN_MIN * count, GAIN_TOTAL_MIN):
            break
        chosen.append(best)
        known, contexts = shares, context
    return chosen


def _joined(contexts: Codes, codes: Codes) -> Codes:
    """Both as one code, dense from 0."""
    both = contexts * (int(codes.max()) + 1) + codes
    return np.unique(both, return_inverse=True)[1].astype(np.int64)


def _shares(tokens: Codes, contexts: Codes, before: Codes, halves: Codes, size: int) -> Codes:
    """How likely each token was, by what the other half shows of its situation."""
    out = np.empty(len(tokens))
    width = int(contexts.max()) + 1
    for half in (0, 1):
        mine, other = halves == half, halves != half
        seen = np.bincount(contexts[other], minlength=width)
        joint, times = np.unique(contexts[other] * size + tokens[other], return_counts=True)
        different = np.bincount(joint // size, minlength=width)
        wanted = contexts[mine] * size + tokens[mine]
        at = np.minimum(np.searchsorted(joint, wanted), max(len(joint) - 1, 0))
        found = np.where(joint[at] == wanted, times[at], 0) if len(joint) else np.zeros(mine.sum())
        total, kinds = seen[contexts[mine]], different[contexts[mine]]
        back = np.maximum(BACK_OFF * kinds, _LEAST)
        share = (found + back * before[mine]) / (total + back)
        out[mine] = np.maximum(share, _LEAST)
    return out


def _counts(
    tokens: Codes, held: Sequence[Codes]
) -> tuple[tuple[tuple[int, ...], tuple[tuple[int, int], ...]], ...]:
    """(situation, (token, times)), the most frequent situations first."""
    table: dict[tuple[int, ...], dict[int, int]] = {}
    columns = [codes.tolist() for codes in held]
    situations = zip(*columns, strict=True) if columns else ((),) * len(tokens)
    for situation, token in zip(situations, tokens.tolist(), strict=True):
        counts = table.setdefault(situation, {})
        counts[token] = counts.get(token, 0) + 1
    ranked = sorted(table.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))
    return tuple((s, tuple(sorted(c.items()))) for s, c in ranked[:CONTEXTS_MAX])
