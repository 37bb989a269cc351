"""The book: every record by its id, one lock, the audit log, and remembered idempotency keys."""

from __future__ import annotations

import secrets
from bisect import bisect_right, insort
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Protocol, TypeVar

from ledger import clock
from ledger.books.records import Actor, Customer, Invoice, Payment, Refund, RefundRequest
from ledger.defects import Defects
from ledger.errors import Code, Refused
from ledger.fields import Action, InvoiceStatus, Wire
from ledger.schema import AuditEntry

AUDIT_MAX = 100_000
"""The oldest entries are forgotten beyond it: this is a sample, not an archive."""
KEYS_MAX = 20_000
"""The oldest idempotency keys are forgotten beyond it."""

Answer = TypeVar("Answer", bound=Wire)
Record = TypeVar("Record")


class Numbered(Protocol):
    """A record that is counted through, from 1 on."""

    @property
    def number(self) -> int:
        """Its place in the order of writing."""


Counted = TypeVar("Counted", bound=Numbered)


def random_digits() -> str:
    """12 hex digits, different in every process: nothing recorded can be replayed blindly."""
    return secrets.token_hex(6)


@dataclass(kw_only=True)
class Book:
    """All records. Whoever reads or writes holds `lock` throughout one step."""

    defects: Defects
    digits: Callable[[], str] = random_digits
    lock: RLock = field(default_factory=RLock)
    customers: dict[str, Customer] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    requests: dict[str, RefundRequest] = field(default_factory=dict)
    customers_in_order: list[Customer] = field(default_factory=list)
    invoices_in_order: list[Invoice] = field(default_factory=list)
    requests_in_order: list[RefundRequest] = field(default_factory=list)
    numbers_in: dict[InvoiceStatus, list[int]] = field(default_factory=dict)
    """Numbers of the invoices in each status, ascending, so that a page needs no search."""
    audit: deque[tuple[int, AuditEntry]] = field(default_factory=lambda: deque(maxlen=AUDIT_MAX))
    audited: int = 0
    answers: OrderedDict[tuple[str, str, str], tuple[str, Wire]] = field(
        default_factory=OrderedDict
    )

    def customer(self, customer_id: str) -> Customer:
        """The customer. Raises Refused (404) for an unknown id."""
        return _found(self.customers, customer_id, Code.CUSTOMER_NOT_FOUND, "customer")

    def invoice(self, invoice_id: str) -> Invoice:
        """The invoice. Raises Refused (404) for an unknown id."""
        return _found(self.invoices, invoice_id, Code.INVOICE_NOT_FOUND, "invoice")

    def payment(self, payment_id: str) -> Payment:
        """The payment. Raises Refused (404) for an unknown id."""
        return _found(self.payments, payment_id, Code.PAYMENT_NOT_FOUND, "payment")

    def refund(self, refund_id: str) -> Refund:
        """The refund. Raises Refused (404) for an unknown id."""
        return _found(self.refunds, refund_id, Code.REFUND_NOT_FOUND, "refund")

    def request(self, request_id: str) -> RefundRequest:
        """The refund request. Raises Refused (404) for an unknown id."""
        return _found(self.requests, request_id, Code.REFUND_REQUEST_NOT_FOUND, "refund request")

    def unlocked(self, invoice: Invoice) -> Invoice:
        """The same invoice. Raises Refused (409) while it is locked."""
        if invoice.locked:
            raise Refused(Code.INVOICE_LOCKED, "the invoice is locked")
        return invoice

    def move(self, invoice: Invoice, status: InvoiceStatus) -> None:
        """Give an invoice another status."""
        numbers = self.numbers_in.get(invoice.status, [])
        place = bisect_right(numbers, invoice.number) - 1
        if place >= 0 and numbers[place] == invoice.number:
            del numbers[place]
        insort(self.numbers_in.setdefault(status, []), invoice.number)
        invoice.status = status

    def note(self, actor: Actor, action: Action, subject: str) -> None:
        """Write into the audit log who did what to which thing."""
        self.audited += 1
        entry = AuditEntry(
            id=f"aud_{self.audited:012}",
            at=clock.now(),
            user=actor.user,
            role=actor.role,
            edition=actor.edition,
            action=action,
            subject=subject,
        )
        self.audit.append((self.audited, entry))

    def once(
        self, scope: tuple[str, str, str], request: str, act: Callable[[], Answer]
    ) -> tuple[Answer, bool]:
        """What `act` makes, done once per `scope` (user, operation, key); and whether it is old.

        Raises Refused (409) if the key came with another `request` before. What was refused is
        not remembered: it had no effect, so it may be tried again.
        """
        with self.lock:
            if scope in self.answers:
                known, answer = self.answers[scope]
                if known != request:
                    raise Refused(Code.IDEMPOTENCY_KEY_REUSED, "the key came with another request")
                return answer, True  # type: ignore[return-value]  # one scope, one kind of answer
            made = act()
            self.answers[scope] = (request, made)
            if len(self.answers) > KEYS_MAX:
                self.answers.popitem(last=False)
            return made, False

    def empty(self) -> None:
        """Forget everything."""
        with self.lock:
            for kept in (
                *(self.customers, self.invoices, self.payments, self.refunds, self.requests),
                *(self.customers_in_order, self.invoices_in_order, self.requests_in_order),
                *(self.numbers_in, self.audit, self.answers),
            ):
                kept.clear()
            self.audited = 0


def page(
    records: Sequence[Counted],
    *,
    cursor: str | None,
    limit: int,
    keep: Callable[[Counted], bool],
) -> tuple[list[Counted], str | None]:
    """Up to `limit` records after `cursor` that `keep` takes, and the cursor after them, if any.

    Records stand in the order of their numbers. A cursor names the last number that was shown, so
    what is written meanwhile neither repeats nor hides anything.
    """
    shown: list[Counted] = []
    # Records are numbered from 1 without gaps: number n stands at place n - 1.
    for record in records[int(cursor[1:]) if cursor else 0 :]:
        if not keep(record):
            continue
        if len(shown) == limit:
            return shown, f"c{shown[-1].number}"
        shown.append(record)
    return shown, None


def _found(records: dict[str, Record], record_id: str, code: Code, name: str) -> Record:
    record = records.get(record_id)
    if record is None:
        raise Refused(code, f"no such {name}")
    return record
