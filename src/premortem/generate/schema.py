"""Cases from an operation's schema: valid ones, boundaries, and each constraint broken alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import read_body
from premortem.domain.conform import compiled
from premortem.domain.coverage import Gap
from premortem.domain.places import body_place
from premortem.domain.run import Case, Origin
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate.alteration import Alter, Alteration, breadth_first
from premortem.generate.breaks import read_schema
from premortem.generate.distinct import Streams
from premortem.generate.filler import NOTHING, Filler
from premortem.generate.kept import (
    kept_values,
    known_values,
    named_before,
    presents_credentials,
    recorded_at,
    reused_places,
    state_limits,
)
from premortem.generate.novel import Renewal
from premortem.generate.parts import content_type_for
from premortem.generate.passing import passing_fields
from premortem.generate.payload import media_type_for, write_value
from premortem.generate.relate import Ties, places_of, ties_of
from premortem.generate.sample import Sampler
from premortem.generate.schema_bodies import Bodies, body_alterations, pointers
from premortem.generate.schema_parameters import parameter_alterations
from premortem.generate.starts import Start, Starts
from premortem.generate.ways import ALTERS_MAX, Aim, Ways

BASES_MAX = 12
"""Realistic requests of one operation that are altered in turn."""
ROUNDS_MAX = 400
"""Times all alterations are gone through, over new bases each time."""
REPEATED_MAX = 400
"""Cases in a row that were made before: the operation has no more."""
TRIES_MAX = 3
"""Bases that one alteration is tried on before its turn is over."""


class SchemaSource:
    """Makes cases of what the schemas of a profile's operations say.

    Adversarial cases break exactly the one constraint that their intent names; realistic ones are
    valid. State and identifiers come from production, as the sampler's do.
    """

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
        self._exchanges = exchanges
        self._sampler = (sampler or Sampler(profile, exchanges, seed, starts=starts)).apart(3)
        self._operations = {o.id: o for o in profile.operations}
        self._reused = reused_places(profile)
        self._streams = Streams(self._all, repeated_max=REPEATED_MAX)
        self._renewals: dict[str, Renewal] = {}
        self._ways: dict[str, Ways] = {}

    @cached_property
    def _known(self) -> Mapping[str, Sequence[Any]]:
        """What production sent or got anywhere; looked up when the first case is wanted."""
        return known_values(self._profile)

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """COUNT distinct cases of OPERATION_ID, without their setup; fewer when there are no more.

        The first ones touch every place once, with what tells most; then every place again. Each
        call goes on where the last one ended.
        """
        return self._streams.take(self._operations.get(operation_id), count)

    def aims(self, operation_id: str) -> tuple[Aim, ...]:
        """See `AimedSource`."""
        ways = self._ways_of(operation_id)
        return ways.aims if ways is not None else ()

    def aimed(self, gap: Gap, count: int, bases: Sequence[Case] = ()) -> list[Case]:
        """See `AimedSource`."""
        ways = self._ways_of(gap.cell.operation_id)
        return ways.aimed(gap, count, bases) if ways is not None else []

    def _ways_of(self, operation_id: str) -> Ways | None:
        operation = self._operations.get(operation_id)
        if operation is None:
            return None
        if operation_id not in self._ways:
            bases = self._bases(operation)
            alters: list[Alter] = []
            if bases:
                self._renewals.setdefault(operation_id, self._sampler.renewal(operation_id))
                found = breadth_first(self._alterations(operation, bases[0]))
                alters = [self._on_one(alteration) for alteration in islice(found, ALTERS_MAX)]
            self._ways[operation_id] = Ways(operation, bases, alters)
        return self._ways[operation_id]

    def _on_one(self, alteration: Alteration) -> Alter:
        return lambda base: self._altered(alteration, [base], 0)

    def _all(self, operation: OperationProfile) -> Iterator[Case]:
        """Every alteration over changing bases, round after round."""
        bases = self._bases(operation)
        if not bases:
            return
        self._renewals.setdefault(operation.id, self._sampler.renewal(operation.id))
        useful: list[Alteration] = []
        for index, alteration in enumerate(breadth_first(self._alterations(operation, bases[0]))):
            made = self._altered(alteration, bases, index)
            if made is not None:
                useful.append(alteration)
                yield made
        few = len(bases) < BASES_MAX
        for turn in range(1, len(bases) if few else ROUNDS_MAX):
            if not few:
                bases = self._bases(operation) or bases
            for index, alteration in enumerate(useful):
                made = self._altered(alteration, bases, turn if few else index)
                if made is not None:
                    yield made

    def _altered(self, alteration: Alteration, bases: list[Case], first: int) -> Case | None:
        """What ALTERATION makes of one of BASES, the FIRST if it can."""
        start = self._sampler.start(bases[0].operation_id)
        hollow = start is not None and start.hollow
        for attempt in range(min(TRIES_MAX, len(bases))):
            base = bases[(first + attempt) % len(bases)]
            made = alteration.alter(base)
            if made is not None and made.intent.kind == "realistic" and hollow:
                return None
            if made is not None:
                origin = Origin(
                    source="schema",
                    seed=self._seed,
                    profile_version=self._profile.version,
                    parents=(base.id, *base.origin.parents),
                    operator=made.origin.operator,
                )
                if made.intent.kind == "realistic":
                    made = self._renewals[base.operation_id].apply(made, base)
                return replace(made, origin=origin)
        return None

    def _ties(self, operation: OperationProfile) -> Ties:
        conformance = compiled(operation.request_schema)
        return ties_of(
            operation.rules,
            operation.correlations,
            limits={},
            bodies=self._sampler.recorded_bodies(operation),
            fixed=frozenset(),
            places=places_of(operation, conformance.shape if conformance is not None else None),
        )

    def _bases(self, operation: OperationProfile) -> list[Case]:
        """Realistic cases; where none can be drawn, the start with a made body."""
        bases = self._sampler.cases(operation.id, BASES_MAX)
        start = self._sampler.start(operation.id)
        if bases or start is None:
            return bases
        schema = read_schema(operation.request_schema)
        if schema is None or self._streams.gave(operation.id):
            return []
        filler = Filler(schema.root, recorded_at(operation, self._known))
        value = filler.value(schema.shape, ())
        media_type = media_type_for(operation)
        body = write_value(value, media_type) if value is not NOTHING and media_type else None
        if body is None:
            return []
        headers = tuple(p for p in start.final.request.headers if p[0] != "content-type")
        headers = (*headers, ("content-type", content_type_for(media_type)))
        request = replace(start.final.request, body=body, headers=headers)
        return [replace(start.final, request=request, recorded_status=0, recorded_reason="")]

    def _alterations(
        self, operation: OperationProfile, base: Case
    ) -> Iterator[Iterable[Alteration]]:
        reused = self._reused.get(operation.id, frozenset())
        passing = replace(operation, fields=passing_fields(operation, self._exchanges))
        yield from parameter_alterations(passing, reused, self._known)
        schema = read_schema(operation.request_schema)
        if schema is None or operation.operation.method in ("GET", "HEAD"):
            return
        start = self._sampler.start(operation.id)
        recorded = _recorded_body(start) if start is not None else None
        ties = self._ties(operation)
        bodies = Bodies(
            operation=operation,
            schema=schema,
            filler=Filler(schema.root, recorded_at(operation, self._known)),
            kept=reused | (_kept(start, operation, base, recorded) if start else frozenset()),
            tied=_tied(operation, ties),
            limits=state_limits(operation, start, recorded) if start is not None else {},
            needed=str(body_place()) in operation.required,
            parallel=ties.parallel,
        )
        yield from body_alterations(bodies, base)


def _recorded_body(start: Start) -> Any:
    try:
        return read_body(start.final.request)
    except (ValueError, msgspec.DecodeError):
        return None


def _kept(
    start: Start, operation: OperationProfile, base: Case, recorded: Any
) -> frozenset[tuple[str, ...]]:
    """Pointers of values in BASE's body that name what its setup made."""
    if presents_credentials(operation):
        return frozenset({()})
    places = [b.place for b in base.bindings if b.place.part == "body"]
    places += named_before(recorded, start, operation)
    return pointers(list(kept_values(recorded, places)))


def _tied(operation: OperationProfile, ties: Ties) -> frozenset[tuple[str, ...]]:
    """Pointers of values that others depend on."""
    ruled = {place.tokens for rule in operation.rules for place in rule.places if not rule.status}
    arrays = {(*at, name) for at, names in ties.parallel for name in names}
    pairs = {at for pair in ties.correlations for at in (pair.first, pair.second)}
    ends = {at for span in ties.spans for at in (span.low, span.high)}
    return frozenset(ruled | arrays | pairs | ends)
