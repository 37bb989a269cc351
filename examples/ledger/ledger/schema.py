"""What goes over the wire: requests are strict, answers are complete."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, StrictBool, model_validator

from ledger.editions import Edition
from ledger.errors import Code
from ledger.fields import (
    Action,
    Amount,
    Count,
    Currency,
    CustomerName,
    Day,
    Description,
    Email,
    Iban,
    Id,
    InvoiceStatus,
    Method,
    NewAmount,
    Reason,
    RequestStatus,
    Screening,
    SignedAmount,
    TaxPercent,
    TimeZone,
    Version,
    Wire,
)
from ledger.roles import Role


class Error(Wire):
    """Why a request was refused."""

    error: Code
    message: str


class Health(Wire):
    """Whether the service answers."""

    status: Literal["ok"]


class Credentials(Wire):
    """A name and a password."""

    # Extra fields reach the handler, which refuses them: there the defects have their say.
    model_config = ConfigDict(
        extra="allow", frozen=True, json_schema_extra={"additionalProperties": False}
    )

    username: Annotated[str, Field(min_length=1, max_length=50, examples=["cashier"])]
    password: Annotated[str, Field(min_length=1, max_length=200, examples=["cashier-secret"])]


class Session(Wire):
    """A bearer token and whose rights it carries; the session is ended by its id."""

    token: str
    role: Role
    session_id: Id


class NewCustomer(Wire):
    """Someone to write invoices to."""

    name: Annotated[CustomerName, Field(examples=["Łódź Logistics"])]
    email: Annotated[Email, Field(examples=["office@lodz.example"])]
    iban: Annotated[Iban | None, Field(examples=["DE02120300000000202051"])] = None


class CustomerChange(Wire):
    """What shall change; fields left out stay, a null iban is removed."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    # The factories only mark "left out": the document shows no default, and null is refused.
    name: CustomerName = Field(default_factory=str)
    email: Email = Field(default_factory=str)
    iban: Iban | None = None
    blocked: StrictBool = Field(default_factory=bool)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self


class Customer(Wire):
    """A customer. E-mail and account number are `***` for those who need not know them."""

    id: Id
    name: CustomerName
    email: str
    iban: str | None
    blocked: bool
    version: Version
    created_at: AwareDatetime


class CustomerPage(Wire):
    """Some customers, in the order of writing; null is no next page."""

    items: list[Customer]
    next_cursor: str | None


class StatementLine(Wire):
    """One invoice on a statement."""

    invoice_id: Id
    customer_id: Id | None
    status: InvoiceStatus
    due_date: Day
    amount: Amount
    paid: Amount


class Statement(Wire):
    """A customer's account in one currency: `balance` is what is still to come in.

    `balance` = `invoiced` + `late_fees` - `credited` - `paid`. Sums are over approved and paid
    invoices; the lines are the latest hundred.
    """

    customer_id: Id
    currency: Currency
    invoices: Count
    invoiced: Amount
    late_fees: Amount
    credited: Amount
    paid: Amount
    refunded: Amount
    balance: SignedAmount
    average_invoice: Amount
    lines: list[StatementLine]


class NewInvoice(Wire):
    """An invoice to write; it starts as a draft. `amount` includes the tax."""

    customer: Annotated[CustomerName, Field(examples=["Łódź Logistics"])]
    amount: Annotated[NewAmount, Field(examples=[119])]
    currency: Currency
    due_date: Annotated[Day, Field(examples=["2026-07-01"])]
    description: Annotated[Description | None, Field(examples=["Hosting #12"])] = None
    customer_id: Id | None = None
    tax_percent: TaxPercent = 0


class InvoiceChange(Wire):
    """What shall change in a draft; fields left out stay, a null description is removed."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    description: Description | None = None
    due_date: Day = Field(default_factory=str)
    amount: NewAmount = Field(default_factory=float)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self


class Invoice(Wire):
    """An invoice: `amount` = `net` + `tax`; `paid` is the sum of its payments.

    What is still to pay is `amount` + `late_fee` - `credited` - `paid`.
    """

    id: Id
    customer: CustomerName
    customer_id: Id | None
    amount: Amount
    currency: Currency
    tax_percent: TaxPercent
    net: Amount
    tax: Amount
    due_date: Day
    description: Description | None
    status: InvoiceStatus
    locked: bool
    late_fee: Amount
    credited: Amount
    paid: Amount
    version: Version
    created_at: AwareDatetime


class InvoicePage(Wire):
    """One page; `count` is how many invoices match on all pages."""

    items: list[Invoice]
    count: Count


class NewCreditNote(Wire):
    """What is taken off an approved invoice."""

    amount: Annotated[NewAmount, Field(examples=[19.5])]
    reason: Annotated[Reason, Field(examples=["price agreed by phone"])]


class CreditNote(Wire):
    """What was taken off an invoice."""

    id: Id
    invoice_id: Id
    amount: Amount
    tax: Amount
    reason: Reason
    created_at: AwareDatetime


class CreditNoteList(Wire):
    """All credit notes of an invoice."""

    items: list[CreditNote]
    count: Count


class NewPayment(Wire):
    """Money that came in for an invoice."""

    amount: Annotated[NewAmount, Field(examples=[119])]
    method: Method


class Payment(Wire):
    """A payment; `refunded` is the sum of its refunds."""

    id: Id
    invoice_id: Id
    amount: Amount
    method: Method
    refunded: Amount
    screening: Screening
    created_at: AwareDatetime


class PaymentList(Wire):
    """All payments of an invoice."""

    items: list[Payment]
    count: Count


class FraudCheck(Wire):
    """What the fraud check says: from a score of 60 on a payment is held."""

    payment_id: Id
    score: Annotated[int, Field(ge=0, le=100)]
    screening: Screening


class NewRefund(Wire):
    """Money to give back of a payment, or a request to do so."""

    amount: Annotated[NewAmount, Field(examples=[19.5])]
    reason: Annotated[Reason, Field(examples=["damaged goods"])]


class Refund(Wire):
    """A refund of one payment; `request_id` names the request that it was issued for."""

    id: Id
    payment_id: Id
    amount: Amount
    reason: Reason
    request_id: Id | None
    created_at: AwareDatetime


class RefundList(Wire):
    """All refunds of a payment."""

    items: list[Refund]
    count: Count


class Denial(Wire):
    """Why a request is denied."""

    reason: Annotated[Reason, Field(examples=["outside of the return period"])]


class RefundRequest(Wire):
    """A refund that someone asks for and someone else decides on; `denial` says why not."""

    id: Id
    payment_id: Id
    amount: Amount
    reason: Reason
    status: RequestStatus
    requested_by: str
    decided_by: str | None
    denial: Reason | None
    refund_id: Id | None
    created_at: AwareDatetime


class RefundRequestPage(Wire):
    """Some requests, in the order of asking; null is no next page."""

    items: list[RefundRequest]
    next_cursor: str | None


class Summary(Wire):
    """The books at a glance; `invoiced` counts approved and paid invoices."""

    invoices: Count
    invoiced: Amount
    paid: Amount
    refunded: Amount


class TaxReport(Wire):
    """The tax of approved and paid invoices: `due` = `tax` - `tax_refunded` - `tax_credited`."""

    currency: Currency
    gross: Amount
    tax: Amount
    tax_refunded: Amount
    tax_credited: Amount
    due: SignedAmount


class DailyReport(Wire):
    """What came in and went back from midnight to midnight of a time zone."""

    day: Day
    time_zone: TimeZone
    payments: Count
    paid: Amount
    refunds: Count
    refunded: Amount


class AuditEntry(Wire):
    """One change: when, who, what, of which thing."""

    id: Id
    at: AwareDatetime
    user: str
    role: Role
    edition: Edition
    action: Action
    subject: Id


class AuditPage(Wire):
    """Some entries, in the order of happening; null is no next page."""

    items: list[AuditEntry]
    next_cursor: str | None
