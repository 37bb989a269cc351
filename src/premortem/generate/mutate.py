"""Adversarial cases: a realistic request with one thing changed, and what that should lead to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many

import numpy as np
from msgspec.structs import replace

from premortem.domain.coverage import Gap
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
from premortem.generate.header_mutations import header_mutations, role_mutations
from premortem.generate.method_probes import method_mutations, undeclared_methods
from premortem.generate.order import OrderMutator
from premortem.generate.overposting import overposting_mutations
from premortem.generate.replay import UNKNOWN
from premortem.generate.sample import Sampler
from premortem.generate.starts import Starts
from premortem.generate.structure_mutations import structure_mutations
from premortem.generate.ways import Aim, Ways

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
        self._ways: dict[str, Ways] = {}
        known = {role for o in profile.operations for role in o.roles}
        self._roles = sorted(known - {"", UNKNOWN})
        self._undeclared = undeclared_methods(profile)
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
        """Up to COUNT sequences that end with OPERATION_ID and change the order of requests; see
        `order.OPERATORS`."""
        return self._order_of_requests.sequences(operation_id, count)

    def aims(self, operation_id: str) -> tuple[Aim, ...]:
        """See `AimedSource`."""
        ways = self._ways_of(operation_id)
        return ways.aims if ways is not None else ()

    def aimed(self, gap: Gap, count: int, bases: Many[Case] = ()) -> list[Case]:
        """See `AimedSource`."""
        ways = self._ways_of(gap.cell.operation_id)
        return ways.aimed(gap, count, bases) if ways is not None else []

    def _ways_of(self, operation_id: str) -> Ways | None:
        operation = self._operations.get(operation_id)
        if operation is None:
            return None
        if operation_id not in self._ways:
            bases = self._sampler.cases(operation_id, BASES_MAX)
            alters = [self._named(m) for m in self._mutations(operation, bases)] if bases else []
            self._ways[operation_id] = Ways(operation, bases, alters)
        return self._ways[operation_id]

    def _named(self, mutation: Mutation) -> Mutation:
        """MUTATION, with what it is written into the origin of what it makes."""

        def mutate(base: Case) -> Case | None:
            made = mutation(base)
            if made is None:
                return None
            origin = Origin(
                source="mutate",
                seed=self._seed,
                profile_version=self._profile.version,
                parents=(base.id, *base.origin.parents),
                operator=operator_of(made.intent.breaks),
            )
            return replace(made, origin=origin)

        return mutate

    def _all(self, operation: OperationProfile) -> Iterator[Case]:
        """Every mutation over changing bases, round after round, in another order each time."""
        bases = self._sampler.cases(operation.id, BASES_MAX)
        if not bases:
            return
        rng = np.random.default_rng([self._seed, self._order[operation.id], 7])
        origin = Origin(source="mutate", seed=self._seed, profile_version=self._profile.version)
        mutations = list(self._mutations(operation, bases))
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

    def _mutations(self, operation: OperationProfile, bases: list[Case]) -> Iterator[Mutation]:
        yield from _mutations(operation, bases)
        yield from method_mutations(self._undeclared.get(operation.id, ()))
        yield from header_mutations(operation, bases[0])
        yield from role_mutations(operation, bases[0], self._roles)


def _mutations(operation: OperationProfile, bases: list[Case]) -> Iterator[Mutation]:
    yield from credential_mutations(operation, bases[0])
    yield from path_mutations(operation, bases[0])
    yield from query_mutations(operation)
    yield from body_mutations(operation, bases)
    yield from structure_mutations(operation, bases)
    yield from overposting_mutations(operation, bases[0])


def operator_of(breaks: str) -> str:
    """The mutation's name in BREAKS: `minimum` of `body:/amount minimum`, all of `auth missing`."""
    place, _, what = breaks.partition(" ")
    return what if ":" in place else breaks
