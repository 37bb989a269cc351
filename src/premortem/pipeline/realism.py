"""How realistic what the sources make is: measured on sessions that no model was trained on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from premortem.analyse.realism import Quality, Specimen, of_exchanges, of_sequences, quality
from premortem.domain import run
from premortem.domain.traffic import Exchange, Profile
from premortem.domain.traffic_model import TrafficModel
from premortem.errors import NothingLearned
from premortem.generate import LlmSource, Sampler
from premortem.generate.llm_batch import Batcher
from premortem.generate.traffic import HELD_OUT_SHARE, Rooms, TrafficSource, held_out
from premortem.models import Engine
from premortem.models.budget import Budget

REQUESTS_MAX = 8_000
"""Of one source, and of production on either side."""
HELD_OUT_MIN = 40
"""Requests of held-out sessions on either side; with fewer there is nothing to compare with."""
HALF = 0.5

TOKENS_MAX, SECONDS_MAX = 2_000_000, 1_800.0
"""Of one language model that is asked."""


class Asked(Struct, frozen=True, kw_only=True):
    """Language models, and how many requests each is to write."""

    engines: Mapping[str, Engine] = {}
    """By the name that the table shows."""
    count: int = 0


NOBODY = Asked()
Made = tuple[Sequence[Specimen], float, float]
"""(requests, CPU-seconds they took, share that the schema allows)."""
Told = Callable[[str], None]


def measured(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    model: TrafficModel | None = None,
    seed: int = 1,
    others: Mapping[str, TrafficSource] | None = None,
    asked: Asked = NOBODY,
    clock: Callable[[], float] = time.process_time,
    tell: Told = lambda _: None,
) -> Quality:
    """The sources `sample` and, where there is a MODEL, `traffic`, beside production.

    Compared is what production let through (below 400): that is what realistic requests are to be
    like. OTHERS: further candidates by name, which draw as `traffic` does. ASKED: language models
    that write, too. TELL: what is done at the moment. Raises NothingLearned where too few sessions
    are held out, InputError without scikit-learn.
    """
    share = model.held_out_share if model is not None else HELD_OUT_SHARE
    tell("reading")
    training, ours, theirs = _split(profile, exchanges, share)
    if min(len(ours), len(theirs)) < HELD_OUT_MIN:
        raise NothingLearned(
            missing=f"recorded traffic of enough sessions (held out are {len(ours) + len(theirs)} "
            f"requests, {2 * HELD_OUT_MIN} are needed)",
            command="premortem capture har FILE",
        )
    counts = _counts(training, len(ours))
    sampler = Sampler(profile, exchanges, seed)
    made: dict[str, Made] = {}
    tell("drawing with sample")
    begun = clock()
    drawn = list(sampled(sampler, counts))
    made["sample"] = (list(of_sequences(drawn, profile)), clock() - begun, 1.0)
    sources = (
        {} if model is None else {"traffic": TrafficSource(Rooms(profile, exchanges, model), seed)}
    )
    for name, source in (sources | dict(others or {})).items():
        tell(f"drawing with {name}")
        begun = clock()
        drawn = [s for id_, count in counts.items() for s in source.drawn(id_, count)]
        spent, valid = clock() - begun, source.valid / max(1, source.tried)
        made[name] = (list(of_sequences(drawn, profile)), spent, valid)
    for name, engine in asked.engines.items():
        tell(f"asking {name}")
        begun = clock()
        written = list(asked_for(engine, profile, exchanges, counts, asked.count, seed=seed))
        made[name] = (list(of_sequences(written, profile)), clock() - begun, 1.0)
    tell("comparing")
    return quality(
        training=training,
        held_out=ours,
        other=theirs,
        made=made,
        profile_version=profile.version,
        model=model.version if model is not None else "",
        seed=seed,
    )


def asked_for(
    engine: Engine,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    counts: Mapping[str, int],
    total: int,
    *,
    seed: int,
) -> Iterator[run.Sequence]:
    """TOTAL requests that ENGINE writes, over the operations that it can say anything about in
    proportion to COUNTS."""
    sampler = Sampler(profile, exchanges, seed)
    budget = Budget(tokens_max=TOKENS_MAX, seconds_max=SECONDS_MAX)
    source = LlmSource(
        profile, exchanges, seed, sampler=sampler, batcher=Batcher(engine, budget, wanted=total)
    )
    usable = {id_: count for id_, count in counts.items() if source.can(id_)}
    everything = sum(usable.values()) or 1
    for id_, count in usable.items():
        start = sampler.start(id_)
        setup = start.setup if start is not None else ()
        for case in source.cases(id_, max(1, round(total * count / everything))):
            yield run.Sequence(cases=(*setup, case))


def _split(
    profile: Profile, exchanges: Mapping[str, Exchange], share: float
) -> tuple[list[Specimen], list[Specimen], list[Specimen]]:
    """(training, one half of what is held out, the other), in time's order."""
    ordered = sorted(exchanges.values(), key=lambda e: e.started_at)
    passed = [e for e in ordered if 0 < e.response.status < 400]
    parts: tuple[list[Specimen], list[Specimen], list[Specimen]] = ([], [], [])
    for specimen in of_exchanges(passed, profile):
        if not held_out(specimen.group, share):
            parts[0].append(specimen)
        else:
            parts[1 if held_out(specimen.group, share * HALF) else 2].append(specimen)
    return parts[0], parts[1][-REQUESTS_MAX:], parts[2][-REQUESTS_MAX:]


def _counts(training: Sequence[Specimen], total: int) -> dict[str, int]:
    """TOTAL requests spread over operations as the training sessions did."""
    found: dict[str, int] = {}
    for specimen in training:
        found[specimen.operation_id] = found.get(specimen.operation_id, 0) + 1
    return {id_: -(-n * total // len(training)) for id_, n in sorted(found.items())}


def sampled(sampler: Sampler, counts: Mapping[str, int]) -> Iterator[run.Sequence]:
    """What SAMPLER draws, equal ones included: each is drawn alone."""
    for operation_id, count in counts.items():
        start = sampler.start(operation_id)
        setup = start.setup if start is not None else ()
        for number in range(count):
            for case in sampler.apart(100 + number).cases(operation_id, 1):
                yield run.Sequence(cases=(*setup, case))
