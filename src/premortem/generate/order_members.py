"""Operators about what a request may set: members that only answers have, put into it.

(OWASP API Security 2023, API3: broken object property level authorization; CWE-915)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.checks.raised_member import MEMBER
from premortem.domain.bodies import is_json
from premortem.domain.conform import compiled
from premortem.domain.places import Place, body_place
from premortem.domain.run import Case, Sequence
from premortem.domain.traffic import Field, OperationProfile
from premortem.generate.order_kit import Kit, loose
from premortem.generate.starts import Start
from premortem.generate.steps import moved, tried, unkeyed

MEMBERS_MAX = 8
GRAVE = frozenset(
    [
        "role",
        "roles",
        "admin",
        "isadmin",
        "superuser",
        "issuperuser",
        "staff",
        "isstaff",
        "permissions",
        "scopes",
        "groups",
        "status",
        "state",
        "verified",
        "isverified",
        "approved",
        "isapproved",
        "active",
        "enabled",
        "locked",
        "blocked",
        "banned",
        "owner",
        "ownerid",
        "userid",
        "user",
        "tenant",
        "tenantid",
        "account",
        "accountid",
        "createdby",
        "approvedby",
        "creator",
        "balance",
        "credit",
        "credits",
        "paid",
        "amountpaid",
        "discount",
        "price",
        "plan",
        "tier",
        "edition",
        "quota",
        "limit",
        "emailverified",
        "internal",
        "trusted",
    ]
)
"""Members that say who may what, whose a thing is, how it stands and what it costs, in lower case
without signs."""


def raised(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """The request as it is, then once more with such a member."""
    operation = start.operation
    if not is_json(start.final.request.media_type) or not start.final.request.body:
        return
    for place, value in islice(_members(operation), MEMBERS_MAX):
        case = _with(start.final, place, value)
        if case is None:
            continue
        row = kit.row(start)
        plain = row.add(loose(unkeyed(start.final)))
        if start.setup:
            # What the first one left may refuse the second: it goes to a thing of its own.
            shift = len(row)
            row.instance(start, whole=False)
            case = moved(case, shift)
        yield row.ending(
            unkeyed(
                tried(
                    case,
                    kit.origin,
                    operator="member raised",
                    breaks=f"{MEMBER}{place}",
                    against=plain,
                    place=place,
                )
            )
        )


def _members(operation: OperationProfile) -> Iterator[tuple[Place, Any]]:
    """(place, value) of members that answers have and requests do not, and that matter."""
    asked = {f.place.tokens[0] for f in operation.fields if f.place.part == "body" and f.place.name}
    conformance = compiled(operation.request_schema)
    declared = operation.request_source == "spec" and conformance is not None
    shape = conformance.shape if conformance is not None and declared else None
    for answer in operation.answers:
        if not 200 <= answer.status < 300:
            continue
        for field in answer.fields:
            tokens = field.place.tokens
            if field.place.part != "body" or len(tokens) != 1 or tokens[0] in asked:
                continue
            if shape is not None and tokens[0] in shape.names:
                continue
            if _folded(tokens[0]) in GRAVE:
                yield from ((body_place(*tokens), value) for value in _others(field))


def _others(field: Field) -> Iterator[Any]:
    """Values that the member does not have by itself."""
    kinds = set(field.types) - {"null"}
    known = [msgspec.json.decode(text) for text, _ in field.values]
    if kinds == {"boolean"}:
        yield from (True, False)
    elif kinds and kinds <= {"integer", "number"}:
        yield 987_654
    elif kinds == {"string"} and not field.redacted:
        usual = known[0] if known else None
        rare = [value for value in reversed(known) if value != usual][:1]
        yield from rare or (["admin"] if "role" in _folded(field.place.tokens[0]) else [])


def _with(case: Case, place: Place, value: Any) -> Case | None:
    try:
        body = msgspec.json.decode(case.request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(body, dict):
        return None
    body[place.tokens[0]] = value
    return replace(case, request=replace(case.request, body=msgspec.json.encode(body)))


def _folded(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
