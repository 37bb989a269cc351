"""Realistic cases whose free values a language model makes up; all else is drawn by the sampler.

A model sees an operation's name, what its free fields are, and a few redacted requests of
production. Its answer fills the free fields of a sampled request, so identifiers, links, paths and
headers are as sound as the sampler's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.bodies import FORM, is_json, read_body, write_form
from premortem.domain.conform import Conformance, compiled, typed_form
from premortem.domain.coverage import Gap, ValueClass
from premortem.domain.rejection import Rejection
from premortem.domain.run import Case, Origin
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Request
from premortem.domain.value_class import possible_cells
from premortem.generate.kept import kept_values, named_before, reused_places
from premortem.generate.llm_batch import Asking, Batcher, Refused, Usable, Verdict
from premortem.generate.llm_free import Ask, FreePlaces, described, merged, projected
from premortem.generate.llm_prompt import Prompt, listed, load_prompt, spelled, varied
from premortem.generate.relate import Ties, tied
from premortem.generate.sample import Sampler
from premortem.generate.starts import Start
from premortem.generate.ways import Aim
from premortem.models import Ask as Question

BASES_MAX = 64
"""Sampled requests of one operation whose free values are filled in turn."""
WAYS_MAX = 6
"""Sets of free values that are asked for in turn, the most frequent ones."""
TOKENS_PER_CHARACTER = 0.6
"""Of an answer: JSON with numbers is denser than prose."""
TOKENS_MIN = 64
REASON_CHARS_MAX = 160
"""Of what a validator says of an answer: it names the value, and that may be long."""
TEMPERATURE = 0.8
ASKED = frozenset({"typical", "enum", "boundary", "empty"})
"""Kinds of values that a model writes within the bounds that it is held to."""
AIMS_MAX = 64
_CLASS_WORDS: Mapping[ValueClass, str] = {
    "absent": "no value",
    "null": "null",
    "empty": "an empty value",
    "boundary": "a value at the very limit of what is allowed",
    "enum": "another of the allowed choices",
    "typical": "a value that nobody has sent yet",
    "out_of_range": "a value beyond what is allowed",
    "wrong_type": "a value of another type",
}
_NUMBER = "\0"
"""Stands in a filled prompt for the number of the ask; nothing else there can be it."""


class Room(Struct, kw_only=True):
    """Everything that asking for one operation needs, worked out once."""

    operation: OperationProfile
    start: Start
    places: FreePlaces
    conformance: Conformance | None
    kept: frozenset[tuple[str, ...]]
    ties: Ties
    """What holds in the sampler's bodies, and has to hold again with the model's values."""
    bases: list[list[Case]]
    """Those in which the same values are free, together; the most frequent sort first."""
    examples: frozenset[str]
    """As they stand in the prompt."""
    prompt: str
    """Filled but for the number."""
    told: Mapping[str, str]
    """What every prompt for the operation is filled with."""
    seen: set[str]
    next: int = 0


class LlmSource:
    """A source of realistic cases (`generate.source.CaseSource`)."""

    def __init__(
        self,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        seed: int,
        *,
        sampler: Sampler,
        batcher: Batcher,
        temperature: float = TEMPERATURE,
        prompt: str = "realistic",
        validate: Callable[[Case], Rejection | None] = lambda _case: None,
    ) -> None:
        """SAMPLER: what the rest of each request is drawn by. VALIDATE: why a case must not be
        sent, or None; the model is told. The same seed asks the same."""
        self._validate = validate
        self._profile, self._exchanges, self._seed = profile, exchanges, seed
        self._sampler = sampler.apart(5)
        self._batcher = batcher
        self._temperature = temperature
        self._prompt, self._aimed = load_prompt(prompt), load_prompt("aimed")
        self._reused = reused_places(profile)
        self._order = {o.id: index for index, o in enumerate(profile.operations)}
        self._rooms: dict[str, Room | None] = {}
        self._asks: dict[str, tuple[Ask, Any]] = {}

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """COUNT distinct cases of OPERATION_ID, without their setup; each call goes on.

        None where nothing of a request is free; fewer when the budget is spent or the model
        has no more to say. Raises ModelError when the model does not answer at all.
        """
        room = self._room(operation_id)
        if room is None or count <= 0:
            return []
        return self._gathered(room, count, self._prompt, room.prompt)

    def _gathered(self, room: Room, count: int, prompt: Prompt, filled: str) -> list[Case]:
        asking = Asking(
            ask=lambda number: self._question(room, number, filled),
            read=lambda number, value: self._read(room, number, value, prompt),
            case=lambda number: self._unfilled(room, number, prompt),
            again=prompt.told,
        )
        found, room.next = self._batcher.gather(count, asking, first=room.next)
        return found

    def aims(self, operation_id: str) -> tuple[Aim, ...]:
        """See `AimedSource`: the kinds of values that a model can be asked for, place by place."""
        room = self._room(operation_id)
        if room is None:
            return ()
        cells = possible_cells(room.operation)
        places = (c for c in cells if c.place.startswith("body:/") and c.value_class in ASKED)
        return tuple(
            Aim(place=c.place, operator=f"model {c.value_class}", value_class=c.value_class)
            for c in islice(places, AIMS_MAX)
        )

    def aimed(self, gap: Gap, count: int, bases: Sequence[Case] = ()) -> list[Case]:
        """See `AimedSource`: the prompt names what is wanted. Requests of others (BASES) are not
        altered here: none come."""
        room = self._room(gap.cell.operation_id)
        if room is None or count <= 0 or bases:
            return []
        prompt = self._aimed.filled(**room.told, gap=wanted(gap), number=_NUMBER)
        return self._gathered(room, count, self._aimed, prompt)

    def can(self, operation_id: str) -> bool:
        """Whether anything of OPERATION_ID's requests is left to make up."""
        return self._room(operation_id) is not None

    def _room(self, operation_id: str) -> Room | None:
        if operation_id not in self._rooms:
            self._rooms[operation_id] = self._prepare(operation_id)
        return self._rooms[operation_id]

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
        drawn = self._sampler.cases(operation_id, BASES_MAX)
        alike: dict[str, list[Case]] = {}
        for case in drawn:
            ask = places.ask(body_of(case.request, conformance), kept)
            if ask is not None:
                alike.setdefault(spelled(ask), []).append(case)
        if not alike:
            return None
        examples = self._examples(operation, places, conformance, kept)
        told = told_of(operation, examples, msgspec.json.decode(max(alike, key=len)))
        return Room(
            operation=operation,
            start=start,
            places=places,
            conformance=conformance,
            kept=kept,
            ties=self._sampler.ties(operation_id),
            bases=sorted(alike.values(), key=len, reverse=True)[:WAYS_MAX],
            examples=frozenset(examples),
            prompt=self._prompt.filled(**told, number=_NUMBER),
            told=told,
            seen=set(),
        )

    def _examples(
        self,
        operation: OperationProfile,
        places: FreePlaces,
        conformance: Conformance | None,
        kept: frozenset[tuple[str, ...]],
    ) -> list[str]:
        found: list[Any] = []
        for exchange_id in operation.exemplars:
            exchange = self._exchanges.get(exchange_id)
            if exchange is None or not 200 <= exchange.response.status < 400:
                continue
            value = body_of(exchange.request, conformance)
            found.append(projected(value, places.ask(value, kept)))
        return varied(found)

    def _base(self, room: Room, number: int) -> tuple[Case, Any]:
        """The request that the NUMBER-th answer goes into: those of one batch are alike, for they
        answer one question."""
        ways = room.bases[(number // self._batcher.engine.batch) % len(room.bases)]
        case = ways[number % len(ways)]
        return case, body_of(case.request, room.conformance)

    def _asked(self, room: Room, number: int) -> tuple[Ask, Any]:
        """(schema, its validator) of the NUMBER-th ask."""
        _, value = self._base(room, number)
        ask = room.places.ask(value, room.kept) or {}
        text = spelled(ask)
        if text not in self._asks:
            self._asks[text] = (ask, jsonschema_rs.Draft202012Validator(ask, validate_formats=True))
        return self._asks[text]

    def _question(self, room: Room, number: int, filled: str) -> Question:
        ask, _ = self._asked(room, number)
        _, value = self._base(room, number)
        length = len(spelled(projected(value, ask)))
        longest = max((len(text) for text in room.examples), default=length)
        return Question(
            system=self._prompt.system,
            user=filled.replace(_NUMBER, str(number + 1)),
            schema=spelled(ask),
            tokens_max=TOKENS_MIN + int(2 * max(length, longest) * TOKENS_PER_CHARACTER),
            temperature=self._temperature,
            seed=seed_of(self._seed, self._order[room.operation.id], number),
        )

    def _read(self, room: Room, number: int, answer: Any, prompt: Prompt) -> Verdict:
        _, validator = self._asked(room, number)
        wrong = next(validator.iter_errors(answer), None)
        if wrong is not None:
            reason = wrong.message[:REASON_CHARS_MAX]
            return Refused(word="invalid", rule="shape", reason=reason)
        text = spelled(answer)
        if text in room.examples:
            return Refused(word="copied", rule="copied", reason="it is one of the examples")
        case, value = self._base(room, number)
        seed = seed_of(self._seed, self._order[room.operation.id], number)
        body = tied(merged(value, answer), room.ties, np.random.default_rng(seed))
        if room.conformance is not None and not room.conformance.is_valid(body):
            keyword, at = room.conformance.errors(body)[0]
            reason = f"the request breaks {keyword} at /{'/'.join(at)}"
            return Refused(word="invalid", rule="shape", reason=reason)
        if text in room.seen:
            return Refused(word="repeated", rule="duplicate", reason="it was given before")
        made = self._case(case, body, prompt)
        rejection = self._validate(made)
        if rejection is not None:
            return Refused(word="invalid", rule=rejection.rule, reason=rejection.reason)
        room.seen.add(text)
        return Usable(result=made)

    def _case(self, base: Case, body: Any, prompt: Prompt) -> Case:
        form = base.request.media_type == FORM
        encoded = write_form(body) if form else msgspec.json.encode(body)
        request = replace(base.request, body=encoded)
        return replace(base, request=request, origin=self._origin(base, prompt))

    def _unfilled(self, room: Room, number: int, prompt: Prompt) -> Case:
        """The request that the NUMBER-th answer was to go into."""
        base, _ = self._base(room, number)
        return replace(base, origin=self._origin(base, prompt))

    def _origin(self, base: Case, prompt: Prompt) -> Origin:
        return Origin(
            source="llm",
            parents=base.origin.parents,
            model=self._batcher.engine.name,
            prompt=prompt.hash,
            seed=self._seed,
            profile_version=self._profile.version,
        )


def told_of(operation: OperationProfile, examples: Sequence[str], widest: Ask) -> dict[str, str]:
    """What a prompt for OPERATION is filled with; WIDEST: all that is ever asked for."""
    # Whoever sees examples needs no description; it only makes the question longer to read.
    return {
        "operation": f"{operation.id} {operation.summary}".strip()[:200],
        "fields": "" if len(examples) > 1 else listed(described(widest), none="none"),
        "examples": listed(examples, none="none were recorded"),
    }


def wanted(gap: Gap) -> str:
    """GAP in words for a prompt: place, kind of value, role and status."""
    cell = gap.cell
    name = cell.place.partition(":")[2].strip("/").replace("/", ".") or "the whole request"
    role = f", sent as {cell.role}" if cell.role else ""
    status = f", to be answered {gap.status_wanted}" if gap.status_wanted != "none" else ""
    return f"{name} with {_CLASS_WORDS[cell.value_class]}{role}{status}"


def body_of(request: Request, conformance: Conformance | None) -> Any:
    """REQUEST's body as a value, forms typed as declared; None when it has none."""
    if request.media_type != FORM and not is_json(request.media_type):
        return None
    try:
        value = read_body(request)
    except ValueError:
        return None
    if request.media_type == FORM and isinstance(value, dict) and conformance is not None:
        return typed_form(value, conformance.shape)
    return value


def kept_pointers(start: Start) -> list[tuple[str, ...]]:
    """Concrete pointers of what names things that the setup made."""
    try:
        recorded = read_body(start.final.request)
    except ValueError:
        return []
    bound = [b.place for b in start.final.bindings if b.place.part == "body"]
    places = [*bound, *named_before(recorded, start, start.operation)]
    return list(kept_values(recorded, places))


def seed_of(seed: int, order: int, number: int) -> int:
    """Apart for every ask, and the same again for the same three."""
    return (seed * 1_000_003 + order * 8_191 + number) % 2**31
