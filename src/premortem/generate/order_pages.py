"""Operators about what several do at one time: pages that are read while others write, and changes
of different fields of one thing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import read_body
from premortem.domain.places import Place, body_place
from premortem.domain.run import Binding, Case, Sequence
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import Kit, is_own, loose
from premortem.generate.starts import Start
from premortem.generate.steps import tried, unkeyed

PAGE = 2
"""Items of a page: few, so that there is a second one."""
MADE = 3
"""Things that are made before the first page is read."""
WORK_STEPS_MAX = 6
"""Requests that make one thing to list; what needs more is left alone."""
FIELD_PAIRS_MAX = 3
"""Pairs of fields of one thing that are changed at once."""
PAGES = "order pages"
"""`breaks` of a reading that two pages, read while something was made, are held against."""
BOTH = "order both changes"
"""`breaks` of a reading behind two changes of different fields that were sent at once."""
_LIMITS = frozenset({"limit", "pagesize", "perpage", "size", "maxresults", "top", "first"})
_NEXT = frozenset({"nextcursor", "nextpagetoken", "nexttoken", "continuationtoken", "endcursor"})
"""What answers call the cursor of the next page, where no recorded request shows it."""
_TAKEN = frozenset({"cursor", "after", "pagetoken", "nexttoken", "continuationtoken"})
"""What requests call it."""
_CURSOR = "premortem-next"
"""Stands where the first page's cursor goes."""


def paged(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """Two pages of a list, something made in between, then both pages as one: nothing comes twice
    and nothing that was there is missing. Only for cursors, which promise that; who counts by
    offsets makes no such promise."""
    operation = start.operation
    cursor, limit = _cursor(kit, operation), _limit(operation)
    if start.final.request.method != "GET" or cursor is None or not limit:
        return
    for work in islice(_work(kit, operation), 1):
        row = kit.row(start)
        for _ in range(MADE):
            row.instance(work)
        plain = _asking(start.final, ((limit, str(PAGE)),))
        first = row.add(loose(plain))
        row.instance(work)
        select, name = cursor
        place = Place(part="query", name=name)
        bound = Binding(step=first, select=select, place=place, recorded=_CURSOR)
        second = _asking(start.final, ((limit, str(PAGE)), (name, _CURSOR)))
        index = row.add(loose(replace(second, bindings=(*second.bindings, bound))))
        whole = _asking(start.final, ((limit, str(2 * PAGE)),))
        yield row.ending(
            tried(
                whole,
                kit.origin,
                operator="pages under writes",
                breaks=PAGES,
                against=first,
                if_passed=index,
            )
        )


def _cursor(kit: Kit, operation: OperationProfile) -> tuple[Place, str] | None:
    """(where an answer of OPERATION holds the next page's cursor, query parameter it goes into)."""
    for link in kit.profile.links:
        own = link.producer == link.consumer == operation.id
        asked = own and link.place.part == "query" and link.select.part == "body"
        if asked and "*" not in link.select.tokens:
            return body_place(*link.select.tokens), link.place.name
    told = [f.place for a in operation.answers if a.status == 200 for f in a.fields]
    held = (p for p in told if len(p.tokens) == 1 and _folded(p.tokens[0]) in _NEXT)
    taken = (name for name in _asked(operation) if _folded(name) in _TAKEN)
    place, name = next(held, None), next(taken, "")
    return (place, name) if place is not None and name else None


def _limit(operation: OperationProfile) -> str:
    """The query parameter that says how long a page is; empty: none does."""
    return next((name for name in _asked(operation) if _folded(name) in _LIMITS), "")


def _asked(operation: OperationProfile) -> list[str]:
    """Names of the query parameters that OPERATION is known to have."""
    names = [f.place.name for f in operation.fields if f.place.part == "query"]
    return [*names, *(p[6:] for p in operation.parameter_schemas if p.startswith("query:"))]


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _work(kit: Kit, operation: OperationProfile) -> Iterator[Start]:
    """What makes items of the list, else anything that is done in few steps: a log shows it."""
    made = kit.recorded(f"POST {operation.operation.template}")
    if made is not None:
        yield made
        return
    yield from (start for start in kit.changing() if len(start.setup) < WORK_STEPS_MAX)


def _asking(case: Case, query: tuple[tuple[str, str], ...]) -> Case:
    """CASE that asks for QUERY, and for nothing that would narrow what is listed."""
    request = replace(case.request, query=query)
    kept = tuple(b for b in case.bindings if b.place.part != "query")
    return replace(case, request=request, bindings=kept)


def both_kept(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """Two changes of one thing at once, each of another field: neither undoes the other.

    Only for fields whose value answers always repeated, and that production changed alone.
    """
    if start.final.request.method != "GET" or not is_own(start.final):
        return
    template = start.operation.operation.template
    change = kit.recorded(f"PATCH {template}")
    if change is None:
        return
    alone = list(_alone(kit, change))
    for one, other in islice(combinations(alone, 2), FIELD_PAIRS_MAX):
        row = kit.row(change)
        read = row.on_same(start)
        if read is None or not is_own(read):
            continue
        first = len(row)
        pair = [loose(_with_body(change.final, body)) for body in (one, other)]
        cases = (*(replace(case, setup=True, together=1) for case in pair),)
        last = tried(
            replace(read, role=change.final.role),  # others may be shown less
            kit.origin,
            operator="both changes kept",
            breaks=BOTH,
            against=first,
            if_passed=first + 1,
        )
        yield Sequence(cases=(*row.cases, *cases, replace(last, setup=False)))


def _alone(kit: Kit, change: Start) -> Iterator[dict[str, object]]:
    """Bodies of one field each that production sent to CHANGE's operation, of different fields."""
    kept = {
        echo.asked.tokens[0]
        for answer in change.operation.answers
        if answer.status // 100 == 2
        for echo in answer.echoes
        if echo.asked.part == "body" and len(echo.asked.tokens) == 1
    }
    seen: set[str] = set()
    for exchange_id in change.operation.exemplars:
        exchange = kit.exchanges.get(exchange_id)
        if exchange is None or exchange.response.status // 100 != 2:
            continue
        try:
            body = read_body(exchange.request)
        except ValueError:
            continue
        if isinstance(body, dict) and len(body) == 1 and set(body) <= kept - seen:
            seen |= set(body)
            yield body


def _with_body(case: Case, body: dict[str, object]) -> Case:
    """CASE with BODY, and without a version that one of two changes would lack."""
    headers = tuple(pair for pair in case.request.headers if pair[0] != "if-match")
    request = replace(case.request, headers=headers, body=msgspec.json.encode(body))
    kept = tuple(b for b in case.bindings if b.place.part == "path")
    return unkeyed(replace(case, request=request, bindings=kept))
