"""Security tests: forged tokens, others' things, roles that may not, what text can do, limits,
other versions.

Everything here is harmless by construction. Nothing is deleted but what the same sequence made;
texts do arithmetic, name a word or a host that exists nowhere (RFC 2606), and read at most what
every account of the machine may; nobody but the target is sent anything. A case accuses only by
what it sees: `domain.token_change`, and the checks, say what a correct service does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.run import Case, Origin, Sequence
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate.distinct import Streams
from premortem.generate.injections import injection_mutations
from premortem.generate.order_access import revoked
from premortem.generate.order_denied import denied, overridden
from premortem.generate.order_injected import compared, stored
from premortem.generate.order_kit import Kit, Operator
from premortem.generate.order_limits import bursts
from premortem.generate.order_members import raised
from premortem.generate.order_objects import others_things
from premortem.generate.order_tokens import TokenKeys, forged
from premortem.generate.order_versions import other_versions
from premortem.generate.sample import Sampler
from premortem.generate.starts import Start, Starts

BASES_MAX = 8
"""Realistic requests of one operation that carry payloads in turn."""
REPEATED_MAX = 100
STEPS_MAX = 40
"""A setup longer than this is left alone."""
NAME = "security"


class Means(Struct, frozen=True, kw_only=True):
    """What security tests have beside a profile."""

    keys: TokenKeys = TokenKeys()
    roles: tuple[str, ...] = ()
    """Roles whose credentials there are; empty: all that production showed."""
    burst: int = 30
    """Requests in a row that try a limit."""
    attempts: int = 0
    """Wrong passwords in a row after which a login is to refuse more; 0: nobody says."""
    listed: tuple[str, ...] = ()
    """Paths of the servers that the specification names."""


class SecuritySource:
    """Makes security tests of a profile's operations; see `SequenceSource`."""

    def __init__(
        self,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        seed: int,
        *,
        sampler: Sampler,
        starts: Starts,
        means: Means | None = None,
    ) -> None:
        self._profile = profile
        self._seed = seed
        self._means = means or Means()
        self._sampler = sampler.apart()
        kit = Kit(profile, exchanges, seed, starts=starts)
        origin = replace(kit.origin, source="security")
        kit.origin = origin
        self._kit, self._origin = kit, origin
        self._operations = {o.id: o for o in profile.operations}
        self._order = {o.id: index for index, o in enumerate(profile.operations)}
        self._streams = Streams(self._singles, repeated_max=REPEATED_MAX)
        self._works: dict[str, Iterator[Sequence]] = {}
        means = self._means
        self._of_tokens: tuple[Operator, ...] = (
            partial(forged, keys=means.keys, roles=means.roles),
            revoked,
        )
        self._operators: tuple[Operator, ...] = (
            partial(denied, roles=means.roles),
            partial(others_things, roles=means.roles),
            raised,
            overridden,
            stored,
            compared,
            partial(bursts, length=means.burst, attempts=means.attempts),
            partial(other_versions, listed=means.listed),
        )

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """Up to COUNT distinct cases of OPERATION_ID that carry a payload."""
        return self._streams.take(self._operations.get(operation_id), count)

    def first(self) -> Iterator[Sequence]:
        """What is to be sent before all else: what is done to tokens, on whatever operation."""
        for operation_id in self._operations:
            start = self._startable(operation_id)
            if start is not None:
                yield from self._turns(start, self._of_tokens, set())

    def sequences(self, operation_id: str, count: int) -> list[Sequence]:
        """Up to COUNT distinct sequences that end with OPERATION_ID, or with a reading of what it
        was not to change; each call goes on."""
        start = self._startable(operation_id)
        if start is None or count <= 0:
            return []
        if operation_id not in self._works:
            self._works[operation_id] = self._all(start)
        work = self._works[operation_id]
        return [sequence for sequence, _ in zip(work, range(count), strict=False)]

    def _startable(self, operation_id: str) -> Start | None:
        start = self._kit.starts.of(operation_id)
        good = start is not None and not start.hollow and len(start.setup) <= STEPS_MAX
        return start if good else None

    def _all(self, start: Start) -> Iterator[Sequence]:
        seen: set[str] = set()
        yield from self._turns(start, self._of_tokens, seen)
        yield from self._turns(start, self._operators, seen)

    def _turns(
        self, start: Start, operators: tuple[Operator, ...], seen: set[str]
    ) -> Iterator[Sequence]:
        """One of each operator, then another one of each."""
        left = [operator(self._kit, start) for operator in operators]
        while left:
            turns = [(work, next(work, _END)) for work in left]
            left = [work for work, made in turns if made is not _END]
            for _, made in turns:
                if isinstance(made, Sequence) and made.id not in seen:
                    seen.add(made.id)
                    yield made

    def _singles(self, operation: OperationProfile) -> Iterator[Case]:
        """Every payload in every place once, over realistic requests in turn."""
        bases = self._sampler.cases(operation.id, BASES_MAX)
        if not bases:
            return
        rng = np.random.default_rng([self._seed, self._order[operation.id], 23])
        mutations = list(injection_mutations(operation, bases))
        for index in rng.permutation(len(mutations)).tolist():
            home, mutation = mutations[index]
            base = bases[index % len(bases)]
            made = mutation(base)
            if made is None:
                base, made = home, mutation(home)
            if made is not None:
                yield replace(made, origin=self._told(base, made))

    def _told(self, base: Case, made: Case) -> Origin:
        parents = (base.id, *base.origin.parents)
        return replace(self._origin, parents=parents, operator=made.intent.breaks.split(" at ")[0])


_END = object()
