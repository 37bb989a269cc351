"""Sequences of cases for a whole profile: how many of each operation, behind which setup."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain, islice, zip_longest

import numpy as np
from msgspec import Struct

from premortem.domain.invariant import Invariant
from premortem.domain.rejection import Rejection
from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.domain.stated import StatedRules
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.errors import InputError
from premortem.generate.kept import CONFLICTS, knows_conflicts
from premortem.generate.mutate import Mutator
from premortem.generate.narrow import Narrower
from premortem.generate.probe import probes, watched
from premortem.generate.ruled import ruled
from premortem.generate.sample import Sampler
from premortem.generate.schema import SchemaSource
from premortem.generate.security import NAME as SECURITY
from premortem.generate.security import Means, SecuritySource
from premortem.generate.source import (
    SEQUENCE_POWER,
    SEQUENCE_SHARE,
    WHOLE_SHARES,
    CaseSource,
    SequenceSource,
)
from premortem.generate.starts import DeclaredWay, Starts
from premortem.generate.witness import witnesses

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

TELLING_SHARE = 2
"""One request in so many goes, before all that is drawn, into having production's refusals again
and into readings that show what is known of answers, at most: what comes last of a plan is cut
where setups took its room, and nothing else stands in for these."""
FORBIDDEN = 403
WITNESS_SHARE = 20
"""One case in so many reads what was made for it, at most."""
PRESSING_SHARE = 3
"""One request in so many goes into trying rules that were stated and forged tokens, at most."""
TRAFFIC = "traffic"
"""Its sequences are what it is asked for, not readings of what others made."""
MODELS, FALL_BACK = ("llm", "traffic"), "sample"
"""Sources that run dry, as models are slow or have budgets; and who makes the rest then."""
SOURCES = ("sample", "schema", "mutate", "security")
"""Sources that need nothing but a profile and its exchanges."""
NOTHING_STATED = StatedRules()
Validate = Callable[[Case, Collection[str]], Rejection | None]
"""(case, ids of the cases accepted before) -> why it is not to be sent, or None."""


class Composer(Struct, kw_only=True):
    """The state of one generation."""

    starts: Starts
    sources: Mapping[str, CaseSource]
    validate: Validate
    reject: Callable[[Rejection], None]
    seen: set[str]
    narrower: Narrower | None = None
    safe_only: bool = False
    orders: bool = True
    """Whole sequences, too."""
    invariants: tuple[Invariant, ...] = ()
    stated: StatedRules = StatedRules()
    fell_back: Callable[[int], None] = lambda _count: None
    """Told how many cases FALL_BACK made in a model's place."""
    witnessed: dict[str, Iterator[Sequence]] = {}
    """Operation id -> the readings of what was made for it that are still to come."""

    def finals(self, source: str, operation_id: str, count: int) -> list[Case]:
        """Up to COUNT new valid cases of one source; rejected ones are replaced."""
        out: list[Case] = []
        for _ in range(1 + REGENERATE_MAX):
            wanted = count - len(out)
            drawn = self.sources[source].cases(operation_id, wanted)
            out += [case for case in self.narrowed(drawn) if self.accepts(case)]
            if len(out) >= count or len(drawn) < wanted:
                break
        return out

    def narrowed(self, cases: Iterable[Case]) -> Iterable[Case]:
        """CASES within the context, those left out that it does not want."""
        if self.narrower is None:
            return cases
        return [case for case in map(self.narrower.apply, cases) if case is not None]

    def ordered(self, source: str, operation_id: str, count: int) -> list[Sequence]:
        """Up to COUNT new valid sequences of a source that makes whole ones."""
        maker = self.sources[source]
        if count <= 0 or not self.orders or self.narrower is not None:
            return []
        if not isinstance(maker, SequenceSource):
            return []
        made = self.witnesses(operation_id, count) if source not in (SECURITY, TRAFFIC) else []
        made += maker.sequences(operation_id, count - len(made)) if len(made) < count else []
        if self.safe_only:
            made = [s for s in made if all(c.request.method in SAFE_METHODS for c in s.cases)]
        return [sequence for sequence in made if self.accepts_all(sequence)]

    def witnesses(self, operation_id: str, count: int) -> list[Sequence]:
        """Up to COUNT further sequences that read what was made for it, so that what was learned
        of answers can be judged."""
        if operation_id not in self.witnessed:
            profile = self.starts.profile
            operation = profile.operation(operation_id)
            self.witnessed[operation_id] = (
                witnesses(profile, self.starts, operation) if operation is not None else iter(())
            )
        return list(islice(self.witnessed[operation_id], count))

    def pressing(self, operations: Iterable[OperationProfile]) -> Iterator[Sequence]:
        """New valid sequences that go before all others: those that try what was stated or
        declared, with a last case of OPERATIONS, and those that forge tokens."""
        if not self.orders or self.narrower is not None:
            return
        for operation in operations:
            yield from self.admitted(ruled(self.starts, self.stated, operation.id))
            yield from self.admitted(watched(self.starts, self.invariants, operation.id))
        maker = self.sources.get(SECURITY)
        if isinstance(maker, SecuritySource):
            yield from self.admitted(maker.first())
        tries = [probes(self.starts, self.invariants, o.id) for o in operations]
        for several in zip_longest(*tries):  # of each the first, before the second of any
            yield from self.admitted(s for s in several if s is not None)

    def admitted(self, sequences: Iterable[Sequence]) -> Iterator[Sequence]:
        """Those of SEQUENCES that are new and valid, and may be sent."""
        for sequence in sequences:
            unsafe = any(case.request.method not in SAFE_METHODS for case in sequence.cases)
            if not (self.safe_only and unsafe) and self.accepts_all(sequence):
                yield sequence

    def accepts_all(self, sequence: Sequence) -> bool:
        """Whether SEQUENCE is new and each of its cases valid; from now on it is seen."""
        if sequence.id in self.seen:
            return False
        for case in sequence.cases:
            # Of the setup only what may never be sent counts: production itself sent it so.
            rejection = self.validate(case, ())
            if rejection is not None and (not case.setup or rejection.rule in ("safety", "syntax")):
                self.reject(rejection)
                return False
        self.seen.add(sequence.id)
        return True

    def accepts(self, case: Case) -> bool:
        """Whether CASE is valid and new (not seen here before); from now on it is seen."""
        key = case.id
        if key in self.seen or (self.safe_only and case.request.method not in SAFE_METHODS):
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
    orders: bool = True,
    sources: Mapping[str, CaseSource] | None = None,
    narrower: Narrower | None = None,
    credentials: Collection[str] = (),
    validate: Validate = lambda _case, _seen: None,
    reject: Callable[[Rejection], None] = lambda _rejection: None,
    invariants: Iterable[Invariant] = (),
    stated: StatedRules = NOTHING_STATED,
    means: Means | None = None,
    way: DeclaredWay = lambda _operation: (),
    fell_back: Callable[[int], None] = lambda _count: None,
) -> Iterator[Sequence]:
    """COUNT distinct cases of PROFILE's operations in the sequences that they need.

    WEIGHTS: source (`sample`, `schema`, `mutate`) -> share of the cases. OPERATIONS: ids to keep
    to; empty: all. SAFE_ONLY: none whose method changes anything, setup included. ORDERS: also
    whole sequences in another order than production's. SOURCES: further ones by name, beside or
    instead of the three. Operations are spread by the square root of how often production used
    them, so that rare ones get cases too. Every recorded refusal (4xx) of an operation is repeated
    once. NARROWER: brings every generated case into the plan's context; there are no recorded
    refusals and no sequences out of order then, as those are what they are. CREDENTIALS: redaction
    tokens that stand for roles' secrets, and are replaced by those when sent. VALIDATE says which
    cases are not to be sent; REJECT gets the reasons, and others are made instead. FELL_BACK: told
    how many cases `sample` made in a model's place. INVARIANTS: declared ones, which get changes
    with a reading after them. STATED: rules that are tried. MEANS: what the source `security` has.
    WAY: to what nothing recorded leads to. The same seed gives the same cases; fewer than COUNT
    come when the profile has no more distinct ones.
    Raises InputError for unknown sources and operations.
    """
    composer, chosen = composed(
        profile,
        exchanges,
        weights=weights,
        operations=operations,
        seed=seed,
        safe_only=safe_only,
        orders=orders,
        sources=sources,
        narrower=narrower,
        credentials=credentials,
        validate=validate,
        reject=reject,
        invariants=invariants,
        stated=stated,
        means=means,
        way=way,
    )
    composer.fell_back = fell_back
    rng = np.random.default_rng([seed, len(chosen)])
    return _rounds(composer, chosen, count, weights, rng, safe_only=safe_only)


def composed(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    weights: Mapping[str, int],
    operations: tuple[str, ...] = (),
    seed: int = 1,
    safe_only: bool = False,
    orders: bool = True,
    sources: Mapping[str, CaseSource] | None = None,
    narrower: Narrower | None = None,
    credentials: Collection[str] = (),
    validate: Validate = lambda _case, _seen: None,
    reject: Callable[[Rejection], None] = lambda _rejection: None,
    invariants: Iterable[Invariant] = (),
    stated: StatedRules = NOTHING_STATED,
    means: Means | None = None,
    way: DeclaredWay = lambda _operation: (),
) -> tuple[Composer, list[OperationProfile]]:
    """What `generate` works with, and the operations that cases can be made of."""
    more = sources or {}
    _check(profile, weights, operations, known=(*SOURCES, *(n for n in more if n not in SOURCES)))
    starts = Starts(profile, exchanges, way=way)
    sampler = Sampler(profile, exchanges, seed, starts=starts, credentials=credentials)
    mine: dict[str, CaseSource] = {}
    if weights.get(SECURITY):
        mine[SECURITY] = SecuritySource(
            profile, exchanges, seed, sampler=sampler, starts=starts, means=means
        )
    composer = Composer(
        starts=starts,
        sources={
            "sample": sampler,
            "schema": SchemaSource(profile, exchanges, seed, sampler=sampler),
            "mutate": Mutator(profile, exchanges, seed, sampler=sampler),
            **mine,
            **more,
        },
        validate=validate,
        reject=reject,
        seen=set(),
        narrower=narrower,
        safe_only=safe_only,
        orders=orders,
        invariants=tuple(invariants),
        stated=stated,
    )
    wanted = (o for o in profile.operations if not operations or o.id in operations)
    chosen = [o for o in wanted if _usable(starts, o, safe_only=safe_only)]
    if narrower is not None:
        chosen = [operation for operation in chosen if narrower.wants(operation)]
    return composer, chosen


def _check(
    profile: Profile,
    weights: Mapping[str, int],
    operations: tuple[str, ...],
    *,
    known: tuple[str, ...],
) -> None:
    unknown = sorted(set(weights) - set(known))
    if unknown:
        raise InputError(
            f"no source of cases is called {unknown[0]!r}; there are: {', '.join(known)}"
        )
    if not any(weight > 0 for weight in weights.values()):
        raise InputError("every source has weight 0; give one more, like sample=50,schema=50")
    for operation_id in operations:
        if profile.operation(operation_id) is None:
            raise InputError(
                f"the profile knows no operation {operation_id!r}; `premortem profile` lists them"
            )


def _usable(starts: Starts, operation: OperationProfile, *, safe_only: bool) -> bool:
    start = starts.of(operation.id)
    if start is None:
        return False
    cases = (*start.setup, start.final)
    return not safe_only or all(case.request.method in SAFE_METHODS for case in cases)


def _within(sequences: Iterable[Sequence], requests: int) -> Iterator[Sequence]:
    """The first of SEQUENCES that have no more than so many REQUESTS together."""
    for sequence in sequences:
        requests -= len(sequence.cases)
        if requests < 0:
            return
        yield sequence


def _rounds(
    composer: Composer,
    operations: list[OperationProfile],
    count: int,
    weights: Mapping[str, int],
    rng: np.random.Generator,
    *,
    safe_only: bool,
) -> Iterator[Sequence]:
    limit = 0 if composer.narrower is not None else count // 2
    refusals = list(_refusals(composer, operations, limit, safe_only=safe_only))
    if composer.narrower is None:
        refusals += _witnesses(composer, operations, count // WITNESS_SHARE)
        pressing = list(_within(composer.pressing(operations), count // PRESSING_SHARE))
        yield from pressing  # a plan that is short of room leaves out the last ones
        count -= len(pressing)
    left = count - len(refusals)
    refusals = sorted((refusals[i] for i in rng.permutation(len(refusals)).tolist()), key=_rank)
    told = list(_within(refusals, count // TELLING_SHARE))
    yield from (told[i] for i in rng.permutation(len(told)).tolist())
    refusals = refusals[len(told) :]
    first = True
    while left > 0 or first:
        size = min(left, ROUND_CASES_MAX)
        finals, ordered = _round(composer, operations, size, weights) if size > 0 else ({}, [])
        made = len(ordered) + sum(len(cases) for cases in finals.values())
        sequences = list(
            chain.from_iterable(_sequences(composer.starts, i, finals[i]) for i in finals)
        )
        sequences += ordered
        sequences += refusals if first else []
        yield from (sequences[i] for i in rng.permutation(len(sequences)).tolist())
        left -= made
        first = False
        if made < size or not made:
            return


def _rank(sequence: Sequence) -> int:
    """What is hardest to come by otherwise first: refusals for the state things were in, those
    for who asked, readings; then what was wrong in itself, as breaking the schema shows it, too."""
    status = sequence.cases[-1].recorded_status
    return 0 if status in CONFLICTS else 1 if status == FORBIDDEN else 2 if status < 400 else 3


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


def _witnesses(
    composer: Composer, operations: list[OperationProfile], limit: int
) -> list[Sequence]:
    found: list[Sequence] = []
    for operation in operations:
        for sequence in composer.witnesses(operation.id, limit - len(found)):
            unsafe = any(case.request.method not in SAFE_METHODS for case in sequence.cases)
            if not (composer.safe_only and unsafe) and composer.accepts_all(sequence):
                found.append(sequence)
    return found


def _round(
    composer: Composer,
    operations: list[OperationProfile],
    count: int,
    weights: Mapping[str, int],
) -> tuple[dict[str, list[Case]], list[Sequence]]:
    """(operation id -> its new cases, whole sequences): COUNT in all as long as there are any."""
    finals: dict[str, list[Case]] = {}
    ordered: list[Sequence] = []
    missing = starved = 0
    for source, own in zip(
        weights, shares([float(w) for w in weights.values()], count), strict=True
    ):
        wanted = own + missing  # what the source before had no more of
        whole = _whole(composer, operations, source, wanted)
        ordered += whole
        missing = _alone(composer, operations, source, wanted - len(whole), finals)
        starved += min(missing, own) if source in MODELS else 0
    rest = min(missing, starved)
    if rest:
        composer.fell_back(rest - _alone(composer, operations, FALL_BACK, rest, finals))
    return finals, ordered


def _alone(
    composer: Composer,
    operations: list[OperationProfile],
    source: str,
    missing: int,
    finals: dict[str, list[Case]],
) -> int:
    """Add MISSING single cases of SOURCE to FINALS; how many are missing then."""
    left = list(operations)
    for _ in range(REFILL_MAX):
        if missing <= 0 or not left:
            break
        quotas = shares([max(1, o.count) ** 0.5 for o in left], missing)
        exhausted: set[str] = set()
        for operation, quota in zip(left, quotas, strict=True):
            cases = composer.finals(source, operation.id, quota) if quota else []
            finals.setdefault(operation.id, []).extend(cases)
            missing -= len(cases)
            if len(cases) < quota:
                exhausted.add(operation.id)
        left = [o for o in left if o.id not in exhausted]
    return missing


def _whole(
    composer: Composer, operations: list[OperationProfile], source: str, count: int
) -> list[Sequence]:
    """What SOURCE makes as whole sequences of the COUNT cases that it is asked for."""
    wanted = round(count * WHOLE_SHARES.get(source, SEQUENCE_SHARE))
    found: list[Sequence] = []
    asked = operations
    for _ in range(REFILL_MAX if source in WHOLE_SHARES else 1):
        quotas = shares([max(1, o.count) ** SEQUENCE_POWER for o in asked], wanted - len(found))
        gave: list[OperationProfile] = []
        for operation, quota in zip(asked, quotas, strict=True):
            made = composer.ordered(source, operation.id, quota)
            found += made
            if len(made) >= quota > 0:
                gave.append(operation)
        asked = gave
    return found


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
    unsafe = any(case.request.method not in SAFE_METHODS for case in passing)
    parts = -(-len(finals) // FINALS_PER_SETUP)
    if unsafe and start is not None:
        # Where conflicts are known, the second change meets what the first one left.
        changes = 1 if knows_conflicts(start.operation) else CHANGES_PER_SETUP
        parts = max(parts, -(-len(passing) // changes))
    for part in range(parts):
        yield Sequence(cases=(*setup, *refused[part::parts], *passing[part::parts]))
