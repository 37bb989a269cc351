"""A shop's profile made by hand, with the recording it was learned from: no ledger in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from premortem.domain.places import Place, body_place
from premortem.domain.run import Case, Fault, Sent
from premortem.domain.traffic import (
    Answer,
    Exchange,
    Field,
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

ORDER = Operation(method="POST", template="/orders")
READ = Operation(method="GET", template="/orders/{order_id}")
SHIP = Operation(method="POST", template="/orders/{order_id}/ship")
LIST = Operation(method="GET", template="/orders/{order_id}/parcels")
PARCEL = Operation(method="POST", template="/orders/{order_id}/parcels")

JSON = (("content-type", "application/json"),)


def exchange(
    method: str, path: str, body: Any, status: int, answer: Any, *, role: str, at: float
) -> Exchange:
    data = b"" if body is None else json.dumps(body).encode()
    return Exchange(
        request=Request(
            method=method,
            origin="http://shop",
            path=path,
            headers=JSON if data else (),
            body=data,
        ),
        response=Response(status=status, headers=JSON, body=json.dumps(answer).encode()),
        started_at=at,
        duration_ms=1.0,
        tags=Tags(role=role),
    )


ORDERED = exchange(
    "POST", "/orders", {"item": "tea", "pieces": 4}, 201,
    {"id": "ord-77a1b2", "state": "open"}, role="Buyer", at=1,
)  # fmt: skip
PARCELLED = exchange(
    "POST", "/orders/ord-77a1b2/parcels", {"weight": 2.5}, 201,
    {"id": "par-1"}, role="Packer", at=2,
)  # fmt: skip
AGAIN = exchange(
    "POST", "/orders/ord-77a1b2/parcels", {"weight": 2.5}, 409,
    {"code": "AlreadyPacked", "message": "parcel 1 is there"}, role="Packer", at=3,
)  # fmt: skip
SHIPPED = exchange(
    "POST", "/orders/ord-77a1b2/ship", None, 200,
    {"id": "ord-77a1b2", "state": "shipped"}, role="Packer", at=4,
)  # fmt: skip
FORBIDDEN = exchange(
    "POST", "/orders/ord-77a1b2/ship", None, 403,
    {"code": "NotYours", "message": "not yours, sorry"}, role="Buyer", at=5,
)  # fmt: skip
EXCHANGES = {e.id: e for e in (ORDERED, PARCELLED, AGAIN, SHIPPED, FORBIDDEN)}


def field(pointer: str, kind: str, *values: Any, enumeration: bool = False) -> Field:
    numbers = [v for v in values if isinstance(v, int | float)]
    return Field(
        place=body_place(*pointer.strip("/").split("/")),
        seen=10,
        presence=1.0,
        types={kind: 10},
        values=tuple((json.dumps(v), 1) for v in values),
        enumeration=enumeration,
        numbers=Numbers(
            quantiles=tuple(sorted(numbers * 21)[:21]), integral=kind == "integer", decimals=0
        )
        if numbers
        else None,
    )


def recipe(operation: Operation, status: int, *steps: Exchange) -> Recipe:
    return Recipe(
        operation_id=operation.id,
        status=status,
        steps=tuple(RecipeStep(exchange_id=e.id, operation_id="", role=e.tags.role) for e in steps),
    )


def operations() -> tuple[OperationProfile, ...]:
    schema = {
        "type": "object",
        "required": ["item", "pieces"],
        "properties": {
            "item": {"type": "string", "minLength": 1, "maxLength": 40},
            "pieces": {"type": "integer", "minimum": 1, "maximum": 99},
        },
    }
    return (
        OperationProfile(
            operation=ORDER,
            count=10,
            summary="Place an order",
            declared=(201, 403, 422),
            in_spec=True,
            fields=(field("/item", "string", "tea"), field("/pieces", "integer", 4)),
            request_schema=json.dumps(schema),
            request_source="spec",
            roles={"Buyer": {"201": 9}},
            answers=(Answer(status=201, count=9),),
            recipes=(recipe(ORDER, 201, ORDERED),),
        ),
        OperationProfile(
            operation=PARCEL,
            count=5,
            fields=(field("/weight", "number", 0.5, 2.5),),
            roles={"Packer": {"201": 4, "409": 1}},
            answers=(Answer(status=201, count=4), Answer(status=409, count=1)),
            recipes=(recipe(PARCEL, 201, ORDERED, PARCELLED),),
        ),
        OperationProfile(
            operation=SHIP,
            count=5,
            roles={"Packer": {"200": 3}, "Buyer": {"403": 2}},
            answers=(Answer(status=200, count=3), Answer(status=403, count=2)),
            recipes=(recipe(SHIP, 200, ORDERED, SHIPPED),),
        ),
        OperationProfile(
            operation=READ,
            count=5,
            roles={"Buyer": {"200": 5}},
            answers=(
                Answer(
                    status=200,
                    count=5,
                    fields=(
                        field("/id", "string", "ord-77a1b2"),
                        field("/state", "string", "open", "shipped", enumeration=True),
                        field("/checked_at", "integer", 1, 2),
                    ),
                ),
            ),
        ),
        OperationProfile(
            operation=LIST,
            count=5,
            roles={"Packer": {"200": 5}},
            answers=(Answer(status=200, count=5, fields=(field("/parcels", "array"),)),),
        ),
    )


def link(consumer: Operation) -> Link:
    return Link(
        producer=ORDER.id,
        select=body_place("id"),
        consumer=consumer.id,
        place=Place(part="path", name="order_id"),
        support=5,
        confidence=1.0,
    )


def shop(*replaced: OperationProfile) -> Profile:
    """The shop; REPLACED operations stand for those of the same id."""
    instead = {operation.id: operation for operation in replaced}
    kept = tuple(instead.get(operation.id, operation) for operation in operations())
    return Profile(
        version="abcdef012345",
        created_at=0.0,
        exchanges=len(EXCHANGES),
        sessions=1,
        origins=("http://shop",),
        operations=kept,
        links=tuple(link(consumer) for consumer in (PARCEL, SHIP, READ, LIST)),
        timing=Timing(first_at=1, last_at=5, rate_per_second=1, hours=(0,) * 24),
    )


class ScriptedClient:
    """Answers from a list, whatever is asked; keeps what was sent."""

    def __init__(self, *answers: Response | Fault) -> None:
        self.answers = list(answers)
        self.cases: list[Case] = []

    async def __aenter__(self) -> ScriptedClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def send_case(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        self.cases.append(case)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Fault):
            return Sent(request=case.request, fault=answer, intended_at=intended_at)
        return Sent(request=case.request, response=answer, duration_ms=12.0)


def answer(status: int, value: Any = None) -> Response:
    body = b"" if value is None else json.dumps(value).encode()
    return Response(status=status, headers=JSON, body=body)
