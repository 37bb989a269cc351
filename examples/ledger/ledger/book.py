"""The books: what is kept in SQLite, and the rules of what may happen to it."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import RLock

from ledger.defects import Defects
from ledger.errors import Code, Refused
from ledger.money import to_amount
from ledger.schema import Invoice, InvoiceStatus, Method, Payment, Refund, Summary

SCHEMA = """
CREATE TABLE IF NOT EXISTS invoices (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, amount_cents INTEGER NOT NULL,
    currency TEXT NOT NULL, due_date TEXT NOT NULL, description TEXT,
    status TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
    id TEXT PRIMARY KEY, invoice_id TEXT NOT NULL REFERENCES invoices (id),
    amount_cents INTEGER NOT NULL, method TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (
    id TEXT PRIMARY KEY, payment_id TEXT NOT NULL REFERENCES payments (id),
    amount_cents INTEGER NOT NULL, reason TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS payments_of ON payments (invoice_id);
CREATE INDEX IF NOT EXISTS refunds_of ON refunds (payment_id);
CREATE INDEX IF NOT EXISTS invoices_in ON invoices (status);
"""

INVOICES = """SELECT *, (SELECT COALESCE(SUM(amount_cents), 0) FROM payments
    WHERE invoice_id = invoices.id) AS paid_cents FROM invoices"""
PAYMENTS = """SELECT *, (SELECT COALESCE(SUM(amount_cents), 0) FROM refunds
    WHERE payment_id = payments.id) AS refunded_cents FROM payments"""
SUMMARY = """SELECT (SELECT COUNT(*) FROM invoices) AS invoices,
    (SELECT COALESCE(SUM(amount_cents), 0) FROM invoices
        WHERE status IN ('approved', 'paid')) AS invoiced_cents,
    (SELECT COALESCE(SUM(amount_cents), 0) FROM payments) AS paid_cents,
    (SELECT COALESCE(SUM(amount_cents), 0) FROM refunds) AS refunded_cents"""


def utc_now() -> datetime:
    """The time on the wall, in UTC."""
    return datetime.now(UTC)


def random_digits() -> str:
    """12 hex digits, different in every process: nothing recorded can be replayed blindly."""
    return secrets.token_hex(6)


class Book:
    """Invoices, payments and refunds. One connection; every method holds the lock throughout."""

    def __init__(
        self,
        path: str,
        *,
        defects: Defects,
        clock: Callable[[], datetime] = utc_now,
        digits: Callable[[], str] = random_digits,
    ) -> None:
        self._defects, self._clock, self._digits = defects, clock, digits
        self._lock = RLock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # A sample's data may be lost with the machine; waiting for the disk would slow every POST.
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(SCHEMA)

    def add_invoice(
        self,
        *,
        customer: str,
        cents: int,
        currency: str,
        due_date: str,
        description: str | None,
    ) -> Invoice:
        """Write a new draft."""
        row = (f"inv_{self._digits()}", customer, cents, currency, due_date, description)
        with self._lock, self._db:
            self._db.execute(
                "INSERT INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, InvoiceStatus.DRAFT, self._now()),
            )
            return self.invoice(row[0])

    def invoice(self, invoice_id: str) -> Invoice:
        """The invoice. Raises Refused (404) for an unknown id."""
        return _invoice(self._invoice_row(invoice_id))

    def invoices(
        self, *, status: InvoiceStatus | None, limit: int, offset: int
    ) -> tuple[list[Invoice], int]:
        """One page in the order of writing, and how many match on all pages."""
        where = "" if status is None else " WHERE status = :status"
        values = {"status": status, "limit": limit, "offset": offset}
        page = f"{INVOICES}{where} ORDER BY rowid LIMIT :limit OFFSET :offset"
        with self._lock:
            rows = self._db.execute(page, values).fetchall()
            total = self._db.execute(f"SELECT COUNT(*) FROM invoices{where}", values).fetchone()[0]
        return [_invoice(row) for row in rows], total

    def change_invoice(self, invoice_id: str, changes: Mapping[str, str | int | None]) -> Invoice:
        """Set columns of a draft. Raises Refused (409) once it is no draft any more."""
        with self._lock, self._db:
            row = self._invoice_row(invoice_id)
            if row["status"] != InvoiceStatus.DRAFT:
                raise Refused(Code.INVOICE_NOT_EDITABLE, f"the invoice is {row['status']}")
            columns = ", ".join(f"{column} = :{column}" for column in changes)
            self._db.execute(
                f"UPDATE invoices SET {columns} WHERE id = :id", {**changes, "id": invoice_id}
            )
            return self.invoice(invoice_id)

    def approve(self, invoice_id: str) -> Invoice:
        """Draft becomes approved. Raises Refused (409) from any other status."""
        with self._lock, self._db:
            row = self._invoice_row(invoice_id)
            if row["status"] != InvoiceStatus.DRAFT:
                raise Refused(Code.INVOICE_NOT_DRAFT, f"the invoice is {row['status']}")
            return self._set_status(invoice_id, InvoiceStatus.APPROVED)

    def cancel(self, invoice_id: str) -> Invoice:
        """Draft or approved becomes cancelled. Raises Refused (409) once something was paid."""
        with self._lock, self._db:
            row = self._invoice_row(invoice_id)
            if row["status"] not in (InvoiceStatus.DRAFT, InvoiceStatus.APPROVED):
                raise Refused(Code.INVOICE_NOT_CANCELLABLE, f"the invoice is {row['status']}")
            if row["paid_cents"]:
                raise Refused(Code.INVOICE_NOT_CANCELLABLE, "something was paid already")
            return self._set_status(invoice_id, InvoiceStatus.CANCELLED)

    def add_payment(self, invoice_id: str, *, cents: int, method: Method) -> Payment:
        """Take money for an approved invoice; the last cent makes it paid."""
        payment_id = f"pay_{self._digits()}"
        with self._lock, self._db:
            row = self._invoice_row(invoice_id)
            payable = {InvoiceStatus.APPROVED}
            if self._defects.on("L09"):
                payable |= {InvoiceStatus.CANCELLED}
            if row["status"] not in payable:
                raise Refused(Code.INVOICE_NOT_PAYABLE, f"the invoice is {row['status']}")
            open_cents = row["amount_cents"] - row["paid_cents"]
            if cents > open_cents:
                raise Refused(
                    Code.PAYMENT_EXCEEDS_INVOICE, f"only {to_amount(open_cents):.2f} is open"
                )
            self._db.execute(
                "INSERT INTO payments VALUES (?, ?, ?, ?, ?)",
                (payment_id, invoice_id, cents, method, self._now()),
            )
            if cents == open_cents:
                self._set_status(invoice_id, InvoiceStatus.PAID)
            return self.payment(payment_id)

    def payment(self, payment_id: str) -> Payment:
        """The payment. Raises Refused (404) for an unknown id."""
        return _payment(self._payment_row(payment_id))

    def payments(self, invoice_id: str) -> list[Payment]:
        """All payments of an invoice, in the order of coming in."""
        with self._lock:
            self._invoice_row(invoice_id)
            query = f"{PAYMENTS} WHERE invoice_id = ? ORDER BY rowid"
            return [_payment(row) for row in self._db.execute(query, (invoice_id,))]

    def add_refund(self, payment_id: str, *, cents: int, reason: str) -> Refund:
        """Give money back; never twice for the same reason, never more than came in."""
        refund_id = f"ref_{self._digits()}"
        with self._lock, self._db:
            row = self._payment_row(payment_id)
            if not self._defects.on("L08") and self._is_repeated(payment_id, cents, reason):
                raise Refused(Code.DUPLICATE_REFUND, "this refund was issued already")
            left_cents = row["amount_cents"] - row["refunded_cents"]
            if not self._defects.on("L10") and cents > left_cents:
                raise Refused(
                    Code.REFUND_EXCEEDS_PAYMENT, f"only {to_amount(left_cents):.2f} is left"
                )
            self._db.execute(
                "INSERT INTO refunds VALUES (?, ?, ?, ?, ?)",
                (refund_id, payment_id, cents, reason, self._now()),
            )
            return self.refund(refund_id)

    def refund(self, refund_id: str) -> Refund:
        """The refund. Raises Refused (404) for an unknown id."""
        with self._lock:
            query = "SELECT * FROM refunds WHERE id = ?"
            row = self._db.execute(query, (refund_id,)).fetchone()
        if row is None:
            raise Refused(Code.REFUND_NOT_FOUND, "no such refund")
        return _refund(row)

    def refunds(self, payment_id: str) -> list[Refund]:
        """All refunds of a payment, in the order of issue."""
        with self._lock:
            self._payment_row(payment_id)
            query = "SELECT * FROM refunds WHERE payment_id = ? ORDER BY rowid"
            return [_refund(row) for row in self._db.execute(query, (payment_id,))]

    def summary(self) -> Summary:
        """What was invoiced, paid and refunded, over all currencies."""
        with self._lock:
            row = self._db.execute(SUMMARY).fetchone()
        return Summary(
            invoices=row["invoices"],
            invoiced=to_amount(row["invoiced_cents"]),
            paid=to_amount(row["paid_cents"]),
            refunded=to_amount(row["refunded_cents"]),
        )

    def empty(self) -> None:
        """Forget everything."""
        with self._lock, self._db:
            for table in ("refunds", "payments", "invoices"):
                self._db.execute(f"DELETE FROM {table}")

    def _now(self) -> str:
        return self._clock().isoformat(timespec="milliseconds")

    def _invoice_row(self, invoice_id: str) -> sqlite3.Row:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(
                f"{INVOICES} WHERE id = ?", (invoice_id,)
            ).fetchone()
        if row is None:
            raise Refused(Code.INVOICE_NOT_FOUND, "no such invoice")
        return row

    def _payment_row(self, payment_id: str) -> sqlite3.Row:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(
                f"{PAYMENTS} WHERE id = ?", (payment_id,)
            ).fetchone()
        if row is None:
            raise Refused(Code.PAYMENT_NOT_FOUND, "no such payment")
        return row

    def _set_status(self, invoice_id: str, status: InvoiceStatus) -> Invoice:
        self._db.execute("UPDATE invoices SET status = ? WHERE id = ?", (status, invoice_id))
        return self.invoice(invoice_id)

    def _is_repeated(self, payment_id: str, cents: int, reason: str) -> bool:
        query = "SELECT 1 FROM refunds WHERE payment_id = ? AND amount_cents = ? AND reason = ?"
        return self._db.execute(query, (payment_id, cents, reason)).fetchone() is not None


def _invoice(row: sqlite3.Row) -> Invoice:
    return Invoice(
        id=row["id"],
        customer=row["customer"],
        amount=to_amount(row["amount_cents"]),
        currency=row["currency"],
        due_date=row["due_date"],
        description=row["description"],
        status=row["status"],
        paid=to_amount(row["paid_cents"]),
        created_at=row["created_at"],
    )


def _payment(row: sqlite3.Row) -> Payment:
    return Payment(
        id=row["id"],
        invoice_id=row["invoice_id"],
        amount=to_amount(row["amount_cents"]),
        method=row["method"],
        refunded=to_amount(row["refunded_cents"]),
        created_at=row["created_at"],
    )


def _refund(row: sqlite3.Row) -> Refund:
    return Refund(
        id=row["id"],
        payment_id=row["payment_id"],
        amount=to_amount(row["amount_cents"]),
        reason=row["reason"],
        created_at=row["created_at"],
    )
