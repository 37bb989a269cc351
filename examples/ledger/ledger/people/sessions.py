"""How each role works with the ledger, in short visits.

A visit is a generator that yields what to ask and is sent the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger.editions import Edition
from ledger.people import slips
from ledger.people.desk import DENIALS, Desk, Wish
from ledger.people.worker import Steps, Worker
from ledger.roles import APPROVAL_LIMIT_CENTS, USERS

WORKPLACES = 40
SESSION_WEIGHTS: Mapping[str, int] = {
    "cashier": 30, "finance": 22, "support": 18, "analyst": 12, "guest": 8, "cfo": 10,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Session:
    """One person's visit. `trace` is its W3C trace id, 32 hex digits."""

    role: str
    client: str
    trace: str
    steps: Steps


def cashier(worker: Worker) -> Steps:
    """Writes customers and bills, corrects or drops some, takes payments."""
    desk = worker.desk
    if desk.chance(0.4):
        yield from worker.add_customer()
    if desk.chance(0.2):
        yield from worker.edit_customer()
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
            worker.lay_down(bill)
    for _ in range(worker.rng.randint(0, 3)):
        if payable := desk.charged.take() or desk.approved.take():
            yield from worker.take_payment(payable)
    if worker.has_pro and desk.chance(0.2) and (receipt := desk.receipts.take()):
        yield from worker.wish(receipt)
    if desk.chance(0.36):
        yield from slips.cashier(worker)


def finance(worker: Worker) -> Steps:
    """Works through drafts, wishes and overdue bills, then looks at the whole."""
    desk = worker.desk
    yield from worker.list_invoices(f"?status=draft&limit={worker.rng.choice((10, 20, 50))}")
    for _ in range(worker.rng.randint(2, 6)):
        bill = desk.drafts.take()
        if bill is None:
            break
        if desk.chance(0.5):
            yield from worker.get_invoice(bill.id)
        reply = yield from worker.approve(bill)
        if reply.ok and desk.chance(0.03):  # the double click
            yield from worker.act("approve_invoice", bill, "approve")
    if worker.has_pro:
        yield from _collect(worker)
        yield from _decide(worker)
    if worker.has_enterprise:
        yield from _guard(worker)
    if desk.chance(0.2) and (bill := desk.approved.take()):
        if bill.paid:
            desk.approved.put(bill)
        else:
            yield from worker.cancel(bill)
    if desk.chance(0.3):
        yield from worker.ask("get_summary", "GET", "/reports/summary")
    if desk.chance(0.2):
        yield from _daily(worker)
    if desk.chance(0.28):
        yield from slips.finance(worker)


def _collect(worker: Worker) -> Steps:
    """Late fees and credit notes."""
    desk = worker.desk
    if desk.chance(0.6) and (bill := desk.overdue.take()):
        yield from worker.charge(bill)
    if desk.chance(0.25) and (bill := desk.approved.take()):
        yield from worker.credit(bill)
    if desk.chance(0.15):
        yield from worker.ask("get_tax_report", "GET", "/reports/tax?currency=EUR")


def _decide(worker: Worker) -> Steps:
    """Approve or deny what others request; their own waits for someone else."""
    desk = worker.desk
    if not desk.chance(0.6):
        return
    path = "/refund-requests?status=requested&limit=20"
    yield from worker.ask("list_refund_requests", "GET", path)
    for _ in range(worker.rng.randint(1, 3)):
        wish = desk.wishes.take()
        if wish is None:
            return
        beyond = wish.cents > APPROVAL_LIMIT_CENTS and worker.user != "cfo"
        if wish.user == worker.user or beyond:
            if desk.chance(0.4):
                yield from worker.on_wish("approve_refund_request", wish, "approve")
            desk.wishes.put(wish)
        else:
            yield from _judge(worker, wish)


def _judge(worker: Worker, wish: Wish) -> Steps:
    desk = worker.desk
    if desk.chance(0.5):
        yield from worker.ask("get_refund_request", "GET", f"/refund-requests/{wish.id}")
    if desk.chance(0.3):
        body = {"reason": worker.rng.choice(DENIALS)}
        reply = yield from worker.on_wish("deny_refund_request", wish, "deny", body)
        if reply.ok:
            desk.closed.put(wish)
            desk.receipts.put(wish.receipt)
        return
    reply = yield from worker.on_wish("approve_refund_request", wish, "approve")
    if reply.ok:
        desk.granted.put(wish)


def _guard(worker: Worker) -> Steps:
    """Locks what is in dispute, releases what was held."""
    desk = worker.desk
    if desk.chance(0.25) and (bill := desk.approved.take()):
        reply = yield from worker.act("lock_invoice", bill, "lock")
        if reply.ok:
            desk.locked.put(bill)
    if desk.chance(0.6) and (receipt := desk.held.take()):
        yield from worker.release(receipt)


def _daily(worker: Worker) -> Steps:
    day, zone = worker.desk.today.isoformat(), worker.rng.choice(("Europe/Berlin", "UTC"))
    path = f"/reports/daily?day={day}&time_zone={zone.replace('/', '%2F')}"
    yield from worker.ask("get_daily_report", "GET", path)


def support(worker: Worker) -> Steps:
    """Looks into complaints; gives money back, or asks for it where it is much."""
    desk = worker.desk
    for _ in range(worker.rng.randint(1, 3)):
        receipt = desk.receipts.take()
        if receipt is None:
            break
        if desk.chance(0.4):
            yield from worker.get_invoice(receipt.invoice_id)
        if worker.has_pro and (receipt.left_cents > 100_000 or desk.chance(0.4)):
            yield from worker.wish(receipt)
        else:
            yield from worker.handle_refund(receipt)
    if worker.has_pro and (wish := desk.granted.take()):
        yield from worker.pay_out(wish)
    if refund_id := desk.refunds.look():
        yield from worker.ask("get_refund", "GET", f"/refunds/{refund_id}")
    if worker.has_pro and desk.chance(0.3) and (client := desk.clients.look()):
        yield from worker.statement(client.id)
    if desk.chance(0.25):
        yield from slips.support(worker)


def analyst(worker: Worker) -> Steps:
    """Filters, pages, opens a few, checks payments, reads reports and the audit log."""
    desk = worker.desk
    choices = ("", "", "&status=paid", "&status=approved", "&status=cancelled", "&currency=USD")
    query = worker.rng.choice(choices)
    limit = worker.rng.choice((10, 25, 50, 100))
    for page in range(worker.rng.randint(1, 3)):
        reply = yield from worker.list_invoices(f"?limit={limit}&offset={page * limit}{query}")
        if not reply.ok or len(reply.body["items"]) < limit:
            break
    for pile in (desk.settled, desk.approved):
        if desk.chance(0.4) and (bill := pile.look()):
            yield from worker.get_invoice(bill.id)
            yield from worker.ask("list_payments", "GET", f"/invoices/{bill.id}/payments")
    yield from worker.ask("get_summary", "GET", "/reports/summary")
    if worker.has_pro and desk.chance(0.5):
        currency = worker.rng.choice(("EUR", "EUR", "USD"))
        yield from worker.ask("get_tax_report", "GET", f"/reports/tax?currency={currency}")
    if worker.has_enterprise:
        for _ in range(worker.rng.randint(1, 3)):
            if receipt := desk.unchecked.take():
                yield from worker.check(receipt)
        yield from audit(worker)
    if desk.chance(0.4):
        yield from slips.analyst(worker)


def audit(worker: Worker) -> Steps:
    """Read the log: of one thing, of one kind, or page by page."""
    desk = worker.desk
    bill = desk.settled.look() or desk.approved.look()
    if bill and desk.chance(0.4):
        yield from worker.ask("list_audit", "GET", f"/audit?subject={bill.id}")
    elif desk.chance(0.4):
        since = f"{desk.today.isoformat()}T00:00:00%2B01:00"
        path = f"/audit?action=invoice.approved&since={since}"
        yield from worker.ask("list_audit", "GET", path)
    else:
        cursor = ""
        for _ in range(worker.rng.randint(1, 3)):
            reply = yield from worker.ask("list_audit", "GET", f"/audit?limit=50{cursor}")
            if not reply.ok or not reply.body.get("next_cursor"):
                break
            cursor = f"&cursor={reply.body['next_cursor']}"


def guest(worker: Worker) -> Steps:
    """Looks around."""
    desk = worker.desk
    yield from worker.list_invoices(worker.rng.choice(("", "?limit=5", "?status=approved")))
    for _ in range(worker.rng.randint(0, 3)):
        if bill := desk.approved.look() or desk.drafts.look():
            yield from worker.get_invoice(bill.id)
    if desk.chance(0.6):
        yield from worker.ask("list_customers", "GET", "/customers?limit=10")
        if client := desk.clients.look():
            yield from worker.ask("get_customer", "GET", f"/customers/{client.id}")
    if desk.chance(0.5):
        yield from slips.guest(worker)


def cfo(worker: Worker) -> Steps:
    """Decides what is beyond a manager's limit, and sees one deal through."""
    desk = worker.desk
    yield from worker.ask("get_summary", "GET", "/reports/summary")
    while bill := desk.large_drafts.take():
        yield from worker.get_invoice(bill.id)
        yield from worker.approve(bill)
    if worker.has_enterprise:
        yield from _oversee(worker)
    if worker.has_pro:
        yield from _decide(worker)
        if wish := desk.granted.take():
            yield from worker.pay_out(wish)
    mine = None if desk.chance(0.4) else (yield from worker.create())
    if mine is not None:
        reply = yield from worker.approve(mine)
        if reply.ok and desk.chance(0.8) and (payable := desk.approved.take()):
            yield from worker.take_payment(payable)
            if desk.chance(0.6) and (receipt := desk.receipts.take()):
                yield from worker.handle_refund(receipt)
    if desk.chance(0.3):
        yield from worker.ask("list_customers", "GET", "/customers?blocked=false")
    if desk.chance(0.2):
        yield from slips.cfo(worker)


def _oversee(worker: Worker) -> Steps:
    """Opens what was locked, reads the log."""
    desk = worker.desk
    if bill := desk.locked.take():
        reply = yield from worker.act("unlock_invoice", bill, "unlock")
        if reply.ok:
            desk.approved.put(bill)
    if desk.chance(0.5):
        yield from audit(worker)


ROLES: Mapping[str, Callable[[Worker], Steps]] = {
    "cashier": cashier, "finance": finance, "support": support,
    "analyst": analyst, "guest": guest, "cfo": cfo,
}  # fmt: skip


def open_session(desk: Desk) -> Session:
    """The next visitor, not yet begun. Each workplace belongs to a branch with its edition."""
    user = desk.rng.choices(list(SESSION_WEIGHTS), list(SESSION_WEIGHTS.values()))[0]
    workplace = desk.rng.randint(1, WORKPLACES)
    worker = Worker(desk, user, edition_of(workplace))
    return Session(
        role=USERS[user],
        client=f"{user}-{workplace:02}",
        trace=desk.hex(32),
        steps=_visit(worker),
    )


def edition_of(workplace: int) -> Edition:
    """Two branches are small: of forty workplaces, six run in lite and six in pro."""
    if workplace > WORKPLACES - 6:
        return Edition.LITE
    return Edition.PRO if workplace > WORKPLACES - 12 else Edition.ENTERPRISE


def _visit(worker: Worker) -> Steps:
    yield from worker.sign_in()
    yield from ROLES[worker.user](worker)
    if worker.session_id and worker.desk.chance(0.3):
        yield from worker.sign_out()
