"""What the people of the sample traffic know and make up: papers and plausible values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Generic, TypeVar

Paper = TypeVar("Paper")

# The people forget old papers, so that a long recording does not grow without bound.
PAPERS_MAX = 300
FIRST_DAY = date(2026, 1, 5)
DUE_DAYS = (7, 14, 14, 30, 30, 30, 45, 60, 90)
TYPICAL_CENTS, SPREAD = 14_000, 1.25
LOWEST_CENTS, HIGHEST_CENTS = 150, 40_000_000

CUSTOMERS = (
    "Acme GmbH", "Bäckerei Schön", "Łódź Logistics", "Müller & Söhne KG", "Café Noël",
    "O'Neil Ltd", "東京商事", "Hotel Adler", "Nordwind AB", "Ferreira e Filhos", "Zoë's Flowers",
    "Praxis Dr. Weiß", "Kite Robotics", "Blue Harbor LLC", "Ateliér Dvořák", "Sol y Mar S.A.",
    "Green Fork", "Αθήνα Books",
)  # fmt: skip
WORKS = (
    "Consulting", "Monthly retainer", "Büroreinigung", "Website redesign", "Spare parts",
    "Catering – Frühlingsfest", "Workshop (2 days)", "Übersetzung EN→DE", "Hosting",
    "翻訳サービス", "Repairs ✓", "Training",
)  # fmt: skip
REASONS = (
    "customer complaint", "damaged goods", "price agreed by phone", "service not delivered",
    "wrong quantity", "Kulanz", "paid twice", "cancelled order", "retour – zu spät geliefert",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request to send. `text` replaces `body` where it is not to be JSON."""

    operation: str
    method: str
    path: str
    token: str = ""
    body: Mapping[str, Any] | None = None
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer: its status and its parsed body, None if it was not JSON."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the ledger did it."""
        return self.status < 300 and isinstance(self.body, dict)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """An invoice as its handlers know it."""

    id: str
    open_cents: int
    paid: bool = False


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A payment as its handlers know it."""

    id: str
    invoice_id: str
    left_cents: int


class Pile(Generic[Paper]):
    """Papers waiting for someone; the oldest is forgotten beyond PAPERS_MAX."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._papers: list[Paper] = []

    def put(self, paper: Paper) -> None:
        """Lay a paper down for others."""
        self._papers.append(paper)
        del self._papers[:-PAPERS_MAX]

    def take(self) -> Paper | None:
        """Pick one up, so that nobody else works on it meanwhile; None if there is none."""
        if not self._papers:
            return None
        return self._papers.pop(self._rng.randrange(len(self._papers)))

    def look(self) -> Paper | None:
        """One that stays where it is; None if there is none."""
        return self._rng.choice(self._papers) if self._papers else None


@dataclass(kw_only=True)
class Desk:
    """What all sessions share. `environment` holds the passwords."""

    rng: Random
    environment: Mapping[str, str]
    drafts: Pile[Bill] = field(init=False)
    approved: Pile[Bill] = field(init=False)
    settled: Pile[Bill] = field(init=False)
    cancelled: Pile[Bill] = field(init=False)
    receipts: Pile[Receipt] = field(init=False)
    refunds: Pile[str] = field(init=False)

    def __post_init__(self) -> None:
        self.drafts, self.approved = Pile(self.rng), Pile(self.rng)
        self.settled, self.cancelled = Pile(self.rng), Pile(self.rng)
        self.receipts, self.refunds = Pile(self.rng), Pile(self.rng)

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return self.rng.random() < probability

    def hex(self, digits: int) -> str:
        """So many hex digits."""
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def cents(self) -> int:
        """An invoice's amount: many small, few large, some round."""
        cents = round(self.rng.lognormvariate(math.log(TYPICAL_CENTS), SPREAD))
        if self.chance(0.3):
            cents = round(cents, -3)
        return min(max(cents, LOWEST_CENTS), HIGHEST_CENTS)

    def due_date(self) -> str:
        """A day some weeks ahead of a day of the first half-year."""
        days = self.rng.randrange(180) + self.rng.choice(DUE_DAYS)
        return (FIRST_DAY + timedelta(days=days)).isoformat()

    def description(self) -> str:
        """What was done, sometimes with a number."""
        work = self.rng.choice(WORKS)
        return f"{work} #{self.rng.randint(1, 400)}" if self.chance(0.4) else work

    def invoice(self) -> dict[str, Any]:
        """The body of a new invoice. The first customers order most."""
        place = min(int(self.rng.expovariate(0.25)), len(CUSTOMERS) - 1)
        body: dict[str, Any] = {
            "customer": CUSTOMERS[place],
            "amount": amount(self.cents()),
            "currency": self.rng.choices(("EUR", "USD", "GBP"), (65, 25, 10))[0],
            "due_date": self.due_date(),
        }
        if self.chance(0.7):
            body["description"] = self.description()
        return body

    def method(self) -> str:
        """How someone pays."""
        return self.rng.choices(("transfer", "card", "cash"), (55, 38, 7))[0]

    def reason(self) -> str:
        """Why money goes back; the number keeps two refunds of a payment apart."""
        return f"{self.rng.choice(REASONS)} (case {self.rng.randint(1000, 9999)})"


def amount(cents: int) -> int | float:
    """Cents as a JSON number, without a fraction where there is none: as a browser writes it."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def cents_of(number: Any) -> int:
    """The cents of a JSON number, or of its text, which a defective ledger may send."""
    return round(float(number) * 100)
