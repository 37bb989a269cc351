"""One request made simpler: fewer headers, query pairs and body members, plainer values."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from premortem.analyse.delta import fewest
from premortem.domain.bodies import FORM, at, is_json, leaves, read_body, write_form
from premortem.domain.places import Place, body_place, parse_place
from premortem.domain.run import Case

Trial = Generator[Case, bool, None]
"""Yields simpler forms of a case, each of the simplest that held; is told whether it holds."""
Simpler = Callable[[Case], Trial]
Tokens = tuple[str, ...]
T = TypeVar("T")

LEAVES_MAX = 40
"""Values of one body that are made plainer."""
MEMBERS_MAX = 200
"""Members of one object or array that are tried."""
TEXT_CHARS_MAX = 64
"""A text that long is short enough to be read."""
_KEPT_HEADERS = frozenset({"content-type", "accept"})


def fewer_headers(case: Case) -> Trial:
    """Without the headers that it fails without. Media types stay: they say what the body is."""
    pairs = case.request.headers
    fixed = {place.name.lower() for place in _fixed(case) if place.part in ("header", "cookie")}
    if any(place.part == "cookie" for place in _fixed(case)):
        fixed.add("cookie")
    loose = [
        i for i, (name, _) in enumerate(pairs) if name not in _KEPT_HEADERS and name not in fixed
    ]
    if not loose or case.intent.breaks.startswith("header"):
        return

    def made(kept: list[int]) -> Case:
        chosen = tuple(p for i, p in enumerate(pairs) if i in kept or i not in loose)
        return replace(case, request=replace(case.request, headers=chosen))

    yield from _fewest(loose, made)


def fewer_query(case: Case) -> Trial:
    """Without the query pairs that it fails without, and plainer values in the others."""
    fixed = {place.name for place in _fixed(case) if place.part == "query"}
    loose = [i for i, (name, _) in enumerate(case.request.query) if name not in fixed]

    def made(kept: list[int]) -> Case:
        pairs = case.request.query
        chosen = tuple(p for i, p in enumerate(pairs) if i in kept or i not in loose)
        return replace(case, request=replace(case.request, query=chosen))

    if loose:
        yield from _fewest(loose, made)


def simpler_bodies(case: Case) -> Trial:
    """With fewer members, from the top level downwards, then with plainer values."""
    request = case.request
    if not request.body or not (is_json(request.media_type) or request.media_type == FORM):
        return
    try:
        body = read_body(request)
    except ValueError:
        return
    fixed = [place.tokens for place in _fixed(case) if place.part == "body"]
    if not isinstance(body, dict | list) or () in fixed:
        return
    body = yield from _pruned(case, body, (), fixed)
    yield from _plainer(case, body, fixed)


def _pruned(
    case: Case, body: Any, tokens: Tokens, fixed: list[Tokens]
) -> Generator[Case, bool, Any]:
    """BODY without the members at and below TOKENS that it fails without."""
    node = at(body, tokens)
    names = _loose(node, tokens, fixed)[:MEMBERS_MAX]
    if names:
        whole = body
        search = fewest(names)
        try:
            kept = next(search)
            while True:
                trial = _without(whole, tokens, set(names) - set(kept))
                holds = yield _with_body(case, trial)
                body = trial if holds else body
                kept = search.send(holds)
        except StopIteration:
            pass
    node = at(body, tokens)
    for name in _names(node):
        if isinstance(at(node, (name,)), dict | list):
            body = yield from _pruned(case, body, (*tokens, name), fixed)
    return body


def _names(node: Any) -> list[str]:
    return list(node) if isinstance(node, dict) else [str(i) for i in range(len(node))]


def _loose(node: Any, tokens: Tokens, fixed: list[Tokens]) -> list[str]:
    """Members of NODE that may be left out. Of an array not those before a fixed one: others
    would come to stand in its place."""
    names = _names(node)
    held = [name for name in names if any(_leads((*tokens, name), place) for place in fixed)]
    if isinstance(node, dict):
        return [name for name in names if name not in held]
    last = max((int(name) for name in held), default=-1)
    return [name for name in names if int(name) > last]


def _leads(tokens: Tokens, place: Tokens) -> bool:
    """Whether the value at TOKENS is, or holds, or stands in the one at PLACE."""
    return all(a == b or b == "*" for a, b in zip(tokens, place, strict=False))


def _without(body: Any, tokens: Tokens, gone: set[str]) -> Any:
    if tokens:
        head, rest = tokens[0], tokens[1:]
        if isinstance(body, dict):
            return {k: _without(v, rest, gone) if k == head else v for k, v in body.items()}
        return [_without(v, rest, gone) if str(i) == head else v for i, v in enumerate(body)]
    if isinstance(body, dict):
        return {k: v for k, v in body.items() if k not in gone}
    return [v for i, v in enumerate(body) if str(i) not in gone]


def _plainer(case: Case, body: Any, fixed: list[Tokens]) -> Trial:
    found = [place.tokens for place, _ in leaves(body)][:LEAVES_MAX]
    for tokens in found:
        if any(_leads(tokens, place) for place in fixed):
            continue
        for value in plainer(at(body, tokens)):
            trial = _put(body, tokens, value)
            if (yield _with_body(case, trial)):
                body = trial
                break


def plainer(value: Any) -> Iterator[Any]:
    """Values that are easier to read than VALUE, of its type, plainest first; none for what is
    plain already."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, str):
        seen = {value}
        for text in ("a", value[: len(value) // 2], value[:TEXT_CHARS_MAX]):
            if text not in seen and 0 < len(text) < len(value):
                seen.add(text)
                yield text
        return
    if isinstance(value, int):
        yield from (n for n in (0, 1, 10, 100, 1000) if n < abs(value))
        return
    if isinstance(value, float) and abs(value) < 1e15:
        plain = [0.0, 1.0, *(round(value % 1, d) for d in range(1, 4)), round(value), value % 1]
        for number in dict.fromkeys(plain):
            if len(repr(number)) < len(repr(value)):
                yield number


def _put(body: Any, tokens: Tokens, value: Any) -> Any:
    if not tokens:
        return value
    head, rest = tokens[0], tokens[1:]
    if isinstance(body, dict):
        return {k: _put(v, rest, value) if k == head else v for k, v in body.items()}
    return [_put(v, rest, value) if str(i) == head else v for i, v in enumerate(body)]


def _with_body(case: Case, body: Any) -> Case:
    request = case.request
    data = write_form(body) if request.media_type == FORM else msgspec.json.encode(body)
    return replace(case, request=replace(request, body=data))


def _fixed(case: Case) -> Iterator[Place]:
    """Places of CASE that stay: where live values go, and what it breaks on purpose."""
    yield from (binding.place for binding in case.bindings)
    if case.intent.place is not None:
        yield case.intent.place
    if case.intent.breaks:
        if case.intent.breaks.startswith("body "):
            yield body_place()
        try:
            yield parse_place(case.intent.breaks.rpartition(" ")[0])
        except ValueError:
            return


def _fewest(items: list[T], made: Callable[[list[T]], Case]) -> Trial:
    """Cases made of parts of ITEMS; the smallest that held is the last that held."""
    search = fewest(items)
    try:
        kept = next(search)
        while True:
            kept = search.send((yield made(kept)))
    except StopIteration:
        return
