"""What production showed about the order of requests: what was gone after a deletion, what was
refused when it came again, and whose answer held the credentials that later requests went with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from msgspec import Struct

from premortem.checks import reason_of
from premortem.domain.bodies import leaves, read_body
from premortem.domain.once import names_one_request, same_request
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, Profile, Request
from premortem.generate.replay import CREDENTIAL_HEADERS

GONE = frozenset({404, 410})
REFUSED_FOR_STATE = frozenset({409, 412, 423})
"""Refusals that are about the state things are in (RFC 9110, 15.5.10 and 15.5.13; RFC 4918)."""
FLOWS_READ_MAX = 2_000
"""Recorded flows that are looked through."""
EXCHANGES_READ_MAX = 20_000
"""Recorded exchanges in whose order credentials are looked for."""
KNOWN_MIN = 2
"""Refusals for one reason from which that is no chance."""
LOGIN_LEAVES_MAX = 40
"""Texts of an answer that may be credentials."""
TOKEN_CHARS_MIN = 12
_COOKIE = re.compile(r"\s*([^=;\s]+)=([^;]*)")


class Login(Struct, frozen=True, kw_only=True):
    """A recorded exchange whose answer holds what later requests were sent with."""

    exchange_id: str
    select: Place
    """Where in its answer."""
    header: str
    """Of the later requests: `authorization`, `cookie`."""
    before: str
    """What stands before the value there: `Bearer `, `session=`."""
    token: str
    """The value as it was recorded."""
    role: str
    """Who the later requests were."""

    @property
    def place(self) -> Place:
        """Of the value in a request."""
        if self.header == "cookie":
            return Place(part="cookie", name=self.before.rstrip("="))
        return Place(part="header", name=self.header)


class Shown:
    """Worked out when it is first asked for. EXCHANGES: recorded ones by id."""

    def __init__(
        self, profile: Profile, exchanges: Mapping[str, Exchange], matcher: Matcher
    ) -> None:
        self._profile = profile
        self._exchanges = exchanges
        self._matcher = matcher

    @cached_property
    def gone(self) -> frozenset[tuple[str, str]]:
        """(deletion, operation) where production answered 404 or 410 after the deletion of what
        the operation's path goes through."""
        return frozenset(self._find_after_deletion(GONE.__contains__))

    @cached_property
    def kept(self) -> frozenset[tuple[str, str]]:
        """The same where it answered 2xx: what is deleted is kept, and shown."""
        return frozenset(self._find_after_deletion(lambda status: 200 <= status < 300))

    @cached_property
    def refused_again(self) -> frozenset[str]:
        """Operations of which the very same request was refused for the state of things once it
        had been let through, and never let through twice."""
        refused: set[str] = set()
        passed: set[str] = set()
        for operation_id, exchange, again in self._changes:
            status = exchange.response.status
            if again and 200 <= status < 300:
                passed.add(operation_id)
            elif again and status in REFUSED_FOR_STATE:
                refused.add(operation_id)
        return frozenset(refused - passed)

    @cached_property
    def refused_as_known(self) -> frozenset[str]:
        """Those of them whose repetitions were refused more than once for a reason that was never
        given for anything else: not because something was used up."""
        reasons: dict[str, Counter[str]] = {}
        others: dict[str, set[str]] = {}
        for operation_id, exchange, again in self._changes:
            if exchange.response.status in REFUSED_FOR_STATE:
                reason = reason_of(exchange.response)
                if again and reason:
                    reasons.setdefault(operation_id, Counter())[reason] += 1
                else:
                    others.setdefault(operation_id, set()).add(reason)
        return frozenset(
            operation_id
            for operation_id in self.refused_again & reasons.keys()
            if any(
                count >= KNOWN_MIN and reason not in others.get(operation_id, ())
                for reason, count in reasons[operation_id].items()
            )
        )

    @cached_property
    def logins(self) -> tuple[Login, ...]:
        """One for each role, the latest; by role."""
        found: dict[str, Login] = {}
        told: dict[str, tuple[str, Place]] = {}
        latest = sorted(self._exchanges, key=lambda i: self._exchanges[i].started_at)
        for exchange_id in latest[-EXCHANGES_READ_MAX:]:
            exchange = self._exchanges[exchange_id]
            for header, before, token in _presented(exchange):
                if token in told and exchange.response.status < 400 and exchange.tags.role:
                    by, select = told[token]
                    found[exchange.tags.role] = Login(
                        exchange_id=by,
                        select=select,
                        header=header,
                        before=before,
                        token=token,
                        role=exchange.tags.role,
                    )
            if exchange.request.method == "POST" and 200 <= exchange.response.status < 400:
                told |= {token: (exchange_id, place) for place, token in _given(exchange)}
        return tuple(found[role] for role in sorted(found))

    def _flows(self) -> Iterator[Iterator[tuple[Exchange, str]]]:
        """(exchange, operation id) in order, flow by flow."""
        for flow in self._profile.flows[:FLOWS_READ_MAX]:
            yield self._known(flow.exchange_ids)

    def _known(self, ids: tuple[str, ...]) -> Iterator[tuple[Exchange, str]]:
        for exchange_id in ids:
            exchange = self._exchanges.get(exchange_id)
            match = self._matcher.match_request(exchange.request) if exchange is not None else None
            if exchange is not None and match is not None:
                yield exchange, match.operation.id

    def _find_after_deletion(self, wanted: Callable[[int], bool]) -> Iterator[tuple[str, str]]:
        for flow in self._flows():
            deleted: dict[str, str] = {}
            for exchange, operation_id in flow:
                request, status = exchange.request, exchange.response.status
                path = request.path.rstrip("/")
                if request.method == "DELETE" and 200 <= status < 300:
                    deleted[path] = operation_id
                elif request.method in ("PUT", "POST") and 200 <= status < 300:
                    deleted.pop(path, None)
                elif wanted(status):
                    for gone, by in deleted.items():
                        if path == gone or path.startswith(gone + "/"):
                            yield by, operation_id

    @cached_property
    def _changes(self) -> tuple[tuple[str, Exchange, bool], ...]:
        return tuple(self._find_changes())

    def _find_changes(self) -> Iterator[tuple[str, Exchange, bool]]:
        """(operation, exchange, whether the very same had been let through before, with nothing
        else done in between to what its path goes through)."""
        for flow in self._flows():
            done: dict[str, int] = {}
            for exchange, operation_id in flow:
                request, status = exchange.request, exchange.response.status
                if request.method in SAFE_METHODS or key_place(request) is not None:
                    continue
                about, asked = _about(request.path), same_request(request)
                yield operation_id, exchange, done.get(about) == asked
                if 200 <= status < 300:
                    done[about] = asked


def _about(path: str) -> str:
    """What a request is about, by its path: `/invoices/7` of `/invoices/7/payments`."""
    return "/".join(path.strip("/").split("/")[:2])


def _presented(exchange: Exchange) -> Iterator[tuple[str, str, str]]:
    """(header, what stands before it, value) of the credentials in a request."""
    for name, value in exchange.request.headers:
        if name == "cookie":
            for match in _COOKIE.finditer(value.replace(";", "; ")):
                yield name, match.group(1) + "=", match.group(2)
        elif name in CREDENTIAL_HEADERS:
            before, space, token = value.rpartition(" ")
            yield name, before + space, token


def _given(exchange: Exchange) -> Iterator[tuple[Place, str]]:
    """Texts of an answer that may be credentials, and where they stand."""
    for name, value in exchange.response.headers:
        if name == "set-cookie" and (match := _COOKIE.match(value)):
            yield Place(part="cookie", name=match.group(1)), match.group(2)
        elif name in CREDENTIAL_HEADERS:
            yield Place(part="header", name=name), value
    try:
        body = read_body(exchange.response)
    except ValueError:
        return
    if isinstance(body, dict | list):
        for (place, value), _ in zip(leaves(body), range(LOGIN_LEAVES_MAX), strict=False):
            if isinstance(value, str) and len(value) >= TOKEN_CHARS_MIN:
                yield place, value


def key_place(request: Request) -> Place | None:
    """Where REQUEST has a header that names it, so that a retry has no second effect."""
    for name, _ in request.headers:
        if names_one_request(name):
            return Place(part="header", name=name)
    return None
