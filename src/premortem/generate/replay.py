"""Cases that repeat production: every flow in its recorded order, values bound to live answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from copy import copy

from msgspec.structs import replace

from premortem.checks import reason_of
from premortem.domain.run import Case, Intent, Origin, Sequence
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, Pairs, Profile, Recipe, Request
from premortem.generate.bindings import LinkKeys, Produced, link_keys

SEQUENCE_MAX = 5_000
"""Cases of one sequence; a longer flow is cut, and its later parts start unbound."""

UNKNOWN = "unknown"
"""The role of credentials that belong to no configured role; sent, they are refused."""

CREDENTIAL_HEADERS = frozenset(
    {
        *("authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"),
        *("x-auth-token", "x-access-token", "x-csrf-token", "x-xsrf-token"),
    }
)
BODILESS = frozenset({"GET", "HEAD", "DELETE"})
"""Methods whose requests hardly ever have a body (RFC 9110, 9.3)."""

_TRANSPORT_HEADERS = frozenset(
    {
        *("host", "content-length", "connection", "keep-alive", "transfer-encoding", "te"),
        *("upgrade", "trailer", "proxy-connection", "expect"),
        # A trace of production's must not go on in a test (W3C Trace Context, B3).
        *("traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid"),
    }
)


def sendable(headers: Pairs) -> Pairs:
    """HEADERS without credentials and without what the sender makes itself."""
    return tuple(
        (name, value)
        for name, value in headers
        if name not in CREDENTIAL_HEADERS
        and name not in _TRANSPORT_HEADERS
        and not name.startswith(":")
    )


def faithful(exchange: Exchange) -> bool:
    """Whether what was recorded of EXCHANGE's request is enough to send it again as it was.

    An access log's line holds no body and no headers: enough for methods that have no body.
    """
    return exchange.recorded != "line" or exchange.request.method in BODILESS


class Replayer:
    """Turns recorded exchanges of one profile into cases."""

    def __init__(self, profile: Profile) -> None:
        self._stand_in: str | None = None
        self._version = profile.version
        self._admitted = {
            (operation.id, role)
            for operation in profile.operations
            for role, statuses in operation.roles.items()
            if any(status[0] == "2" for status in statuses)
        }
        """(operation id, role) pairs that production let through."""
        self._tells_apart = any(
            role and "403" in statuses
            for operation in profile.operations
            for role, statuses in operation.roles.items()
        )
        """Who is signed in but may not is answered 403, so a 401 is about credentials alone."""
        self.matcher = Matcher(o.operation for o in profile.operations)
        self._links: LinkKeys = link_keys(profile.links)

    def standing_in(self, role: str) -> Replayer:
        """The same, with ROLE in the place of credentials nobody can present."""
        other = copy(self)
        other._stand_in = role
        return other

    def cases(
        self, steps: list[tuple[str, Exchange]], *, skipped: Counter[str] | None = None
    ) -> tuple[Case, ...]:
        """One case per step, (exchange id, exchange) in order, with bindings.

        Exchanges whose credentials nobody can present are left out and counted in SKIPPED by
        reason, except where production refused them for that reason: any bad credential will
        do to see that again. So are requests of which not all was recorded that matters.
        """
        produced = Produced(self._links)
        cases: list[Case] = []
        for index, (exchange_id, exchange) in enumerate(steps, 1):
            lost = exchange.tags.role == UNKNOWN and exchange.response.status != 401
            if lost and self._stand_in is None:
                if skipped is not None:
                    skipped["credentials of no configured role"] += 1
                continue
            if not faithful(exchange):
                if skipped is not None:
                    skipped["body not recorded"] += 1
                continue
            case = self._case(exchange_id, exchange, produced)
            if index < len(steps):
                produced.add(len(cases), case.operation_id, exchange)
            cases.append(case)
        return tuple(cases)

    def _role(self, exchange: Exchange, operation_id: str) -> str:
        role = exchange.tags.role
        allowed = self._tells_apart or (operation_id, role) in self._admitted
        if role and exchange.response.status == 401 and allowed:
            return UNKNOWN  # its token was worth nothing: expired, or its session was ended
        return role if role != UNKNOWN or self._stand_in is None else self._stand_in

    def _case(self, exchange_id: str, exchange: Exchange, produced: Produced) -> Case:
        request = exchange.request
        match = self.matcher.match_request(request)
        operation_id = match.operation.id if match else f"{request.method} {request.path}"
        segments = {index: name for name, index in match.segments.items()} if match else {}
        sent = Request(
            method=request.method,
            origin="",
            path=request.path,
            query=request.query,
            headers=sendable(request.headers),
            body=request.body,
        )
        return Case(
            request=sent,
            operation_id=operation_id,
            origin=Origin(source="replay", parents=(exchange_id,), profile_version=self._version),
            intent=Intent(),
            role=self._role(exchange, operation_id),
            bindings=produced.bindings(sent, operation_id, segments),
            recorded_status=exchange.response.status,
            recorded_reason=reason_of(exchange.response),
        )


def replay(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    skipped: Counter[str] | None = None,
) -> Iterator[Sequence]:
    """One sequence per recorded flow, by start. What cannot be sent again is counted in SKIPPED.

    EXCHANGES: by id; ids of a flow that are missing there are skipped.
    """
    replayer = Replayer(profile)
    for flow in profile.flows:
        steps = [(i, exchanges[i]) for i in flow.exchange_ids if i in exchanges]
        if skipped is not None and len(steps) < len(flow.exchange_ids):
            skipped["exchange not in the store"] += len(flow.exchange_ids) - len(steps)
        for start in range(0, len(steps), SEQUENCE_MAX):
            cases = replayer.cases(steps[start : start + SEQUENCE_MAX], skipped=skipped)
            if cases:
                yield Sequence(cases=cases)


def replayed(
    profile: Profile, exchanges: Mapping[str, Exchange], ids: Many[str]
) -> tuple[Case, ...]:
    """The recorded exchanges IDS as one row of cases, later ones bound to earlier answers."""
    return Replayer(profile).cases([(i, exchanges[i]) for i in ids])


def recipe_cases(
    recipe: Recipe,
    exchanges: Mapping[str, Exchange],
    profile: Profile,
    *,
    setup: bool = True,
    replayer: Replayer | None = None,
) -> tuple[Case, ...]:
    """RECIPE's steps as cases, all but the last marked as setup if SETUP.

    Empty when a step's exchange is missing or its credentials belong to no configured role.
    """
    if any(step.exchange_id not in exchanges for step in recipe.steps):
        return ()
    steps = [(step.exchange_id, exchanges[step.exchange_id]) for step in recipe.steps]
    cases = (replayer or Replayer(profile)).cases(steps)
    if len(cases) != len(steps):
        return ()
    return (*(replace(case, setup=setup) for case in cases[:-1]), *cases[-1:])
