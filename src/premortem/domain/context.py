"""Context parameters: who sends generated requests, which ones, and within which data ranges.

They narrow what every source of cases makes. Whether they fit a profile is checked before
anything runs (`plan.check_context`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from premortem.domain.places import Place, body_place, parse_place
from premortem.domain.shape import Shape
from premortem.domain.traffic import OperationProfile

Kind = Literal["read", "search", "create", "change", "delete", "login"]
KINDS: tuple[str, ...] = get_args(Kind)
"""What a request is for."""
Distribution = Literal["production", "uniform", "normal", "lognormal", "zipf"]
DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)
Tone = Literal["realistic", "edge", "adversarial"]
TONES: tuple[str, ...] = get_args(Tone)
DEPTH_MAX = 8
"""Levels of a declared body whose fields can be named."""
PLACES_MAX = 2_000
"""Declared fields of one body that can be named."""


class Range(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which values a field may take; what is set must not contradict itself."""

    min: float | None = None
    """Of a number: smallest value, inclusive."""
    max: float | None = None
    values: tuple[str | int | float | bool | None, ...] = ()
    """Only these."""
    weights: tuple[float, ...] = ()
    """One per value: how often, relative to the others; empty: equally often."""
    pattern: str = ""
    """ECMA-262 regular expression for the whole text."""
    distribution: Distribution = "production"
    """`production` (as learned, cut to the range), `uniform`, `normal`, `lognormal`, or `zipf`
    (over `values`, the first most often)."""
    mean: float | None = None
    """Of `normal` and `lognormal`; the middle of the range when left out."""
    deviation: float | None = None
    """Standard deviation; a sixth of the range when left out."""
    since: str = ""
    """ISO 8601 date or time, or relative to now: `-30d`, `+2h`; inclusive."""
    until: str = ""
    null_share: float | None = None
    """Share of cases in which it is null, within [0, 1]."""
    absent_share: float | None = None
    """Share of cases in which it is left out, within [0, 1]."""


class User(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The user profile of generated requests; what is empty stays as production had it."""

    role: str = ""
    """A role of premortem.toml."""
    tenant: str = ""
    locale: str = ""
    """BCP 47, like `de-AT`: `accept-language`, and the script of made-up text."""
    edition: str = ""


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[context]` of a plan."""

    user: User = User()
    requests: tuple[Kind, ...] = ()
    """Kinds of requests to make; empty: all."""
    tone: Tone | Literal[""] = ""
    """`edge`: valid, at the boundaries. Empty: as the sources' weights have it."""
    ranges: Mapping[str, Range] = {}
    """Field -> its range. A name (`amount`), a place (`body:/lines/*/amount`, `query:limit`), or
    either behind an operation id (`POST /invoices body:/total`)."""

    @property
    def empty(self) -> bool:
        """Nothing is narrowed."""
        return self == NOTHING


NOTHING = Context()
"""Nothing is narrowed."""
_SEARCHING = frozenset({"q", "query", "search", "filter", "where", "sort", "order"})
_SEARCH_WORD = re.compile(r"search|query|find|lookup", re.IGNORECASE)
_LOGIN_WORD = re.compile(r"log-?in|sign-?in|sessions?|tokens?|authenticate", re.IGNORECASE)
_CHANGES: Mapping[str, Kind] = {"PUT": "change", "PATCH": "change", "DELETE": "delete"}


def kind_of(operation: OperationProfile) -> Kind:
    """What OPERATION's requests are for, told from method, path, parameters and answers."""
    method, template = operation.operation.method, operation.operation.template
    last = template.rstrip("/").rpartition("/")[2]
    answered = {answer.status for answer in operation.answers} | set(operation.declared)
    if method in ("GET", "HEAD", "OPTIONS", "TRACE"):
        names = {f.place.name.lower() for f in operation.fields if f.place.part == "query"}
        searching = names & _SEARCHING or _SEARCH_WORD.fullmatch(last)
        return "search" if searching and not last.startswith("{") else "read"
    if method == "POST":
        if _LOGIN_WORD.fullmatch(last) and not operation.secured:
            return "login"
        if _SEARCH_WORD.fullmatch(last):
            return "search"
        verb_of_one = template.rstrip("/").rpartition("/")[0].endswith("}")
        return "change" if verb_of_one and 201 not in answered else "create"
    return _CHANGES.get(method, "change")


def places_of(operation: OperationProfile) -> tuple[Place, ...]:
    """Every scalar place of OPERATION's requests, seen or declared; array items as `*`."""
    found = dict.fromkeys(f.place for f in operation.fields if not _container(f.types))
    found |= dict.fromkeys(parse_place(text) for text in operation.parameter_schemas)
    if operation.request_schema:
        schema = msgspec.json.decode(operation.request_schema)
        declared = _declared(Shape(schema, schema), (), DEPTH_MAX)
        found |= dict.fromkeys(islice(declared, PLACES_MAX))
    return tuple(found)


def _container(types: Mapping[str, int]) -> bool:
    return bool(types) and types.keys() <= {"object", "array", "null"} and types.keys() != {"null"}


def _declared(shape: Shape, tokens: tuple[str, ...], depth: int) -> Iterator[Place]:
    if depth and "object" in shape.types:
        for name in shape.names:
            member = shape.member(name)
            if member is not None:
                yield from _declared(member, (*tokens, name), depth - 1)
    if depth and "array" in shape.types:
        item = shape.items
        if item is not None:
            yield from _declared(item, (*tokens, "*"), depth - 1)
    if tokens and shape.types - {"object", "array"}:
        yield body_place(*tokens)


def resolve(key: str, operation: OperationProfile) -> tuple[Place, ...]:
    """The places of OPERATION that KEY of `Context.ranges` names; empty: none.

    A name means every field that ends in it, written in snake, camel or kebab case.
    """
    name = key
    if key.startswith(f"{operation.id} "):
        name = key[len(operation.id) + 1 :]
    elif " " in key:
        return ()
    places = places_of(operation)
    if ":" in name:
        try:
            wanted = parse_place(name)
        except ValueError:
            return ()
        return (wanted,) if wanted in places else ()
    plain = _plain(name)
    return tuple(place for place in places if _plain(_last(place)) == plain)


def _last(place: Place) -> str:
    names = [token for token in place.tokens if token != "*"]  # noqa: S105 - a pointer's token
    return names[-1] if names else ""


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return re.sub(r"[-_]", "", name).lower()


_RELATIVE = re.compile(r"([+-]\d+)([smhdwy])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31557600}


def moment(text: str, *, now: float) -> float:
    """TEXT of a date window in seconds since the epoch: ISO 8601 (UTC unless it says otherwise),
    `now`, or relative to NOW like `-30d`. Raises ValueError otherwise."""
    if text == "now":
        return now
    relative = _RELATIVE.fullmatch(text)
    if relative:
        return now + int(relative[1]) * _UNITS[relative[2]]
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"not a time: {text!r}; write it like 2026-03-01, 2026-03-01T12:00:00Z, -30d or now"
        ) from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def written(at: float, like: str, *, date_only: bool) -> str:
    """The moment AT (seconds since the epoch) written in the manner of the ISO 8601 text LIKE."""
    when = datetime.fromtimestamp(at, tz=UTC)
    if date_only:
        return when.date().isoformat()
    offset = re.search(r"([+-])(\d\d):?(\d\d)$", like)
    if offset and "T" in like:
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        when += shift if offset[1] == "+" else -shift
    fraction = re.search(r"\.(\d+)", like)
    text = when.strftime("%Y-%m-%d" + (" " if " " in like else "T") + "%H:%M:%S")
    if fraction:
        text += f".{when.microsecond:06d}"[: len(fraction[0])].ljust(len(fraction[0]), "0")
    return text + (offset[0] if offset else "" if like and not like.endswith("Z") else "Z")
