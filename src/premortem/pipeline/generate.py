"""A profile -> validated cases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from premortem.agent.planning.declared import declared_way
from premortem.config import Config
from premortem.domain import run
from premortem.domain.context import NOTHING, Context
from premortem.domain.rejection import Rejection
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate import (
    DeclaredWay,
    Headers,
    Narrower,
    generate,
    isolated,
    once_places,
    unique_places,
)
from premortem.generate.llm_batch import Progress
from premortem.generate.traffic import Rooms
from premortem.models import Addition
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
    addition: Addition | None = None,
    progress: Progress = quiet,
) -> Generated:
    """COUNT validated cases from PROFILE within CONTEXT; the same seed gives the same ones.

    ORDERS: also whole sequences in another order than production's.
    NOW: seconds since the epoch, for date windows that are relative to it. CREDENTIALS: redaction
    tokens that stand for roles' secrets, so that logins can be sampled. ROOMS: see
    `training.rooms_of`. ADDITION: see `promoting.promoted_addition`. PROGRESS: told how far a
    language model has come, where one is asked. Raises ConfigError for a context that cannot be
    followed, ModelError for a model that cannot be asked: before anything is made.
    """
    narrower = fitting(context, profile, config, weights, operations, seed=seed, now=now)
    mine = config.identities.union(credentials)
    """As they are configured, and as they stand in what was redacted."""
    validator = Validator(profile, target=config.target, identities=mine, credentials=credentials)
    rejections: list[Rejection] = []
    fell_back: list[int] = []
    with by_model(
        profile,
        exchanges,
        config=config,
        weights=weights,
        count=count,
        seed=seed,
        addition=addition,
        validate=before_context(validator, narrower),
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
                way=declared_ways(profile, config),
                fell_back=fell_back.append,
            )
        )
    rejections += made.rejections()
    told = (*made.notes, *_fallen(fell_back))
    notes = (*told, *security_notes(profile, exchanges, config, weights))
    return Generated(sequences=sequences, rejections=tuple(rejections), notes=notes)


def _fallen(counts: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{n:,} cases that no model made were drawn by sample" for n in counts if n)


def declared_ways(profile: Profile, config: Config) -> DeclaredWay:
    """What leads to operations of PROFILE that nobody was seen using, sent by configured roles."""

    def way(operation: OperationProfile) -> tuple[run.Case, ...]:
        found = declared_way(operation, profile, roles=tuple(config.roles))
        return () if isinstance(found, str) else found

    return way


def before_context(
    validator: Validator, narrower: Narrower | None
) -> Callable[[run.Case], Rejection | None]:
    """Why what a model just wrote must not be sent, or None; it is asked for anew. What NARROWER
    has still to bring into its context is not judged yet."""

    def validate(case: run.Case) -> Rejection | None:
        return validator.validate(case, ()) if narrower is None else None

    return validate


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
