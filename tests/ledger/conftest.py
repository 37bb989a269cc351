"""A real ledger process, shared by the tests of this folder and emptied before each of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.ledger.bank import Bank, opened
from tests.shared import ROOT

FOLDER = ROOT / "examples" / "ledger"
READY_S_MAX = 20
USERS = {
    "Guest": "guest",
    "Cashier": "cashier",
    "SupportAgent": "support",
    "Analyst": "analyst",
    "FinanceManager": "finance",
    "CFO": "cfo",
}


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return {**kept, **changes}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(*options: str, **changes: str) -> Iterator[str]:
    """Serve until the generator is closed; yields the base address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "ledger", "--port", str(port), *options],
        cwd=FOLDER,
        env=environment(**changes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        give_up_at = time.monotonic() + READY_S_MAX
        while not is_ready(base):
            assert process.poll() is None, "the ledger ended before it answered"
            assert time.monotonic() < give_up_at, "the ledger never answered"
            time.sleep(0.05)
        yield base
    finally:
        process.kill()
        process.wait()


def is_ready(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def bank() -> Iterator[Bank]:
    with opened() as bank:
        yield bank


@pytest.fixture(scope="session")
def base(bank) -> Iterator[str]:
    yield from start(LEDGER_TEST_HOOKS="1", LEDGER_BANK_URL=bank.url)


@pytest.fixture(scope="session")
def bare_base() -> Iterator[str]:
    """A ledger without test hooks, with two defects from its environment."""
    yield from start(LEDGER_DEFECTS="L04, L06", LEDGER_PASSWORD_CFO="another one")


@pytest.fixture(scope="session")
def http(base) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base) as client:
        yield client


@pytest.fixture(scope="session")
def tokens(http) -> dict[str, str]:
    return {role: sign_in(http, user) for role, user in USERS.items()}


def sign_in(http: httpx.Client, user: str) -> str:
    answer = http.post("/login", json={"username": user, "password": f"{user}-secret"})
    assert answer.status_code == 200
    return answer.json()["token"]


class Ledger:
    """Calls as one role or another, and the short way to a state."""

    def __init__(
        self, http: httpx.Client, tokens: dict[str, str], bank: Bank | None = None
    ) -> None:
        self.http, self.tokens, self.bank = http, tokens, bank

    def call(self, role: str, method: str, path: str, json=None, **more) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        headers |= more.pop("headers", {})
        if json is not None:
            more["json"] = json
        return self.http.request(method, path, headers=headers, **more)

    def switch(self, *defects: str) -> None:
        answer = self.http.post("/_test/defects", json={"on": list(defects)})
        assert answer.json() == {"on": sorted(defects)}

    def forget(self) -> None:
        assert self.http.post("/_test/reset").status_code == 200

    def draft(self, amount: float = 100) -> str:
        return self.made("/invoices", invoice(amount=amount))

    def approved(self, amount: float = 100) -> str:
        invoice_id = self.draft(amount)
        assert self.approve("CFO", invoice_id).status_code == 200
        return invoice_id

    def cancelled(self) -> str:
        invoice_id = self.draft()
        assert self.cancel(invoice_id).is_success
        return invoice_id

    def payment(self, amount: float = 100) -> str:
        path = f"/invoices/{self.approved(amount)}/payments"
        return self.made(path, {"amount": amount, "method": "card"})

    def customer(self, **changes) -> str:
        return self.made("/customers", customer(**changes))

    def wish(self, payment_id: str, amount: float = 10, role: str = "SupportAgent") -> str:
        body = {"amount": amount, "reason": f"wish of {role}"}
        answer = self.call(role, "POST", f"/payments/{payment_id}/refund-requests", body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def granted(self, payment_id: str, amount: float = 10) -> str:
        request_id = self.wish(payment_id, amount)
        assert self.post("CFO", f"/refund-requests/{request_id}/approve").status_code == 200
        return request_id

    def locked(self, amount: float = 100) -> str:
        invoice_id = self.approved(amount)
        assert self.post("CFO", f"/invoices/{invoice_id}/lock").status_code == 200
        return invoice_id

    def post(self, role: str, path: str, json=None, **more) -> httpx.Response:
        return self.call(role, "POST", path, json, **more)

    def get(self, role: str, path: str, **more) -> httpx.Response:
        return self.call(role, "GET", path, **more)

    def approve(self, role: str, invoice_id: str) -> httpx.Response:
        return self.call(role, "POST", f"/invoices/{invoice_id}/approve")

    def cancel(self, invoice_id: str) -> httpx.Response:
        return self.call("CFO", "POST", f"/invoices/{invoice_id}/cancel")

    def pay(self, invoice_id: str, amount: float) -> httpx.Response:
        body = {"amount": amount, "method": "transfer"}
        return self.call("CFO", "POST", f"/invoices/{invoice_id}/payments", body)

    def refund(self, payment_id: str, amount: float, reason: str = "damaged") -> httpx.Response:
        body = {"amount": amount, "reason": reason}
        return self.call("CFO", "POST", f"/payments/{payment_id}/refunds", body)

    def made(self, path: str, body: dict) -> str:
        answer = self.call("CFO", "POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]


def invoice(**changes) -> dict:
    body = {"customer": "Łódź", "amount": 100, "currency": "EUR", "due_date": "2026-07-01"}
    return {**body, **changes}


def customer(**changes) -> dict:
    return {"name": "Łódź", "email": "office@lodz.example", **changes}


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert set(answer.json()) == {"error", "message"}
    return answer.status_code, answer.json()["error"]


@pytest.fixture
def ledger(http, tokens, bank) -> Ledger:
    """An empty, correct ledger."""
    ledger = Ledger(http, tokens, bank)
    ledger.switch()
    ledger.forget()
    return ledger
