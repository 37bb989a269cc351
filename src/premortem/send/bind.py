"""Values of earlier answers put into later requests."""

from __future__ import annotations

from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec

from premortem.domain.location import meant
from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Fault
from premortem.domain.traffic import Request, Response

FORM = "application/x-www-form-urlencoded"
SEGMENT_SAFE = ":@!$&'()*+,;=~"
"""Stand unencoded in a path segment (RFC 3986, 3.3)."""
_MISSING = object()


def bind(case: Case, answers: Sequence[Response | None]) -> Request | Fault:
    """The case's request with live values in the place of the recorded ones.

    ANSWERS: of the sequence's earlier cases, by index; None where none came. A place whose text
    does not hold the recorded value is left alone: it was changed on purpose. Where the recorded
    value was all of a JSON value, the live one keeps that value's type.
    Gives a fault `unbound` when a value never came.
    """
    request = case.request
    for binding in case.bindings:
        answer = answers[binding.step] if binding.step < len(answers) else None
        if answer is None:
            return _unbound(binding, "there was no answer")
        live = selected(answer, binding.select)
        if live is _MISSING or live is None:
            return _unbound(binding, f"the answer {answer.status} does not hold it")
        if isinstance(live, str):
            live = meant(binding.select, binding.recorded, live)
        request = _replaced(request, binding, live)
    return request


def selected(answer: Response, select: Place) -> Any:
    """The JSON value at SELECT in ANSWER; `_MISSING` when nothing stands there."""
    if select.part == "header":
        value = answer.header(select.name.lower())
        return _MISSING if value is None else value
    if select.part == "cookie":
        return _cookie(answer, select.name)
    if select.part != "body":
        return _MISSING
    if not select.name and "json" not in answer.media_type:
        return answer.body.decode("utf-8", "replace")
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _MISSING
    return at(document, select.tokens)


def at(document: Any, tokens: Sequence[str]) -> Any:
    """The value that the pointer TOKENS name (RFC 6901); `_MISSING` when there is none."""
    for token in tokens:
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list) and token.isdecimal() and int(token) < len(document):
            document = document[int(token)]
        else:
            return _MISSING
    return document


def text_of(value: Any) -> str:
    """A JSON value as text: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _unbound(binding: Binding, why: str) -> Fault:
    detail = f"{binding.place} needs {binding.select} of step {binding.step + 1}, but {why}"
    return Fault(kind="unbound", detail=detail, sent=False)


def _cookie(answer: Response, name: str) -> Any:
    for header, value in answer.headers:
        if header != "set-cookie":
            continue
        try:
            jar = SimpleCookie(value)
        except CookieError:
            continue
        if name in jar:
            return jar[name].value
    return _MISSING


def _replaced(request: Request, binding: Binding, live: Any) -> Request:
    part, name = binding.place.part, binding.place.name
    recorded, text = binding.recorded, text_of(live)
    if part == "path":
        return msgspec.structs.replace(request, path=_path(request.path, name, recorded, text))
    if part == "query":
        query = tuple((k, _text(v, recorded, text) if k == name else v) for k, v in request.query)
        return msgspec.structs.replace(request, query=query)
    if part == "header":
        wanted = name.lower()
        headers = tuple(
            (k, _text(v, recorded, text) if k == wanted else v) for k, v in request.headers
        )
        return msgspec.structs.replace(request, headers=headers)
    if part == "cookie":
        headers = tuple(
            (k, _cookies(v, name, recorded, text) if k == "cookie" else v)
            for k, v in request.headers
        )
        return msgspec.structs.replace(request, headers=headers)
    return msgspec.structs.replace(request, body=_body(request, binding, live))


def _text(value: str, recorded: str, live: str) -> str:
    if value == recorded:
        return live
    return value.replace(recorded, live) if recorded else value


def _path(path: str, name: str, recorded: str, live: str) -> str:
    segments = path.split("/")
    index = int(name) + 1 if name.isdecimal() else len(segments)
    if index < len(segments):
        value = unquote(segments[index])
        replaced = _text(value, recorded, live)
        if replaced != value:
            segments[index] = quote(replaced, safe=SEGMENT_SAFE)
    return "/".join(segments)


def _cookies(header: str, name: str, recorded: str, live: str) -> str:
    pairs = [pair.strip().partition("=") for pair in header.split(";")]
    return "; ".join(
        f"{key}={_text(value, recorded, live)}" if key == name else f"{key}{equals}{value}"
        for key, equals, value in pairs
    )


def _body(request: Request, binding: Binding, live: Any) -> bytes:
    tokens, recorded = binding.place.tokens, binding.recorded
    if request.media_type == FORM:
        pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        wanted = tokens[0] if tokens else ""
        text = text_of(live)
        return urlencode(
            [(k, _text(v, recorded, text) if k == wanted else v) for k, v in pairs]
        ).encode()
    try:
        document = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return request.body.replace(recorded.encode(), text_of(live).encode())
    return msgspec.json.encode(_put(document, tokens, recorded, live))


def _put(document: Any, tokens: Sequence[str], recorded: str, live: Any) -> Any:
    """DOCUMENT with the value at TOKENS replaced; `*` stands for every item."""
    if not tokens:
        return _value(document, recorded, live)
    token, rest = tokens[0], tokens[1:]
    if isinstance(document, dict) and token in document:
        document[token] = _put(document[token], rest, recorded, live)
    elif isinstance(document, list):
        for index, item in enumerate(document):
            if token in ("*", str(index)):
                document[index] = _put(item, rest, recorded, live)
    return document


def _value(old: Any, recorded: str, live: Any) -> Any:
    """What stands in the place of OLD."""
    if isinstance(old, str):
        return _text(old, recorded, text_of(live))
    if isinstance(old, dict | list) or text_of(old) != recorded:
        return old
    if isinstance(live, str) and not isinstance(old, bool) and old is not None:
        try:  # a number that the answer writes as a string
            number = msgspec.json.decode(live)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return live
        return number if isinstance(number, int | float) else live
    return live
