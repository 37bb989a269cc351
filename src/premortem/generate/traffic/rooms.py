"""Where requests are written: what each operation's need, worked out once and shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from premortem.domain.bodies import general, leaves, read_body
from premortem.domain.conform import Conformance, compiled
from premortem.domain.places import Place, body_place
from premortem.domain.references import says_reference
from premortem.domain.run import Origin
from premortem.domain.template import Matcher, parameter_names, split_path, split_template
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Request
from premortem.domain.traffic_model import Column, OperationModel, TrafficModel
from premortem.generate.bindings import sent_texts
from premortem.generate.fresh import Draw
from premortem.generate.kept import (
    CREATED,
    NAME_LENGTH_MIN,
    kept_values,
    named_before,
    presents_credentials,
    state_limits,
)
from premortem.generate.mentioned import mentioned_places, refers
from premortem.generate.passing import passing_fields
from premortem.generate.payload import recorded_value
from premortem.generate.relate import Ties, ties_of
from premortem.generate.sample import naming
from premortem.generate.starts import Start, Starts
from premortem.generate.traffic.draw import Pen, fields_of
from premortem.generate.traffic.emit import Known
from premortem.generate.traffic.heads import Heads
from premortem.generate.traffic.rows import TOLD, row_of
from premortem.generate.traffic.situations import Situation, held_out, situations, told_by
from premortem.generate.traffic.tokens import NOTHING_THERE, Lexicon, day_at
from premortem.generate.traffic.train import given_text

_CREATING = frozenset({"POST", "PUT"})
STARTS_MAX = 2_048
"""Recorded requests of one operation that others are written from."""


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded request, as far as others are written from it."""

    situation: Situation
    known: Known
    tokens: tuple[int, ...]
    """By column: what stands already, -1 where something is written."""
    values: tuple[Any, ...]


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that writing one operation's requests needs, worked out once."""

    operation: OperationProfile
    bases: tuple[Base, ...]
    pen: Pen
    heads: Heads
    conformance: Conformance | None
    ties: Ties
    origin: Origin
    media_type: str
    own: tuple[int, ...]
    """Bases whose setup is that of the operation's start: cases of these can share it."""
    sound: tuple[int, ...]
    """Bases that can be sent behind their own setup."""
    recorded: tuple[int, ...]
    """Bases that stand for what production sent."""
    own_ties: Ties
    """As `ties`, within what the start's setup allows."""
    orders: Mapping[frozenset[str], tuple[str, ...]]
    """Places -> the order in which production writes just these."""
    names: Draw | None
    """New names for what a PUT makes."""


class Rooms:
    """A room for each operation that a model knows; they are prepared when first asked for."""

    def __init__(
        self, profile: Profile, exchanges: Mapping[str, Exchange], model: TrafficModel
    ) -> None:
        self.profile, self.model = profile, model
        self._exchanges = exchanges
        self._starts = Starts(profile, exchanges)
        self._order = {o.id: index for index, o in enumerate(profile.operations)}
        self._named = frozenset(
            e.request.path
            for e in exchanges.values()
            if e.request.method == "PUT" and e.response.status == CREATED
        )
        """Paths of what came to be under a name that its client chose."""
        self._told = frozenset(_told(profile, exchanges))
        """Names that clients gave what they made."""
        self._situations: dict[str, list[Situation]] | None = None
        self._rooms: dict[str, Room | None] = {}

    def of(self, operation_id: str) -> Room | None:
        """Where requests of OPERATION_ID are written; None where the model knows too little, or a
        request presents secrets."""
        if operation_id not in self._rooms:
            self._rooms[operation_id] = self._prepared(operation_id)
        return self._rooms[operation_id]

    def number(self, operation_id: str) -> int:
        """Tells OPERATION_ID from the others."""
        return self._order.get(operation_id, len(self._order))

    def _prepared(self, operation_id: str) -> Room | None:
        model = self.model.operation(operation_id)
        operation = self.profile.operation(operation_id)
        if model is None or operation is None or presents_credentials(operation):
            return None
        if self._situations is None:
            self._situations = self._found()
        found = self._situations.get(operation_id, [])
        found = [s for s in found if s.role == s.final.role] or found
        complete = [s for s in found if not s.lost] or found
        rng = np.random.default_rng([self._order[operation_id], len(complete)])
        if len(complete) > STARTS_MAX:
            complete = [complete[i] for i in sorted(rng.permutation(len(complete))[:STARTS_MAX])]
        conformance = compiled(operation.request_schema)
        bases = [_base(s, model, operation, conformance) for s in complete]
        if not bases:
            return None
        recorded = tuple(range(len(bases)))
        start = self._starts.of(operation_id)
        begun = self._begun(start)
        names, limits = None, {}
        if start is not None and begun is not None:
            bases.append(_base(begun, model, operation, conformance))
            names, limits = naming(start), state_limits(operation, start, _body(begun))
        own = tuple(at for at, base in enumerate(bases) if begun and _shares(base, begun))
        return Room(
            operation=operation,
            bases=tuple(bases),
            pen=Pen(
                model.group,
                fields_of(passing_fields(operation, self._exchanges)),
                conformance.shape if conformance is not None else None,
            ),
            heads=Heads(operation, self.profile, bases[0].situation.final),
            conformance=conformance,
            ties=ties_of(operation.rules, (), limits={}, bodies=(), fixed=frozenset()),
            origin=Origin(
                source="traffic",
                model=f"traffic {self.model.version}",
                profile_version=self.profile.version,
            ),
            media_type=bases[0].situation.final.request.media_type,
            own=own,
            sound=tuple(at for at in recorded if not names and self._sound(bases[at], operation)),
            recorded=recorded,
            own_ties=ties_of(operation.rules, (), limits=limits, bodies=(), fixed=frozenset()),
            orders={frozenset(order): order for order in model.orders},
            names=names,
        )

    def _sound(self, base: Base, operation: OperationProfile) -> bool:
        """Whether BASE brings about all that it names: nothing is lost, and nothing was made under
        a name by somebody else, to whom it may belong."""
        situation = base.situation
        made = {case.request.path for case in situation.setup}
        path = situation.final.request.path
        parts = path.split("/")
        above = ("/".join(parts[:end]) for end in range(2, len(parts) + 1))
        if situation.lost or not all(p in made or p not in self._named for p in above):
            return False
        bound = {b.place.name for b in situation.final.bindings}
        closed = {f.place.name for f in operation.fields if f.enumeration}
        template = split_template(operation.operation.template)
        segments = zip(template, split_path(path), strict=False)
        named = {
            text
            for index, (segment, text) in enumerate(segments)
            if str(index) not in bound and set(parameter_names(segment)) - closed
        }
        named |= {v for n, v in situation.final.request.query if n not in bound | closed}
        mine = {text for case in situation.setup for text in sent_texts(case.request)}
        return not (named & self._told) - mine

    def _begun(self, start: Start | None) -> Situation | None:
        """START as a situation; None where it was not recorded."""
        if start is None or not start.recorded or start.hollow:
            return None
        exchange = self._exchanges.get(next(iter(start.final.origin.parents), ""))
        if exchange is None:
            return None
        told: dict[str, tuple[Any, int, Place]] = {}
        for index, case in enumerate(start.setup):
            answered = self._exchanges.get(next(iter(case.origin.parents), ""))
            if answered is not None:
                for key, value, place in told_by(case.operation_id, answered):
                    told[key] = (value, index, place)
        return Situation(
            exchange_id=start.final.origin.parents[0],
            exchange=exchange,
            setup=start.setup,
            final=start.final,
            told=told,
            lost=0,
        )

    def _found(self) -> dict[str, list[Situation]]:
        by_operation: dict[str, list[Situation]] = {}
        known = situations(self.profile, self._exchanges, self._starts.standing_in)
        for situation in known:
            if not held_out(situation.session, self.model.held_out_share):
                by_operation.setdefault(situation.final.operation_id, []).append(situation)
        return by_operation


def _told(profile: Profile, exchanges: Mapping[str, Exchange]) -> Iterator[str]:
    """Texts of requests that made something, but for what is called a reference: that was there
    before, unless it came to be by being named."""
    matcher = Matcher(o.operation for o in profile.operations)
    mentioned = mentioned_places(profile, exchanges)
    for exchange in exchanges.values():
        request = exchange.request
        if request.method not in _CREATING or not 200 <= exchange.response.status < 300:
            continue
        match = matcher.match_request(request)
        for place, value in _leaves(request):
            spot = (match.operation.id if match is not None else "", general(place))
            named = isinstance(value, str) and len(value) >= NAME_LENGTH_MIN and " " not in value
            if named and (spot in mentioned or not refers(place)):
                yield value


def _leaves(request: Request) -> Iterator[tuple[Place, Any]]:
    try:
        yield from leaves(read_body(request))
    except ValueError:
        return


def _shares(base: Base, begun: Situation) -> bool:
    """Whether BASE can stand behind BEGUN's setup: it is the same one, or neither needs any."""
    mine = base.situation
    if mine is begun:
        return True
    alone = not mine.setup and not begun.setup and not mine.final.bindings and not mine.lost
    return alone and not begun.final.bindings


def _body(situation: Situation) -> Any:
    try:
        return recorded_value(situation.final.request)
    except ValueError:
        return None


def _base(
    situation: Situation,
    model: OperationModel,
    operation: OperationProfile,
    conformance: Conformance | None,
) -> Base:
    """SITUATION as something to write from."""
    request = situation.final.request
    row = row_of(request, conformance.shape if conformance is not None else None)
    fixed = _kept(situation, operation)
    tokens: list[int] = []
    values: list[Any] = []
    told = {key: value for key, (value, _, _) in situation.told.items()}
    for column in model.group.columns:
        place = column.place
        value = row.get(place, NOTHING_THERE)
        if column.relative and column.relative not in told:
            fixed = fixed | {place}
        if column.given and place.startswith(("query:", "body:")):
            tokens.append(int(value is not NOTHING_THERE))
            values.append(value)
        elif column.given:
            tokens.append(_given(column, situation, told))
            values.append(NOTHING_THERE)
        elif any(place == at or place.startswith(f"{at}/") for at in fixed):
            tokens.append(Lexicon(column.tokens).of(value))
            values.append(value)
        else:
            tokens.append(-1)
            values.append(NOTHING_THERE)
    return Base(
        situation=situation,
        known=Known(day=day_at(situation.exchange.started_at), told=told),
        tokens=tuple(tokens),
        values=tuple(values),
    )


def _given(column: Column, situation: Situation, told: Mapping[str, Any]) -> int:
    if column.place.startswith(TOLD):
        return int(column.place.removeprefix(TOLD) in told)
    return Lexicon(column.tokens).of(given_text(situation, column.place))


def _kept(situation: Situation, operation: OperationProfile) -> frozenset[str]:
    """Places whose values name things: of bindings, and of names that the setup gave."""
    bindings = situation.final.bindings
    found = {str(b.place) for b in bindings if b.place.part == "query"}
    found |= {
        str(f.place)
        for f in operation.fields
        if f.place.part == "query" and not f.enumeration and says_reference(f.place.name)
    }
    try:
        body = recorded_value(situation.final.request)
    except ValueError:
        return frozenset(found)
    bound = [b.place for b in bindings if b.place.part == "body"]
    start = Start(
        operation=operation,
        setup=situation.setup,
        final=situation.final,
        paths=((situation.final.request.path, situation.final.role),),
    )
    named = named_before(body, start, operation)
    return frozenset(found | {str(body_place(*at)) for at in kept_values(body, [*bound, *named])})
