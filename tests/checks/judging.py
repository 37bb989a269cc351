"""Profiles, cases and answers for checks, made short."""

from __future__ import annotations

import json
from typing import Any

from premortem.checks import Checker
from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Fault, Intent, Origin, Sent, Verdict
from premortem.domain.traffic import (
    Answer,
    Operation,
    OperationProfile,
    Profile,
    Request,
    Response,
    Timing,
)

JSON = "application/json"
INVOICE = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "paid": {"type": "number"},
        "due": {"type": "string", "format": "date"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "tags": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": ["id"],
    "$defs": {"Line": {"type": "object", "properties": {"quantity": {"type": "integer"}}}},
}


def operation(**changes: Any) -> OperationProfile:
    values: dict[str, Any] = {
        "operation": Operation(method="GET", template="/invoices/{invoice_id}"),
        "count": 100,
    }
    return OperationProfile(**{**values, **changes})


def answer(status: int = 200, schema: Any = None, **changes: Any) -> Answer:
    values: dict[str, Any] = {
        "status": status,
        "count": 50,
        "schema": "" if schema is None else json.dumps(schema),
        "media_types": (JSON,),
    }
    return Answer(**{**values, **changes})


def profile(*operations: OperationProfile) -> Profile:
    return Profile(
        version="0" * 12,
        created_at=0.0,
        exchanges=100,
        sessions=1,
        origins=("http://prod",),
        operations=operations,
        timing=Timing(first_at=0, last_at=1, rate_per_second=1, hours=(0,) * 24),
    )


def case(of: OperationProfile, *, method: str = "", path: str = "/invoices/7", **more: Any) -> Case:
    request = Request(
        method=method or of.operation.method,
        origin="",
        path=path,
        query=more.pop("query", ()),
        headers=more.pop("headers", ()),
        body=more.pop("body", b""),
    )
    source = "replay" if more.get("recorded_status") else "mutate"
    return Case(request=request, operation_id=of.id, origin=Origin(source=source), **more)


def breaking(breaks: str, *, expects: str = "refusal", certain: bool = False) -> Intent:
    return Intent(kind="adversarial", breaks=breaks, expects=expects, certain=certain)  # type: ignore[arg-type]


def bound() -> tuple[Binding, ...]:
    place = Place(part="path", name="1")
    return (Binding(step=0, select=Place(part="body", name="/id"), place=place, recorded="7"),)


def answered(
    given: Case, status: int, body: Any = None, *, media_type: str = JSON, **headers: str
) -> Sent:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    pairs = [("content-type", media_type)] if media_type and raw else []
    pairs += [(name.replace("_", "-"), value) for name, value in headers.items()]
    response = Response(status=status, headers=tuple(pairs), body=raw)
    return Sent(request=given.request, response=response)


def faulted(given: Case, kind: str, *, sent: bool = True) -> Sent:
    fault = Fault(kind=kind, detail="in detail", sent=sent)  # type: ignore[arg-type]
    return Sent(request=given.request, fault=fault)


def verdicts(of: OperationProfile, given: Case, sent: Sent, *, check: str = "") -> list[Verdict]:
    found = Checker(profile(of)).check(given, sent)
    return [v for v in found if not check or v.check == check]
