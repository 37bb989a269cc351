"""Traffic of a small shop in which things go together, for what learns from whole requests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from premortem.domain.traffic import Exchange, Profile, Tags
from premortem.learn import learn_profile
from tests.generate.small import exchange

CURRENCIES = {"DE": "EUR", "US": "USD", "JP": "JPY"}
WORDS = ("please", "bring", "leave", "ring", "twice", "early", "late", "quietly", "today", "again")
BEGIN = 1_790_000_000.0
ORDERS, PAYMENTS = "POST /orders", "POST /orders/{order_id}/payments"
SECRET_SESSION = 5
SECRET = "the blue elephant sings at midnight"
"""A note that one session alone sent."""


def traffic(sessions: int = 150, seed: int = 5) -> list[Exchange]:
    """Sessions in which an order is made, read and often paid."""
    rng = np.random.default_rng(seed)
    return [e for number in range(sessions) for e in _session(number, rng)]


def profile_of(exchanges: list[Exchange]) -> Profile:
    return learn_profile(lambda: iter(exchanges), spec=None, now=0.0)


def _session(number: int, rng: np.random.Generator) -> Iterator[Exchange]:
    role = ("clerk", "guest")[int(rng.integers(2))]
    tags = Tags(session=f"session {number}", role=role)
    at = BEGIN + number * 600.0
    country = ("DE", "US", "JP")[int(rng.integers(3))]
    amount = round(float(rng.gamma(2.0, 40.0)) + 1, 2)
    lines = [
        {"sku": f"sku-{int(rng.integers(6))}", "count": int(rng.integers(1, 4))}
        for _ in range(int(rng.integers(1, 4)))
    ]
    body = {"country": country, "currency": CURRENCIES[country], "amount": amount, "lines": lines}
    if role == "guest":
        body["note"] = " ".join(rng.choice(WORDS, 4).tolist())
    if number == SECRET_SESSION:
        body["note"] = SECRET
    order_id = f"ord_{rng.bytes(6).hex()}"
    yield _tagged(
        exchange("POST", "/orders", 201, body=body, answer={"id": order_id, "due": amount}),
        tags,
        at,
    )
    answer = {"id": order_id, "due": amount, "currency": CURRENCIES[country]}
    yield _tagged(exchange("GET", f"/orders/{order_id}", 200, answer=answer), tags, at + 5)
    if number % 4:
        part = amount if rng.random() < 0.7 else round(amount * float(rng.uniform(0.1, 0.9)), 2)
        paid = {"amount": part, "method": ("card", "cash")[int(rng.integers(2))]}
        path = f"/orders/{order_id}/payments"
        made = {"id": f"pay_{rng.bytes(6).hex()}", "amount": part}
        yield _tagged(exchange("POST", path, 201, body=paid, answer=made), tags, at + 9)


def _tagged(given: Exchange, tags: Tags, at: float) -> Exchange:
    return Exchange(
        request=given.request,
        response=given.response,
        started_at=at,
        duration_ms=5.0,
        tags=tags,
    )
