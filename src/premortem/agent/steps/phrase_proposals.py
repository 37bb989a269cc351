"""Phrases proposed from a profile: its operations, said the way people say them.

An operation that changes something becomes `{string} approves the invoice {string}`: who, what it
does, to what; numbers and names of its body that have to be given become parameters, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import pairwise
from typing import Any

from msgspec import Struct

from premortem.agent.planning.declared import made_body
from premortem.agent.planning.titles import entity, verb
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.phrases import PHRASES_MAX, Phrase, check_phrases, phrase_problem
from premortem.agent.understanding.inputs import InputField, input_fields
from premortem.agent.understanding.words import (
    VERBS,
    article,
    is_plural,
    singular,
    stem,
    third_person,
    tokens,
)
from premortem.domain.bodies import is_json
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile, Profile
from premortem.errors import ConfigError, InputError
from premortem.generate.payload import media_type_for

WORDS_MAX = 6
_PREPOSITIONS = frozenset({"of", "for", "from", "to", "in", "on", "by", "at", "with", "again"})
_SECRET = re.compile(r"passw|secret|token|credential|api_?key|\bpin\b", re.IGNORECASE)
PARAMETERS_MAX = 5
"""More of them nobody reads."""
BODY_CHARACTERS_MAX = 2_000


class ProposedPhrase(Struct, frozen=True, kw_only=True):
    """A phrase that a person may accept."""

    text: str
    phrase: Phrase
    operation_id: str

    @property
    def id(self) -> str:
        """6 hex digits of its text."""
        return sha256(self.text.encode()).hexdigest()[:6]


def propose_phrases(profile: Profile, bindings: Bindings) -> tuple[ProposedPhrase, ...]:
    """A phrase for each operation of PROFILE that changes something and can be said in a line.

    The most used first; none that BINDINGS know, or that reads like another step.
    """
    known = dict(bindings.phrases)
    texts = {phrase.steps for phrase in known.values()}
    proposed: list[ProposedPhrase] = []
    for operation in sorted(profile.operations, key=lambda o: (-o.count, o.id)):
        if operation.operation.method in SAFE_METHODS or len(known) >= PHRASES_MAX:
            continue
        said = _said(operation)
        if said is None or said[1].steps in texts:
            continue
        text, phrase = said
        if text in known:
            continue
        try:
            check_phrases({**known, text: phrase}, "proposed")
        except ConfigError:
            continue
        known[text] = phrase
        proposed.append(ProposedPhrase(text=text, phrase=phrase, operation_id=operation.id))
    return tuple(proposed)


def proposed_one(wanted: str, proposed: tuple[ProposedPhrase, ...]) -> ProposedPhrase:
    """The one of PROPOSED with the id or text WANTED. Raises InputError when there is none."""
    plain = " ".join(wanted.split())
    for one in proposed:
        if plain in (one.id, one.text):
            return one
    raise InputError(f"nothing proposed is called {wanted!r}; see `premortem steps propose`")


def _said(operation: OperationProfile) -> tuple[str, Phrase] | None:
    segments = list(split_template(operation.operation.template))
    parameters = [s for s in segments if s.startswith("{") and s.endswith("}")]
    if any("{" in s for s in segments if s not in parameters):
        return None
    body = _body(operation)
    if body is None or any(_SECRET.search(name) for name in body):
        return None
    if not body and operation.operation.method in ("PATCH", "PUT"):
        return None  # what it would change is not known
    number = len(parameters) + 1
    given = list(_given(operation, body))[: PARAMETERS_MAX - number]
    owners = _owners(segments)
    itself = bool(owners) and owners[-1] == entity(operation)
    text = f"{{string}} {_deed(operation, owners, itself, given)}"
    numbers = _numbers(len(parameters), itself=itself)
    path = "/" + "/".join(f"${{{next(numbers)}}}" if "{" in s else s for s in segments)
    if operation.operation.template.endswith("/"):
        path += "/"
    line = f'"${{1}}" sends "{operation.operation.method}" to "{path}"'
    steps = [line]
    if body:
        shown = _written(body, {f.name: number + 1 + i for i, f in enumerate(given)})
        if len(shown) > BODY_CHARACTERS_MAX:
            return None
        steps = [line + " with:", shown]
    if saved := _identity(operation):
        name = "_".join(tokens(entity(operation)))
        steps.append(f'the response field "{saved}" is saved as "{name}_id"')
    phrase = Phrase(steps=tuple(steps))
    return None if phrase_problem(text, phrase) else (text, phrase)


def _deed(
    operation: OperationProfile, owners: list[str], itself: bool, given: list[InputField]
) -> str:
    """`creates a refund for the invoice {string} with amount {string}`."""
    first, *more = verb(operation).split(" ")
    thing = entity(operation)
    what = f"the {thing}"
    segments = split_template(operation.operation.template)
    last = tokens(segments[-1]) if segments and "{" not in segments[-1] else []
    if operation.operation.method == "POST" and verb(operation) == "create":
        what = f"{article(thing)} {thing}"
    elif last and is_plural(last[-1]):
        what = f"the {' '.join(last)}"
    if itself:
        what = f"the {thing} {{string}}"
        owners = owners[:-1]
    deed = f"{' '.join([third_person(first), *more])} {what}"
    if more and stem(first) not in VERBS:
        # `late fee`, `fraud check`: what is done has a noun's name.
        deed = f"{_summarised(operation) or 'does the ' + verb(operation)} of {what}"
    told = " ".join(f"{_joint(i, f, given)} {{string}}" for i, f in enumerate(given))
    return " ".join(f"{deed}{_of(owners)} {told}".split())


def _summarised(operation: OperationProfile) -> str:
    """What OPERATION does in its summary's words: `charges the late fee`, where that is a late
    fee's; empty: the summary says something else."""
    words = operation.summary.lower().split()
    end = next((i for i, word in enumerate(words) if word in _PREPOSITIONS), len(words))
    said = " ".join(words[1:end])
    if not 2 <= end <= WORDS_MAX or verb(operation) not in said:
        return ""
    return f"{third_person(words[0])} {said}"


def _numbers(count: int, *, itself: bool) -> Iterator[int]:
    """Which parameter of the phrase each of the COUNT in the path is: the thing ITSELF, which is
    the last of them, is said first."""
    if not itself:
        return iter(range(2, 2 + count))
    return iter([*range(3, 2 + count), 2])


def _owners(segments: list[str]) -> list[str]:
    """What each parameter of the path names, in order: `invoice`."""
    owners: list[str] = []
    for before, segment in pairwise(["", *segments]):
        if segment.startswith("{"):
            # One that follows nothing it could be named by is called by its own name.
            words = tokens(before if "{" not in before and before else segment.strip("{}"))
            owners.append(" ".join([*words[:-1], singular(words[-1])]) if words else "one")
    return owners


def _of(owners: list[str]) -> str:
    return "".join(f" for the {owner} {{string}}" for owner in owners)


def _joint(index: int, field: InputField, given: list[InputField]) -> str:
    name = " ".join(tokens(field.name))
    return f"{'with' if index == 0 else 'and' if index == len(given) - 1 else ','} {name}"


def _body(operation: OperationProfile) -> dict[str, Any] | None:
    """A body of the usual values; empty: it wants none; None: there is no such body."""
    if not is_json(media_type_for(operation) or "application/json"):
        return None
    made = made_body(operation)
    value = json.loads(made) if made else {}
    if not isinstance(value, dict):
        return None
    for field in input_fields(operation):
        if field.place.part != "body" or len(field.place.tokens) != 1:
            continue
        if field.usual is not None and (field.name in value or field.required):
            value[field.name] = field.usual
        elif field.required and field.name not in value:
            return None
    return value if value or made is not None else None


def _given(operation: OperationProfile, body: Mapping[str, Any]) -> Iterator[InputField]:
    """The fields of BODY that a person would want to say: names of other things, and numbers."""
    for field in input_fields(operation):
        if field.place.part != "body" or len(field.place.tokens) != 1 or field.name not in body:
            continue
        value = body[field.name]
        names = field.name.lower().endswith(("id", "_ref", "number")) and isinstance(value, str)
        counts = isinstance(value, int | float) and not isinstance(value, bool)
        # What is changed is what the phrase is about.
        changed = operation.operation.method in ("PATCH", "PUT") and isinstance(value, str)
        if changed or ((names or counts) and field.required):
            yield field


def _written(body: Mapping[str, Any], numbers: Mapping[str, int]) -> str:
    lines = []
    for name, value in body.items():
        shown = json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        if name in numbers:
            place = f"${{{numbers[name]}}}"
            shown = f'"{place}"' if isinstance(value, str) else place
        lines.append(f"  {json.dumps(name)}: {shown}")
    return "{\n" + ",\n".join(lines) + "\n}"


def _identity(operation: OperationProfile) -> str:
    """Where a success holds the new thing's id; empty: nowhere that is known."""
    if operation.operation.method != "POST" or verb(operation) != "create":
        return ""
    for answer in operation.answers:
        if 200 <= answer.status < 300:
            for field in answer.fields:
                if field.place.tokens in (("id",), ("uuid",)):
                    return f"/{field.place.tokens[0]}"
    return ""
