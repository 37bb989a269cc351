"""What the books keep. Records change in place, under the book's lock; callers see snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ledger import schema
from ledger.editions import Edition
from ledger.fields import Currency, InvoiceStatus, Method, RequestStatus, Screening, TaxPercent
from ledger.money import included_tax, to_amount
from ledger.roles import MASKED_FOR, Role

MASK = "***"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who does something, and in which edition."""

    user: str
    role: Role
    edition: Edition


@dataclass(kw_only=True, slots=True)
class Customer:
    """Someone to write invoices to."""

    id: str
    number: int
    name: str
    email: str
    iban: str | None
    created_at: datetime
    blocked: bool = False
    version: int = 1

    def shown(self, role: Role, *, clear: bool = False) -> schema.Customer:
        """As `role` may see it; all of it if `clear`."""
        masked = role in MASKED_FOR and not clear
        return schema.Customer(
            id=self.id,
            name=self.name,
            email=MASK if masked else self.email,
            iban=MASK if masked and self.iban else self.iban,
            blocked=self.blocked,
            version=self.version,
            created_at=self.created_at,
        )


@dataclass(kw_only=True, slots=True)
class Invoice:
    """An invoice with its payments and credit notes; amounts in cents."""

    id: str
    number: int
    customer: str
    customer_id: str | None
    cents: int
    currency: Currency
    due_date: str
    description: str | None
    tax_percent: TaxPercent
    created_at: datetime
    status: InvoiceStatus = InvoiceStatus.DRAFT
    locked: bool = False
    late_fee_cents: int = 0
    credited_cents: int = 0
    paid_cents: int = 0
    version: int = 1
    payments: list[Payment] = field(default_factory=list)
    credit_notes: list[CreditNote] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        """Whether it belongs in sums: neither a draft nor cancelled."""
        return self.status in (InvoiceStatus.APPROVED, InvoiceStatus.PAID)

    @property
    def tax_cents(self) -> int:
        """The tax that the amount includes."""
        return included_tax(self.cents, self.tax_percent)

    @property
    def open_cents(self) -> int:
        """What is still to pay."""
        return self.cents + self.late_fee_cents - self.credited_cents - self.paid_cents

    def shown(self) -> schema.Invoice:
        """As it stands."""
        return schema.Invoice(
            id=self.id,
            customer=self.customer,
            customer_id=self.customer_id,
            amount=to_amount(self.cents),
            currency=self.currency,
            tax_percent=self.tax_percent,
            net=to_amount(self.cents - self.tax_cents),
            tax=to_amount(self.tax_cents),
            due_date=self.due_date,
            description=self.description,
            status=self.status,
            locked=self.locked,
            late_fee=to_amount(self.late_fee_cents),
            credited=to_amount(self.credited_cents),
            paid=to_amount(self.paid_cents),
            version=self.version,
            created_at=self.created_at,
        )

    def line(self) -> schema.StatementLine:
        """As it stands on a statement."""
        return schema.StatementLine(
            invoice_id=self.id,
            customer_id=self.customer_id,
            status=self.status,
            due_date=self.due_date,
            amount=to_amount(self.cents),
            paid=to_amount(self.paid_cents),
        )


@dataclass(kw_only=True, slots=True)
class CreditNote:
    """What was taken off an invoice."""

    id: str
    invoice: Invoice
    cents: int
    reason: str
    created_at: datetime

    @property
    def tax_cents(self) -> int:
        """The tax that it takes off."""
        return included_tax(self.cents, self.invoice.tax_percent)

    def shown(self) -> schema.CreditNote:
        """As it stands."""
        return schema.CreditNote(
            id=self.id,
            invoice_id=self.invoice.id,
            amount=to_amount(self.cents),
            tax=to_amount(self.tax_cents),
            reason=self.reason,
            created_at=self.created_at,
        )


@dataclass(kw_only=True, slots=True)
class Payment:
    """A payment with its refunds and the requests for some."""

    id: str
    invoice: Invoice
    cents: int
    method: Method
    created_at: datetime
    refunded_cents: int = 0
    screening: Screening = Screening.UNCHECKED
    refunds: list[Refund] = field(default_factory=list)
    requests: list[RefundRequest] = field(default_factory=list)

    @property
    def left_cents(self) -> int:
        """What may still be refunded."""
        return self.cents - self.refunded_cents

    def shown(self) -> schema.Payment:
        """As it stands."""
        return schema.Payment(
            id=self.id,
            invoice_id=self.invoice.id,
            amount=to_amount(self.cents),
            method=self.method,
            refunded=to_amount(self.refunded_cents),
            screening=self.screening,
            created_at=self.created_at,
        )


@dataclass(kw_only=True, slots=True)
class Refund:
    """Money that went back."""

    id: str
    payment: Payment
    cents: int
    reason: str
    request_id: str | None
    created_at: datetime

    @property
    def tax_cents(self) -> int:
        """The tax that went back with it."""
        return included_tax(self.cents, self.payment.invoice.tax_percent)

    def shown(self) -> schema.Refund:
        """As it stands."""
        return schema.Refund(
            id=self.id,
            payment_id=self.payment.id,
            amount=to_amount(self.cents),
            reason=self.reason,
            request_id=self.request_id,
            created_at=self.created_at,
        )


@dataclass(kw_only=True, slots=True)
class RefundRequest:
    """A refund that someone asks for and someone else decides on."""

    id: str
    number: int
    payment: Payment
    cents: int
    reason: str
    requested_by: str
    created_at: datetime
    status: RequestStatus = RequestStatus.REQUESTED
    decided_by: str | None = None
    denial: str | None = None
    refund_id: str | None = None

    def shown(self) -> schema.RefundRequest:
        """As it stands."""
        return schema.RefundRequest(
            id=self.id,
            payment_id=self.payment.id,
            amount=to_amount(self.cents),
            reason=self.reason,
            status=self.status,
            requested_by=self.requested_by,
            decided_by=self.decided_by,
            denial=self.denial,
            refund_id=self.refund_id,
            created_at=self.created_at,
        )
