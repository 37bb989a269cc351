"""A profile -> validated cases."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from premortem.config import Config
from premortem.domain import run
from premortem.domain.context import NOTHING, Context
from premortem.domain.run import Rejection
from premortem.domain.traffic import Exchange, Profile
from premortem.generate import (
    Headers,
    Narrower,
    generate,
    isolated,
    once_places,
    unique_places,
)
from premortem.generate.llm_batch import Progress
from premortem.generate.traffic import Rooms
from premortem.pipeline.modelling import by_model, quiet
from premortem.pipeline.ruling import declared_invariants, stated_rules
from premortem.pipeline.securing import means_of, security_notes
from premortem.pipeline.training import traffic_source
from premortem.plan import check_context
from premortem.store import Store
from premortem.validate import Validator

EXCHANGES_LOADED_MAX = 200_000
"""Recorded exchanges held in memory to start from: about 1 GB at 5 KB each."""


class Generated(Struct, frozen=True, kw_only=True):
    """Cases, in the sequences that bring them into their state, and what was rejected."""

    sequences: tuple[run.Sequence, ...]
    rejections: tuple[Rejection, ...]
    notes: tuple[str, ...] = ()
    """What a language model took, and whether a limit ended it; empty: none was asked."""

    @property
    def finals(self) -> int:
        """Cases that were asked for; setup not counted."""
        return sum(not case.setup for s in self.sequences for case in s.cases)


def produce(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    config: Config,
    count: int,
    weights: Mapping[str, int],
    operations: Sequence[str] = (),
    seed: int = 1,
    safe_only: bool = False,
    orders: bool = True,
    context: Context = NOTHING,
    now: float = 0.0,
    credentials: Collection[str] = (),
    rooms: Rooms | None = None,
    progress: Progress = quiet,
) -> Generated:
    """COUNT validated cases from PROFILE within CONTEXT; the same seed gives the same ones.

    ORDERS: also whole sequences in another order than production's.
    NOW: seconds since the epoch, for date windows that are relative to it. CREDENTIALS: redaction
    tokens that stand for roles' secrets, so that logins can be sampled. ROOMS: see
    `training.rooms_of`. PROGRESS: told how far a
    language model has come, where one is asked. Raises ConfigError for a context that cannot be
    followed, ModelError for a model that cannot be asked: before anything is made.
    """
    narrower = fitting(context, profile, config, weights, operations, seed=seed, now=now)
    mine = config.identities.union(credentials)
    """As they are configured, and as they stand in what was redacted."""
    validator = Validator(profile, target=config.target, identities=mine, credentials=credentials)
    rejections: list[Rejection] = []
    with by_model(
        profile,
        exchanges,
        config=config,
        weights=weights,
        count=count,
        seed=seed,
        progress=progress,
    ) as made:
        sequences = tuple(
            generate(
                profile,
                exchanges,
                count=count,
                weights=weights,
                operations=tuple(operations),
                seed=seed,
                safe_only=safe_only,
                orders=orders,
                sources={**made.sources, **traffic_source(rooms, weights, seed)},
                narrower=narrower,
                credentials=credentials,
                validate=validator.validate,
                reject=rejections.append,
                invariants=declared_invariants(config),
                stated=stated_rules(profile, config, now=now),
                means=means_of(config),
            )
        )
    notes = (*made.notes, *security_notes(profile, exchanges, config, weights))
    return Generated(sequences=sequences, rejections=tuple(rejections), notes=notes)


def fitting(
    context: Context,
    profile: Profile,
    config: Config,
    weights: Mapping[str, int],
    operations: Sequence[str],
    *,
    seed: int,
    now: float,
) -> Narrower | None:
    """What brings cases into CONTEXT; None when it asks for nothing. Raises ConfigError."""
    if context.empty:
        return None
    target = config.target
    check_context(
        context,
        profile,
        roles=config.roles,
        tenant_header=target.tenant_header,
        edition_header=target.edition_header,
        sources=weights,
        now=now,
        where="the plan",
        operations=operations,
    )
    headers = Headers(tenant=target.tenant_header, edition=target.edition_header)
    return Narrower(profile, context, headers=headers, seed=seed, now=now)


def single_cases(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    config: Config,
    count: int,
    weights: Mapping[str, int],
    operations: Sequence[str],
    context: Context,
    seed: int,
    now: float,
    credentials: Collection[str] = (),
) -> list[run.Sequence]:
    """COUNT validated cases, each alone behind its own setup, under names of its own.

    CREDENTIALS: as for `produce`.
    """
    made = produce(
        profile,
        exchanges,
        config=config,
        count=count,
        weights=weights,
        operations=operations,
        seed=seed,
        safe_only=not config.target.disposable,
        context=context,
        now=now,
        credentials=credentials,
    )
    mine = config.identities.union(credentials)
    unique, once = unique_places(profile, exchanges), once_places(profile, exchanges)
    alone: list[run.Sequence] = []
    for sequence in made.sequences:
        setup = tuple(case for case in sequence.cases if case.setup)
        for case in sequence.cases:
            if not case.setup:
                salt = f"{seed} single {len(alone)}"
                one = run.Sequence(cases=(*setup, case))
                alone.append(isolated(one, salt=salt, keep=mine, unique=unique, once=once))
    return alone


def recorded(store: Store, profile: Profile) -> dict[str, Exchange]:
    """The exchanges that PROFILE refers to, by id."""
    ids = dict.fromkeys(
        chain(
            (i for o in profile.operations for i in o.exemplars),
            (s.exchange_id for o in profile.operations for r in o.recipes for s in r.steps),
            (i for flow in profile.flows for i in flow.exchange_ids),
        )
    )
    return store.exchanges_by_id(list(ids)[:EXCHANGES_LOADED_MAX])
