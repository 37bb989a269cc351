"""Traffic with relations that are known, because they were planted; and traffic with none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from premortem.domain.traffic import Exchange
from tests.learn.services import WORDS, call, hexes

Key = tuple[str, str, frozenset[str], int]
"""(kind, first place where it matters, the others, status; 0 for the request)."""

ORDER = "POST /shops/{shop_id}/orders"


def rule(kind: str, first: str, *others: str, status: int = 0) -> Key:
    """A planted rule as `found` writes it."""
    if kind == "equal":
        return kind, "", frozenset((first, *others)), status
    return kind, first, frozenset(others), status


PLANTED = {
    rule("sum", "body:/subtotal", "body:/lines/*/amount"),
    rule("sum", "body:/total", "body:/subtotal", "body:/tax"),
    rule("product", "body:/lines/*/amount", "body:/lines/*/quantity", "body:/lines/*/unit_price"),
    rule("count", "body:/pieces", "body:/lines"),
    rule("order", "body:/valid_from", "body:/valid_to"),
    rule("order", "body:/guests_min", "body:/guests_max"),
    rule("equal", "body:/currency", "body:/lines/*/currency"),
    rule("equal", "path:shop_id", "body:/shop_id"),
    rule("requires", "body:/coupon_value", "body:/coupon_code"),
    rule("requires", "body:/coupon_code", "body:/coupon_value"),
    rule("requires", "body:/iban", "body:/holder"),
    rule("order", "body:/created_at", "body:/shipped_at", status=201),
    rule("sum", "body:/charged", "body:/net", "body:/vat", status=201),
    rule("count", "body:/count", "body:/tickets", status=201),
}
IMPLIED = {
    rule("sum", "body:/total", "body:/lines/*/amount", "body:/tax"),
    rule("order", "body:/subtotal", "body:/total"),
    rule("order", "body:/tax", "body:/total"),
    rule("order", "body:/net", "body:/charged", status=201),
    rule("order", "body:/vat", "body:/charged", status=201),
    rule("equal", "body:/lines/*/currency", "body:/currency"),
}
"""Not planted, and true all the same."""


def orders(seed: int, count: int) -> Iterator[Exchange]:
    """COUNT orders in which PLANTED holds, among fields that only look related."""
    rng = Random(seed)
    for number in range(count):
        lines = [_line(rng) for _ in range(rng.choice((1, 1, 2, 2, 3, 4)))]
        currency = rng.choices(("EUR", "USD", "CHF"), (6, 3, 1))[0]
        for line in lines:
            line["currency"] = currency
        subtotal = round(sum(line["amount"] for line in lines), 2)
        tax = round(subtotal * rng.choice((0.0, 0.07, 0.19)), 2)
        start = date(2026, 1, 1) + timedelta(days=rng.randrange(300))
        low = rng.randrange(1, 12)
        shop = hexes(rng)
        body = {
            "shop_id": shop,
            "lines": lines,
            "pieces": len(lines),
            "currency": currency,
            "subtotal": subtotal,
            "tax": tax,
            "total": round(subtotal + tax, 2),
            "valid_from": start.isoformat(),
            "valid_to": (start + timedelta(days=rng.randrange(60))).isoformat(),
            "guests_min": low,
            "guests_max": low + rng.randrange(6),
            **_decoys(rng, subtotal),
        }
        if rng.random() < 0.3:
            body |= {"coupon_code": hexes(rng), "coupon_value": rng.randrange(1, 20)}
        if rng.random() < 0.4:
            body["holder"] = rng.choice(WORDS)
            if rng.random() < 0.6:
                body["iban"] = str(rng.randrange(10**14, 10**15))
        yield call(
            "POST",
            f"/shops/{shop}/orders",
            status=201,
            body=body,
            answer=_answer(rng, number),
            at=1_760_000_000.0 + number * 37.0,
            session=f"s{number // 3}",
        )


def _line(rng: Random) -> dict:
    quantity, price = rng.randrange(1, 9), rng.randrange(99, 9999) / 100
    return {
        "sku": hexes(rng),
        "quantity": quantity,
        "unit_price": price,
        "amount": round(quantity * price, 2),
        "weight_g": rng.randrange(50, 5000),
    }


def _decoys(rng: Random, subtotal: float) -> dict:
    """Related only at a glance: skewed alike, growing together, mostly ordered, mostly equal."""
    return {
        "billing_currency": rng.choices(("EUR", "USD"), (97, 3))[0],
        "gift": rng.random() < 0.02,
        "express": rng.random() < 0.02,
        "priority": rng.randrange(3),
        "retries": rng.randrange(3),
        "insured": round(subtotal * rng.uniform(0.5, 3.0), 2),
        "points": int(subtotal) + rng.randrange(-5, 6),
        "birthday": (date(1960, 1, 1) + timedelta(days=rng.randrange(15_000))).isoformat(),
        "asked_on": (date(2026, 1, 1) + timedelta(days=rng.randrange(300))).isoformat(),
        "floor_no": rng.randrange(1, 4),
        "door_no": rng.randrange(1, 400),
        **({"note": rng.choice(WORDS)} if rng.random() < 0.9 else {}),
        **({"phone": str(rng.randrange(10**8))} if rng.random() < 0.8 else {}),
    }


def _answer(rng: Random, number: int) -> dict:
    at = 1_760_000_000 + number * 37
    net, vat = rng.randrange(100, 99_999) / 100, rng.randrange(0, 1_999) / 100
    tickets = [{"seat": rng.randrange(400)} for _ in range(rng.randrange(1, 6))]
    return {
        "id": hexes(rng),
        "created_at": _moment(at),
        "shipped_at": _moment(at + rng.randrange(60, 90_000)),
        "net": net,
        "vat": vat,
        "charged": round(net + vat, 2),
        "tickets": tickets,
        "count": len(tickets),
        "queue": rng.randrange(12),
        "slot": rng.randrange(12),
    }


def _moment(at: float) -> str:
    day, second = divmod(int(at), 86_400)
    rest = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    return f"{date(1970, 1, 1) + timedelta(days=day)}T{rest}"


def noise(seed: int, count: int) -> Iterator[Exchange]:
    """COUNT requests whose fields have nothing to do with each other."""
    rng = Random(seed)
    kinds = rng.choices(("few", "small", "money", "date", "word", "flag", "maybe"), k=14)
    for number in range(count):
        body = {f"f{n}": _value(rng, kind) for n, kind in enumerate(kinds) if _there(rng, kind)}
        body["rows"] = [{"a": rng.randrange(9), "b": rng.randrange(9), "c": rng.randrange(99)}]
        body["rows"] *= rng.randrange(1, 4)
        query = (("sort", rng.choice(("asc", "desc"))), ("limit", rng.choice(("10", "20", "50"))))
        yield call(
            "POST",
            "/noise",
            body=body,
            answer=body,
            query=query,
            at=1_760_000_000.0 + number,
            session=f"s{number}",
        )


def _there(rng: Random, kind: str) -> bool:
    return kind != "maybe" or rng.random() < 0.5


def _value(rng: Random, kind: str) -> object:
    if kind == "few":
        return rng.choices(("red", "green", "blue"), (80, 15, 5))[0]
    if kind == "small":
        return rng.randrange(5)
    if kind == "money":
        return rng.randrange(1, 99_999) / 100
    if kind == "date":
        return (date(2026, 1, 1) + timedelta(days=rng.randrange(365))).isoformat()
    if kind == "word":
        return rng.choice(WORDS)
    return rng.random() < 0.5
