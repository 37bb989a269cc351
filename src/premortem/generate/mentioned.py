"""Things that come to be by being named: a session that is there because a span tells its id.

Nobody creates them, so two sequences that name the same one meet in it. Told from names of things
that were there before by what the answers list: nothing but what some client had named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from premortem.domain.bodies import general, leaves, read_body
from premortem.domain.places import Place
from premortem.domain.references import says_reference
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, Profile, Request, Response
from premortem.generate.passing import REFUSED
from premortem.generate.starts import LINK_CONFIDENCE
from premortem.generate.told import CODE, EXCHANGES_MAX

LISTED_MIN = 3
"""Different names that answers have to list before all of them being told is no chance."""
NAMES_MAX = 50_000
"""Names remembered."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,60}")
_QUOTED = re.compile(rb'"([A-Za-z][A-Za-z0-9_.-]{2,60})"')

Spot = tuple[str, Place]
"""(operation id, place of its body, `*` for items)."""


class _Listed(Struct, kw_only=True):
    """What answers showed at one place that a link leads from."""

    names: set[str]
    strange: bool = False
    """One of them had not been told by a request at a place for references."""


def mentioned_places(profile: Profile, exchanges: Mapping[str, Exchange]) -> frozenset[Spot]:
    """Where requests of EXCHANGES, which worked, named what came to be by it.

    Codes are left out: they are told apart by themselves (`generate.told`).
    """
    selects: dict[Spot, _Listed] = {
        (link.producer, link.select): _Listed(names=set())
        for link in profile.links
        if link.confidence >= LINK_CONFIDENCE and refers(link.select)
    }
    if not selects:
        return frozenset()
    matcher = Matcher(o.operation for o in profile.operations)
    first: dict[str, Spot | None] = {}
    known = list(exchanges.values())[:EXCHANGES_MAX]
    for exchange in sorted(known, key=lambda exchange: exchange.started_at):
        request, response = exchange.request, exchange.response
        match = matcher.match_request(request)
        if match is None or response.status >= REFUSED:
            continue
        operation_id, safe = match.operation.id, request.method in SAFE_METHODS
        for place, name in () if safe else _names(request):
            if len(first) < NAMES_MAX and refers(place):
                first.setdefault(name, (operation_id, place))
        for place, name in _names(response) if safe else ():
            listed = selects.get((operation_id, place))
            if listed is not None and len(listed.names) < NAMES_MAX:
                listed.names.add(name)
                listed.strange = listed.strange or first.get(name) is None
        for found in _QUOTED.findall(response.body) if len(first) < NAMES_MAX else ():
            first.setdefault(found.decode(), None)
    told = [s.names for s in selects.values() if not s.strange and len(s.names) >= LISTED_MIN]
    return frozenset(spot for names in told for name in names if (spot := first[name]) is not None)


def refers(place: Place) -> bool:
    """Whether what stands at PLACE of a body is called a reference: `customer_id`, `session.id`."""
    name = next((key for key in reversed(place.tokens) if key != "*"), "")
    return place.part == "body" and says_reference(name.rpartition(".")[2])


def _names(message: Request | Response) -> Iterator[tuple[Place, str]]:
    try:
        found = list(leaves(read_body(message)))
    except ValueError:
        return
    for place, value in found:
        if isinstance(value, str) and _NAME.fullmatch(value) and not CODE.fullmatch(value):
            yield general(place), value
