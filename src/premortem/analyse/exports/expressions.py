"""Requests of a sequence as Python expressions, live values of earlier answers in their places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from premortem.domain.bodies import FORM, is_json
from premortem.domain.location import LOCATIONS
from premortem.domain.places import Place
from premortem.domain.run import Binding, Case

_LEFT_OUT = frozenset({"host", "content-length", "connection", "accept-encoding", "expect"})
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})

Replaced = tuple[tuple[str, str], ...]
"""(text as it stands in the request, expression that takes its place); longest text first."""


class Call:
    """The keywords of `send` for one case, as source text."""

    def __init__(self, case: Case, *, secrets: Mapping[str, str]) -> None:
        """SECRETS: what stands for a credential in stored requests -> its variable."""
        self._case = case
        self._secrets = tuple(
            (token, f"from_environment({literal('${' + name + '}')})")
            for token, name in sorted(secrets.items(), key=lambda item: -len(item[0]))
        )

    def keywords(self) -> list[str]:
        """`name=expression` each, in the order in which `send` takes them."""
        case, request = self._case, self._case.request
        words = [f"method={literal(request.method)}", f"path={self.path()}"]
        if case.role:
            words.append(f"role={literal(case.role)}")
        if request.query:
            words.append(f"query={self._pairs('query', request.query)}")
        headers = tuple(
            (name, value)
            for name, value in request.headers
            if name not in _LEFT_OUT and not (name in _CREDENTIALS and not self._is_bound(name))
        )
        if headers:
            words.append(f"headers={self._pairs('header', headers)}")
        if request.body:
            words.append(f"body={self._body()}")
        return words

    def _is_bound(self, header: str) -> bool:
        part = "cookie" if header == "cookie" else "header"
        return any(b.place.part == part for b in self._case.bindings)

    def path(self) -> str:
        """The path."""
        segments = self._case.request.path.split("/")
        parts: list[str] = []
        text = ""
        for index, segment in enumerate(segments):
            text += "/" if index else ""
            wanted = Place(part="path", name=str(index - 1))
            replaced = tuple(
                (b.recorded, f"in_path({live(b)})")
                for b in self._case.bindings
                if b.place == wanted and b.recorded
            )
            pieces = split(segment, (*replaced, *self._secrets))
            for is_text, piece in pieces:
                if is_text:
                    text += piece
                else:
                    parts += [literal(text)] if text else []
                    parts.append(piece)
                    text = ""
        parts += [literal(text)] if text else []
        return " + ".join(parts) or '"/"'

    def _pairs(self, part: str, pairs: Iterable[tuple[str, str]]) -> str:
        shown = []
        for name, value in pairs:
            replaced = tuple(
                (b.recorded, f"text_of({live(b)})")
                for b in self._case.bindings
                if _goes_into(b.place, part, name) and b.recorded
            )
            shown.append(f"({literal(name)}, {joined(value, (*replaced, *self._secrets))})")
        return f"({', '.join(shown)},)"

    def _body(self) -> str:
        request = self._case.request
        bindings = [b for b in self._case.bindings if b.place.part == "body"]
        if is_json(request.media_type):
            value = _plain_json(request.body)
            if value is not None:
                return f"json_body({self._value(value, (), bindings)})"
        try:
            text = request.body.decode()
        except UnicodeDecodeError:
            return repr(request.body)
        wrap = "quote_plus(text_of({}))" if request.media_type == FORM else "text_of({})"
        replaced = tuple((b.recorded, wrap.format(live(b))) for b in bindings if b.recorded)
        whole = joined(text, (*replaced, *self._secrets))
        single = len(split(text, (*replaced, *self._secrets))) == 1
        return f"{whole}.encode()" if single else f"({whole}).encode()"

    def _value(self, value: Any, tokens: tuple[str, ...], bindings: list[Binding]) -> str:
        """VALUE, which stands at TOKENS of the body, as an expression."""
        if isinstance(value, dict):
            inner = [
                f"{literal(key)}: {self._value(item, (*tokens, key), bindings)}"
                for key, item in value.items()
            ]
            return "{" + ", ".join(inner) + "}"
        if isinstance(value, list):
            inner = [self._value(v, (*tokens, str(i)), bindings) for i, v in enumerate(value)]
            return "[" + ", ".join(inner) + "]"
        here = [b for b in bindings if _matches(b.place.tokens, tokens)]
        if isinstance(value, str):
            replaced = tuple((b.recorded, f"text_of({live(b)})") for b in here if b.recorded)
            return joined(value, (*replaced, *self._secrets))
        for binding in here:
            if not isinstance(value, bool) and json.dumps(value) == binding.recorded:
                return live(binding)
        return repr(value)


def live(binding: Binding) -> str:
    """What gives the live value that BINDING takes from an earlier answer."""
    answer, select = f"answers[{binding.step}]", binding.select
    if select.part == "header":
        value = f"header_of({answer}, {literal(select.name.lower())})"
        named = select.name.lower() in LOCATIONS and "/" not in binding.recorded
        return f"last_segment({value})" if named else value
    if select.part == "cookie":
        return f"cookie_of({answer}, {literal(select.name)})"
    return f"value_of({answer}, {literal(select.name)})"


def joined(text: str, replaced: Replaced) -> str:
    """TEXT as an expression in which what REPLACED names is computed."""
    pieces = split(text, replaced)
    if not pieces:
        return '""'
    return " + ".join(literal(piece) if is_text else piece for is_text, piece in pieces)


def split(text: str, replaced: Replaced) -> list[tuple[bool, str]]:
    """TEXT in pieces: (True, text as it is) or (False, expression)."""
    found: list[tuple[bool, str]] = [(True, text)] if text else []
    for wanted, expression in replaced:
        pieces: list[tuple[bool, str]] = []
        for is_text, piece in found:
            if not is_text or wanted not in piece:
                pieces.append((is_text, piece))
                continue
            for index, part in enumerate(piece.split(wanted)):
                pieces += [(False, expression)] if index else []
                pieces += [(True, part)] if part else []
        found = pieces
    return found


def _goes_into(place: Place, part: str, name: str) -> bool:
    if place.part == "cookie":
        return part == "header" and name == "cookie"
    wanted = place.name.lower() if part == "header" else place.name
    return place.part == part and wanted == name


def _matches(pointer: tuple[str, ...], tokens: tuple[str, ...]) -> bool:
    return len(pointer) == len(tokens) and all(
        wanted in ("*", token) for wanted, token in zip(pointer, tokens, strict=True)
    )


def _plain_json(body: bytes) -> Any:
    """The value of BODY where writing it anew says the same; None: it has to go as it is."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name comes twice")
        return dict(pairs)

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    try:
        value = json.loads(body, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    numbers = re.findall(rb"\d[\d.eE+-]{15,}", body)
    return None if numbers or value is None else value


def literal(text: str) -> str:
    """TEXT as a literal in double quotes, on one line."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)
