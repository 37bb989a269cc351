"""Links that an OpenAPI document declares: what of an answer goes into which later request.

OpenAPI 3.1, Link Object and Runtime Expressions; `x-links` in Swagger 2.0 documents. What cannot be
told (an operation that is not there, an expression of another kind) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.places import Part, Place, body_place
from premortem.domain.traffic import Link
from premortem.learn.answer_heads import DEFAULT_STATUS, Scope, status_of

if TYPE_CHECKING:
    from premortem.learn.openapi import Spec, SpecOperation

LINKS_MAX = 100
"""Of one answer."""
VALUES_MAX = 50
"""That one link puts into a request."""
_SUCCESS = (2, 3)
_SUCCESSES = {DEFAULT_STATUS, *(-hundred for hundred in _SUCCESS)}
_EXPRESSION = re.compile(
    r"\$(?P<of>request|response)\."
    r"(?:(?P<part>header|query|path)\.(?P<name>[^{}]+)|body(?:#(?P<pointer>/[^{}]*)?)?)"
)
_QUALIFIED = re.compile(r"(path|query|header|cookie)\.(.+)")


class DeclaredLink(Struct, frozen=True, kw_only=True):
    """One value that a link of an answer puts into a request of another operation."""

    target: str
    """An `operationId`, or `METHOD /path` as the document writes it."""
    into: str
    """The parameter's name, `path.id` where it says so; a pointer into the body, or empty for the
    whole body, where `in_body`."""
    in_body: bool = False
    select: Place
    """In the answer; of the request that was answered where `carried`."""
    carried: bool = False


def read_links(declared: Mapping[str, Any], file: Path, scope: Scope) -> Iterator[DeclaredLink]:
    """Links of the good answers of the operation DECLARED in FILE."""
    responses = declared.get("responses")
    for code, answer in (responses if isinstance(responses, dict) else {}).items():
        status = status_of(str(code))
        if status is None or (status not in _SUCCESSES and status // 100 not in _SUCCESS):
            continue
        answer, where = scope.documents.follow(answer, file)
        if not isinstance(answer, dict):
            continue
        named = answer.get("x-links" if scope.legacy else "links")
        links = list(named.values()) if isinstance(named, dict) else []
        for entry in links[:LINKS_MAX]:
            link, stands_in = scope.documents.follow(entry, where)
            if isinstance(link, dict):
                yield from _values(link, _target(link, stands_in, scope))


def _target(link: Mapping[str, Any], file: Path, scope: Scope) -> str:
    """What the link names by id or by reference; empty: nothing of this document."""
    if isinstance(link.get("operationId"), str):
        return str(link["operationId"])
    reference = link.get("operationRef")
    if not isinstance(reference, str) or re.match(r"[a-z][a-z0-9+.-]+://", reference):
        return ""
    target, pointer = scope.documents.target(reference, file)
    tokens = [unquote(t).replace("~1", "/").replace("~0", "~") for t in pointer.split("/")[1:]]
    if target != scope.documents.root or len(tokens) != 3 or tokens[0] != "paths":
        return ""
    return f"{tokens[2].upper()} {tokens[1]}"


def _values(link: Mapping[str, Any], target: str) -> Iterator[DeclaredLink]:
    parameters = link.get("parameters")
    named = list(parameters.items()) if target and isinstance(parameters, dict) else []
    for name, expression in named[:VALUES_MAX]:
        found = _expression(expression)
        if found is not None:
            select, carried = found
            yield DeclaredLink(target=target, into=str(name), select=select, carried=carried)
    body = list(_leaves(link.get("requestBody"), ())) if target else []
    for tokens, expression in body[:VALUES_MAX]:
        found = _expression(expression)
        if found is not None:
            select, carried = found
            into = body_place(*tokens).name
            yield DeclaredLink(
                target=target, into=into, in_body=True, select=select, carried=carried
            )


def _leaves(value: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*at, str(key)))
    elif isinstance(value, str):
        yield at, value


def _expression(text: Any) -> tuple[Place, bool] | None:
    """(place, whether it is the request's own) of a runtime expression; None: it is none."""
    bare = text.strip().removeprefix("{").removesuffix("}") if isinstance(text, str) else ""
    found = _EXPRESSION.fullmatch(bare)
    if found is None:
        return None
    carried = found["of"] == "request"
    if found["part"] is None:
        return Place(part="body", name=found["pointer"] or ""), carried
    part: Part = found["part"]  # type: ignore[assignment]
    name = found["name"].lower() if part == "header" else found["name"]
    return (Place(part=part, name=name), carried) if carried or part == "header" else None


def declared_links(spec: Spec) -> tuple[Link, ...]:
    """The links that SPEC declares. What a request carried itself is taken from where it had it."""
    named: dict[str, SpecOperation] = {}
    for operation in spec.operations:
        named.setdefault(operation.written, operation)
        named.setdefault(operation.name or operation.written, operation)
    answered: dict[tuple[str, Place], Link] = {}
    carried: list[Link] = []
    for producer in spec.operations:
        for declared in producer.links:
            consumer = named.get(declared.target)
            place = _place(declared, consumer) if consumer is not None else None
            if consumer is None or place is None:
                continue
            link = Link(
                producer=producer.operation.id,
                select=declared.select,
                consumer=consumer.operation.id,
                place=place,
                support=0,
                confidence=1.0,
                declared=True,
            )
            if declared.carried:
                carried.append(link)
            else:
                answered.setdefault((link.consumer, place), link)
    for link in carried:
        first = answered.get((link.producer, link.select))
        if first is not None and (link.consumer, link.place) not in answered:
            brought = replace(link, producer=first.producer, select=first.select)
            answered[link.consumer, link.place] = brought
    return tuple(answered.values())


def _place(declared: DeclaredLink, consumer: SpecOperation) -> Place | None:
    """Where in a request of CONSUMER the value goes; None: it has no such parameter."""
    if declared.in_body:
        return Place(part="body", name=declared.into)
    qualified = _QUALIFIED.fullmatch(declared.into)
    places = [parameter.place for parameter in consumer.parameters]
    for place in places:
        if qualified is not None and (place.part, place.name) == qualified.groups():
            return place
    return next((place for place in places if place.name == declared.into), None)


def with_declared(learned: Iterable[Link], declared: Iterable[Link]) -> tuple[Link, ...]:
    """LEARNED links, those that are DECLARED, too, marked so; then what is only declared."""
    said = {(k.producer, k.select, k.consumer, k.place): k for k in declared}
    seen = [
        replace(link, declared=True)
        if said.pop((link.producer, link.select, link.consumer, link.place), None) is not None
        else link
        for link in learned
    ]
    return (*seen, *said.values())
