"""The rules of invoices: drafts, approval, cancelling, locks, late fees, credit notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ledger import clock, schema
from ledger.books.book import Book
from ledger.books.customers import require_version
from ledger.books.records import Actor, CreditNote, Invoice
from ledger.errors import Code, Refused
from ledger.fields import Action, Currency, InvoiceStatus
from ledger.money import percent_of, to_amount
from ledger.roles import APPROVAL_LIMIT_CENTS, Role

LATE_FEE_PERCENT = 1
LATE_FEE_CENTS_MIN = 5_00


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which invoices to list; None takes all."""

    status: InvoiceStatus | None = None
    customer_id: str | None = None
    currency: Currency | None = None
    due_from: str | None = None
    due_to: str | None = None

    @property
    def by_status_only(self) -> bool:
        """Whether nothing but the status matters."""
        return self.customer_id is self.currency is self.due_from is self.due_to is None

    def takes(self, invoice: Invoice) -> bool:
        """Whether it is to be listed. Dates compare as text: YYYY-MM-DD sorts like its days."""
        return (
            self.status in (None, invoice.status)
            and self.customer_id in (None, invoice.customer_id)
            and self.currency in (None, invoice.currency)
            and (self.due_from is None or self.due_from <= invoice.due_date)
            and (self.due_to is None or invoice.due_date <= self.due_to)
        )


class Invoices:
    """What may happen to an invoice."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def add(self, actor: Actor, new: schema.NewInvoice, *, cents: int) -> schema.Invoice:
        """Write a draft. Raises Refused: 404 for an unknown customer, 409 for a blocked one."""
        book = self._book
        with book.lock:
            if new.customer_id is not None and book.customer(new.customer_id).blocked:
                raise Refused(Code.CUSTOMER_BLOCKED, "the customer is blocked")
            invoice = Invoice(
                id=f"inv_{book.digits()}",
                number=len(book.invoices_in_order) + 1,
                customer=new.customer,
                customer_id=new.customer_id,
                cents=cents,
                currency=new.currency,
                due_date=new.due_date,
                description=new.description,
                tax_percent=new.tax_percent,
                created_at=clock.now(),
            )
            book.invoices[invoice.id] = invoice
            book.invoices_in_order.append(invoice)
            book.move(invoice, InvoiceStatus.DRAFT)
            book.note(actor, Action.INVOICE_CREATED, invoice.id)
            return invoice.shown()

    def get(self, invoice_id: str) -> schema.Invoice:
        """The invoice. Raises Refused (404)."""
        with self._book.lock:
            return self._book.invoice(invoice_id).shown()

    def page_of(
        self, wanted: Filter, *, limit: int, offset: int
    ) -> tuple[list[schema.Invoice], int]:
        """One page in the order of writing, and how many match on all pages."""
        book = self._book
        with book.lock:
            found = book.invoices_in_order
            if not wanted.by_status_only:
                found = [invoice for invoice in found if wanted.takes(invoice)]
            elif wanted.status is not None:
                numbers = book.numbers_in.get(wanted.status, [])
                shown = [found[number - 1].shown() for number in numbers[offset : offset + limit]]
                return shown, len(numbers)
            return [invoice.shown() for invoice in found[offset : offset + limit]], len(found)

    def change(
        self, actor: Actor, invoice_id: str, changes: Mapping[str, Any], *, if_match: str | None
    ) -> schema.Invoice:
        """Set fields of a draft. Raises Refused: 404, 412 for another version, 409 if no draft."""

        def act(invoice: Invoice) -> None:
            require_version(invoice.version, if_match)
            self._book.unlocked(invoice)
            if invoice.status != InvoiceStatus.DRAFT:
                raise Refused(Code.INVOICE_NOT_EDITABLE, f"the invoice is {invoice.status}")
            for name, value in changes.items():
                setattr(invoice, name, value)

        return self._step(actor, invoice_id, Action.INVOICE_CHANGED, act)

    def approve(self, actor: Actor, invoice_id: str) -> schema.Invoice:
        """Draft becomes approved. Raises Refused: 404, 409, or 403 beyond the actor's limit."""

        def act(invoice: Invoice) -> None:
            self._book.unlocked(invoice)
            if invoice.status != InvoiceStatus.DRAFT:
                raise Refused(Code.INVOICE_NOT_DRAFT, f"the invoice is {invoice.status}")
            if not self._book.defects.on("L15"):
                require_limit(actor, invoice.cents)
            self._book.move(invoice, InvoiceStatus.APPROVED)

        return self._step(actor, invoice_id, Action.INVOICE_APPROVED, act)

    def cancel(self, actor: Actor, invoice_id: str) -> schema.Invoice:
        """Draft or approved becomes cancelled. Raises Refused (409) once something was paid."""

        def act(invoice: Invoice) -> None:
            self._book.unlocked(invoice)
            if invoice.status not in (InvoiceStatus.DRAFT, InvoiceStatus.APPROVED):
                raise Refused(Code.INVOICE_NOT_CANCELLABLE, f"the invoice is {invoice.status}")
            if invoice.paid_cents:
                raise Refused(Code.INVOICE_NOT_CANCELLABLE, "something was paid already")
            self._book.move(invoice, InvoiceStatus.CANCELLED)

        return self._step(actor, invoice_id, Action.INVOICE_CANCELLED, act)

    def lock(self, actor: Actor, invoice_id: str) -> schema.Invoice:
        """Nothing happens to it from now on. Raises Refused (409) if it is locked already."""

        def act(invoice: Invoice) -> None:
            self._book.unlocked(invoice).locked = True

        return self._step(actor, invoice_id, Action.INVOICE_LOCKED, act)

    def unlock(self, actor: Actor, invoice_id: str) -> schema.Invoice:
        """Open it again. Raises Refused (409) if it is not locked."""

        def act(invoice: Invoice) -> None:
            if not invoice.locked:
                raise Refused(Code.INVOICE_NOT_LOCKED, "the invoice is not locked")
            invoice.locked = False

        silent = self._book.defects.on("L29")
        return self._step(actor, invoice_id, None if silent else Action.INVOICE_UNLOCKED, act)

    def charge_late_fee(self, actor: Actor, invoice_id: str) -> schema.Invoice:
        """1 % of what is open, at least 5.00, once. Raises Refused (409) unless it is overdue."""

        def act(invoice: Invoice) -> None:
            self._book.unlocked(invoice)
            if invoice.late_fee_cents and not self._book.defects.on("L23"):
                raise Refused(Code.LATE_FEE_ALREADY_CHARGED, "a late fee is charged once")
            overdue = invoice.due_date < clock.today().isoformat()
            if invoice.status != InvoiceStatus.APPROVED or not overdue:
                raise Refused(Code.INVOICE_NOT_OVERDUE, "only what is open and overdue has a fee")
            fee = percent_of(invoice.open_cents, LATE_FEE_PERCENT)
            invoice.late_fee_cents += max(fee, LATE_FEE_CENTS_MIN)

        return self._step(actor, invoice_id, Action.LATE_FEE_CHARGED, act)

    def credit(
        self, actor: Actor, invoice_id: str, *, cents: int, reason: str
    ) -> schema.CreditNote:
        """Take something off an approved invoice, at most what is open; all of it settles it."""
        book = self._book
        with book.lock:
            invoice = book.unlocked(book.invoice(invoice_id))
            if invoice.status != InvoiceStatus.APPROVED:
                raise Refused(Code.INVOICE_NOT_PAYABLE, f"the invoice is {invoice.status}")
            if cents > min(invoice.open_cents, invoice.cents - invoice.credited_cents):
                left = to_amount(invoice.open_cents)
                raise Refused(Code.CREDIT_EXCEEDS_INVOICE, f"only {left:.2f} is open")
            credit_note = CreditNote(
                id=f"crn_{book.digits()}",
                invoice=invoice,
                cents=cents,
                reason=reason,
                created_at=clock.now(),
            )
            invoice.credit_notes.append(credit_note)
            invoice.credited_cents += cents
            invoice.version += 1
            settle(book, invoice)
            book.note(actor, Action.CREDIT_NOTE_CREATED, credit_note.id)
            return credit_note.shown()

    def credit_notes(self, invoice_id: str) -> list[schema.CreditNote]:
        """All credit notes of an invoice. Raises Refused (404)."""
        with self._book.lock:
            return [note.shown() for note in self._book.invoice(invoice_id).credit_notes]

    def _step(
        self,
        actor: Actor,
        invoice_id: str,
        action: Action | None,
        act: Callable[[Invoice], None],
    ) -> schema.Invoice:
        """Change one invoice: `act` changes it or refuses; then comes the audit entry."""
        book = self._book
        with book.lock:
            invoice = book.invoice(invoice_id)
            act(invoice)
            invoice.version += 1
            if action is not None:
                book.note(actor, action, invoice.id)
            return invoice.shown()


def settle(book: Book, invoice: Invoice) -> None:
    """Where nothing is open any more, it is paid."""
    if invoice.status == InvoiceStatus.APPROVED and invoice.open_cents == 0:
        book.move(invoice, InvoiceStatus.PAID)


def require_limit(actor: Actor, cents: int) -> None:
    """Raises Refused (403) if the amount is beyond what `actor` may approve."""
    if cents > APPROVAL_LIMIT_CENTS and actor.role != Role.CFO:
        limit = f"{to_amount(APPROVAL_LIMIT_CENTS):,.0f}"
        raise Refused(Code.APPROVAL_LIMIT_EXCEEDED, f"above {limit} only a CFO approves")
