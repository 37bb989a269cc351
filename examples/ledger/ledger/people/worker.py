"""What every signed-in person can do; `sessions` puts it together.

Each step is a generator that yields what to ask and is sent the reply.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

from ledger.editions import Edition
from ledger.people.desk import Ask, Bill, Client, Desk, Receipt, Reply, Wish, amount, cents_of
from ledger.roles import APPROVAL_LIMIT_CENTS, password_of

Steps = Generator[Ask, Reply, None]
Asking = Generator[Ask, Reply, Reply]

SUSPICIOUS_CENTS = 400_00
"""Payments from here on lie with the analysts first, who check them for fraud."""
KEYED_BILLS, KEYED_PAYMENTS = 0.1, 0.3
"""How many come with an idempotency key: those of the newest clients."""
LOST = 0.2
"""How many answers to such requests get lost on the way, so that they are sent again."""
WRONG_PASSWORD, STALE_TOKEN, NO_TOKEN = 0.04, 0.02, 0.03


class Worker:
    """One person at the desk, in the edition that their branch has bought."""

    def __init__(self, desk: Desk, user: str, edition: Edition) -> None:
        self.desk, self.rng, self.user, self.edition = desk, desk.rng, user, edition
        self.token = self.session_id = ""

    @property
    def has_pro(self) -> bool:
        """Whether their edition is pro or more."""
        return self.edition != Edition.LITE

    @property
    def has_enterprise(self) -> bool:
        """Whether their edition is enterprise."""
        return self.edition == Edition.ENTERPRISE

    def ask(
        self,
        operation: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Asking:
        """Send one request with this person's token and edition."""
        sent = dict(headers or {})
        # The largest edition is the ledger's own: nobody has to name it.
        if self.edition != Edition.ENTERPRISE and self.token:
            sent["X-Edition"] = str(self.edition)
        reply = yield Ask(
            operation=operation, method=method, path=path, token=self.token, body=body, headers=sent
        )
        return reply

    def ask_once(self, operation: str, path: str, body: Mapping[str, Any], keyed: float) -> Asking:
        """Post; some, as KEYED says, with a key, and of those some ask twice."""
        headers = {"Idempotency-Key": self.desk.hex(32)} if self.desk.chance(keyed) else None
        reply = yield from self.ask(operation, "POST", path, body, headers=headers)
        if reply.ok and headers and self.desk.chance(LOST):
            yield from self.ask(operation, "POST", path, body, headers=headers)
        return reply

    def login(self, password: str) -> Steps:
        """Sign in; the token is kept if it worked."""
        body = {"username": self.user, "password": password}
        reply = yield from self.ask("login", "POST", "/login", body)
        if reply.ok:
            self.token, self.session_id = reply.body["token"], reply.body["session_id"]

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

    def sign_out(self) -> Steps:
        """End the visit; now and then an open tab asks once more."""
        reply = yield from self.ask("end_session", "DELETE", f"/sessions/{self.session_id}")
        if reply.status < 300 and self.desk.chance(0.3):
            yield from self.list_invoices()

    def list_invoices(self, query: str = "") -> Asking:
        """One page of invoices."""
        reply = yield from self.ask("list_invoices", "GET", f"/invoices{query}")
        return reply

    def get_invoice(self, invoice_id: str) -> Asking:
        """Open one invoice."""
        reply = yield from self.ask("get_invoice", "GET", f"/invoices/{invoice_id}")
        return reply

    def act(self, operation: str, bill: Bill, verb: str) -> Asking:
        """Do something to an invoice that needs no body."""
        reply = yield from self.ask(operation, "POST", f"/invoices/{bill.id}/{verb}")
        return reply

    def add_customer(self) -> Steps:
        """Write a customer down."""
        body = self.desk.customer()
        reply = yield from self.ask("create_customer", "POST", "/customers", body)
        if reply.ok:
            made = Client(id=reply.body["id"], name=body["name"], version=reply.body["version"])
            self.desk.clients.put(made)

    def edit_customer(self) -> Steps:
        """Read a customer and correct it, with the version that was read."""
        client = self.desk.clients.take()
        if client is None:
            return
        read = yield from self.ask("get_customer", "GET", f"/customers/{client.id}")
        if read.ok:
            new = self.desk.customer()
            changes = ({"email": new["email"]}, {"iban": new.get("iban")}, {"name": new["name"]})
            reply = yield from self.ask(
                "update_customer",
                "PATCH",
                f"/customers/{client.id}",
                self.rng.choice(changes),
                headers={"If-Match": f'"{read.body["version"]}"'},
            )
            if reply.ok:
                version, name = reply.body["version"], reply.body["name"]
                client = replace(client, version=version, name=name)
        self.desk.clients.put(client)

    def statement(self, client_id: str) -> Asking:
        """Read a customer's account."""
        query = self.rng.choice(("", "", "?currency=USD", "?currency=EUR"))
        path = f"/customers/{client_id}/statement{query}"
        reply = yield from self.ask("get_statement", "GET", path)
        return reply

    def create(self) -> Generator[Ask, Reply, Bill | None]:
        """Write a draft."""
        body = self.desk.invoice(self.edition)
        reply = yield from self.ask_once("create_invoice", "/invoices", body, KEYED_BILLS)
        if not reply.ok:
            return None
        return Bill(
            id=reply.body["id"],
            open_cents=cents_of(body["amount"]),
            overdue=body["due_date"] < self.desk.today.isoformat(),
            client_id=body.get("customer_id"),
        )

    def lay_down(self, bill: Bill) -> None:
        """A draft waits for whoever may approve it."""
        is_large = bill.open_cents > APPROVAL_LIMIT_CENTS
        (self.desk.large_drafts if is_large else self.desk.drafts).put(bill)

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
        headers = None
        if self.desk.chance(0.3):
            read = yield from self.get_invoice(bill.id)
            if read.ok:
                headers = {"If-Match": f'"{read.body["version"]}"'}
        path = f"/invoices/{bill.id}"
        reply = yield from self.ask("update_invoice", "PATCH", path, body, headers=headers)
        if not reply.ok:
            return bill
        overdue = reply.body["due_date"] < self.desk.today.isoformat()
        return replace(bill, open_cents=cents_of(reply.body["amount"]), overdue=overdue)

    def approve(self, bill: Bill) -> Asking:
        """Approve; a success makes the bill payable for everyone."""
        reply = yield from self.act("approve_invoice", bill, "approve")
        if reply.ok:
            (self.desk.overdue if bill.overdue else self.desk.approved).put(bill)
        return reply

    def cancel(self, bill: Bill) -> Asking:
        """Cancel; a success lays the bill with the cancelled ones."""
        reply = yield from self.act("cancel_invoice", bill, "cancel")
        if reply.ok:
            self.desk.cancelled.put(bill)
        return reply

    def charge(self, bill: Bill) -> Steps:
        """Charge the late fee of an overdue bill."""
        reply = yield from self.act("charge_late_fee", bill, "late-fee")
        if reply.ok:
            fee = cents_of(reply.body["late_fee"])
            self.desk.charged.put(replace(bill, open_cents=bill.open_cents + fee))

    def credit(self, bill: Bill) -> Steps:
        """Take something off a bill, and look at the list of what was."""
        cents = max(1, round(bill.open_cents * self.rng.choice((0.05, 0.1, 0.25))))
        body = {"amount": amount(cents), "reason": self.desk.reason()}
        path = f"/invoices/{bill.id}/credit-notes"
        reply = yield from self.ask("create_credit_note", "POST", path, body)
        if reply.ok:
            bill = replace(bill, open_cents=bill.open_cents - cents)
        if self.desk.chance(0.5):
            yield from self.ask("list_credit_notes", "GET", path)
        if bill.open_cents:
            self.desk.approved.put(bill)

    def pay(self, bill: Bill, cents: int) -> Asking:
        """Take `cents` for a bill."""
        body = {"amount": amount(cents), "method": self.desk.method()}
        path = f"/invoices/{bill.id}/payments"
        reply = yield from self.ask_once("create_payment", path, body, KEYED_PAYMENTS)
        if reply.ok:
            receipt = Receipt(
                id=reply.body["id"], invoice_id=bill.id, cents=cents, left_cents=cents
            )
            (self.desk.unchecked if cents >= SUSPICIOUS_CENTS else self.desk.receipts).put(receipt)
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

    def check(self, receipt: Receipt) -> Steps:
        """Check a payment for fraud; what is held waits for a manager."""
        path = f"/payments/{receipt.id}/fraud-check"
        reply = yield from self.ask("check_payment", "POST", path)
        if reply.ok:
            is_held = reply.body["screening"] == "held"
            self.desk.checked.put(receipt)
            (self.desk.held if is_held else self.desk.receipts).put(receipt)

    def release(self, receipt: Receipt) -> Steps:
        """Release a held payment, so that it can be refunded again."""
        reply = yield from self.ask("release_payment", "POST", f"/payments/{receipt.id}/release")
        if reply.ok:
            self.desk.receipts.put(receipt)

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
        if self.desk.chance(0.1):
            yield from self.refund(receipt, receipt.left_cents + self.rng.randint(1, 5000), reason)
        reply = yield from self.refund(receipt, cents, reason)
        if not reply.ok:
            return
        if self.desk.chance(0.2):  # the double click
            yield from self.refund(receipt, cents, reason)
        if self.desk.chance(0.5):
            yield from self.list_refunds(receipt)
        if self.desk.chance(0.3):
            yield from self.ask("get_refund", "GET", f"/refunds/{reply.body['id']}")
        left = replace(receipt, left_cents=receipt.left_cents - cents)
        if left.left_cents:
            self.desk.receipts.put(left)

    def wish(self, receipt: Receipt) -> Steps:
        """Ask for a refund, for someone else to decide on."""
        share = 1.0 if self.desk.chance(0.3) else self.rng.choice((0.2, 0.5))
        cents = max(1, round(receipt.left_cents * share))
        body = {"amount": amount(cents), "reason": self.desk.reason()}
        path = f"/payments/{receipt.id}/refund-requests"
        reply = yield from self.ask("request_refund", "POST", path, body)
        if not reply.ok:
            return
        wish = Wish(id=reply.body["id"], receipt=receipt, cents=cents, user=self.user)
        if self.desk.chance(0.1):  # the same form sent again
            yield from self.ask("request_refund", "POST", path, body)
        if self.desk.chance(0.12):
            yield from self.on_wish("cancel_refund_request", wish, "cancel")
            self.desk.closed.put(wish)
            self.desk.receipts.put(receipt)
        else:
            self.desk.wishes.put(wish)

    def on_wish(
        self, operation: str, wish: Wish, verb: str, body: Mapping[str, Any] | None = None
    ) -> Asking:
        """Do something to a refund request."""
        reply = yield from self.ask(operation, "POST", f"/refund-requests/{wish.id}/{verb}", body)
        return reply

    def pay_out(self, wish: Wish) -> Steps:
        """Pay an approved request out, and look whether it is."""
        reply = yield from self.on_wish("pay_out_request", wish, "payout")
        if self.desk.chance(0.5):
            path = f"/refund-requests/{wish.id}"
            yield from self.ask("get_refund_request", "GET", path)
        if reply.ok:
            self.desk.closed.put(wish)
            self.desk.refunds.put(reply.body["refund_id"])
            left = replace(wish.receipt, left_cents=wish.receipt.left_cents - wish.cents)
            if left.left_cents:
                self.desk.receipts.put(left)
