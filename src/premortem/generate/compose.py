"""Sequences of cases for a whole profile: how many of each operation, behind which setup."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain

import numpy as np
from msgspec import Struct

from premortem.domain.run import SAFE_METHODS, Case, Rejection, Sequence
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.errors import InputError
from premortem.generate.mutate import Mutator
from premortem.generate.sample import Sampler
from premortem.generate.starts import Starts

FINALS_PER_SETUP = 8
"""Cases that share one setup; the refusals among them come first, so they find it untouched."""
CHANGES_PER_SETUP = 2
"""Of these, cases of unsafe methods that should be let through: each one may use up the state."""
REGENERATE_MAX = 3
"""Rounds in which rejected cases are replaced."""
REFILL_MAX = 6
"""Rounds in which what exhausted operations could not give is asked of the others."""
ROUND_CASES_MAX = 10_000
"""Cases made before the first of them is handed on."""

SOURCES = ("sample", "mutate")
Validate = Callable[[Case, Collection[str]], Rejection | None]
"""(case, ids of the cases accepted before) -> why it is not to be sent, or None."""


class Composer(Struct, kw_only=True):
    """The state of one generation."""

    starts: Starts
    sampler: Sampler
    mutator: Mutator
    validate: Validate
    reject: Callable[[Rejection], None]
    seen: set[str]

    def finals(self, source: str, operation_id: str, count: int) -> list[Case]:
        """Up to COUNT new valid cases of one source; rejected ones are replaced."""
        made = self.sampler.cases if source == "sample" else self.mutator.cases
        out: list[Case] = []
        for _ in range(1 + REGENERATE_MAX):
            wanted = count - len(out)
            drawn = made(operation_id, wanted)
            out += [case for case in drawn if self.accepts(case)]
            if len(out) >= count or len(drawn) < wanted:
                break
        return out

    def accepts(self, case: Case) -> bool:
        """Whether CASE is valid and new (not seen here before); from now on it is seen."""
        key = case.id
        if key in self.seen:
            return False
        rejection = self.validate(case, ())
        if rejection is not None:
            self.reject(rejection)
            return False
        self.seen.add(key)
        return True


def generate(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    count: int,
    weights: Mapping[str, int],
    operations: tuple[str, ...] = (),
    seed: int = 1,
    safe_only: bool = False,
    validate: Validate = lambda _case, _seen: None,
    reject: Callable[[Rejection], None] = lambda _rejection: None,
) -> Iterator[Sequence]:
    """COUNT distinct cases of PROFILE's operations in the sequences that they need.

    WEIGHTS: source (`sample`, `mutate`) -> share of the cases. OPERATIONS: ids to keep to; empty:
    all. SAFE_ONLY: none whose method changes anything, setup included. Operations are spread by
    the square root of how often production used them, so that rare ones get cases too. Every
    recorded refusal (4xx) of an operation is repeated once. VALIDATE says which cases are
    not to be sent; REJECT gets the reasons, and others are made instead. The same seed gives
    the same cases; fewer than COUNT come when the profile has no more distinct ones.
    Raises InputError for unknown sources and operations.
    """
    _check(profile, weights, operations)
    starts = Starts(profile, exchanges)
    sampler = Sampler(profile, exchanges, seed, starts=starts)
    composer = Composer(
        starts=starts,
        sampler=sampler,
        mutator=Mutator(profile, exchanges, seed, sampler=sampler),
        validate=validate,
        reject=reject,
        seen=set(),
    )
    chosen = [o for o in _chosen(profile, operations) if _usable(starts, o, safe_only=safe_only)]
    rng = np.random.default_rng([seed, len(chosen)])
    return _rounds(composer, chosen, count, weights, rng, safe_only=safe_only)


def _check(profile: Profile, weights: Mapping[str, int], operations: tuple[str, ...]) -> None:
    unknown = sorted(set(weights) - set(SOURCES))
    if unknown:
        raise InputError(
            f"no source of cases is called {unknown[0]!r}; there are: {', '.join(SOURCES)}"
        )
    if not any(weight > 0 for weight in weights.values()):
        raise InputError("every source has weight 0; give one more, like sample=50,mutate=50")
    for operation_id in operations:
        if profile.operation(operation_id) is None:
            raise InputError(
                f"the profile knows no operation {operation_id!r}; `premortem profile` lists them"
            )


def _chosen(profile: Profile, operations: tuple[str, ...]) -> list[OperationProfile]:
    return [o for o in profile.operations if not operations or o.id in operations]


def _usable(starts: Starts, operation: OperationProfile, *, safe_only: bool) -> bool:
    start = starts.of(operation.id)
    if start is None:
        return False
    cases = (*start.setup, start.final)
    return not safe_only or all(case.request.method in SAFE_METHODS for case in cases)


def _rounds(
    composer: Composer,
    operations: list[OperationProfile],
    count: int,
    weights: Mapping[str, int],
    rng: np.random.Generator,
    *,
    safe_only: bool,
) -> Iterator[Sequence]:
    refusals = list(_refusals(composer, operations, count // 2, safe_only=safe_only))
    left = count - len(refusals)
    first = True
    while left > 0 or first:
        size = min(left, ROUND_CASES_MAX)
        finals = _round(composer, operations, size, weights) if size > 0 else {}
        made = sum(len(cases) for cases in finals.values())
        sequences = list(
            chain.from_iterable(_sequences(composer.starts, i, finals[i]) for i in finals)
        )
        sequences += refusals if first else []
        yield from (sequences[i] for i in rng.permutation(len(sequences)).tolist())
        left -= made
        first = False
        if made < size or not made:
            return


def _refusals(
    composer: Composer, operations: list[OperationProfile], limit: int, *, safe_only: bool
) -> Iterator[Sequence]:
    """What production refused, in the state in which it did, once each."""
    given = 0
    for operation in operations:
        for cases in composer.starts.refusals(operation):
            if given >= limit:
                return
            if safe_only and any(case.request.method not in SAFE_METHODS for case in cases):
                continue
            key = Sequence(cases=cases).id
            if key not in composer.seen and composer.validate(cases[-1], ()) is None:
                composer.seen.add(key)
                given += 1
                yield Sequence(cases=cases)


def _round(
    composer: Composer,
    operations: list[OperationProfile],
    count: int,
    weights: Mapping[str, int],
) -> dict[str, list[Case]]:
    """Operation id -> its new cases, COUNT in all as long as there are any."""
    finals: dict[str, list[Case]] = {}
    for source, wanted in zip(
        weights, shares([float(w) for w in weights.values()], count), strict=True
    ):
        open_operations = list(operations)
        missing = wanted
        for _ in range(REFILL_MAX):
            if missing <= 0 or not open_operations:
                break
            quotas = shares([max(1, o.count) ** 0.5 for o in open_operations], missing)
            exhausted: set[str] = set()
            for operation, quota in zip(open_operations, quotas, strict=True):
                cases = composer.finals(source, operation.id, quota) if quota else []
                finals.setdefault(operation.id, []).extend(cases)
                missing -= len(cases)
                if len(cases) < quota:
                    exhausted.add(operation.id)
            open_operations = [o for o in open_operations if o.id not in exhausted]
    return finals


def shares(weights: list[float], total: int) -> list[int]:
    """TOTAL split by WEIGHTS into whole numbers (largest remainder); they add up to TOTAL."""
    weight = sum(weights)
    if weight <= 0 or total <= 0:
        return [0] * len(weights)
    exact = [w * total / weight for w in weights]
    out = [int(value) for value in exact]
    rest = sorted(range(len(out)), key=lambda i: (out[i] - exact[i], i))
    for index in rest[: total - sum(out)]:
        out[index] += 1
    return out


def _sequences(starts: Starts, operation_id: str, finals: list[Case]) -> Iterator[Sequence]:
    """FINALS behind their operation's setup; those that need none stand alone."""
    start = starts.of(operation_id)
    setup = start.setup if start is not None else ()
    if not setup:
        yield from (Sequence(cases=(case,)) for case in finals)
        return
    refused = [case for case in finals if case.intent.expects == "refusal"]
    passing = [case for case in finals if case.intent.expects != "refusal"]
    unsafe = bool(finals) and finals[0].request.method not in SAFE_METHODS
    parts = -(-len(finals) // FINALS_PER_SETUP)
    if unsafe:
        parts = max(parts, -(-len(passing) // CHANGES_PER_SETUP))
    for part in range(parts):
        yield Sequence(cases=(*setup, *refused[part::parts], *passing[part::parts]))
