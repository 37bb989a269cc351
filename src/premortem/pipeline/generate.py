"""A profile -> validated cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from msgspec import Struct

from premortem.config import Config
from premortem.domain import run
from premortem.domain.run import Rejection
from premortem.domain.traffic import Exchange, Profile
from premortem.generate import generate
from premortem.store import Store
from premortem.validate import Validator

EXCHANGES_LOADED_MAX = 200_000
"""Recorded exchanges held in memory to start from: about 1 GB at 5 KB each."""


class Generated(Struct, frozen=True, kw_only=True):
    """Cases, in the sequences that bring them into their state, and what was rejected."""

    sequences: tuple[run.Sequence, ...]
    rejections: tuple[Rejection, ...]

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
) -> Generated:
    """COUNT validated cases from PROFILE; the same seed gives the same ones."""
    validator = Validator(profile, target=config.target, identities=config.identities)
    rejections: list[Rejection] = []
    sequences = generate(
        profile,
        exchanges,
        count=count,
        weights=weights,
        operations=tuple(operations),
        seed=seed,
        safe_only=safe_only,
        validate=validator.validate,
        reject=rejections.append,
    )
    return Generated(sequences=tuple(sequences), rejections=tuple(rejections))


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
