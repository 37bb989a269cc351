"""Twenty people at once, doing whatever comes to mind: the books stay right."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from random import Random

import httpx
import jsonschema_rs
import pytest

from tests.ledger.conftest import USERS, customer, invoice

PEOPLE = 20
STEPS_EACH = 60
ODD = (None, "", 0, -1, 1.5, 10**9, True, [], {}, "x" * 300, "☃", "0", "2026-02-30", 0.001)
EDITIONS = ({}, {}, {}, {"X-Edition": "pro"}, {"X-Edition": "lite"}, {"X-Edition": "gold"})


class Person:
    """Calls operations at random, with ids that others made."""

    def __init__(self, ledger, document, seed: int, ids: dict[str, list[str]]) -> None:
        self.rng, self.tokens, self.ids = Random(seed), ledger.tokens, ids
        self.http = httpx.Client(base_url=ledger.http.base_url, timeout=30)
        self.operations = [
            (method.upper(), path, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if "x-roles" in operation and operation["operationId"] != "end_session"
        ]
        self.odd: list[str] = []
        self.seen: Counter[int] = Counter()

    def live(self) -> Person:
        with self.http:
            for _ in range(STEPS_EACH):
                self.step(*self.rng.choice(self.operations))
        return self

    def step(self, method: str, path: str, operation: dict) -> None:
        roles = operation["x-roles"] if self.rng.random() < 0.9 else list(USERS)
        headers = {"Authorization": f"Bearer {self.tokens[self.rng.choice(roles)]}"}
        headers |= self.rng.choice(EDITIONS)
        if self.rng.random() < 0.3:
            headers["Idempotency-Key"] = f"k{self.rng.randrange(20)}"
        if self.rng.random() < 0.2:
            headers["If-Match"] = self.rng.choice(('"1"', '"2"', "*", "nonsense"))
        real = re.sub(r"\{(\w+)\}", lambda match: self.some(match[1]), path)
        body = self.body(operation) if "requestBody" in operation else None
        answer = self.http.request(method, real, headers=headers, json=body)
        self.seen[answer.status_code] += 1
        self.judge(f"{method} {real} {body}", operation, answer)
        if answer.status_code == 201:
            self.ids[answer.json()["id"][:3]].append(answer.json()["id"])

    def some(self, name: str) -> str:
        prefix = {"customer_id": "cus", "invoice_id": "inv", "payment_id": "pay"}
        prefix |= {"refund_id": "ref", "request_id": "req"}
        known = self.ids[prefix[name]]
        # Few of each, so that many meet at the same one.
        return self.rng.choice(known[-4:]) if known and self.rng.random() < 0.95 else "none"

    def body(self, operation: dict) -> object:
        amount, reason = self.rng.choice((1, 10, 33.33, 20_000)), self.rng.choice("ab")
        body = {
            "create_customer": customer(),
            "update_customer": {"name": self.rng.choice("ab")},
            "create_invoice": invoice(
                amount=self.rng.choice((99.99, 100, 30_000)),
                due_date=self.rng.choice(("2024-01-01", "2099-01-01")),
                tax_percent=self.rng.choice((0, 7, 19)),
                customer_id=self.rng.choice([None, *self.ids["cus"][-4:]]),
            ),
            "update_invoice": {"amount": amount},
            "create_payment": {"amount": amount, "method": self.rng.choice(("card", "cash"))},
            "deny_refund_request": {"reason": reason},
        }.get(operation["operationId"], {"amount": amount, "reason": reason})
        if self.rng.random() < 0.2:
            body[self.rng.choice([*body, "extra"])] = self.rng.choice(ODD)
        return body if self.rng.random() < 0.98 else self.rng.choice(ODD)

    def judge(self, sent: str, operation: dict, answer: httpx.Response) -> None:
        declared = operation["responses"].get(str(answer.status_code))
        if declared is None:
            self.odd.append(f"{sent}: {answer.status_code} {answer.text[:200]}")
            return
        schema = declared["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        if errors := [error.message for error in VALIDATORS[schema].iter_errors(answer.json())]:
            self.odd.append(f"{sent}: {errors}")


VALIDATORS: dict[str, jsonschema_rs.Draft202012Validator] = {}


@pytest.mark.parametrize("seed", [1])
def test_nothing_odd_is_answered_and_no_cent_is_lost(ledger, seed):
    document = ledger.get("", "/openapi.json").json()
    for name in document["components"]["schemas"]:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        VALIDATORS[name] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    ids: dict[str, list[str]] = defaultdict(list)
    for _ in range(4):
        ids["pay"].append(ledger.payment(100))
        ids["inv"].append(ledger.approved(10_000))
    people = [Person(ledger, document, seed * 1000 + number, ids) for number in range(PEOPLE)]
    with ThreadPoolExecutor(PEOPLE) as threads:
        lived = list(threads.map(Person.live, people))
    seen = sum((person.seen for person in lived), Counter())
    assert [odd for person in lived for odd in person.odd] == []
    assert {200, 201, 403, 404, 409, 412, 422} <= set(seen), seen
    balance(ledger)


def everything(ledger, path: str) -> list[dict]:
    items, query = [], "?limit=100"
    while True:
        page = ledger.get("CFO", path + query).json()
        items += page["items"]
        if not page["next_cursor"]:
            return items
        query = f"?limit=100&cursor={page['next_cursor']}"


def all_invoices(ledger) -> list[dict]:
    items: list[dict] = []
    while True:
        page = ledger.get("CFO", f"/invoices?limit=100&offset={len(items)}").json()
        items += page["items"]
        if len(items) == page["count"]:
            return items


def cents(number: float) -> int:
    return round(number * 100)


def balance(ledger) -> None:
    """Every sum is what its parts say, and the log holds each change exactly once."""
    summary = ledger.get("CFO", "/reports/summary").json()
    requests = everything(ledger, "/refund-requests")
    actions = Counter(entry["action"] for entry in everything(ledger, "/audit"))
    totals: Counter[str] = Counter()
    for shown in all_invoices(ledger):
        path = f"/invoices/{shown['id']}"
        payments = ledger.get("CFO", f"{path}/payments").json()["items"]
        notes = ledger.get("CFO", f"{path}/credit-notes").json()["items"]
        paid = sum(cents(payment["amount"]) for payment in payments)
        credited = sum(cents(note["amount"]) for note in notes)
        due = cents(shown["amount"]) + cents(shown["late_fee"]) - credited - paid
        assert (paid, credited) == (cents(shown["paid"]), cents(shown["credited"]))
        assert cents(shown["net"]) + cents(shown["tax"]) == cents(shown["amount"])
        assert due >= 0
        assert (due == 0) == (shown["status"] == "paid"), shown
        assert not paid or shown["status"] in ("approved", "paid")
        for payment in payments:
            refunds = ledger.get("CFO", f"/payments/{payment['id']}/refunds").json()["items"]
            back = sum(cents(refund["amount"]) for refund in refunds)
            assert back == cents(payment["refunded"]) <= cents(payment["amount"])
            totals.update(refunds=len(refunds), refunded=back)
        totals.update(payments=len(payments), paid=paid, notes=len(notes), invoices=1)
        if shown["status"] in ("approved", "paid"):
            totals["invoiced"] += cents(shown["amount"])
    for name in ("invoiced", "paid", "refunded"):
        assert cents(summary[name]) == totals[name]
    issued = [request["refund_id"] for request in requests if request["status"] == "issued"]
    assert len(set(issued)) == len(issued) == actions["refund_request.issued"]
    assert actions["invoice.created"] == totals["invoices"] == summary["invoices"]
    assert actions["payment.created"] == totals["payments"]
    assert actions["credit_note.created"] == totals["notes"]
    assert actions["refund.created"] == totals["refunds"]
