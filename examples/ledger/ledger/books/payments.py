"""The rules of payments and of their fraud check."""

from __future__ import annotations

from collections.abc import Mapping

from ledger import clock, schema
from ledger.books.book import Book
from ledger.books.invoices import settle
from ledger.books.records import Actor, Payment
from ledger.errors import Code, Refused
from ledger.fields import Action, InvoiceStatus, Method, Screening
from ledger.money import to_amount

SCORE_OF: Mapping[Method, int] = {Method.TRANSFER: 0, Method.CARD: 20, Method.CASH: 30}
CENTS_PER_POINT = 50_00
SCORE_MAX = 100
HELD_FROM = 60


class Payments:
    """Taking, checking and reading payments."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def add(self, actor: Actor, invoice_id: str, *, cents: int, method: Method) -> schema.Payment:
        """Take money for an approved invoice; the last cent makes it paid."""
        book = self._book
        with book.lock:
            invoice = book.unlocked(book.invoice(invoice_id))
            payable = {InvoiceStatus.APPROVED}
            if book.defects.on("L09"):
                payable |= {InvoiceStatus.CANCELLED}
            if invoice.status not in payable:
                raise Refused(Code.INVOICE_NOT_PAYABLE, f"the invoice is {invoice.status}")
            if cents > invoice.open_cents:
                left = to_amount(invoice.open_cents)
                raise Refused(Code.PAYMENT_EXCEEDS_INVOICE, f"only {left:.2f} is open")
            payment = Payment(
                id=f"pay_{book.digits()}",
                invoice=invoice,
                cents=cents,
                method=method,
                created_at=clock.now(),
            )
            book.payments[payment.id] = payment
            invoice.payments.append(payment)
            invoice.paid_cents += cents
            invoice.version += 1
            settle(book, invoice)
            book.note(actor, Action.PAYMENT_CREATED, payment.id)
            return payment.shown()

    def get(self, payment_id: str) -> schema.Payment:
        """The payment. Raises Refused (404)."""
        with self._book.lock:
            return self._book.payment(payment_id).shown()

    def of_invoice(self, invoice_id: str) -> list[schema.Payment]:
        """All payments of an invoice, in the order of coming in. Raises Refused (404)."""
        with self._book.lock:
            return [payment.shown() for payment in self._book.invoice(invoice_id).payments]

    def check(self, actor: Actor, payment_id: str) -> schema.FraudCheck:
        """Score a payment, once: cash and cards weigh more than transfers, large sums more still.

        Raises Refused: 404, or 409 if it was checked before.
        """
        book = self._book
        with book.lock:
            payment = book.payment(payment_id)
            if payment.screening != Screening.UNCHECKED:
                raise Refused(Code.PAYMENT_ALREADY_CHECKED, f"the payment is {payment.screening}")
            score = min(SCORE_OF[payment.method] + payment.cents // CENTS_PER_POINT, SCORE_MAX)
            payment.screening = Screening.HELD if score >= HELD_FROM else Screening.CLEAR
            book.note(actor, Action.PAYMENT_CHECKED, payment.id)
            return schema.FraudCheck(
                payment_id=payment.id, score=score, screening=payment.screening
            )

    def release(self, actor: Actor, payment_id: str) -> schema.Payment:
        """Held becomes released. Raises Refused: 404, or 409 if it is not held."""
        book = self._book
        with book.lock:
            payment = book.payment(payment_id)
            if payment.screening != Screening.HELD:
                raise Refused(Code.PAYMENT_NOT_HELD, f"the payment is {payment.screening}")
            payment.screening = Screening.RELEASED
            book.note(actor, Action.PAYMENT_RELEASED, payment.id)
            return payment.shown()
