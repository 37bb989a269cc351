"""Adversarial cases: a realistic request with one thing changed, and what that should lead to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec.structs import replace

from premortem.domain.run import Case, Origin, Sequence
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate.body_mutations import body_mutations
from premortem.generate.distinct import Streams
from premortem.generate.head_mutations import (
    Mutation,
    credential_mutations,
    path_mutations,
    query_mutations,
)
from premortem.generate.order import OrderMutator
from premortem.generate.sample import Sampler
from premortem.generate.starts import Starts
from premortem.generate.structure_mutations import structure_mutations

BASES_MAX = 12
"""Realistic requests of one operation that are mutated in turn."""
ROUNDS_MAX = 400
"""Times the list of mutations is gone through, over new bases each time."""
REPEATED_MAX = 200
"""Cases in a row that were made before: the operation has no more."""
TRIES_MAX = 4
"""Bases that one mutation is tried on before its turn is over."""


class Mutator:
    """Breaks realistic requests of a profile's operations, one thing at a time."""

    def __init__(
        self,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        seed: int,
        *,
        sampler: Sampler | None = None,
        starts: Starts | None = None,
    ) -> None:
        self._profile = profile
        self._seed = seed
        self._sampler = (sampler or Sampler(profile, exchanges, seed, starts=starts)).apart()
        self._operations = {o.id: o for o in profile.operations}
        self._order = {o.id: index for index, o in enumerate(profile.operations)}
        self._streams = Streams(self._all, repeated_max=REPEATED_MAX)
        self._order_of_requests = OrderMutator(
            profile, exchanges, seed, starts=starts or self._sampler.starts
        )

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """COUNT distinct cases of OPERATION_ID, without their setup; fewer when there are no more.

        The first ones go through every mutation once, in an order the seed decides. Each call
        goes on where the last one ended.
        """
        return self._streams.take(self._operations.get(operation_id), count)

    def sequences(self, operation_id: str, count: int) -> list[Sequence]:
        """Up to COUNT sequences that end with OPERATION_ID and change the order of requests: one
        repeated, left out, sent too early, or after what it names was deleted."""
        return self._order_of_requests.sequences(operation_id, count)

    def _all(self, operation: OperationProfile) -> Iterator[Case]:
        """Every mutation over changing bases, round after round, in another order each time."""
        bases = self._sampler.cases(operation.id, BASES_MAX)
        if not bases:
            return
        rng = np.random.default_rng([self._seed, self._order[operation.id], 7])
        origin = Origin(source="mutate", seed=self._seed, profile_version=self._profile.version)
        mutations = list(_mutations(operation, bases))
        few = len(bases) < BASES_MAX
        for turn in range(len(bases) if few else ROUNDS_MAX):
            lineage: list[tuple[str, ...]] = [()] * len(bases)
            for index in rng.permutation(len(mutations)).tolist():
                first = turn if few else index
                for attempt in range(min(TRIES_MAX, len(bases))):
                    base = bases[(first + attempt) % len(bases)]
                    mutant = mutations[index](base)
                    if mutant is not None:
                        at = (first + attempt) % len(bases)
                        parents = lineage[at] = lineage[at] or (base.id, *base.origin.parents)
                        operator = operator_of(mutant.intent.breaks)
                        yield replace(
                            mutant, origin=replace(origin, parents=parents, operator=operator)
                        )
                        break
            if not few:
                bases = self._sampler.cases(operation.id, BASES_MAX) or bases


def _mutations(operation: OperationProfile, bases: list[Case]) -> Iterator[Mutation]:
    yield from credential_mutations(operation, bases[0])
    yield from path_mutations(operation, bases[0])
    yield from query_mutations(operation)
    yield from body_mutations(operation, bases)
    yield from structure_mutations(operation, bases)


def operator_of(breaks: str) -> str:
    """The mutation's name in BREAKS: `minimum` of `body:/amount minimum`, all of `auth missing`."""
    place, _, what = breaks.partition(" ")
    return what if ":" in place else breaks
