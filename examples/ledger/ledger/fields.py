"""What a field of a request or an answer may hold."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
)

from ledger.money import AMOUNT_MAX

OFFSET_MAX = 1_000_000
LIMIT_MAX = 100


class Wire(BaseModel):
    """A frozen value that knows all its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class Screening(StrEnum):
    """What the fraud check said of a payment; a held one may be released."""

    UNCHECKED = "unchecked"
    CLEAR = "clear"
    HELD = "held"
    RELEASED = "released"


class RequestStatus(StrEnum):
    """Where the request for a refund stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"
    ISSUED = "issued"


class Action(StrEnum):
    """What the audit log tells of."""

    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_CHANGED = "customer.changed"
    INVOICE_CREATED = "invoice.created"
    INVOICE_CHANGED = "invoice.changed"
    INVOICE_APPROVED = "invoice.approved"
    INVOICE_CANCELLED = "invoice.cancelled"
    INVOICE_LOCKED = "invoice.locked"
    INVOICE_UNLOCKED = "invoice.unlocked"
    LATE_FEE_CHARGED = "invoice.late_fee_charged"
    CREDIT_NOTE_CREATED = "credit_note.created"
    PAYMENT_CREATED = "payment.created"
    PAYMENT_CHECKED = "payment.checked"
    PAYMENT_RELEASED = "payment.released"
    REFUND_CREATED = "refund.created"
    REFUND_REQUESTED = "refund_request.created"
    REFUND_REQUEST_APPROVED = "refund_request.approved"
    REFUND_REQUEST_DENIED = "refund_request.denied"
    REFUND_REQUEST_CANCELLED = "refund_request.cancelled"
    REFUND_REQUEST_ISSUED = "refund_request.issued"


class TimeZone(StrEnum):
    """Where a day may be cut."""

    UTC = "UTC"
    BERLIN = "Europe/Berlin"
    LONDON = "Europe/London"
    NEW_YORK = "America/New_York"
    TOKYO = "Asia/Tokyo"


def _calendar_day(text: str) -> str:
    # fromisoformat alone takes week dates and compact forms, which `format: date` is not.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a date is written YYYY-MM-DD")
    date.fromisoformat(text)
    return text


RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def moment_of(text: str) -> datetime:
    """A time as RFC 3339 writes it, in UTC. Raises ValueError for anything else."""
    if not RFC_3339.fullmatch(text):
        raise ValueError("a time is written 2026-01-31T12:00:00+01:00")
    # A leap second is a time, too; datetime knows none, and a filter does not need it.
    moment = datetime.fromisoformat(re.sub(r":60(?=[.Zz+-])", ":59", text.upper()))
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # its offset leads out of the years that datetime knows
        return EARLIEST if moment.year == 1 else LATEST


def _time(text: str) -> str:
    moment_of(text)
    return text


def _whole_number(value: object) -> object:
    # Pydantic would read "1_0" and " 1 " in a query as integers.
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise ValueError("a whole number is written with digits only")
    return value


def _whole(value: object) -> object:
    # 7.0 is an integer to JSON Schema.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def described(example: object) -> Any:
    """A field's extra with one example, for the document."""
    return Field(examples=[example])


Day = Annotated[
    str, AfterValidator(_calendar_day), WithJsonSchema({"type": "string", "format": "date"})
]
Time = Annotated[
    str, AfterValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})
]
# Lower bounds of limit and amount, and the audit log's upper one, are checked in the handlers,
# where the defects have their say; the document declares them all the same.
Limit = Annotated[
    int, Field(le=LIMIT_MAX, json_schema_extra={"minimum": 1}), BeforeValidator(_whole_number)
]
PageLimit = Annotated[int, Field(ge=1, le=LIMIT_MAX), BeforeValidator(_whole_number)]
AuditLimit = Annotated[
    int, Field(ge=1, json_schema_extra={"maximum": LIMIT_MAX}), BeforeValidator(_whole_number)
]
Offset = Annotated[int, Field(ge=0, le=OFFSET_MAX), BeforeValidator(_whole_number)]
Cursor = Annotated[str, Field(pattern=r"^c[0-9]{1,15}$", examples=["c20"])]
NewAmount = Annotated[
    float,
    Strict(),
    Field(le=AMOUNT_MAX, allow_inf_nan=False),
    WithJsonSchema(
        {"type": "number", "exclusiveMinimum": 0, "maximum": AMOUNT_MAX, "multipleOf": 0.01}
    ),
]
Amount = Annotated[float, Field(ge=0)]
SignedAmount = Annotated[float, Field()]
Count = Annotated[int, Field(ge=0)]
Version = Annotated[int, Field(ge=1)]
TaxPercent = Annotated[Literal[0, 7, 19], BeforeValidator(_whole)]
Id = Annotated[str, Field(min_length=1, max_length=64)]
CustomerName = Annotated[str, Field(min_length=1, max_length=80)]
Description = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
Email = Annotated[
    str,
    Field(
        max_length=150,
        pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,40}(\.[A-Za-z0-9-]{1,20}){1,2}$",
    ),
]
Iban = Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$")]
IdempotencyKey = Annotated[str, Field(min_length=1, max_length=64)]
