"""Requests as the eyes see them: flat, and silent about which side they came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from premortem.domain import run
from premortem.domain.bodies import general, leaves, read_body, readings
from premortem.domain.places import body_place
from premortem.domain.template import Match, Matcher
from premortem.domain.traffic import Exchange, Pairs, Profile, Request

VALUES_MAX = 200
"""Values of one request that are looked at, the first ones."""
TEXT_MAX = 300
"""Characters of one value that are looked at."""
GROUP_VALUES_MAX = 20_000
"""Texts of a session's earlier answers that are remembered."""

_UNSEEN = frozenset(
    {
        *("host", "content-length", "content-type", "connection", "accept-encoding", "date"),
        *("traceparent", "tracestate", "authorization", "proxy-authorization", "cookie"),
        *("x-api-key", "api-key", "x-auth-token", "x-csrf-token", "transfer-encoding"),
        *("b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-request-id"),
        *("user-agent", "x-forwarded-for", "x-real-ip", "forwarded", "accept", "accept-language"),
    }
)
"""Headers of transport, credentials and the client's program: no generator writes them."""
_PIECE = re.compile(r"[A-Za-z0-9]+")
_WHOLE = re.compile(r"[A-Za-z0-9]+(?:[-_:.][A-Za-z0-9]+)*={0,2}")
_DATED = re.compile(r"\d{4}-\d\d-\d\d")
UNKNOWN = "unknown"
"""The role of credentials that belong to no configured one."""
IDENTIFIER_MIN = 8
"""Shorter mixtures of letters and digits are words with a number."""

Hidden = frozenset[tuple[str, str]]
"""(operation id, `str(place)`) of what was redacted."""
Scalar = str | int | float | bool | None


class Specimen(Struct, frozen=True, kw_only=True):
    """One request, flat."""

    operation_id: str
    group: str
    """Its session; of a generated request its sequence. Folds keep groups whole."""
    role: str = ""
    before: str = ""
    """Operation id of the group's request before it; empty: it was the first."""
    values: tuple[tuple[str, Scalar], ...] = ()
    """(`str(place)` with `*` for items, value), in order; texts at most TEXT_MAX long."""
    lengths: tuple[tuple[str, int], ...] = ()
    """(`str(place)` of an array, its items)."""
    references: int = 0
    """Values that look like identifiers."""
    brought: int = 0
    """Of these, values that an earlier answer of the group brought."""
    bound: frozenset[str] = frozenset()
    """Places whose value is replaced by what an earlier answer says when it is sent."""


def of_exchanges(exchanges: Iterable[Exchange], profile: Profile) -> Iterator[Specimen]:
    """What was recorded, in the order in which it came. What no session claims is a group of its
    own; what PROFILE knows no operation for is left out."""
    matcher, hidden = Matcher(o.operation for o in profile.operations), _hidden(profile)
    last: dict[str, str] = {}
    known: dict[str, set[str]] = {}
    for exchange in exchanges:
        match = matcher.match_request(exchange.request)
        if match is None:
            continue
        session = exchange.tags.session
        group = session or exchange.id
        told = known.setdefault(group, set()) if session else set()
        values, lengths = flat(exchange.request, match, hidden)
        used = [v for _, v in values if isinstance(v, str) and identifier(v)]
        yield Specimen(
            operation_id=match.operation.id,
            group=group,
            role=exchange.tags.role if exchange.tags.role != UNKNOWN else "",
            before=last.get(group, ""),
            values=values,
            lengths=lengths,
            references=len(used),
            brought=sum(text in told for text in used),
        )
        if session:
            last[group] = match.operation.id
            if len(told) < GROUP_VALUES_MAX:
                told.update(_texts(exchange))


def of_sequences(sequences: Iterable[run.Sequence], profile: Profile) -> Iterator[Specimen]:
    """Generated requests, setup left out; what is bound to a live answer is brought by it."""
    matcher, hidden = Matcher(o.operation for o in profile.operations), _hidden(profile)
    for number, sequence in enumerate(sequences):
        before = ""
        for case in sequence.cases:
            if not case.setup:
                found = _of_case(case, matcher, hidden, group=f"made {number}", before=before)
                if found is not None:
                    yield found
            before = case.operation_id


def _of_case(
    case: run.Case, matcher: Matcher, hidden: Hidden, *, group: str, before: str
) -> Specimen | None:
    match = matcher.match_request(case.request)
    if match is None:
        return None
    values, lengths = flat(case.request, match, hidden)
    references = sum(isinstance(v, str) and identifier(v) for _, v in values)
    bound = sum(identifier(b.recorded) for b in case.bindings)
    return Specimen(
        operation_id=case.operation_id,
        group=group,
        role=case.role,
        before=before,
        values=values,
        lengths=lengths,
        references=references,
        brought=min(references, bound),
        bound=frozenset(str(general(b.place)) for b in case.bindings),
    )


def _hidden(profile: Profile) -> Hidden:
    return frozenset(
        (operation.id, str(field.place))
        for operation in profile.operations
        for field in operation.fields
        if field.redacted
    )


def flat(
    request: Request, match: Match, hidden: Hidden = frozenset()
) -> tuple[tuple[tuple[str, Scalar], ...], tuple[tuple[str, int], ...]]:
    """(values, lengths of arrays) of REQUEST, in order, at most VALUES_MAX of them. Of places that
    are HIDDEN, because their values were redacted, is told only that something is there."""
    values: list[tuple[str, Scalar]] = [(f"path:{n}", v) for n, v in match.params.items()]
    values += [(f"query:{name}", readings(value)[0]) for name, value in request.query]
    values += [(f"header:{n}", v) for n, v in _headers(request.headers)]
    lengths: list[tuple[str, int]] = []
    try:
        body = read_body(request)
    except ValueError:
        body = None
    form = request.media_type.endswith("form-urlencoded")
    for place, value in leaves(body) if request.body else ():
        seen = readings(value)[0] if form and isinstance(value, str) else value
        values.append((str(general(place)), seen))
        if len(values) >= VALUES_MAX:
            break
    if isinstance(body, dict | list):
        lengths = list(_arrays(body, ()))[:VALUES_MAX]
    id_ = match.operation.id
    shown = ((p, None if (id_, p) in hidden else v) for p, v in values[:VALUES_MAX])
    cut = ((p, v[:TEXT_MAX] if isinstance(v, str) else v) for p, v in shown)
    return tuple(cut), tuple(lengths)


def _headers(headers: Pairs) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        if name not in _UNSEEN and not name.startswith("sec-"):
            yield name, value


def _arrays(value: Any, at: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _arrays(inner, (*at, str(name)))
    elif isinstance(value, list):
        yield str(body_place(*at)), len(value)
        for inner in value[:VALUES_MAX]:
            yield from _arrays(inner, (*at, "*"))


def _texts(exchange: Exchange) -> Iterator[str]:
    """Identifiers that an answer brings."""
    try:
        body = read_body(exchange.response)
    except ValueError:
        return
    for _, value in leaves(body):
        if isinstance(value, str) and identifier(value):
            yield value
    for name, value in exchange.response.headers:
        if name in ("location", "etag"):
            yield value


def identifier(text: str) -> bool:
    """Whether TEXT is one word of letters and digits that names a single thing."""
    if len(text) < IDENTIFIER_MIN or len(text) > TEXT_MAX or not _WHOLE.fullmatch(text):
        return False
    digits = sum(c.isdigit() for c in text)
    letters = sum(c.isalpha() for c in text)
    if not letters:
        return digits >= IDENTIFIER_MIN and not _DATED.match(text)
    return digits * 6 >= len(text) and not _DATED.match(text)


def masked(text: str) -> str:
    """TEXT with an identifier's characters as `x`, its leading word kept: `inv_xxxxxxxx`.

    What an identifier names is judged by whether an answer brought it; its digits are chance."""
    if not identifier(text):
        return text
    head = re.match(r"[A-Za-z]+[-_:.](?=.)", text)
    kept = head.group() if head is not None else ""
    return kept + _PIECE.sub(lambda m: "x" * len(m.group()), text[len(kept) :])
