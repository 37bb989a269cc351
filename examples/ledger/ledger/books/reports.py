"""Sums over the books, and what the audit log tells."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ledger import schema
from ledger.books.book import Book
from ledger.fields import Action, Currency, TimeZone
from ledger.money import to_amount


class Reports:
    """Reading, over all records."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def summary(self) -> schema.Summary:
        """What was invoiced, paid and refunded, over all currencies."""
        book = self._book
        with book.lock:
            counted = (invoice for invoice in book.invoices_in_order if invoice.counts)
            return schema.Summary(
                invoices=len(book.invoices_in_order),
                invoiced=to_amount(sum(invoice.cents for invoice in counted)),
                paid=to_amount(sum(payment.cents for payment in book.payments.values())),
                refunded=to_amount(sum(refund.cents for refund in book.refunds.values())),
            )

    def tax(self, currency: Currency) -> schema.TaxReport:
        """The tax of approved and paid invoices in one currency, less what went back of it."""
        book = self._book
        with book.lock:
            invoices = [
                invoice
                for invoice in book.invoices_in_order
                if invoice.counts and invoice.currency == currency
            ]
            tax = sum(invoice.tax_cents for invoice in invoices)
            refunded = sum(
                refund.tax_cents
                for invoice in invoices
                for payment in invoice.payments
                for refund in payment.refunds
            )
            credited = sum(note.tax_cents for invoice in invoices for note in invoice.credit_notes)
        kept = 0 if book.defects.on("L27") else refunded
        return schema.TaxReport(
            currency=currency,
            gross=to_amount(sum(invoice.cents for invoice in invoices)),
            tax=to_amount(tax),
            tax_refunded=to_amount(refunded),
            tax_credited=to_amount(credited),
            due=to_amount(tax - kept - credited),
        )

    def daily(self, day: str, time_zone: TimeZone) -> schema.DailyReport:
        """What came in and went back on a day, from midnight to midnight of the zone."""
        zone = UTC if self._book.defects.on("L30") else ZoneInfo(time_zone)

        def on_that_day(moment: datetime) -> bool:
            return moment.astimezone(zone).date().isoformat() == day

        book = self._book
        with book.lock:
            paid = [one.cents for one in book.payments.values() if on_that_day(one.created_at)]
            refunded = [one.cents for one in book.refunds.values() if on_that_day(one.created_at)]
        return schema.DailyReport(
            day=day,
            time_zone=time_zone,
            payments=len(paid),
            paid=to_amount(sum(paid)),
            refunds=len(refunded),
            refunded=to_amount(sum(refunded)),
        )

    def audit(
        self,
        *,
        subject: str | None,
        action: Action | None,
        since: datetime | None,
        until: datetime | None,
        cursor: str | None,
        limit: int,
    ) -> schema.AuditPage:
        """One page of the log, in the order of happening, from `since` until before `until`."""
        book = self._book
        after = int(cursor[1:]) if cursor else 0
        shown: list[schema.AuditEntry] = []
        last = 0
        with book.lock:
            for number, entry in book.audit:
                if (
                    number <= after
                    or subject not in (None, entry.subject)
                    or action not in (None, entry.action)
                    or (since is not None and entry.at < since)
                    or (until is not None and entry.at >= until)
                ):
                    continue
                if len(shown) == limit:
                    return schema.AuditPage(items=shown, next_cursor=f"c{last}")
                shown.append(entry)
                last = number
        return schema.AuditPage(items=shown, next_cursor=None)
