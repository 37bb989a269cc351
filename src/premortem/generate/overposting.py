"""Members that answers show and requests do not have, put into requests.

What a service takes over from them lets a client set what is not its to set: its role, the state
of a thing, what was paid. (OWASP API Security 2023, API3: broken object property level
authorization; CWE-915)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import is_json
from premortem.domain.conform import Conformance, compiled
from premortem.domain.places import body_place
from premortem.domain.run import Case, Intent
from premortem.domain.traffic import Field, OperationProfile
from premortem.generate.head_mutations import Mutation

MEMBERS_MAX = 40
VALUES_MAX = 3
"""Values of one member that are tried: of a closed set there may be one that is more than this
client was given."""


def overposting_mutations(operation: OperationProfile, base: Case) -> Iterator[Mutation]:
    """One member of the operation's own answers put into its request, with a value from there."""
    if not is_json(base.request.media_type) or not base.request.body:
        return
    asked = {f.place.tokens[0] for f in operation.fields if f.place.part == "body" and f.place.name}
    conformance = compiled(operation.request_schema)
    declared = conformance if operation.request_source == "spec" else None
    told: dict[str, Field] = {}
    for answer in operation.answers:
        if 200 <= answer.status < 300:
            for field in answer.fields:
                name = field.place.tokens[0] if len(field.place.tokens) == 1 else ""
                if field.place.part == "body" and name and name not in asked:
                    told.setdefault(name, field)
    for name, field in list(told.items())[:MEMBERS_MAX]:
        for text in _values(field):
            yield partial(_put, name=name, value=msgspec.json.decode(text), declared=declared)


def _values(field: Field) -> list[str]:
    if field.redacted:
        return []
    # What few have is what most should not get.
    rarest_first = [text for text, _ in reversed(field.values)]
    return rarest_first[:VALUES_MAX] if field.enumeration else rarest_first[:1]


def _put(base: Case, *, name: str, value: Any, declared: Conformance | None) -> Case | None:
    try:
        body = msgspec.json.decode(base.request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(body, dict) or name in body:
        return None
    valid = declared is None or not declared.is_valid(body)
    body[name] = value
    errors = [] if valid or declared is None else declared.errors(body)
    refused = bool(errors) and errors[0][0] in ("additionalProperties", "unevaluatedProperties")
    if errors and not refused:
        return None
    place = body_place()
    what = errors[0][0] if refused else f"member {name} of the answer"
    return replace(
        base,
        request=replace(base.request, body=msgspec.json.encode(body)),
        intent=Intent(
            kind="adversarial",
            breaks=f"{place} {what}",
            place=place,
            expects="refusal" if refused else "answer",
            certain=refused,
        ),
    )
