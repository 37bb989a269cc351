"""A kiosk that nobody was recorded using: its document, and what is learned from that alone."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from premortem.agent.planning.planner import plan_scenarios
from premortem.domain.proposal import FailureModeName
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import Profile
from premortem.learn import learn_profile, load_spec

ROLES = ("Guest", "Clerk", "Manager")
CLERK, MANAGER = ["Clerk", "Manager"], ["Manager"]


def _object(required: list[str], *, closed: bool = True, **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "required": required, "properties": properties}
    return {**schema, "additionalProperties": False} if closed else schema


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _answers(good: int, schema: dict[str, Any] | None, *others: int) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}} if schema else {}
    answered = {str(good): {"description": "good", "content": content}}
    return answered | {str(status): {"description": "not so good"} for status in others}


ID = {"type": "string"}
AMOUNT = {"type": "number", "exclusiveMinimum": 0, "maximum": 500, "multipleOf": 0.01}
CURRENCY = {"type": "string", "enum": ["EUR", "USD"]}
BUYER = _object(["name"], name={"type": "string", "minLength": 1, "maxLength": 40})
ORDER = _object(
    ["buyer_id", "amount"],
    buyer_id=ID,
    amount=AMOUNT,
    currency=CURRENCY,
    due={"type": "string", "format": "date"},
    comment={"type": "string", "maxLength": 200},
)
SHOWN = _object(
    ["id", "amount", "status"],
    closed=False,
    id=ID,
    amount=AMOUNT,
    currency=CURRENCY,
    comment={"type": "string"},
    status={"type": "string", "enum": ["open", "approved", "sent"]},
)
LISTED = _object(
    ["items", "next_cursor"],
    items={"type": "array", "items": SHOWN},
    next_cursor={"type": ["string", "null"]},
)
PARCEL = _object(["weight"], weight={"type": "integer", "minimum": 1, "maximum": 30})


def _query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": ID}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Kiosk", "version": "1"},
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    "security": [{"bearer": []}],
    "paths": {
        "/health": {"get": {"security": [], "responses": _answers(200, None)}},
        "/buyers": {
            "post": {
                "x-roles": CLERK,
                "requestBody": _body(BUYER),
                "responses": _answers(201, _object(["id"], id=ID, name=ID), 401, 403, 422),
            }
        },
        "/orders": {
            "get": {
                "parameters": [
                    _query("limit", type="integer", minimum=1, maximum=100),
                    _query("offset", type="integer", minimum=0),
                    _query("from", type="string", format="date"),
                    _query("to", type="string", format="date"),
                    _query("filter", type="string"),
                    _query("cursor", type="string"),
                    _query("time_zone", type="string"),
                ],
                "responses": _answers(200, LISTED, 401, 422),
            },
            "post": {
                "x-roles": CLERK,
                "requestBody": _body(ORDER),
                "responses": _answers(201, SHOWN, 401, 403, 422),
            },
        },
        "/orders/{order_id}": {
            "parameters": [_in_path("order_id")],
            "get": {"responses": _answers(200, SHOWN, 401, 404)},
            "patch": {
                "x-roles": CLERK,
                "requestBody": _body(_object([], closed=False, comment={"type": "string"})),
                "responses": _answers(200, SHOWN, 401, 403, 404, 422),
            },
        },
        "/orders/{order_id}/approve": {
            "parameters": [_in_path("order_id")],
            "post": {
                "x-roles": MANAGER,
                "responses": _answers(200, SHOWN, 401, 404, 409)
                | {"403": {"description": "The amount exceeds what the role may approve"}},
            },
        },
        "/orders/{order_id}/parcels": {
            "parameters": [_in_path("order_id")],
            "post": {
                "summary": "Pack a parcel for an approved order",
                "x-roles": CLERK,
                "requestBody": _body(PARCEL),
                "responses": _answers(201, _object(["id"], id=ID), 401, 403, 404, 409, 422),
            },
        },
        "/bins/{bin_name}": {
            "parameters": [_in_path("bin_name")],
            "put": {
                "requestBody": _body(_object([], label=ID)),
                "responses": _answers(200, _object(["label"], label=ID), 400, 401),
            },
            "get": {"responses": _answers(200, _object(["label"], label=ID), 401, 404)},
        },
        "/ghosts/{ghost_id}": {
            "parameters": [_in_path("ghost_id")],
            "get": {"responses": _answers(200, None, 404)},
        },
    },
}


@cache
def kiosk() -> Profile:
    """What the document says."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "openapi.json"
        path.write_text(json.dumps(DOCUMENT))
        return learn_profile(lambda: iter(()), spec=load_spec(path), now=0.0)


def planned(
    operation: str, mode: FailureModeName, prompt: str = "", **understood: Any
) -> list[Scenario]:
    """The scenarios for MODE of OPERATION, from the document alone."""
    meant = Understanding(
        prompt=prompt or mode, failure_mode=mode, operation_ids=(operation,), **understood
    )
    return plan_scenarios(meant, profile=kiosk(), exchanges={}, roles=ROLES)


def lines(scenario: Scenario) -> list[str]:
    """Its steps as they are written."""
    return [f"{step.keyword} {step.text}" for step in scenario.steps]


def asked(scenario: Scenario) -> Any:
    """The body of its request in question, else the step's text."""
    step = next(s for s in scenario.steps if s.keyword == "When")
    return json.loads(step.docstring) if step.docstring else step.text
