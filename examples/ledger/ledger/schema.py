"""What goes over the wire: requests are strict, answers are complete."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)

from ledger.errors import Code
from ledger.money import AMOUNT_MAX
from ledger.roles import Role

OFFSET_MAX = 1_000_000
LIMIT_MAX = 100


class Currency(StrEnum):
    """What an invoice is in."""

    EUR = "EUR"
    USD = "USD"
    GBP = "GBP"


class InvoiceStatus(StrEnum):
    """Where an invoice stands; README.md draws the transitions."""

    DRAFT = "draft"
    APPROVED = "approved"
    PAID = "paid"
    CANCELLED = "cancelled"


class Method(StrEnum):
    """How a payment came in."""

    CARD = "card"
    TRANSFER = "transfer"
    CASH = "cash"


def _calendar_day(text: str) -> str:
    # fromisoformat alone takes week dates and compact forms, which `format: date` is not.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a date is written YYYY-MM-DD")
    date.fromisoformat(text)
    return text


def _whole_number(value: object) -> object:
    # Pydantic would read "1_0" and " 1 " in a query as integers.
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise ValueError("a whole number is written with digits only")
    return value


Day = Annotated[
    str, AfterValidator(_calendar_day), WithJsonSchema({"type": "string", "format": "date"})
]

# Lower bounds of limit and amount are checked in the handlers, where the defects have their say;
# the document declares them all the same.
Limit = Annotated[
    int, Field(le=LIMIT_MAX, json_schema_extra={"minimum": 1}), BeforeValidator(_whole_number)
]
Offset = Annotated[int, Field(ge=0, le=OFFSET_MAX), BeforeValidator(_whole_number)]
NewAmount = Annotated[
    float,
    Strict(),
    Field(le=AMOUNT_MAX, allow_inf_nan=False),
    WithJsonSchema(
        {"type": "number", "exclusiveMinimum": 0, "maximum": AMOUNT_MAX, "multipleOf": 0.01}
    ),
]
Amount = Annotated[float, Field(ge=0)]
Id = Annotated[str, Field(min_length=1, max_length=64)]
Customer = Annotated[str, Field(min_length=1, max_length=80)]
Description = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]


class Wire(BaseModel):
    """A frozen value that knows all its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Credentials(Wire):
    """A name and a password."""

    username: Annotated[str, Field(min_length=1, max_length=50)]
    password: Annotated[str, Field(min_length=1, max_length=200)]


class Session(Wire):
    """A bearer token and whose rights it carries."""

    token: str
    role: Role


class Health(Wire):
    """Whether the service answers."""

    status: Literal["ok"]


class NewInvoice(Wire):
    """An invoice to write; it starts as a draft."""

    customer: Customer
    amount: NewAmount
    currency: Currency
    due_date: Day
    description: Description | None = None


class InvoiceChange(Wire):
    """What shall change in a draft; fields left out stay, a null description is removed."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    # The factories only mark "left out": the document shows no default, and null is refused.
    description: Description | None = None
    due_date: Day = Field(default_factory=str)
    amount: NewAmount = Field(default_factory=float)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self


class NewPayment(Wire):
    """Money that came in for an invoice."""

    amount: NewAmount
    method: Method


class NewRefund(Wire):
    """Money to give back of a payment."""

    amount: NewAmount
    reason: Reason


class Invoice(Wire):
    """An invoice; `paid` is the sum of its payments."""

    id: Id
    customer: Customer
    amount: Amount
    currency: Currency
    due_date: Day
    description: Description | None
    status: InvoiceStatus
    paid: Amount
    created_at: AwareDatetime


class Payment(Wire):
    """A payment; `refunded` is the sum of its refunds."""

    id: Id
    invoice_id: Id
    amount: Amount
    method: Method
    refunded: Amount
    created_at: AwareDatetime


class Refund(Wire):
    """A refund of one payment."""

    id: Id
    payment_id: Id
    amount: Amount
    reason: Reason
    created_at: AwareDatetime


Count = Annotated[int, Field(ge=0)]


class InvoicePage(Wire):
    """One page; `count` is how many invoices match on all pages."""

    items: list[Invoice]
    count: Count


class PaymentList(Wire):
    """All payments of an invoice."""

    items: list[Payment]
    count: Count


class RefundList(Wire):
    """All refunds of a payment."""

    items: list[Refund]
    count: Count


class Summary(Wire):
    """The books at a glance; `invoiced` counts approved and paid invoices."""

    invoices: Count
    invoiced: Amount
    paid: Amount
    refunded: Amount


class Error(Wire):
    """Why a request was refused."""

    error: Code
    message: str
