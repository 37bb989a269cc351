"""Everything that is measured of generated requests, beside production against production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from premortem.analyse.realism.classifier import Seen, told_apart
from premortem.analyse.realism.copies import Copies, copies
from premortem.analyse.realism.specimens import Specimen
from premortem.analyse.realism.variation import (
    Variation,
    shuffled,
    total_variation,
    variation,
)

EYES_MIN = 0.70
"""Below this AUC for traffic whose fields are shuffled, the eyes see too little to praise any."""
WORSE_MAX = 0.05
"""Above production against production by no more than this, generated requests pass."""


class Judged(Struct, frozen=True, kw_only=True):
    """One way to make requests, beside production's held-out sessions."""

    name: str
    requests: int
    made: float
    """Share of production's requests whose operation it makes at all; within [0, 1]."""
    seen: Seen | None
    """None: too little to say."""
    variation: Variation
    mix: float
    """Total variation distance of how often operations are used."""
    order: float
    """The same of which operation follows which, by role."""
    coherence: float
    """Identifiers in requests that an earlier answer of the same sequence brought, of all."""
    copies: Copies
    seconds: float = 0.0
    """CPU time that making them took; 0: they were not made."""
    valid: float = 1.0
    """Of those made, the share that the operation's schema allows."""


class Quality(Struct, frozen=True, kw_only=True):
    """How realistic generated requests are."""

    profile_version: str
    model: str
    """Version of the traffic model; empty: none."""
    trained: int
    """Requests of the training sessions."""
    held_out: int
    """Requests of the held-out sessions that everything is compared with."""
    ceiling: Judged
    """Production against production: other held-out sessions."""
    blind: Judged
    """Production with its fields shuffled: what the eyes have to see."""
    candidates: tuple[Judged, ...]

    @property
    def eyes(self) -> bool | None:
        """Whether the eyes see what is broken; None: too little to say."""
        return self.blind.seen.auc >= EYES_MIN if self.blind.seen is not None else None

    def passes(self, candidate: Judged) -> bool | None:
        """Whether CANDIDATE is no easier to tell from production than production, by WORSE_MAX."""
        if candidate.seen is None or self.ceiling.seen is None:
            return None
        return candidate.seen.auc <= max(0.5, self.ceiling.seen.auc) + WORSE_MAX


def judged(
    name: str,
    made: Sequence[Specimen],
    *,
    held_out: Sequence[Specimen],
    training: Sequence[Specimen],
    seconds: float = 0.0,
    valid: float = 1.0,
    seed: int = 1,
) -> Judged:
    """MADE beside HELD_OUT. Raises InputError without scikit-learn."""
    operations = {specimen.operation_id for specimen in made}
    references = sum(specimen.references for specimen in made)
    return Judged(
        name=name,
        requests=len(made),
        made=_share(sum(s.operation_id in operations for s in held_out), len(held_out)),
        seen=told_apart(held_out, made, seed=seed),
        variation=variation(held_out, made),
        mix=_apart([s.operation_id for s in held_out], [s.operation_id for s in made]),
        order=_apart(
            [(s.role, s.before, s.operation_id) for s in held_out],
            [(s.role, s.before, s.operation_id) for s in made],
        ),
        coherence=_share(sum(specimen.brought for specimen in made), references),
        copies=copies(made, training),
        seconds=seconds,
        valid=valid,
    )


def quality(
    *,
    training: Sequence[Specimen],
    held_out: Sequence[Specimen],
    other: Sequence[Specimen],
    made: Mapping[str, tuple[Sequence[Specimen], float, float]],
    profile_version: str,
    model: str = "",
    seed: int = 1,
) -> Quality:
    """HELD_OUT beside OTHER held-out sessions, shuffled ones, and what each source MADE:
    (requests, CPU-seconds, share valid). Raises InputError without scikit-learn."""
    mixed = shuffled(other, seed=seed)
    return Quality(
        profile_version=profile_version,
        model=model,
        trained=len(training),
        held_out=len(held_out),
        ceiling=judged("production", other, held_out=held_out, training=training, seed=seed),
        blind=judged("shuffled", mixed, held_out=held_out, training=training, seed=seed),
        candidates=tuple(
            judged(
                name,
                specimens,
                held_out=held_out,
                training=training,
                seconds=seconds,
                valid=valid,
                seed=seed,
            )
            for name, (specimens, seconds, valid) in made.items()
        ),
    )


def _apart(one: Sequence[object], two: Sequence[object]) -> float:
    return total_variation(one, two) if one and two else 1.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
