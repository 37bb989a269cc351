"""What a request is answered that was answered well a moment before."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from premortem.agent.planning.declared import VERSIONS
from premortem.agent.planning.expectation import (
    Evidence,
    Expectation,
    captured,
    codes_of,
    facts_of,
    success_status,
)
from premortem.agent.understanding.inputs import input_fields
from premortem.domain.once import names_one_request
from premortem.domain.proposal import OutcomeClass
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Request

_IDEMPOTENT = re.compile(r"(?<!not )(?<!non-)\bidempotent\b|\bno-op\b", re.IGNORECASE)
_EXISTING = re.compile(r"\b(?:existing|already)\b", re.IGNORECASE)


def of_repetition(operation: OperationProfile, evidence: Evidence) -> Expectation:
    """What OPERATION should answer to a request that it answered well a moment before."""
    return (
        _captured_repetition(operation, evidence)
        or _outdated(operation)
        or _said(operation)
        or _conflict(operation)
        or _sibling_conflict(operation, evidence.profile)
        or _repetition_by_convention(operation)
    )


def of_retry(operation: OperationProfile, evidence: Evidence) -> Expectation:
    """What OPERATION should answer to a request that comes again under one idempotency key."""
    first: dict[tuple[str, ...], Exchange] = {}
    again: list[Exchange] = []
    for exchange in evidence.of(operation):
        keys = tuple(v for name, v in exchange.request.headers if names_one_request(name))
        known = (exchange.request.path, exchange.request.body.hex(), *keys)
        if keys and known in first:
            again.append(exchange)
        elif keys and exchange.response.status < 300:
            first[known] = exchange
    answered = [e.response.status for e in again if 200 <= e.response.status < 300]
    status = Counter(answered).most_common(1)[0][0] if answered else success_status(operation)
    because = "the operation takes an idempotency key, so a retry is answered like the first"
    return Expectation(
        status=status,
        because=f"production answered {status} to retries ({len(answered)} captured)"
        if answered
        else because,
        source="captured" if answered else "specification",
        outcome="unchanged",
    )


def _captured_repetition(operation: OperationProfile, evidence: Evidence) -> Expectation | None:
    """From equal requests that production sent one after the other.

    A retry under the same idempotency key is no repetition: it is to have no effect. Nor is what
    comes after something else was done to the thing.
    """
    exchanges = evidence.of(operation)
    before: dict[tuple[str, ...], Exchange] = {}
    seconds: list[Exchange] = []
    others: list[Exchange] = []
    for exchange in exchanges:
        request = exchange.request
        key = (request.path, repr(request.query), request.body.hex(), exchange.tags.role)
        repeats = key in before and 200 <= before[key].response.status < 300
        if repeats and _same_key(request, before[key].request):
            continue
        if repeats and evidence.changed_between(operation, before[key], exchange):
            repeats = False
        (seconds if repeats else others).append(exchange)
        if exchange.response.status < 400:
            before[key] = exchange
    refused = [e for e in seconds if 400 <= e.response.status < 500]
    answered = [e for e in seconds if 200 <= e.response.status < 300]
    chosen = refused or answered
    if not chosen:
        return None
    status, count = Counter(e.response.status for e in chosen).most_common(1)[0]
    alike = [e.response for e in chosen if e.response.status == status]
    facts = facts_of(alike) if refused else ()
    elsewhere = (set(facts) <= set(codes_of(e.response)) for e in others)
    mixed = bool(refused and answered)
    but = f", and let {len(answered)} others through" if mixed else ""
    return Expectation(
        status=status,
        because=f"production answered {status} to repetitions ({count} captured){but}",
        source="captured",
        facts=facts,
        own_reason=bool(facts) and not answered and not any(elsewhere),
        certain=not mixed,
        outcome=_unchanged(exchanges[0], status),
    )


def _unchanged(exchange: Exchange, status: int) -> OutcomeClass | Literal[""]:
    """`unchanged` where an answer that is a success says that nothing more was made."""
    again = exchange.request.method in ("PUT", "PATCH", "DELETE") or status == 200
    first = exchange.request.method != "POST" or exchange.response.status == 201
    return "unchanged" if 200 <= status < 300 and again and first else ""


def _same_key(request: Request, other: Request) -> bool:
    """Whether both come with one idempotency key."""
    keys = [v for name, v in request.headers if names_one_request(name)]
    return bool(keys) and keys == [v for name, v in other.headers if names_one_request(name)]


def _takes_amounts(operation: OperationProfile) -> bool:
    """Whether a request says how much: half of something can be taken twice, all of it once."""
    seen = any(
        f.place.part == "body" and f.numbers is not None and not f.enumeration
        for f in operation.fields
    )
    return seen or any(
        f.place.part == "body" and f.types & {"number", "integer"} and "enum" not in f.constraints
        for f in input_fields(operation)
    )


def _said(operation: OperationProfile) -> Expectation | None:
    """What the specification says in words: that it is idempotent, or returns what exists."""
    success = success_status(operation)
    if _IDEMPOTENT.search(operation.description):
        return Expectation(
            status=success,
            because="the specification says that it is idempotent",
            source="specification",
            outcome="unchanged",
        )
    existing = _EXISTING.search(operation.meaning(200))
    if operation.operation.method == "POST" and 201 in operation.declared and existing:
        return Expectation(
            status=200,
            because=f"the specification says of 200: {operation.meaning(200)[:80]}",
            source="specification",
            certain=False,  # without a name of the client's choosing it is another one
            outcome="unchanged",
        )
    return None


def _outdated(operation: OperationProfile) -> Expectation | None:
    """A request that names the version it is based on: the first one has made that outdated."""
    named = [
        f for f in input_fields(operation) if f.place.part == "body" and f.name.lower() in VERSIONS
    ]
    known = [s for s in (412, 409) if s in operation.declared or captured(operation, s)]
    if not named or not named[0].required or not known:
        return None
    return Expectation(
        status=known[0],
        because=f"it names the {named[0].name} that it is based on, which the first one changed; "
        f"the specification declares {known[0]}",
        source="specification",
        outcome="conflict",
    )


def _conflict(operation: OperationProfile) -> Expectation | None:
    """A 409 for whatever reason; for POST only: the others may be repeated, and say so."""
    if operation.operation.method != "POST":
        return None
    captured = [a for a in operation.answers if a.status == 409 and a.count]
    if captured:
        return Expectation(
            status=409,
            because=f"production answered 409 to this operation ({captured[0].count} captured)",
            source="captured",
            certain=not _takes_amounts(operation),
        )
    if 409 in operation.declared:
        return Expectation(
            status=409,
            because="the specification declares 409",
            source="specification",
            certain=not _takes_amounts(operation),
        )
    return None


def _sibling_conflict(operation: OperationProfile, profile: Profile) -> Expectation | None:
    """Operations of the same method that refuse conflicts, where the specification is no help."""
    if operation.operation.method != "POST":
        return None
    siblings = [
        o
        for o in profile.operations
        if o.operation.method == "POST"
        and o.id != operation.id
        and any(a.status == 409 and a.count for a in o.answers)
    ]
    if not siblings or (operation.in_spec and _lists_refusals(operation)):
        return None
    return Expectation(
        status=409,
        because=f"{siblings[0].id} answers conflicts with 409",
        source="sibling",
        certain=False,
    )


def _lists_refusals(operation: OperationProfile) -> bool:
    return any(400 <= status < 500 for status in operation.declared)


def _repetition_by_convention(operation: OperationProfile) -> Expectation:
    method = operation.operation.method
    if method == "DELETE" and (404 in operation.declared or captured(operation, 404)):
        return Expectation(
            status=404,
            because="what is deleted is gone: the operation knows 404",
            source="specification" if 404 in operation.declared else "captured",
        )
    status, certain = success_status(operation), True
    if method == "PUT" and status == 201:
        # The first one made it; the second finds it there (RFC 9110, 9.3.4).
        known = [s for s in (200, 204) if s in operation.declared or captured(operation, s)]
        status, certain = next(iter(known), 200), bool(known)
    if method == "DELETE":
        certain = False  # services are divided on whether what is gone is deleted well
    if method == "PATCH":
        why = "the same change again changes nothing"
    elif method in ("PUT", "DELETE"):
        why = f"{method} is idempotent (RFC 9110, 9.2.2)"
    else:
        why = "nothing known says that a repetition is refused, so it counts as a new request"
    return Expectation(
        status=status,
        because=f"convention: {why}",
        source="convention",
        certain=certain,
        outcome="accepted" if method == "POST" else "unchanged",
    )
