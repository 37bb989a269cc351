"""From outcomes to a score: distinct errors, code beyond the session, ratios, the known ceiling.

Errors of several seeds are united, for single seeds of a fuzzer share a third of theirs; what
code is reached is compared seed by seed, and united as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from benches.defects.outcome import Defect, Outcome
from benches.defects.reached import Place

Kind = Literal["peer", "ours"]
ERRORS_GOAL, REACHED_GOAL, LEAST = 1.3, 1.15, 0.9
"""Geometric means over the services, and what none may be below."""
RATIO_MAX = 10.0
"""What stands for the ratio to nothing; one service must not decide a mean alone."""


class Cycle(Struct, frozen=True, kw_only=True):
    """An outcome and what it reached."""

    outcome: Outcome
    reached: frozenset[Place]


class SeedScore(Struct, frozen=True, kw_only=True):
    """One seed of one side."""

    seed: int
    requests: int
    errors: int
    gained: int
    """Branches or lines beyond plain session replay."""
    wall_s: float
    cpu_s: float
    reported: int
    tried: int
    passed: int
    """Of the specification's `known` operations."""
    known: int
    notes: str = ""


class Score(Struct, frozen=True, kw_only=True):
    """One service."""

    service: str
    unit: str
    replay_errors: int
    replay_reached: int
    peer: tuple[SeedScore, ...]
    ours: tuple[SeedScore, ...]
    peer_errors: int
    """Of all seeds, and of the plain replay: its union with that is what is scored."""
    ours_errors: int
    peer_gained: int
    ours_gained: int
    """Of all seeds."""
    errors_ratio: float
    reached_ratio: float
    """Mean gain of a seed against mean gain of a seed."""
    ceiling_errors: int
    ceiling_gained: int
    """The union of all runs."""
    only_peer: tuple[Defect, ...]
    only_ours: tuple[Defect, ...]
    both: tuple[str, ...]
    untried: tuple[str, ...] = ()
    """Operations that Schemathesis had a 2xx of, and we never."""
    code_only_peer: Mapping[str, tuple[int, ...]] = {}
    """File -> lines (a branch's first) that only this side reached beyond the replay."""
    code_only_ours: Mapping[str, tuple[int, ...]] = {}


def score(
    service: str, unit: str, replay: Cycle, peer: Sequence[Cycle], ours: Sequence[Cycle]
) -> Score:
    """PEER's and OUR cycles of SERVICE, held against its plain REPLAY."""
    base = replay.reached
    theirs = _errors([replay, *peer])
    mine = _errors(ours)
    peer_gain = _gained(peer, base)
    our_gain = _gained(ours, base)
    return Score(
        service=service,
        unit=unit,
        replay_errors=len(replay.outcome.errors),
        replay_reached=len(base),
        peer=tuple(_seed(cycle, base, replay.outcome.signatures) for cycle in peer),
        ours=tuple(_seed(cycle, base, frozenset()) for cycle in ours),
        peer_errors=len(theirs),
        ours_errors=len(mine),
        peer_gained=len(peer_gain),
        ours_gained=len(our_gain),
        errors_ratio=ratio(len(mine), len(theirs)),
        reached_ratio=ratio(_mean_gain(ours, base), _mean_gain(peer, base)),
        ceiling_errors=len(theirs.keys() | mine.keys()),
        ceiling_gained=len(peer_gain | our_gain),
        only_peer=tuple(theirs[name] for name in sorted(theirs.keys() - mine.keys())),
        only_ours=tuple(mine[name] for name in sorted(mine.keys() - theirs.keys())),
        both=tuple(sorted(mine.keys() & theirs.keys())),
        untried=_missed(peer, ours),
        code_only_peer=_by_file(peer_gain - our_gain),
        code_only_ours=_by_file(our_gain - peer_gain),
    )


def ratio(ours: float, theirs: float) -> float:
    """OURS / THEIRS; of nothing to nothing 1, of something to nothing at most RATIO_MAX."""
    if theirs == 0:
        return 1.0 if ours == 0 else RATIO_MAX
    return min(RATIO_MAX, ours / theirs)


def geometric_mean(ratios: Iterable[float]) -> float:
    """Of ratios; 0 where one is, 1 of none."""
    kept = list(ratios)
    if not kept:
        return 1.0
    return 0.0 if min(kept) <= 0 else math.exp(sum(map(math.log, kept)) / len(kept))


def _errors(cycles: Iterable[Cycle]) -> dict[str, Defect]:
    found: dict[str, Defect] = {}
    for cycle in cycles:
        for defect in cycle.outcome.errors:
            found.setdefault(defect.signature, defect)
    return found


def _gained(cycles: Iterable[Cycle], base: frozenset[Place]) -> frozenset[Place]:
    return frozenset().union(*(cycle.reached for cycle in cycles)) - base


def _missed(peer: Sequence[Cycle], ours: Sequence[Cycle]) -> tuple[str, ...]:
    def failed(cycle: Cycle) -> frozenset[str]:
        return frozenset(cycle.outcome.tried.untried) | frozenset(cycle.outcome.tried.never_passed)

    never_ours = frozenset.intersection(*map(failed, ours)) if ours else frozenset()
    never_theirs = frozenset.intersection(*map(failed, peer)) if peer else frozenset()
    return tuple(sorted(never_ours - never_theirs))


def _by_file(places: Iterable[Place]) -> dict[str, tuple[int, ...]]:
    files: dict[str, set[int]] = {}
    for file, line, _ in places:
        files.setdefault(file, set()).add(line)
    ordered = sorted(files.items(), key=lambda item: (-len(item[1]), item[0]))
    return {file: tuple(sorted(lines)) for file, lines in ordered}


def _mean_gain(cycles: Sequence[Cycle], base: frozenset[Place]) -> float:
    return sum(len(cycle.reached - base) for cycle in cycles) / len(cycles) if cycles else 0.0


def _seed(cycle: Cycle, base: frozenset[Place], also: frozenset[str]) -> SeedScore:
    outcome = cycle.outcome
    notes = [outcome.trouble] if outcome.trouble else []
    notes += [] if outcome.alive else ["the service was gone at the end"]
    notes += [] if outcome.access else ["the caller had lost access at the end"]
    notes += [f"{outcome.turned_away} turned away"] if outcome.turned_away else []
    return SeedScore(
        seed=outcome.seed,
        requests=outcome.requests,
        errors=len(outcome.signatures | also),
        gained=len(cycle.reached - base),
        wall_s=outcome.wall_s,
        cpu_s=outcome.cpu_s,
        reported=outcome.reported,
        tried=outcome.tried.tried,
        passed=outcome.tried.passed,
        known=outcome.tried.known,
        notes="; ".join(notes)[:300],
    )


def held(scores: Mapping[str, Score]) -> dict[str, float | bool]:
    """The figures that the goals are about."""
    errors = [one.errors_ratio for one in scores.values()]
    code = [one.reached_ratio for one in scores.values()]
    return {
        "errors_mean": geometric_mean(errors),
        "reached_mean": geometric_mean(code),
        "least": min([*errors, *code], default=1.0),
        "errors_held": geometric_mean(errors) >= ERRORS_GOAL,
        "reached_held": geometric_mean(code) >= REACHED_GOAL,
        "least_held": min([*errors, *code], default=1.0) >= LEAST,
    }
