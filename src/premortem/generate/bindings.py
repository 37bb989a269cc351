"""Which values of a request come from earlier answers of the same sequence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from premortem.domain.bodies import general, leaves, read_body, text_of
from premortem.domain.location import LOCATIONS, last_segment
from premortem.domain.places import Place
from premortem.domain.run import Binding
from premortem.domain.template import split_path
from premortem.domain.traffic import Exchange, Link, Pairs, Request, Response
from premortem.domain.versions import is_long, resource_of, told_about

OCCURRENCES_MAX = 64
"""Places remembered per value; the latest are kept."""
VALUE_LENGTH_MAX = 512
"""Longer texts are content, not identifiers."""
BINDINGS_MAX = 64
"""Bindings of one request; a batch with more ids than that is bound only so far."""

_IDENTIFIER_LENGTH_MIN = 6
_WORD = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*|[A-Za-z0-9]+")
CONDITIONAL_HEADERS = frozenset(
    {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"}
)
VALIDATORS = frozenset({"etag", "last-modified"})
_ORDINARY = frozenset(
    {
        *("date", "server", "content-length", "content-type", "content-encoding", "connection"),
        *("vary", "cache-control", "expires", "pragma", "via", "age", "keep-alive", "alt-svc"),
        *("set-cookie", "transfer-encoding", "strict-transport-security", "accept-ranges"),
        *("content-security-policy", "allow", "retry-after", "content-language", "report-to"),
    }
)
"""Response headers that no client sends back."""

LinkKeys = frozenset[tuple[str, str, str, str]]
"""(producer, select, consumer, place) of every learned link."""


class Occurrence(Struct, frozen=True, kw_only=True):
    """One place of an earlier answer in which a value stood."""

    step: int
    operation_id: str
    select: Place
    in_list: bool
    """Inside an array, where the live answer may hold something else at the same index."""
    about: tuple[str, ...] = ()
    """Of a version: paths of the resources that it may be of."""


def link_keys(links: Sequence[Link]) -> LinkKeys:
    """LINKS as a set to look up in."""
    return frozenset(
        (link.producer, str(link.select), link.consumer, str(link.place)) for link in links
    )


class Produced:
    """The values that the answers of one sequence brought so far, and where they stood.

    Identifiers that the client made up itself (they stood in a request before any answer) are
    left alone: the client sends the same ones again.
    """

    def __init__(self, links: LinkKeys) -> None:
        self._links = links
        self._occurrences: dict[str, list[Occurrence]] = {}
        self._client_made: set[str] = set()

    def bindings(
        self, request: Request, operation_id: str, segments: Mapping[int, str]
    ) -> tuple[Binding, ...]:
        """What of REQUEST, an OPERATION_ID, came from earlier answers.

        SEGMENTS: index of a path segment -> parameter name, for those the template leaves open.
        """
        found: list[Binding] = []
        for place, link_place, text in request_texts(request, segments):
            if len(found) >= BINDINGS_MAX:
                break
            if place.part == "header" and place.name in CONDITIONAL_HEADERS:
                binding = self._version(place, text, request.path)
            else:
                binding = self._bind(place, link_place, text, operation_id)
            if binding is not None:
                found.append(binding)
        return tuple(found)

    def _bind(self, place: Place, link_place: Place, text: str, consumer: str) -> Binding | None:
        whole = self._producer(text, link_place, consumer)
        if whole is not None:
            return Binding(step=whole.step, select=whole.select, place=place, recorded=text)
        for word in _parts(text):
            part = self._producer(word, link_place, consumer)
            if part is not None:
                return Binding(step=part.step, select=part.select, place=place, recorded=word)
        return None

    def _producer(self, text: str, place: Place, consumer: str) -> Occurrence | None:
        """The answer TEXT most plausibly came from: linked before alike, alone before listed,
        late before early."""
        occurrences = self._occurrences.get(text)
        if not occurrences or text in self._client_made:
            return None
        linked = [o for o in occurrences if self._supported(o, consumer, place)]
        if not linked and not identifier_like(text):
            return None
        plausible = linked or occurrences
        return max(plausible, key=lambda o: (not o.in_list, o.step))

    def _version(self, place: Place, text: str, path: str) -> Binding | None:
        """The latest answer that told TEXT as the version of what stands at PATH; where TEXT can
        mean one thing only, the latest that told it at all."""
        resource = resource_of(path)
        told = self._occurrences.get(text, [])
        own = [o for o in told if resource in o.about]
        found = own or (told if is_long(text) else [])
        if not found:
            return None
        latest = max(found, key=lambda o: (not o.in_list, o.step))
        return Binding(step=latest.step, select=latest.select, place=place, recorded=text)

    def _supported(self, occurrence: Occurrence, consumer: str, place: Place) -> bool:
        wanted = str(general(place))
        for select in (occurrence.select, general(occurrence.select)):
            key = (occurrence.operation_id, str(select))
            if (*key, consumer, wanted) in self._links:
                return True
            if (*key, consumer, str(place)) in self._links:
                return True
        return False

    def add(self, step: int, operation_id: str, exchange: Exchange) -> None:
        """Remember what EXCHANGE, the STEP-th of the sequence, sent and brought."""
        for text in sent_texts(exchange.request):
            if text not in self._occurrences:
                self._client_made.add(text)
        request, response = exchange.request, exchange.response
        about: tuple[str, ...] = ()
        if any(name in VALIDATORS for name, _ in response.headers):
            location = response.header("location") or ""
            about = tuple(told_about(request.method, request.path, _value(response), location))
        for select, text in answer_texts(response):
            occurrences = self._occurrences.setdefault(text, [])
            occurrences.append(
                Occurrence(
                    step=step,
                    operation_id=operation_id,
                    select=select,
                    in_list=any(token.isdigit() for token in select.tokens),
                    about=about if select.name in VALIDATORS else (),
                )
            )
            del occurrences[:-OCCURRENCES_MAX]


def identifier_like(text: str) -> bool:
    """Whether equal texts like this are hardly equal by chance: long, mixed, no words."""
    length = len(text)
    if not _IDENTIFIER_LENGTH_MIN <= length <= VALUE_LENGTH_MAX or " " in text:
        return False
    digits = sum(c.isdigit() for c in text)
    if digits == length:
        return True
    if not all(c.isalnum() or c in "-_:.=" for c in text):
        return False
    letters = sum(c.isalpha() for c in text)
    if digits and letters:
        return not _dated(text)
    # Base64url without a digit is rare, but then it is long and of both cases.
    return length >= 20 and not text.islower() and not text.isupper() and "-" not in text


_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")


def _dated(text: str) -> bool:
    return _DATE.fullmatch(text) is not None


def _parts(text: str) -> Iterator[str]:
    """Identifier-like pieces of a composite text, such as the ids in `/buckets/x/records/y`."""
    if len(text) > VALUE_LENGTH_MAX:
        return
    for match in _WORD.finditer(text):
        word = match.group()
        if word != text and identifier_like(word):
            yield word


def request_texts(
    request: Request, segments: Mapping[int, str]
) -> Iterator[tuple[Place, Place, str]]:
    """(place in this request, place as links name it, text) of every value REQUEST carries."""
    parts = split_path(request.path)
    for index, name in segments.items():
        yield (
            Place(part="path", name=str(index)),
            Place(part="path", name=name),
            parts[index],
        )
    for name, value in request.query:
        place = Place(part="query", name=name)
        yield place, place, value
    for name, value in request.headers:
        if name in CONDITIONAL_HEADERS or name.startswith("x-"):
            place = Place(part="header", name=name)
            yield place, place, value
    for place, value in _body_leaves(request):
        yield place, place, value


def sent_texts(request: Request) -> Iterator[str]:
    """Every text REQUEST carries that could be an identifier of the client's making."""
    yield from split_path(request.path)
    yield from (value for _, value in request.query)
    for _, text in _body_leaves(request):
        yield text
        yield from _parts(text)


def answer_texts(response: Response) -> Iterator[tuple[Place, str]]:
    """Every value that RESPONSE brought, with its concrete place."""
    for name, value in _unordinary(response.headers):
        yield Place(part="header", name=name), value
        if name in LOCATIONS:
            yield Place(part="header", name=name), last_segment(value)
    yield from _body_leaves(response)


def _unordinary(headers: Pairs) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        if name not in _ORDINARY and not name.startswith("access-control-"):
            yield name, value


def _value(message: Request | Response) -> Any:
    try:
        return read_body(message)
    except ValueError:
        return None


def _body_leaves(message: Request | Response) -> Iterator[tuple[Place, str]]:
    for place, leaf in leaves(_value(message)):
        if leaf is None or isinstance(leaf, bool) or leaf == "":
            continue
        text = text_of(leaf)
        if len(text) <= VALUE_LENGTH_MAX:
            yield place, text
