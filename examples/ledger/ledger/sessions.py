"""How each role works with the ledger, in short sessions.

A session is a generator that yields what to ask and is sent the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ledger import slips
from ledger.desk import Ask, Bill, Desk, Receipt, Reply, amount, cents_of
from ledger.roles import USERS, password_of

Steps = Generator[Ask, Reply, None]
Asking = Generator[Ask, Reply, Reply]

# Chosen so that 6 to 8 % of all requests are refused.
WRONG_PASSWORD, STALE_TOKEN, NO_TOKEN = 0.05, 0.02, 0.03
SESSION_WEIGHTS: Mapping[str, int] = {
    "cashier": 34, "finance": 22, "support": 18, "analyst": 12, "guest": 8, "cfo": 6,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Session:
    """One person's visit. `trace` is its W3C trace id, 32 hex digits."""

    role: str
    client: str
    trace: str
    steps: Steps


class Worker:
    """What every signed-in person can do; the roles below put it together."""

    def __init__(self, desk: Desk, user: str) -> None:
        self.desk, self.rng, self.user = desk, desk.rng, user
        self.token = ""

    def ask(
        self, operation: str, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Asking:
        """Send one request with this person's token."""
        reply = yield Ask(
            operation=operation, method=method, path=path, token=self.token, body=body
        )
        return reply

    def login(self, password: str) -> Steps:
        """Sign in; the token is kept if it worked."""
        body = {"username": self.user, "password": password}
        reply = yield from self.ask("login", "POST", "/login", body)
        if reply.ok:
            self.token = reply.body["token"]

    def sign_in(self) -> Steps:
        """Begin a visit, sometimes after a slip: an old tab, a link without token, a typo."""
        password = password_of(self.user, self.desk.environment)
        if self.desk.chance(0.04):
            yield from self.ask("get_health", "GET", "/health")
        if self.desk.chance(STALE_TOKEN):
            self.token = f"stale-{self.desk.hex(24)}"
            yield from self.list_invoices()
            self.token = ""
        elif self.desk.chance(NO_TOKEN):
            if self.desk.chance(0.6):
                yield from self.ask("get_summary", "GET", "/reports/summary")
            else:
                yield from self.list_invoices()
        if self.desk.chance(WRONG_PASSWORD):
            yield from self.login(password[:-1])
        yield from self.login(password)

    def list_invoices(self, query: str = "") -> Asking:
        """One page of invoices."""
        reply = yield from self.ask("list_invoices", "GET", f"/invoices{query}")
        return reply

    def get_invoice(self, invoice_id: str) -> Asking:
        """Open one invoice."""
        reply = yield from self.ask("get_invoice", "GET", f"/invoices/{invoice_id}")
        return reply

    def create(self) -> Generator[Ask, Reply, Bill | None]:
        """Write a draft."""
        body = self.desk.invoice()
        reply = yield from self.ask("create_invoice", "POST", "/invoices", body)
        return Bill(id=reply.body["id"], open_cents=cents_of(body["amount"])) if reply.ok else None

    def edit(self, bill: Bill) -> Generator[Ask, Reply, Bill]:
        """Correct a draft: mostly words or the date, sometimes the amount."""
        fields: tuple[dict[str, Any], ...] = (
            {"description": self.desk.description()},
            {"due_date": self.desk.due_date()},
            {"due_date": self.desk.due_date(), "description": self.desk.description()},
            {"amount": amount(self.desk.cents())},
            {"description": None},
        )
        body = self.rng.choices(fields, (5, 4, 2, 2, 1))[0]
        reply = yield from self.ask("update_invoice", "PATCH", f"/invoices/{bill.id}", body)
        if not reply.ok:
            return bill
        return replace(bill, open_cents=cents_of(reply.body["amount"]))

    def approve(self, bill: Bill) -> Asking:
        """Approve; a success makes the bill payable for everyone."""
        reply = yield from self.ask("approve_invoice", "POST", f"/invoices/{bill.id}/approve")
        if reply.ok:
            self.desk.approved.put(bill)
        return reply

    def cancel(self, bill: Bill) -> Asking:
        """Cancel; a success lays the bill with the cancelled ones."""
        reply = yield from self.ask("cancel_invoice", "POST", f"/invoices/{bill.id}/cancel")
        if reply.ok:
            self.desk.cancelled.put(bill)
        return reply

    def pay(self, bill: Bill, cents: int) -> Asking:
        """Take `cents` for a bill."""
        body = {"amount": amount(cents), "method": self.desk.method()}
        path = f"/invoices/{bill.id}/payments"
        reply = yield from self.ask("create_payment", "POST", path, body)
        if reply.ok:
            receipt = Receipt(id=reply.body["id"], invoice_id=bill.id, left_cents=cents)
            self.desk.receipts.put(receipt)
        return reply

    def take_payment(self, bill: Bill) -> Steps:
        """Look at the bill, take all of it or a part, look at what came in."""
        if self.desk.chance(0.6):
            yield from self.get_invoice(bill.id)
        share = self.rng.choice((0.2, 0.25, 0.5, 0.5, 0.75)) if self.desk.chance(0.4) else 1.0
        cents = max(1, round(bill.open_cents * share))
        reply = yield from self.pay(bill, cents)
        if not reply.ok:
            return
        rest = replace(bill, open_cents=bill.open_cents - cents, paid=True)
        (self.desk.approved if rest.open_cents else self.desk.settled).put(rest)
        if self.desk.chance(0.3):
            yield from self.ask("list_payments", "GET", f"/invoices/{bill.id}/payments")
        if self.desk.chance(0.15):
            yield from self.ask("get_payment", "GET", f"/payments/{reply.body['id']}")
        if self.desk.chance(0.3):
            yield from self.get_invoice(bill.id)

    def refund(self, receipt: Receipt, cents: int, reason: str) -> Asking:
        """Give `cents` of a payment back."""
        body = {"amount": amount(cents), "reason": reason}
        path = f"/payments/{receipt.id}/refunds"
        reply = yield from self.ask("create_refund", "POST", path, body)
        if reply.ok:
            self.desk.refunds.put(reply.body["id"])
        return reply

    def list_refunds(self, receipt: Receipt) -> Asking:
        """What went back of a payment."""
        reply = yield from self.ask("list_refunds", "GET", f"/payments/{receipt.id}/refunds")
        return reply

    def handle_refund(self, receipt: Receipt) -> Steps:
        """A customer wants money back: look, refund, sometimes slip, look again."""
        yield from self.ask("get_payment", "GET", f"/payments/{receipt.id}")
        if self.desk.chance(0.35):
            yield from self.list_refunds(receipt)
        share = 1.0 if self.desk.chance(0.4) else self.rng.choice((0.1, 0.25, 0.5))
        cents, reason = max(1, round(receipt.left_cents * share)), self.desk.reason()
        if self.desk.chance(0.13):
            yield from self.refund(receipt, receipt.left_cents + self.rng.randint(1, 5000), reason)
        reply = yield from self.refund(receipt, cents, reason)
        if not reply.ok:
            return
        if self.desk.chance(0.18):  # the double click
            yield from self.refund(receipt, cents, reason)
        if self.desk.chance(0.5):
            yield from self.list_refunds(receipt)
        if self.desk.chance(0.3):
            yield from self.ask("get_refund", "GET", f"/refunds/{reply.body['id']}")
        left = replace(receipt, left_cents=receipt.left_cents - cents)
        if left.left_cents:
            self.desk.receipts.put(left)


def cashier(worker: Worker) -> Steps:
    """Writes bills, corrects or drops some, takes payments."""
    desk = worker.desk
    for _ in range(worker.rng.randint(1, 4)):
        bill = yield from worker.create()
        if bill is None:
            continue
        if desk.chance(0.25):
            yield from worker.get_invoice(bill.id)
        if desk.chance(0.2):
            bill = yield from worker.edit(bill)
        if desk.chance(0.1):
            yield from worker.cancel(bill)
        else:
            desk.drafts.put(bill)
    for _ in range(worker.rng.randint(0, 3)):
        if payable := desk.approved.take():
            yield from worker.take_payment(payable)
    if desk.chance(0.42):
        yield from slips.cashier(worker)


def finance(worker: Worker) -> Steps:
    """Works through the drafts, then looks at the whole."""
    desk = worker.desk
    yield from worker.list_invoices(f"?status=draft&limit={worker.rng.choice((10, 20, 50))}")
    for _ in range(worker.rng.randint(2, 6)):
        bill = desk.drafts.take()
        if bill is None:
            break
        if desk.chance(0.5):
            yield from worker.get_invoice(bill.id)
        reply = yield from worker.approve(bill)
        if reply.ok and desk.chance(0.04):  # the double click
            yield from worker.ask("approve_invoice", "POST", f"/invoices/{bill.id}/approve")
    if desk.chance(0.2) and (bill := desk.approved.take()):
        if bill.paid:
            desk.approved.put(bill)
        else:
            yield from worker.cancel(bill)
    if desk.chance(0.3):
        yield from worker.ask("get_summary", "GET", "/reports/summary")
    if desk.chance(0.3):
        yield from slips.finance(worker)


def support(worker: Worker) -> Steps:
    """Looks into complaints and gives money back."""
    for _ in range(worker.rng.randint(1, 3)):
        if receipt := worker.desk.receipts.take():
            if worker.desk.chance(0.5):
                yield from worker.get_invoice(receipt.invoice_id)
            yield from worker.handle_refund(receipt)
    if refund_id := worker.desk.refunds.look():
        yield from worker.ask("get_refund", "GET", f"/refunds/{refund_id}")
    if worker.desk.chance(0.25):
        yield from slips.support(worker)


def analyst(worker: Worker) -> Steps:
    """Filters, pages, opens a few, reads the summary."""
    desk = worker.desk
    status = worker.rng.choice(("", "", "&status=paid", "&status=approved", "&status=cancelled"))
    limit = worker.rng.choice((10, 25, 50, 100))
    for page in range(worker.rng.randint(1, 4)):
        reply = yield from worker.list_invoices(f"?limit={limit}&offset={page * limit}{status}")
        if not reply.ok or len(reply.body["items"]) < limit:
            break
    for pile in (desk.settled, desk.approved):
        if desk.chance(0.5) and (bill := pile.look()):
            yield from worker.get_invoice(bill.id)
            yield from worker.ask("list_payments", "GET", f"/invoices/{bill.id}/payments")
    yield from worker.ask("get_summary", "GET", "/reports/summary")
    if desk.chance(0.4):
        yield from slips.analyst(worker)


def guest(worker: Worker) -> Steps:
    """Looks around."""
    yield from worker.list_invoices(worker.rng.choice(("", "?limit=5", "?status=approved")))
    for _ in range(worker.rng.randint(0, 3)):
        if bill := worker.desk.approved.look() or worker.desk.drafts.look():
            yield from worker.get_invoice(bill.id)
    if worker.desk.chance(0.55):
        yield from slips.guest(worker)


def cfo(worker: Worker) -> Steps:
    """Sees one deal through from draft to refund."""
    desk = worker.desk
    yield from worker.ask("get_summary", "GET", "/reports/summary")
    bill = yield from worker.create()
    if bill is None:
        return
    reply = yield from worker.approve(bill)
    if reply.ok and desk.chance(0.8) and (payable := desk.approved.take()):
        yield from worker.take_payment(payable)
        if desk.chance(0.6) and (receipt := desk.receipts.take()):
            yield from worker.handle_refund(receipt)
    yield from worker.ask("get_summary", "GET", "/reports/summary")


ROLES: Mapping[str, Callable[[Worker], Steps]] = {
    "cashier": cashier, "finance": finance, "support": support,
    "analyst": analyst, "guest": guest, "cfo": cfo,
}  # fmt: skip


def open_session(desk: Desk) -> Session:
    """The next visitor, not yet begun."""
    user = desk.rng.choices(list(SESSION_WEIGHTS), list(SESSION_WEIGHTS.values()))[0]
    return Session(
        role=USERS[user],
        client=f"{user}-{desk.rng.randint(1, 40):02}",
        trace=desk.hex(32),
        steps=_visit(Worker(desk, user)),
    )


def _visit(worker: Worker) -> Steps:
    yield from worker.sign_in()
    yield from ROLES[worker.user](worker)
