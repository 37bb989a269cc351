"""Message bodies and parameters as values: what JSON and form text mean, and where values stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, unquote

import msgspec

from premortem.domain.places import Place, body_place
from premortem.domain.traffic import Request, Response

FORM = "application/x-www-form-urlencoded"
QUOTED_MAX = 8192
"""Form texts whose encoding is remembered: names and frequent values come again and again."""
LEAVES_MAX = 20_000
"""Values of one body that are looked at; a larger one is a document, not a message."""

_MORE = frozenset({"next", "nextcursor", "nextpage", "nexttoken", "hasmore", "hasnext"})
_TEXTS = {"true": True, "false": False, "null": None}


def is_json(media_type: str) -> bool:
    """Whether MEDIA_TYPE says JSON (RFC 6839: the suffix `+json` too)."""
    return media_type.endswith("+json") or media_type in ("application/json", "text/json")


def read_body(message: Request | Response) -> Any:
    """The body as a value: JSON, or a form as one flat object of texts (repeated name: a list).

    None for an empty body and for media types that hold no values. Raises ValueError when the
    body is not what its media type says.
    """
    if not message.body:
        return None
    media_type = message.media_type
    if is_json(media_type):
        try:
            return msgspec.json.decode(message.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"not JSON: {error}") from None
    if media_type == FORM:
        return read_form(message.body)
    return None


def read_form(body: bytes) -> dict[str, Any]:
    """A form body as a flat object; a name that repeats holds the list of its texts."""
    form: dict[str, Any] = {}
    for pair in body.decode("utf-8", "replace").split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        # Most are plain: looking for what marks the others costs far less than decoding them.
        if "%" in pair or "+" in pair:
            name, value = unquote(name.replace("+", " ")), unquote(value.replace("+", " "))
        if name not in form:
            form[name] = value
        elif isinstance(form[name], list):
            form[name].append(value)
        else:
            form[name] = [form[name], value]
    return form


def write_form(form: Mapping[str, Any]) -> bytes:
    """FORM as `application/x-www-form-urlencoded`; lists repeat their name."""
    pairs: list[str] = []
    for name, value in form.items():
        quoted = _quote(name)
        if isinstance(value, list):
            pairs += [f"{quoted}={_quote(text_of(item))}" for item in value]
        else:
            text = value if type(value) is str else text_of(value)
            pairs.append(f"{quoted}={_quote(text)}")
    return "&".join(pairs).encode()


@lru_cache(maxsize=QUOTED_MAX)
def _quote(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote_plus(text)


def goes_on(value: Any) -> bool:
    """Whether VALUE, an answer, says that it is not all: it has a cursor, or a next page."""
    return isinstance(value, dict) and any(
        name.replace("_", "").replace("-", "").lower() in _MORE and member not in (None, False, "")
        for name, member in value.items()
    )


def text_of(value: Any) -> str:
    """How VALUE stands in a path, query or form: strings as they are, the rest as JSON."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else msgspec.json.encode(value).decode()


def readings(text: str) -> tuple[Any, ...]:
    """What TEXT of a query or form may mean: the text, and the scalar that it spells."""
    if text in _TEXTS:
        return (_TEXTS[text], text)
    if text and (text[0] in "-0123456789"):
        try:
            return (msgspec.json.decode(text), text)
        except msgspec.DecodeError:
            return (text,)
    return (text,)


def leaves(value: Any) -> Iterator[tuple[Place, Any]]:
    """Every scalar inside VALUE with its concrete place, in order; at most LEAVES_MAX."""
    stack: list[tuple[tuple[str, ...], Any]] = [((), value)]
    left = LEAVES_MAX
    while stack and left:
        tokens, item = stack.pop()
        if isinstance(item, dict):
            stack += [((*tokens, str(key)), inner) for key, inner in reversed(item.items())]
        elif isinstance(item, list):
            stack += [((*tokens, str(i)), item[i]) for i in range(len(item) - 1, -1, -1)]
        else:
            left -= 1
            yield body_place(*tokens), item


def at(value: Any, tokens: tuple[str, ...]) -> Any:
    """What stands in VALUE at the concrete pointer TOKENS. Raises LookupError when nothing does."""
    for token in tokens:
        if isinstance(value, dict):
            value = value[token]
        elif isinstance(value, list) and token.isdigit():
            value = value[int(token)]
        else:
            raise LookupError(token)
    return value


def general(place: Place) -> Place:
    """PLACE with `*` for every array index, as links and fields name it.

    An object key that looks like an index is taken for one too: compare with both forms.
    """
    if place.part != "body":
        return place
    return body_place(*("*" if token.isdigit() else token for token in place.tokens))
