"""Which identifiers an exchange uses and which it makes: what links, flows and recipes rest on.

An identifier has keys. A text that cannot be a coincidence (`inv_0f3c9a`, a UUID) is its own key.
A short number or a word needs a noun beside it, taken from the key, the object around it or the
path: `invoice:17`. A resource that the client named itself is known by its path:
`path:/buckets/blog`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from premortem.domain.location import LOCATIONS, last_segment
from premortem.domain.moments import EPOCH_S
from premortem.domain.once import names_one_request
from premortem.domain.places import Part, Place, body_place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import Match, split_path, split_template
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Exchange, Request
from premortem.domain.versions import is_long, resource_of, told_about
from premortem.learn.bodies import Body, leaves
from premortem.learn.evidence import identifying
from premortem.learn.lexical import CACHE_MAX, identifier, singular, words_in

USED_MAX = 300
"""Identifiers looked at per request."""
MADE_MAX = 300
"""Identifiers looked at per answer."""
FACTS_MAX = 100_000
"""Exchanges whose identifiers are remembered, the latest ones: about 1 KB each."""
FLOWS_MAX = 300_000
"""Exchanges that are in a flow, the latest ones: about 250 bytes each without identifiers."""
TEXT_MAX = 200
STRONG_MIN = 5
STRONG_DIGITS_MIN = 7

_WEAK = re.compile(r"[^\s/?#{}\[\]<>,;]{1,80}")
_STRONG_KINDS = frozenset({"uuid", "hex", "base64", "token", "mixed", "digits"})
_WRAPPERS = frozenset(
    {
        *("data", "result", "results", "item", "items", "attributes", "payload", "response"),
        *("content", "value", "values", "record", "records", "list", "entry", "entries"),
        *("object", "body", "resource", "node", "edges", "edge", "hits", "rows", "meta"),
    }
)
"""Keys that wrap a resource without naming it."""
_ID_WORDS = frozenset(
    {
        *("id", "ids", "uid", "uuid", "guid", "name", "key", "slug", "code", "number", "ref"),
        *("reference",),
    }
)
_RESPONSE_HEADERS = LOCATIONS | {"etag"}
_REQUEST_HEADERS = frozenset({"if-match", "if-none-match"})
_REASON_KEYS = ("errno", "code", "error_code", "errorcode", "error", "type", "reason", "name")
_REASON = re.compile(r"[A-Za-z0-9_.:/#-]{1,80}")
_ORDINARY_HEADERS = re.compile(
    r"(x-)?(request|trace|correlation|amz-cf|served|runtime|cache|client|api|app|session)[-_].*"
    r"|.*(trace|span|request)-?id|authorization|cookie|set-cookie|content-.*|x-forwarded-.*"
)
"""Headers whose identifiers are the transport's or the credentials'."""

PREFIX_SEGMENTS_MAX = 3
"""Lengths of a path's beginning (`/api/v1`) that references may leave out, none included."""
_PATH = re.compile(r"(/[A-Za-z0-9._~%@:+-]+){2,}/?")

Keys = tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Named:
    """An identifier at a place, with the keys it may be known by, most certain first."""

    place: Place
    text: str
    keys: Keys


@dataclass(slots=True, frozen=True)
class Facts:
    """What links, flows and recipes need of one exchange."""

    id: str
    operation_id: str
    at: float
    session: str
    role: str
    status: int
    reason: str
    """What a refusal calls itself (`DuplicateRefund`), as far as its answer has a word for it."""
    safe: bool
    login: bool
    """Its request holds redacted credentials and its answer a redacted token of its own."""
    uses: tuple[Named, ...] = ()
    makes: tuple[Named, ...] = ()
    creates: Keys = ()
    """What a successful PUT or POST brought about under an identifier that the client chose."""

    @property
    def succeeded(self) -> bool:
        """Answered with 2xx."""
        return self.status // 100 == 2

    @classmethod
    def of(cls, exchange: Exchange, id_: str, match: Match, asked: Body, answered: Body) -> Facts:
        """The facts of EXCHANGE, whose bodies were read as ASKED and ANSWERED."""
        request, status = exchange.request, exchange.response.status
        collection = nouns_of(match.operation.template)
        uses = _first(_used(request, match, asked, collection), USED_MAX)
        # of a request whose answer was not recorded (0), what it was meant to do is assumed
        puts = request.method in ("PUT", "POST") and status // 100 in (0, 2)
        return cls(
            id=id_,
            operation_id=match.operation.id,
            at=exchange.started_at,
            session=exchange.tags.session,
            role=exchange.tags.role,
            status=status,
            reason=refusal(answered.value) if status >= 400 else "",
            safe=request.method in SAFE_METHODS,
            login=_is_login(match, asked.value, answered.value),
            uses=uses,
            makes=_new(exchange, answered, collection, uses) if status < 400 else (),
            creates=tuple(_created(match, uses, collection)) if puts else (),
        )

    @classmethod
    def bare(cls, exchange: Exchange, id_: str, operation_id: str) -> Facts:
        """The same without identifiers: what its session needs."""
        return cls(
            id=id_,
            operation_id=operation_id,
            at=exchange.started_at,
            session=exchange.tags.session,
            role=exchange.tags.role,
            status=exchange.response.status,
            reason="",
            safe=exchange.request.method in SAFE_METHODS,
            login=False,
        )


class FactSheet:
    """The facts of the latest exchanges, in order. EXPECTED: how many will come."""

    def __init__(self, expected: int = 0) -> None:
        self.rows: list[Facts] = []
        self._before_flows = max(0, expected - FLOWS_MAX)
        self._before_facts = max(0, expected - FACTS_MAX)
        self._count = 0

    @property
    def depth(self) -> int:
        """How much of the next exchange is kept: 2 all, 1 its id and session, 0 nothing."""
        return (self._count >= self._before_flows) + (self._count >= self._before_facts)

    def add(self, facts: Facts | None) -> None:
        """Take in the next exchange's FACTS; None where its depth is 0."""
        self._count += 1
        if facts is not None and len(self.rows) < FLOWS_MAX:
            self.rows.append(facts)


def refusal(answer: Any) -> str:
    """The word by which a refusal names its reason: under a key such as `error` or `code`.

    Messages are no words; of several words the first, from the outside in, is it.
    """
    found = [
        (len(pointer), key, str(leaf))
        for pointer, leaf in leaves(answer)
        if pointer and (key := pointer[-1].lower()) in _REASON_KEYS
        if isinstance(leaf, str | int) and _REASON.fullmatch(str(leaf)) and not strong(str(leaf))
    ]
    order = sorted(found, key=lambda item: (item[0], _REASON_KEYS.index(item[1])))
    return order[0][2] if order else ""


def _first(named: Iterable[Named], most: int) -> tuple[Named, ...]:
    return tuple(item for item, _ in zip(named, range(most), strict=False))


def _new(
    exchange: Exchange, body: Body, collection: tuple[str, ...], uses: tuple[Named, ...]
) -> tuple[Named, ...]:
    """What the answer names and the request did not: an echo makes nothing."""
    told = {used.text for used in uses}
    made = (named for named in _made(exchange, body, collection) if named.text not in told)
    return _first(made, MADE_MAX)


def _created(match: Match, uses: tuple[Named, ...], collection: tuple[str, ...]) -> Iterator[str]:
    """Keys of the resource that the request names itself: in its path's end, or in its body."""
    segments = split_template(match.operation.template)
    for used in uses:
        if used.place.part == "path":
            if match.segments[used.place.name] == len(segments) - 1:
                yield used.keys[0]
        elif used.place.part == "body" and set(collection) & {
            *nouns_at(used.place.tokens, collection)
        }:
            yield from used.keys


@lru_cache(maxsize=CACHE_MAX)
def strong(text: str) -> bool:
    """Whether two equal texts of this kind can only be the same thing."""
    if len(text) < STRONG_MIN or len(text) > TEXT_MAX:
        return False
    if holds_token(text):
        return True
    kind = identifier(text)
    if kind == "digits" and text.isdigit():
        number = int(text)
        epoch = number in EPOCH_S or number // 1000 in EPOCH_S
        return len(text) >= STRONG_DIGITS_MIN and not epoch
    return kind in _STRONG_KINDS


def path_key(segments: tuple[str, ...]) -> str:
    """The key of a resource by its path."""
    return "path:/" + "/".join(segments)


@lru_cache(maxsize=CACHE_MAX)
def nouns_of(template: str) -> tuple[str, ...]:
    """What the resources of TEMPLATE are called: `/invoices/{id}/refunds` -> refund, invoice."""
    words = [s for s in split_template(template) if "{" not in s]
    return tuple(_noun(word) for word in reversed(words[-2:]))


def _noun(word: str) -> str:
    parts = words_in(word)
    return "_".join([*parts[:-1], singular(parts[-1])]) if parts else ""


@lru_cache(maxsize=CACHE_MAX)
def nouns_at(tokens: tuple[str, ...], collection: tuple[str, ...]) -> tuple[str, ...]:
    """What a value under the pointer TOKENS may identify; COLLECTION where the key is bare."""
    named = [name for name in tokens if name != "*"]
    if not named:
        return ()
    words = words_in(named[-1])
    if not words or words[-1] not in _ID_WORDS:
        return (_noun(named[-1]),)
    if len(words) > 1:
        return ("_".join(words[:-1]),)
    around = [_noun(key) for key in reversed(named[:-1]) if key.lower() not in _WRAPPERS]
    return (around[0],) if around else collection


def _keys(text: str, nouns: Iterable[str]) -> Keys:
    if strong(text):
        return (text,)
    return tuple(f"{noun}:{text}" for noun in nouns if noun)


def _made(exchange: Exchange, body: Body, collection: tuple[str, ...]) -> Iterator[Named]:
    request, response = exchange.request, exchange.response
    for name, value in response.headers:
        if name in _RESPONSE_HEADERS or (identifying(name) and not _ORDINARY_HEADERS.match(name)):
            text = last_segment(value) if name in LOCATIONS else value
            keys = _keys(text, collection)
            if name == "etag":
                location = response.header("location") or ""
                about = told_about(request.method, request.path, body.value, location)
                keys = version_keys(about, text)
            yield Named(place=Place(part="header", name=name), text=text, keys=keys)
    if body.kind in ("json", "form"):
        yield from _in_body(body.value, collection)


def is_once(named: Named) -> bool:
    """Whether NAMED is a key of one request: who sends it again means the same request."""
    return names_one_request(named.place.name.rpartition("/")[2])


def version_keys(about: Iterable[str], text: str) -> Keys:
    """What the version TEXT of one of the resources ABOUT is known by."""
    general = (f"etag:{text}",) if is_long(text) else ()
    return (*(f"etag:{path}:{text}" for path in about), *general)


def _in_body(value: Any, collection: tuple[str, ...]) -> Iterator[Named]:
    for pointer, leaf in leaves(value):
        kind = type(leaf)
        if (kind is not str and kind is not int) or (kind is str and len(leaf) > TEXT_MAX):
            continue
        text = str(leaf)
        if strong(text):
            yield Named(place=_place(pointer), text=text, keys=(text,))
            continue
        key = next((name for name in reversed(pointer) if name != "*"), "")
        if (identifying(key) or _noun(key) in collection) and _WEAK.fullmatch(text):
            keys = _keys(text, nouns_at(pointer, collection))
            yield Named(place=_place(pointer), text=text, keys=keys)


@lru_cache(maxsize=CACHE_MAX)
def _place(pointer: tuple[str, ...]) -> Place:
    return body_place(*pointer)


def _used(
    request: Request, match: Match, body: Body, collection: tuple[str, ...]
) -> Iterator[Named]:
    segments = split_path(request.path)
    wanted = split_template(match.operation.template)
    for name, text in match.params.items():
        index = match.segments[name]
        before = next((s for s in reversed(wanted[:index]) if "{" not in s), "")
        nouns = dict.fromkeys((*nouns_at((name,), ()), _noun(before)))
        # a name that the client chose (`front`) is one thing only below its own path
        keys = (path_key(segments[: index + 1]), *_keys(text, nouns))
        yield Named(place=Place(part="path", name=name), text=text, keys=keys)
    for name, text in request.query:
        yield from _used_pair("query", name, text, collection)
    for name, text in request.headers:
        if name in _REQUEST_HEADERS:
            keys = version_keys([resource_of(request.path)], text)
            yield Named(place=Place(part="header", name=name), text=text, keys=keys)
        elif names_one_request(name) and len(text) >= STRONG_MIN:
            keys = (f"once:{match.operation.id}:{text}",)
            yield Named(place=Place(part="header", name=name), text=text, keys=keys)
        elif identifying(name) and not _ORDINARY_HEADERS.match(name):
            yield from _used_pair("header", name, text, ())
    if body.kind != "other":
        yield from _in_body(body.value, collection)
        yield from _paths_in(body.value, split_path(request.path))


def _paths_in(value: Any, own: tuple[str, ...]) -> Iterator[Named]:
    """Resources that a body names by path, as permissions and references do.

    OWN: segments of the request's path; what leads them (`/v1`) is often left out in bodies.
    """
    for pointer, leaf in leaves(value):
        if type(leaf) is str and _PATH.fullmatch(leaf) and len(leaf) <= TEXT_MAX:
            named = split_path(leaf)
            keys = tuple(path_key(own[:length] + named) for length in range(PREFIX_SEGMENTS_MAX))
            yield Named(place=_place(pointer), text=leaf, keys=tuple(dict.fromkeys(keys)))


def _used_pair(part: Part, name: str, text: str, collection: tuple[str, ...]) -> Iterator[Named]:
    if not _WEAK.fullmatch(text):
        return
    if strong(text) or identifying(name):
        keys = _keys(text, nouns_at((name,), collection))
        yield Named(place=Place(part=part, name=name), text=text, keys=keys)


def _is_login(match: Match, asked: Any, answered: Any) -> bool:
    """Credentials went in and a new token came out, both redacted since.

    Putting an account at its place is none, though it takes a password and shows its hash.
    """
    if match.operation.method != "POST" or match.params:
        return False
    if isinstance(asked, dict) and "grant_type" in asked:  # RFC 6749, 4
        return bool(_tokens(answered))
    given = _tokens(asked)
    return bool(given) and not _tokens(answered) <= given


def _tokens(value: Any) -> set[str]:
    return {leaf for _, leaf in leaves(value) if isinstance(leaf, str) and holds_token(leaf)}
