"""Adversarial cases by a language model: a valid request, one named operator, one change.

The model chooses which field and what to put there, under a grammar that allows nothing else, so a
mutant differs from its parent in one value (a swap: in two). Whether the change is of the operator
is checked here, and what it breaks is told by the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from itertools import combinations
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.bodies import FORM, leaves, write_form
from premortem.domain.conform import Conformance, compiled
from premortem.domain.coverage import Gap
from premortem.domain.places import Place, body_place
from premortem.domain.run import Case, Intent, Origin, Sequence
from premortem.domain.shape import type_of
from premortem.domain.traffic import OperationProfile, Profile
from premortem.generate.kept import reused_places
from premortem.generate.llm import body_of, kept_pointers, seed_of
from premortem.generate.llm_batch import Asking, Batcher, Refused, Usable, Verdict
from premortem.generate.llm_free import FreePlaces, projected
from premortem.generate.llm_operators import (
    OPERATORS,
    PAIRS_MAX,
    SWAP,
    SWAP_EXPLANATION,
    Operator,
    Schema,
    Spot,
)
from premortem.generate.llm_prompt import load_prompt, spelled
from premortem.generate.mutate import Mutator
from premortem.generate.sample import Sampler
from premortem.generate.source import SequenceSource
from premortem.generate.ways import Aim
from premortem.models import Ask as Question

BASES_MAX = 12
"""Sampled requests of one operation that are mutated in turn."""
SPOTS_MAX = 12
"""Values of one request that are offered for a change."""
TOKENS_MAX = 160
REQUEST_CHARS_MAX = 1200
"""Of the request in the prompt; a longer one is not mutated by a model."""
TEMPERATURE = 0.9
_NUMBER = "\0"


class Turn(Struct, frozen=True, kw_only=True):
    """One request and one operator that applies to it."""

    base: Case
    body: Any
    spots: Mapping[str, Spot]
    """By pointer, as the model names them."""
    operator: Operator | None
    """None: swap."""
    question: str
    schema: Schema


class Room(Struct, kw_only=True):
    """Everything that asking for one operation needs."""

    operation: OperationProfile
    conformance: Conformance | None
    turns: list[Turn]
    seen: set[bytes]
    next: int = 0


class LlmMutator:
    """A source of adversarial cases (`generate.source.CaseSource`)."""

    def __init__(
        self,
        profile: Profile,
        seed: int,
        *,
        sampler: Sampler,
        batcher: Batcher,
        temperature: float = TEMPERATURE,
    ) -> None:
        """SAMPLER: what the requests to change are drawn by."""
        self._profile, self._seed = profile, seed
        self._sampler = sampler.apart(6)
        self._batcher = batcher
        self._temperature = temperature
        self._prompt = load_prompt("mutate")
        self._reused = reused_places(profile)
        self._order = {o.id: index for index, o in enumerate(profile.operations)}
        self._rooms: dict[str, Room | None] = {}

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """COUNT distinct cases of OPERATION_ID, without their setup; each call goes on.

        None where no value may be changed; fewer when the budget is spent or the model has no
        more to say. Raises ModelError when the model does not answer at all.
        """
        if operation_id not in self._rooms:
            self._rooms[operation_id] = self._prepare(operation_id)
        room = self._rooms[operation_id]
        if room is None or count <= 0:
            return []
        asking = Asking(
            ask=lambda number: self._question(room, number),
            read=lambda number, answer: self._read(room, number, answer),
            case=lambda number: self._unchanged(self._turn(room, number)),
            again=self._prompt.told,
        )
        found, room.next = self._batcher.gather(count, asking, first=room.next)
        return found

    def _prepare(self, operation_id: str) -> Room | None:
        start = self._sampler.start(operation_id)
        operation = self._profile.operation(operation_id)
        if start is None or operation is None:
            return None
        conformance = compiled(operation.request_schema)
        places = FreePlaces(
            operation,
            conformance.shape if conformance is not None else None,
            fixed=self._reused.get(operation_id, frozenset()),
        )
        kept = frozenset(kept_pointers(start))
        turns: list[Turn] = []
        for base in self._sampler.cases(operation_id, BASES_MAX):
            body = body_of(base.request, conformance)
            if conformance is not None and not conformance.is_valid(body):
                continue
            shown = spelled(projected(body, places.ask(body, kept)))
            if len(shown) <= REQUEST_CHARS_MAX:
                spots = dict(_spots(operation, places, conformance, body, kept))
                turns += self._turns(operation_id, base, body, shown, spots)
        if not turns:
            return None
        return Room(operation=operation, conformance=conformance, turns=turns, seen=set())

    def _turns(
        self, operation_id: str, base: Case, body: Any, shown: str, spots: Mapping[str, Spot]
    ) -> Iterator[Turn]:
        def turn(operator: Operator | None, schema: Schema) -> Turn:
            question = self._prompt.filled(
                operation=operation_id,
                request=shown,
                fields=", ".join(spots),
                operator=operator.name if operator else SWAP,
                explanation=operator.explanation if operator else SWAP_EXPLANATION,
                number=_NUMBER,
            )
            return Turn(
                base=base,
                body=body,
                spots=spots,
                operator=operator,
                question=question,
                schema=schema,
            )

        for operator in OPERATORS:
            ways = [
                _exactly(field={"const": name}, value=value)
                for name, spot in spots.items()
                if (value := operator.value(spot)) is not None
            ]
            if ways:
                yield turn(operator, _exactly(change={"anyOf": ways}))
        pairs = [
            _exactly(field={"const": a}, other={"const": b})
            for a, b in combinations(spots, 2)
            if spots[a].kind == spots[b].kind and spots[a].value != spots[b].value
        ]
        if pairs:
            yield turn(None, _exactly(change={"anyOf": pairs[:PAIRS_MAX]}))

    def _turn(self, room: Room, number: int) -> Turn:
        return room.turns[(number // self._batcher.engine.batch) % len(room.turns)]

    def _question(self, room: Room, number: int) -> Question:
        turn = self._turn(room, number)
        return Question(
            system=self._prompt.system,
            user=turn.question.replace(_NUMBER, str(number + 1)),
            schema=spelled(turn.schema),
            tokens_max=TOKENS_MAX,
            temperature=self._temperature,
            seed=seed_of(self._seed, self._order[room.operation.id], number),
        )

    def _read(self, room: Room, number: int, answer: Any) -> Verdict:
        turn = self._turn(room, number)
        change = answer.get("change") if isinstance(answer, dict) else None
        changes = _changes(turn, change) if isinstance(change, dict) else {}
        name = turn.operator.name if turn.operator is not None else SWAP
        if not changes:
            reason = f"the change is not what {name} says"
            return Refused(word="invalid", rule="operator", reason=reason)
        body = turn.body
        for tokens, value in changes.items():
            body = _put(body, tokens, value)
        intent = self._intent(room, turn, body, list(changes))
        if intent is None:
            reason = "the change breaks more than one thing"
            return Refused(word="invalid", rule="shape", reason=reason)
        form = turn.base.request.media_type == FORM
        raw = write_form(body) if form else msgspec.json.encode(body)
        if raw in room.seen or raw == turn.base.request.body:
            reason = "the change was given before"
            return Refused(word="repeated", rule="duplicate", reason=reason)
        room.seen.add(raw)
        return Usable(result=self._case(turn, raw, intent))

    def _intent(
        self, room: Room, turn: Turn, body: Any, changed: list[tuple[str, ...]]
    ) -> Intent | None:
        """What the mutant breaks; None when it is more than one constraint, or another's than
        those of what was CHANGED."""
        errors = set(room.conformance.errors(body)) if room.conformance is not None else set()
        if len(errors) > 1 or any(path not in changed for _, path in errors):
            return None
        place = body_place(*next((path for _, path in errors), changed[0]))
        name = turn.operator.name if turn.operator is not None else SWAP
        keyword = next((keyword for keyword, _ in errors), "")
        certain = bool(keyword) and room.operation.request_source == "spec"
        return Intent(
            kind="adversarial",
            breaks=f"{place} {keyword if certain else name}",
            place=place,
            expects="refusal" if certain else "answer",
            certain=certain,
        )

    def _case(self, turn: Turn, raw: bytes, intent: Intent) -> Case:
        case = self._unchanged(turn)
        return replace(
            case,
            request=replace(case.request, body=raw),
            bindings=tuple(b for b in case.bindings if b.place != intent.place),
            intent=intent,
        )

    def _unchanged(self, turn: Turn) -> Case:
        """The request that is changed, as TURN's."""
        base = turn.base
        origin = Origin(
            source="mutate",
            parents=(base.id, *base.origin.parents),
            model=self._batcher.engine.name,
            prompt=self._prompt.hash,
            operator=turn.operator.name if turn.operator is not None else SWAP,
            seed=self._seed,
            profile_version=self._profile.version,
        )
        return replace(base, origin=origin)


class PartlyByModel:
    """The source `mutate` where a model makes a share of its cases: rules make the rest, and
    whatever the model could not (`generate.source.CaseSource`, `SequenceSource`)."""

    def __init__(self, rules: Mutator, model: LlmMutator, *, share: float) -> None:
        self._rules, self._model, self._share = rules, model, share

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """See `CaseSource.cases`."""
        found = self._model.cases(operation_id, round(count * self._share))
        return [*found, *self._rules.cases(operation_id, count - len(found))]

    def sequences(self, operation_id: str, count: int) -> list[Sequence]:
        """See `SequenceSource.sequences`: order is the rules' business."""
        if not isinstance(self._rules, SequenceSource):
            return []
        return self._rules.sequences(operation_id, count)

    def aims(self, operation_id: str) -> tuple[Aim, ...]:
        """See `AimedSource`: what is aimed at is the rules' business, too."""
        return self._rules.aims(operation_id)

    def aimed(self, gap: Gap, count: int, bases: Many[Case] = ()) -> list[Case]:
        """See `AimedSource.aimed`."""
        return self._rules.aimed(gap, count, bases)


def _exactly(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _spots(
    operation: OperationProfile,
    places: FreePlaces,
    conformance: Conformance | None,
    body: Any,
    kept: frozenset[tuple[str, ...]],
) -> Iterator[tuple[str, Spot]]:
    """(pointer, value) of what of BODY may be changed; at most SPOTS_MAX."""
    fields = {f.place.tokens: f for f in operation.fields if f.place.part == "body"}
    found = 0
    for place, value in leaves(body):
        tokens = place.tokens
        generic = tuple("*" if token.isdigit() else token for token in tokens)
        if found >= SPOTS_MAX or any(tokens[:i] in kept for i in range(len(tokens) + 1)):
            continue
        if places.scalar(generic, value) is None:
            continue
        shape = conformance.shape.at(generic) if conformance is not None else None
        branch = (shape.branch(type_of(value)) or {}) if shape is not None else {}
        found += 1
        yield (
            place.name,
            Spot(
                tokens=tokens,
                value=value,
                field=fields.get(generic),
                branch=branch,
                correlations=tuple(
                    c for c in operation.correlations if _of_body(c.first) and _of_body(c.second)
                ),
            ),
        )


def _of_body(place: Place) -> bool:
    return place.part == "body"


def _changes(turn: Turn, change: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """Pointer -> new value; empty when the answer is not what was asked for."""
    spot = turn.spots.get(str(change.get("field")))
    if spot is None:
        return {}
    if turn.operator is None:
        other = turn.spots.get(str(change.get("other")))
        if other is None or other.kind != spot.kind or other.value == spot.value:
            return {}
        return {spot.tokens: other.value, other.tokens: spot.value}
    new = change.get("value")
    if _loose(new) != _loose(spot.value):
        return {}
    everything = {s.tokens: s.value for s in turn.spots.values()}
    if new == spot.value or not turn.operator.holds(spot, new, everything):
        return {}
    return {spot.tokens: new}


def _loose(value: Any) -> str:
    kind = type_of(value)
    return "number" if kind == "integer" else kind


def _put(body: Any, tokens: tuple[str, ...], value: Any) -> Any:
    """BODY with VALUE at TOKENS, which lead somewhere."""
    if not tokens:
        return value
    key, rest = tokens[0], tokens[1:]
    if isinstance(body, list):
        index = int(key)
        return [*body[:index], _put(body[index], rest, value), *body[index + 1 :]]
    return {**body, key: _put(body[key], rest, value)}
