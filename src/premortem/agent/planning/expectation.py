"""What a correct service should answer, and how we know.

Where several sources speak, what production did wins over what the specification says, and
both over what siblings do and over convention. Every expectation says where it comes from.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from premortem.domain.bodies import leaves, read_body
from premortem.domain.proposal import OutcomeClass
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import Matcher, split_template
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Response

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.:-]?[A-Za-z0-9]+)*")
CODE_LENGTH_MAX = 60
FACTS_MAX = 2
"""Fields of a captured refusal that a scenario asks for beside the status."""
INVALID = (422, 400)
DENIED = (403, 401)
UNAVAILABLE = (503, 502, 504)
"""A service says that it, or what it needs, is down."""


class Expectation(Struct, frozen=True, kw_only=True):
    """The outcome that a scenario asks for."""

    status: int
    because: str
    """In words, for a person: where it comes from."""
    source: Literal["captured", "specification", "roles", "sibling", "convention"]
    facts: tuple[tuple[str, str], ...] = ()
    """(JSON pointer, text) of the answer that hold as well."""
    own_reason: bool = False
    """The facts were never captured with another kind of request: they name this very cause."""
    certain: bool = True
    """Nothing known speaks against it. Otherwise an answer that differs is no finding."""

    outcome: OutcomeClass | Literal[""] = ""
    """What a correct service does; empty: what the status says."""

    @property
    def outcome_class(self) -> OutcomeClass | Literal[""]:
        """`outcome`, or what the status says where it is left open."""
        return self.outcome or class_of(self.status)

    @property
    def refused(self) -> bool:
        """A correct service refuses."""
        return self.status >= 400


class Evidence:
    """The captured exchanges, by operation and in their order."""

    def __init__(self, profile: Profile, exchanges: Mapping[str, Exchange]) -> None:
        self.profile = profile
        matcher = Matcher(o.operation for o in profile.operations)
        self._by_operation: dict[str, list[Exchange]] = defaultdict(list)
        self._changes: list[tuple[float, str, str]] = []
        for exchange in sorted(exchanges.values(), key=lambda e: e.started_at):
            found = matcher.match_request(exchange.request)
            if found is not None:
                self._by_operation[found.operation.id].append(exchange)
                if exchange.request.method not in SAFE_METHODS and exchange.response.status < 300:
                    change = (exchange.started_at, exchange.request.path, found.operation.id)
                    self._changes.append(change)

    def of(self, operation: OperationProfile) -> list[Exchange]:
        """The captured exchanges of OPERATION, oldest first."""
        return self._by_operation.get(operation.id, [])

    def changed_between(
        self, operation: OperationProfile, first: Exchange, second: Exchange
    ) -> bool:
        """Whether another operation changed what OPERATION's path names, after FIRST, which is
        one of OPERATION, and before SECOND."""
        template = split_template(operation.operation.template)
        opened = [i for i, segment in enumerate(template) if "{" in segment]
        if not opened:
            return False
        segments = first.request.path.strip("/").split("/")[: opened[-1] + 1]
        thing = "/" + "/".join(segments)
        start = bisect_right(self._changes, first.started_at, key=lambda change: change[0])
        for at, path, operation_id in self._changes[start:]:
            if at >= second.started_at:
                return False
            if operation_id != operation.id and f"{path}/".startswith(f"{thing}/"):
                return True
        return False


def class_of(status: int) -> OutcomeClass | Literal[""]:
    """The outcome class that STATUS alone speaks of (RFC 9110, 15); empty: none (a crash)."""
    if status >= 500:
        return "unavailable" if status in UNAVAILABLE else ""
    if status < 300:
        return "accepted"
    if status < 400 or status in DENIED:
        return "denied"  # a redirect leads to where one signs in
    if status in (404, 410):
        return "not_found"
    return "conflict" if status in (409, 412, 423, 428) else "invalid"


def success_status(operation: OperationProfile) -> int:
    """What OPERATION answers when all is well: as captured, declared, or by convention."""
    captured = [a for a in operation.answers if 200 <= a.status < 300 and a.count]
    if captured:
        return max(captured, key=lambda a: a.count).status
    usual = 201 if operation.operation.method == "POST" else 200
    declared = sorted(status for status in operation.declared if 200 <= status < 300)
    return usual if usual in declared or not declared else declared[0]


def replacing_status(operation: OperationProfile) -> int:
    """What OPERATION answers when all is well and the thing is there already: 201 is for what a PUT
    makes (RFC 9110, 9.3.4)."""
    status = success_status(operation)
    if operation.operation.method != "PUT" or status != 201:
        return status
    known = [s for s in (200, 204) if s in operation.declared or captured(operation, s)]
    return next(iter(known), 200)


def invalid_status(operation: OperationProfile, profile: Profile) -> tuple[int, str]:
    """The status for requests that cannot be processed, and how that is known."""
    own = {status: captured(operation, status) for status in INVALID}
    if any(own.values()):
        status = max(own, key=lambda s: own[s])
        return status, f"production answered {status} to other bad requests of this operation"
    declared = [status for status in INVALID if status in operation.declared]
    used = {s: sum(captured(o, s) for o in profile.operations) for s in INVALID}
    if len(declared) == 1:
        return declared[0], f"the specification declares {declared[0]}"
    if any(used.values()):
        status = max(used, key=lambda s: used[s])
        return status, f"the service answers bad requests with {status}"
    spoken = {s: sum(s in o.declared for o in profile.operations) for s in INVALID}
    status = declared[0] if declared else max(spoken, key=lambda s: spoken[s])
    if any(spoken.values()):
        return status, f"the specification uses {status} for bad requests"
    return 400, "400 is what RFC 9110, 15.5.1 has for it"


def captured(operation: OperationProfile, status: int) -> int:
    """How often production answered STATUS."""
    return sum(a.count for a in operation.answers if a.status == status)


def facts_of(responses: list[Response]) -> tuple[tuple[str, str], ...]:
    """Codes that all RESPONSES hold alike, such as `/error` = `DuplicateRefund`."""
    if not responses:
        return ()
    common = dict(codes_of(responses[0]))
    for response in responses[1:]:
        common = {p: c for p, c in codes_of(response) if common.get(p) == c}
    return tuple(common.items())[:FACTS_MAX]


def codes_of(response: Response) -> Iterator[tuple[str, str]]:
    """(JSON pointer, text) of the words in RESPONSE that are codes."""
    try:
        value = read_body(response)
    except (ValueError, msgspec.DecodeError):
        return
    for place, leaf in leaves(value):
        coded = isinstance(leaf, str) and len(leaf) <= CODE_LENGTH_MAX and _CODE.fullmatch(leaf)
        # An id is no code: codes are words, ids hold digits.
        if coded and not any(c.isdigit() for c in leaf) and len(place.tokens) <= 2:
            yield place.name, leaf


def asks_for_none(operation: OperationProfile, profile: Profile) -> bool:
    """Whether the specification, which says where credentials are needed, asks for none here.

    One that says so of few operations forgot the others.
    """
    if operation.secured or operation.allowed_roles or 403 in operation.declared:
        return False
    declared = [o for o in profile.operations if o.in_spec]
    said = sum(o.secured for o in declared)
    return operation.in_spec and said * 2 > len(declared)
