"""Mutations of how a request is put together: members, nesting, keys, parameters, headers.

None of these breaks a declared constraint for sure, so none of them accuses: a service may refuse
or answer, but it must not fall over. Those that must not matter say so in their name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import is_json, text_of
from premortem.domain.places import Place, body_place
from premortem.domain.run import SAFE_METHODS, Case, Intent
from premortem.domain.traffic import OperationProfile, Pairs, Request
from premortem.generate.head_mutations import Mutation

NESTING = 100
"""Levels of the deeply nested member; parsers allow several hundred."""
ITEMS = 1_000
"""Items of the long array."""
HEADER_LENGTH = 6_000
"""Characters of the long header: below the 8 KiB that most servers take as a whole."""
UNKNOWN_MEMBER = "unknownProperty"
_Rewrite = Callable[[Any], Any]
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.encode


def structure_mutations(operation: OperationProfile, bases: list[Case]) -> Iterator[Mutation]:
    """Everything that is done to the structure of requests like BASES."""
    if any(is_json(base.request.media_type) and base.request.body for base in bases):
        yield from _body_structure()
        yield from _content_types()
    yield from _parameters(list(dict.fromkeys(n for base in bases for n, _ in base.request.query)))
    yield from _headers(operation)


def _intent(breaks: str, place: Place | None = None) -> Intent:
    return Intent(kind="adversarial", breaks=breaks, place=place, expects="answer")


def _body_structure() -> Iterator[Mutation]:
    root = body_place()
    nested: Any = "x"
    for _ in range(NESTING):
        nested = [nested]
    yield _rewritten("wrapped in an object", lambda v: {"data": v}, root)
    yield _rewritten("wrapped in an array", lambda v: [v], root)
    yield _rewritten("unwrapped", _unwrapped, root)
    yield _rewritten("deeply nested", lambda v: {**v, UNKNOWN_MEMBER: nested}, root)
    yield _rewritten("long array", _long_array, root)
    yield _rewritten("members in another order, which must not matter", _reversed, root, keep=True)
    yield _texted("key twice", _doubled_key)
    yield _texted("spaces, which must not matter", lambda b: b" \n" + b + b"\n ")


def _unwrapped(value: Any) -> Any:
    inner = [item for item in value.values() if isinstance(item, dict)]
    return inner[0] if len(value) == 1 and inner else None


def _long_array(value: Any) -> Any:
    for name, item in value.items():
        if isinstance(item, list) and item:
            return {**value, name: item[:1] * ITEMS}
    return None


def _reversed(value: Any) -> Any:
    return dict(reversed(value.items())) if len(value) > 1 else None


def _rewritten(name: str, rewrite: _Rewrite, place: Place, *, keep: bool = False) -> Mutation:
    """Bodies that are objects, rewritten; KEEP: values stay where they were."""
    intent = _intent(f"{place} {name}", place)

    def mutate(base: Case) -> Case | None:
        try:
            value = _decode(base.request.body)
        except msgspec.DecodeError:
            return None
        changed = rewrite(value) if isinstance(value, dict) else None
        if changed is None:
            return None
        bindings = base.bindings
        if not keep:
            bindings = tuple(b for b in bindings if b.place.part != "body")
        request = replace(base.request, body=_encode(changed))
        return replace(base, request=request, bindings=bindings, intent=intent)

    return mutate


def _doubled_key(body: bytes) -> bytes | None:
    value = _decode(body)
    if not isinstance(value, dict) or not value:
        return None
    name, item = next(iter(value.items()))
    return b"{" + _encode(name) + b":" + _encode(item) + b"," + body.lstrip()[1:]


def _texted(name: str, rewrite: Callable[[bytes], bytes | None]) -> Mutation:
    """Bodies rewritten as text."""
    intent = _intent(f"body: {name}", body_place())

    def mutate(base: Case) -> Case | None:
        try:
            body = rewrite(base.request.body)
        except msgspec.DecodeError:
            return None
        if body is None:
            return None
        kept = tuple(b for b in base.bindings if b.place.part != "body")
        request = replace(base.request, body=body)
        return replace(base, request=request, bindings=kept, intent=intent)

    return mutate


def _parameters(names: list[str]) -> Iterator[Mutation]:
    """Query parameters twice, in another case, as an array, moved; and one nobody knows."""
    for name in names:
        place = Place(part="query", name=name)
        yield _requeried(place, "twice", partial(_twice, name=name))
        yield _requeried(place, "in another case", partial(_renamed, name=name, to=name.swapcase()))
        yield _requeried(place, "as an array", partial(_renamed, name=name, to=f"{name}[]"))
        yield _requeried(place, "empty", partial(_emptied, name=name))
        yield _to_body(place)
    unknown = Place(part="query", name="unknown_parameter")
    yield _requeried(unknown, "which must not matter", lambda p: (*p, ("unknown_parameter", "1")))
    yield _to_query()


def _twice(pairs: Pairs, *, name: str) -> Pairs:
    return (*pairs, *(pair for pair in pairs if pair[0] == name))


def _renamed(pairs: Pairs, *, name: str, to: str) -> Pairs:
    return tuple((to if key == name else key, value) for key, value in pairs)


def _emptied(pairs: Pairs, *, name: str) -> Pairs:
    return tuple((key, "" if key == name else value) for key, value in pairs)


def _requeried(place: Place, what: str, change: Callable[[Pairs], Pairs]) -> Mutation:
    intent = _intent(f"{place} {what}", place)

    def mutate(base: Case) -> Case | None:
        query = change(base.request.query)
        if query == base.request.query:
            return None
        kept = tuple(b for b in base.bindings if b.place != place)
        return replace(
            base, request=replace(base.request, query=query), bindings=kept, intent=intent
        )

    return mutate


def _to_body(place: Place) -> Mutation:
    intent = _intent(f"{place} moved to the body", place)

    def mutate(base: Case) -> Case | None:
        value = _object(base.request)
        moved = {key: text for key, text in base.request.query if key == place.name}
        if value is None or not moved:
            return None
        query = tuple(pair for pair in base.request.query if pair[0] != place.name)
        request = replace(base.request, query=query, body=_encode({**value, **moved}))
        kept = tuple(b for b in base.bindings if b.place != place)
        return replace(base, request=request, bindings=kept, intent=intent)

    return mutate


def _to_query() -> Mutation:
    def mutate(base: Case) -> Case | None:
        value = _object(base.request) or {}
        bound = {b.place.tokens[:1] for b in base.bindings if b.place.part == "body"}
        scalars = (n for n, v in value.items() if isinstance(v, str | int) and (n,) not in bound)
        name = next(scalars, None)
        if name is None:
            return None
        rest = {key: item for key, item in value.items() if key != name}
        query = (*base.request.query, (name, text_of(value[name])))
        request = replace(base.request, query=query, body=_encode(rest))
        place = body_place(name)
        return replace(base, request=request, intent=_intent(f"{place} moved to the query", place))

    return mutate


def _object(request: Request) -> dict[str, Any] | None:
    if not is_json(request.media_type) or not request.body:
        return None
    try:
        value = _decode(request.body)
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, dict) else None


def _content_types() -> Iterator[Mutation]:
    yield _reheaded("content-type", "missing", lambda _: None)
    yield _reheaded(
        "content-type", "charset, which must not matter", lambda v: _charset(v, "utf-8")
    )
    yield _reheaded("content-type", "other charset", lambda v: _charset(v, "utf-16"))
    yield _reheaded("content-type", "upper case, which must not matter", lambda v: v.upper())


def _charset(value: str, name: str) -> str:
    return f"{value.partition(';')[0].strip()}; charset={name}"


def _headers(operation: OperationProfile) -> Iterator[Mutation]:
    yield _reheaded("accept", "unsupported", lambda _: "application/x-unknown")
    yield _reheaded("accept", "malformed", lambda _: ";;q=2,/")
    yield _added("x-unknown-header", "x" * HEADER_LENGTH, "long")
    yield _added("x-unknown-header", "1", "twice", times=2)
    if operation.operation.method in SAFE_METHODS:
        yield _added("if-none-match", "*", "any")
        yield _added("if-modified-since", "not a date", "malformed")
        yield _added("range", "bytes=0-0,5-2", "malformed")
    else:
        yield _added("if-match", '"no-such-version"', "never true")
        yield _added("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT", "never true")


def _reheaded(name: str, what: str, change: Callable[[str], str | None]) -> Mutation:
    place = Place(part="header", name=name)
    intent = _intent(f"{place} {what}", place)

    def mutate(base: Case) -> Case | None:
        old = base.request.header(name)
        new = change(old or "")
        if new == old or (old is None and name == "content-type"):
            return None
        rest = tuple(pair for pair in base.request.headers if pair[0] != name)
        headers = rest if new is None else (*rest, (name, new))
        return replace(base, request=replace(base.request, headers=headers), intent=intent)

    return mutate


def _added(name: str, value: str, what: str, *, times: int = 1) -> Mutation:
    place = Place(part="header", name=name)
    intent = _intent(f"{place} {what}", place)

    def mutate(base: Case) -> Case | None:
        rest = tuple(pair for pair in base.request.headers if pair[0] != name)
        request = replace(base.request, headers=(*rest, *((name, value),) * times))
        kept = tuple(b for b in base.bindings if b.place != place)
        return replace(base, request=request, bindings=kept, intent=intent)

    return mutate
