"""Which requests told a code, and which did first: who makes a thing by it, and who refers to it.

What a client calls a thing it made comes again: in the path that reads it, in the body that
annotates it. Whoever gives such a value another name has to know what else has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from premortem.domain.bodies import general, leaves, read_body
from premortem.domain.once import same_request
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, Profile, Request

EXCHANGES_MAX = 20_000
"""Recorded exchanges looked at."""
APART_MIN = 2
CODE = re.compile(r"[0-9a-f]{16,64}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MENTIONED = re.compile(rf"(?<![0-9A-Za-z])(?:{CODE.pattern})(?![0-9A-Za-z])".encode())

Spot = tuple[str, Place]
"""(operation id, place of its body, `*` for items)."""


class Told(Struct, frozen=True, kw_only=True):
    """What the recording says about the codes in the bodies of unsafe requests."""

    codes: Mapping[Spot, frozenset[str]]
    first: frozenset[Spot]
    """Where no code had been told before, but by a retry: they name what is made there. Two codes
    at least; how often one body repeats its own does not matter."""
    alone: frozenset[Spot]
    """Where no other request ever had a code, before or after: they name nothing that is used."""


def told_codes(profile: Profile, exchanges: Mapping[str, Exchange]) -> Told:
    """The codes of EXCHANGES by where they stood. What was refused told nobody anything."""
    matcher = Matcher(o.operation for o in profile.operations)
    codes: dict[Spot, set[str]] = {}
    repeated: set[Spot] = set()
    accepted: dict[str, int] = {}
    """Code -> the request that first told it, or was first answered with it."""
    sent: dict[str, int] = {}
    several: set[str] = set()
    known = list(exchanges.values())[:EXCHANGES_MAX]
    for exchange in sorted(known, key=lambda exchange: exchange.started_at):
        request, whole = exchange.request, same_request(exchange.request)
        mentioned = set(_mentioned(request))
        several |= {code for code in mentioned if sent.setdefault(code, whole) != whole}
        match = matcher.match_request(request)
        if match is not None and request.method not in SAFE_METHODS:
            for place, code in body_codes(request):
                spot = (match.operation.id, general(place))
                codes.setdefault(spot, set()).add(code)
                if accepted.get(code, whole) != whole:
                    repeated.add(spot)
        if exchange.response.status < 400:
            answered = (c.decode() for c in _MENTIONED.findall(exchange.response.body))
            for code in (*mentioned, *answered):
                accepted.setdefault(code, whole)
    return Told(
        codes={spot: frozenset(found) for spot, found in codes.items()},
        first=frozenset(s for s, f in codes.items() if len(f) >= APART_MIN and s not in repeated),
        alone=frozenset(spot for spot, found in codes.items() if not found & several),
    )


def body_codes(request: Request) -> Iterator[tuple[Place, str]]:
    """(concrete place, code) of every code in the body of REQUEST; digits alone are none."""
    try:
        found = list(leaves(read_body(request)))
    except ValueError:
        return
    for place, value in found:
        if isinstance(value, str) and CODE.fullmatch(value) and not value.isdigit():
            yield place, value


def _mentioned(request: Request) -> Iterator[str]:
    texts = [request.path, *(v for _, v in request.query), *(v for _, v in request.headers)]
    for raw in (*(text.encode("utf-8", "surrogateescape") for text in texts), request.body):
        yield from (code.decode() for code in _MENTIONED.findall(raw))
