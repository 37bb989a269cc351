"""The rules of customers and of what a statement says about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger import clock, schema
from ledger.books.book import Book, page
from ledger.books.records import Actor, Customer, Invoice
from ledger.errors import Code, Refused
from ledger.fields import Action, Currency
from ledger.money import to_amount
from ledger.roles import Role

STATEMENT_LINES_MAX = 100


class Customers:
    """Writing, changing and reading customers."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def add(self, actor: Actor, new: schema.NewCustomer) -> schema.Customer:
        """Write a new customer down."""
        book = self._book
        with book.lock:
            customer = Customer(
                id=f"cus_{book.digits()}",
                number=len(book.customers_in_order) + 1,
                name=new.name,
                email=new.email,
                iban=new.iban,
                created_at=clock.now(),
            )
            book.customers[customer.id] = customer
            book.customers_in_order.append(customer)
            book.note(actor, Action.CUSTOMER_CREATED, customer.id)
            return customer.shown(actor.role)

    def get(self, customer_id: str, role: Role) -> schema.Customer:
        """The customer, as `role` may see it. Raises Refused (404)."""
        with self._book.lock:
            return self._book.customer(customer_id).shown(role)

    def page_of(
        self,
        role: Role,
        *,
        name: str | None,
        blocked: bool | None,
        cursor: str | None,
        limit: int,
    ) -> schema.CustomerPage:
        """One page of those whose name begins with `name`, in upper or lower case."""
        start = (name or "").casefold()
        clear = self._book.defects.on("L17")
        with self._book.lock:
            found, following = page(
                self._book.customers_in_order,
                cursor=cursor,
                limit=limit,
                keep=lambda customer: (
                    customer.name.casefold().startswith(start)
                    and blocked in (None, customer.blocked)
                ),
            )
            items = [customer.shown(role, clear=clear) for customer in found]
        return schema.CustomerPage(items=items, next_cursor=following)

    def change(
        self, actor: Actor, customer_id: str, changes: Mapping[str, Any], *, if_match: str | None
    ) -> schema.Customer:
        """Set fields. Raises Refused: 404, or 412 if `if_match` names another version."""
        book = self._book
        with book.lock:
            customer = book.customer(customer_id)
            if not book.defects.on("L24"):
                require_version(customer.version, if_match)
            for name, value in changes.items():
                setattr(customer, name, value)
            customer.version += 1
            book.note(actor, Action.CUSTOMER_CHANGED, customer.id)
            return customer.shown(actor.role)

    def statement(self, customer_id: str, currency: Currency) -> schema.Statement:
        """The account in one currency. Raises Refused (404)."""
        book = self._book
        with book.lock:
            customer = book.customer(customer_id)
            is_theirs = _namesake if book.defects.on("L20") else _theirs
            invoices = [
                invoice
                for invoice in book.invoices_in_order
                if invoice.counts and invoice.currency == currency and is_theirs(invoice, customer)
            ]
            count = len(invoices)
            invoiced = sum(invoice.cents for invoice in invoices)
            average = invoiced / (count if book.defects.on("L11") else max(count, 1))
            sums = {
                "invoiced": invoiced,
                "late_fees": sum(invoice.late_fee_cents for invoice in invoices),
                "credited": sum(invoice.credited_cents for invoice in invoices),
                "paid": sum(invoice.paid_cents for invoice in invoices),
                "balance": sum(invoice.open_cents for invoice in invoices),
                "refunded": sum(
                    payment.refunded_cents for invoice in invoices for payment in invoice.payments
                ),
                "average_invoice": round(average),
            }
            return schema.Statement(
                customer_id=customer_id,
                currency=currency,
                invoices=count,
                lines=[invoice.line() for invoice in invoices[-STATEMENT_LINES_MAX:]],
                **{name: to_amount(cents) for name, cents in sums.items()},
            )


def require_version(version: int, if_match: str | None) -> None:
    """Raises Refused (412) if `if_match` is given and names another version than this."""
    if if_match is None or if_match.strip() in ("*", etag(version)):
        return
    raise Refused(Code.VERSION_MISMATCH, f"the current version is {version}")


def etag(version: int) -> str:
    """The entity tag of a version, as in RFC 9110, section 8.8.3."""
    return f'"{version}"'


def _theirs(invoice: Invoice, customer: Customer) -> bool:
    return invoice.customer_id == customer.id


def _namesake(invoice: Invoice, customer: Customer) -> bool:
    return invoice.customer == customer.name
