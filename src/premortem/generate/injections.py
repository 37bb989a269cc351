"""Texts that are code somewhere, put where a request holds text: each shows whether it was run.

Harmless by construction: they multiply two numbers, end a text too early, write a header of their
own, read a file that every account may read, or name a host that exists nowhere (RFC 2606).
(OWASP ASVS 4.0, 5.2 and 5.3; OWASP API Security 2023, API7 and API8)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.bodies import is_json, leaves, read_body
from premortem.domain.injected import INJECTION, Payload, payloads_for
from premortem.domain.places import Place
from premortem.domain.run import Case, Intent
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.head_mutations import Mutation

TEXTS_MAX = 12
"""Texts of one body that are tried."""


class Text(Struct, frozen=True, kw_only=True):
    """A place that holds text, and what stood there."""

    place: Place
    value: str
    closed: bool
    """Few values may stand there, or it has a form."""


def injection_mutations(
    operation: OperationProfile, bases: Iterable[Case]
) -> Iterator[tuple[Case, Mutation]]:
    """Each payload in each text that one of BASES has, with the first one that has it: not every
    request says all that it may. What deletes is left alone."""
    if operation.operation.method == "DELETE":
        return
    seen: set[Place] = set()
    for base in bases:
        texts = [text for text in texts_of(operation, base) if text.place not in seen]
        seen |= {text.place for text in texts}
        for text in texts:
            for payload in payloads_for(text.place, text.value, closed=text.closed):
                yield base, partial(put, text=text, payload=payload)


def texts_of(operation: OperationProfile, base: Case) -> Iterator[Text]:
    """The texts of BASE that nothing made earlier has to stand in."""
    closed = {
        f.place
        for f in operation.fields
        if f.enumeration or f.format in ("uuid", "date", "date-time", "email")
    }
    bound = {b.place for b in base.bindings}
    for name, value in base.request.query:
        place = Place(part="query", name=name)
        if place not in bound:
            yield Text(place=place, value=value, closed=place in closed)
    segments = split_path(base.request.path)
    for index, segment in enumerate(split_template(operation.operation.template)):
        if segment.startswith("{") and segment.endswith("}") and index < len(segments):
            place = Place(part="path", name=segment[1:-1])
            yield Text(place=place, value=segments[index], closed=False)
    if is_json(base.request.media_type):
        yield from _in_body(base, bound, closed)


def _in_body(base: Case, bound: set[Place], closed: set[Place]) -> Iterator[Text]:
    try:
        body = read_body(base.request)
    except ValueError:
        return
    if not isinstance(body, dict | list):
        return
    given = 0
    for place, value in leaves(body):
        if isinstance(value, str) and place not in bound and given < TEXTS_MAX:
            given += 1
            yield Text(place=place, value=value, closed=place in closed)


def put(base: Case, *, text: Text, payload: Payload) -> Case | None:
    """BASE with PAYLOAD where TEXT is; None where it has no such place."""
    intent = Intent(
        kind="adversarial",
        breaks=f"{INJECTION}{payload.kind} at {text.place}",
        place=text.place,
        expects="answer",
    )
    said = payload.text.replace("{value}", text.value)
    request = base.request
    kept = tuple(b for b in base.bindings if b.place != text.place)
    if text.place.part == "query":
        query = tuple((n, said if n == text.place.name else v) for n, v in request.query)
        request = replace(request, query=query)
    elif text.place.part == "path":
        template = split_template(base.operation_id.split(" ")[1])
        segments = [*split_path(request.path)]
        name = f"{{{text.place.name}}}"
        if name not in template or len(segments) != len(template):
            return None
        index = template.index(name)
        segments[index] = said
        kept = tuple(b for b in kept if not (b.place.part == "path" and b.place.name == str(index)))
        path = "/" + "/".join(encode_segment(segment) for segment in segments)
        request = replace(request, path=path)
    else:
        body = _body(request.body, text.place, said)
        if body is None:
            return None
        request = replace(request, body=body)
    return replace(
        base,
        request=request,
        intent=intent,
        bindings=kept,
        recorded_status=0,
        recorded_reason="",
    )


def _body(body: bytes, place: Place, said: str) -> bytes | None:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    node = value
    try:
        for token in place.tokens[:-1]:
            node = node[int(token)] if isinstance(node, list) else node[token]
        last = place.tokens[-1]
        key = int(last) if isinstance(node, list) else last
        if not isinstance(node[key], str):
            return None
        node[key] = said
    except (LookupError, TypeError, ValueError):
        return None
    return msgspec.json.encode(value)
