"""A small hand-written profile: invoices that are made, read, paid and refused."""

from __future__ import annotations

import json

from premortem.domain.places import Place, body_place, parse_place
from premortem.domain.traffic import (
    Exchange,
    Field,
    Flow,
    Link,
    Numbers,
    Operation,
    OperationProfile,
    Profile,
    Recipe,
    RecipeStep,
    Request,
    Response,
    Tags,
    Timing,
)

JSON = (("content-type", "application/json"),)


def exchange(
    method: str,
    path: str,
    status: int,
    *,
    body: object = None,
    answer: object = None,
    role: str = "clerk",
    at: float = 0.0,
    query: tuple[tuple[str, str], ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    answer_headers: tuple[tuple[str, str], ...] = (),
) -> Exchange:
    raw = b"" if body is None else json.dumps(body).encode()
    return Exchange(
        request=Request(
            method=method,
            origin="http://prod",
            path=path,
            query=query,
            headers=(
                *(("authorization", "Bearer rdxabc"), ("host", "prod")),
                *(JSON if raw else ()),
                *headers,
            ),
            body=raw,
        ),
        response=Response(
            status=status,
            headers=(*JSON, *answer_headers),
            body=b"" if answer is None else json.dumps(answer).encode(),
        ),
        started_at=at,
        duration_ms=1.0,
        tags=Tags(role=role),
    )


def text_field(place: str, values: dict[str, int], **more: object) -> Field:
    seen = sum(values.values())
    return Field(
        place=parse_place(place),
        seen=seen,
        presence=more.pop("presence", 1.0),  # type: ignore[arg-type]
        types={"string": seen},
        values=tuple((json.dumps(v), n) for v, n in values.items()),
        distinct=len(values),
        length_min=min(map(len, values), default=0),
        length_max=max(map(len, values), default=0),
        **more,  # type: ignore[arg-type]
    )


def number_field(
    place: str, low: float, high: float, *, decimals: int = 0, **more: object
) -> Field:
    quantiles = tuple(low + (high - low) * i / 20 for i in range(21))
    return Field(
        place=parse_place(place),
        seen=100,
        presence=more.pop("presence", 1.0),  # type: ignore[arg-type]
        types={"number" if decimals else "integer": 100},
        numbers=Numbers(quantiles=quantiles, integral=not decimals, decimals=decimals),
        distinct=90,
        **more,  # type: ignore[arg-type]
    )


INVOICE_SCHEMA = {
    "type": "object",
    "properties": {
        "customer": {"type": "string", "minLength": 1, "maxLength": 20},
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 100000, "multipleOf": 0.01},
        "currency": {"enum": ["EUR", "USD", "GBP"]},
        "due": {"type": "string", "format": "date"},
        "note": {"anyOf": [{"type": "string", "maxLength": 200}, {"type": "null"}]},
        "lines": {
            "type": "array",
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
                    "quantity": {"$ref": "#/$defs/Quantity"},
                },
                "required": ["sku", "quantity"],
            },
        },
    },
    "required": ["customer", "amount"],
    "additionalProperties": False,
    "$defs": {"Quantity": {"type": "integer", "minimum": 1, "maximum": 99}},
}
PAYMENT_SCHEMA = {
    "type": "object",
    "properties": {
        "invoice": {"type": "string"},
        "amount": {"type": "number", "exclusiveMinimum": 0},
    },
    "required": ["amount", "invoice"],
}

INVOICE_FIELDS = (
    text_field("body:/customer", {"ann": 5, "bob": 3, "cy 9": 1}),
    number_field("body:/amount", 0, 500, decimals=2),
    text_field("body:/currency", {"EUR": 80, "USD": 20}, enumeration=True),
    text_field("body:/due", {"2024-02-03": 1, "2024-05-06": 1}, format="date", presence=0.7),
    text_field("body:/note", {"please pay soon": 1, "thank you very much": 1}, presence=0.2),
    Field(
        place=body_place("lines"),
        seen=50,
        presence=0.5,
        types={"array": 50},
        length_min=1,
        length_max=3,
    ),
    text_field("body:/lines/*/sku", {"ABC-0001": 1, "XYZ-0417": 1}),
    number_field("body:/lines/*/quantity", 1, 10),
)

MADE = {"customer": "ann", "amount": 10.5, "currency": "EUR"}


def recorded() -> dict[str, Exchange]:
    """The recorded visit: made, listed, read, paid; made twice refused; not signed in."""
    return {
        "make": exchange("POST", "/invoices", 201, body=MADE, answer={"id": "inv_71k2m9"}, at=1),
        "list": exchange(
            "GET", "/invoices", 200, query=(("limit", "10"),), answer=[{"id": "inv_71k2m9"}], at=2
        ),
        "read": exchange("GET", "/invoices/inv_71k2m9", 200, answer={"id": "inv_71k2m9"}, at=3),
        "pay": exchange(
            "POST",
            "/invoices/inv_71k2m9/payments",
            201,
            body={"amount": 10.5, "invoice": "inv_71k2m9"},
            answer={"id": 7, "invoice_id": "inv_71k2m9"},
            at=4,
        ),
        "again": exchange("POST", "/invoices", 409, body=MADE, answer={"error": "twice"}, at=5),
        "stranger": exchange("GET", "/invoices", 401, role="unknown", at=6),
        "lost": exchange("GET", "/invoices", 200, role="unknown", at=7),
    }


def steps(*ids: str) -> tuple[RecipeStep, ...]:
    return tuple(RecipeStep(exchange_id=i, operation_id="", role="clerk") for i in ids)


def operations() -> tuple[OperationProfile, ...]:
    make = Operation(method="POST", template="/invoices")
    listing = Operation(method="GET", template="/invoices")
    read = Operation(method="GET", template="/invoices/{invoice_id}")
    pay = Operation(method="POST", template="/invoices/{invoice_id}/payments")
    cancel = Operation(method="POST", template="/invoices/{invoice_id}/cancel")
    health = Operation(method="GET", template="/health")
    clerk = {"clerk": {"201": 40, "200": 9}, "guest": {"403": 4}}
    return (
        OperationProfile(
            operation=make,
            count=100,
            in_spec=True,
            declared=(201, 409, 422, 401),
            media_types={"application/json": 100},
            fields=INVOICE_FIELDS,
            request_schema=json.dumps(INVOICE_SCHEMA),
            request_source="spec",
            secured=True,
            roles=clerk,
            recipes=(
                Recipe(operation_id=make.id, status=201, steps=steps("make")),
                Recipe(operation_id=make.id, status=409, steps=steps("make", "again")),
            ),
            exemplars=("make", "again"),
        ),
        OperationProfile(
            operation=listing,
            count=40,
            in_spec=True,
            fields=(number_field("query:limit", 1, 50, presence=0.5),),
            parameter_schemas={"query:limit": '{"type":"integer","minimum":1,"maximum":100}'},
            secured=True,
            roles=clerk,
            recipes=(Recipe(operation_id=listing.id, status=200, steps=steps("list")),),
            exemplars=("list", "lost", "stranger"),
        ),
        OperationProfile(
            operation=read,
            count=30,
            in_spec=True,
            secured=True,
            roles=clerk,
            fields=(text_field("path:invoice_id", {"inv_71k2m9": 1}),),
            recipes=(Recipe(operation_id=read.id, status=200, steps=steps("make", "read")),),
            exemplars=("read",),
        ),
        OperationProfile(
            operation=pay,
            count=20,
            in_spec=True,
            secured=True,
            roles=clerk,
            media_types={"application/json": 20},
            fields=(
                text_field("path:invoice_id", {"inv_71k2m9": 1}),
                number_field("body:/amount", 1, 300, decimals=2),
                text_field("body:/invoice", {"inv_71k2m9": 1}),
            ),
            request_schema=json.dumps(PAYMENT_SCHEMA),
            request_source="spec",
            recipes=(Recipe(operation_id=pay.id, status=201, steps=steps("make", "pay")),),
            exemplars=("pay",),
        ),
        OperationProfile(operation=cancel, count=0, in_spec=True, declared=(200,), secured=True),
        OperationProfile(operation=health, count=0, in_spec=True, declared=(200,)),
    )


def profile(**changes: object) -> Profile:
    made, read = "POST /invoices", "GET /invoices/{invoice_id}"
    pay = "POST /invoices/{invoice_id}/payments"
    body_id, path_id = body_place("id"), Place(part="path", name="invoice_id")
    links = tuple(
        Link(
            producer=made,
            select=body_id,
            consumer=consumer,
            place=place,
            support=20,
            confidence=1.0,
        )
        for consumer, place in ((read, path_id), (pay, path_id), (pay, body_place("invoice")))
    )
    values: dict[str, object] = {
        "version": "0123456789ab",
        "created_at": 0.0,
        "exchanges": 7,
        "sessions": 1,
        "origins": ("http://prod",),
        "operations": operations(),
        "links": links,
        "flows": (Flow(exchange_ids=tuple(recorded()), started_at=1.0),),
        "timing": Timing(first_at=1.0, last_at=7.0, rate_per_second=1.0, hours=(0,) * 24),
    }
    return Profile(**{**values, **changes})  # type: ignore[arg-type]
