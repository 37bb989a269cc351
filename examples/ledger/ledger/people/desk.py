"""What the people of the sample traffic know and make up: papers and plausible values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Generic, TypeVar

from ledger.editions import Edition

Paper = TypeVar("Paper")

# The people forget old papers, so that a long recording does not grow without bound.
PAPERS_MAX = 300
DUE_DAYS = (14, 14, 21, 30, 30, 30, 45, 60, 90)
OVERDUE_DAYS = (2, 5, 9, 20)
TYPICAL_CENTS, SPREAD = 14_000, 1.25
LOWEST_CENTS, HIGHEST_CENTS = 150, 40_000_000
LARGE_CENTS = (1_050_000, 1_200_000, 1_875_050, 2_500_000, 4_000_000)

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
DENIALS = ("outside of the return period", "not our fault", "already replaced", "keine Kulanz")
TAX_PERCENTS = (19, 7, 0)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request to send. `text` replaces `body` where it is not to be JSON."""

    operation: str
    method: str
    path: str
    token: str = ""
    body: Mapping[str, Any] | None = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


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
class Client:
    """A customer as the desk knows it."""

    id: str
    name: str
    version: int


@dataclass(frozen=True, kw_only=True)
class Bill:
    """An invoice as its handlers know it."""

    id: str
    open_cents: int
    overdue: bool = False
    paid: bool = False
    client_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A payment as its handlers know it."""

    id: str
    invoice_id: str
    cents: int
    left_cents: int


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A refund request as its handlers know it."""

    id: str
    receipt: Receipt
    cents: int
    user: str


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


class Desk:
    """What all sessions share. `environment` holds the passwords."""

    def __init__(self, *, rng: Random, environment: Mapping[str, str], today: date) -> None:
        self.rng, self.environment, self.today = rng, environment, today
        self.clients: Pile[Client] = Pile(rng)
        self.drafts: Pile[Bill] = Pile(rng)
        self.large_drafts: Pile[Bill] = Pile(rng)
        self.approved: Pile[Bill] = Pile(rng)
        self.overdue: Pile[Bill] = Pile(rng)
        self.charged: Pile[Bill] = Pile(rng)
        self.locked: Pile[Bill] = Pile(rng)
        self.settled: Pile[Bill] = Pile(rng)
        self.cancelled: Pile[Bill] = Pile(rng)
        self.receipts: Pile[Receipt] = Pile(rng)
        self.unchecked: Pile[Receipt] = Pile(rng)
        self.held: Pile[Receipt] = Pile(rng)
        self.checked: Pile[Receipt] = Pile(rng)
        self.wishes: Pile[Wish] = Pile(rng)
        self.granted: Pile[Wish] = Pile(rng)
        self.closed: Pile[Wish] = Pile(rng)
        self.refunds: Pile[str] = Pile(rng)

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return self.rng.random() < probability

    def hex(self, digits: int) -> str:
        """So many hex digits."""
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def cents(self) -> int:
        """An invoice's amount: many small, some round, a few beyond a manager's limit."""
        if self.chance(0.04):
            return self.rng.choice(LARGE_CENTS)
        cents = round(self.rng.lognormvariate(math.log(TYPICAL_CENTS), SPREAD))
        if self.chance(0.3):
            cents = round(cents, -3)
        return min(max(cents, LOWEST_CENTS), HIGHEST_CENTS)

    def due_date(self) -> str:
        """A day some weeks ahead."""
        return (self.today + timedelta(days=self.rng.choice(DUE_DAYS))).isoformat()

    def past_due_date(self) -> str:
        """A day that is over: the invoice is written late."""
        return (self.today - timedelta(days=self.rng.choice(OVERDUE_DAYS))).isoformat()

    def description(self) -> str:
        """What was done, sometimes with a number."""
        work = self.rng.choice(WORKS)
        return f"{work} #{self.rng.randint(1, 400)}" if self.chance(0.4) else work

    def customer(self) -> dict[str, Any]:
        """The body of a new customer."""
        mailbox = f"{self.rng.choice(('office', 'billing', 'info'))}.{self.hex(4)}"
        body: dict[str, Any] = {
            "name": self.name(),
            "email": f"{mailbox}@{self.rng.choice(('post', 'mail', 'firm'))}.example",
        }
        if self.chance(0.6):
            body["iban"] = iban(self.rng.randrange(10**17, 10**18))
        return body

    def name(self) -> str:
        """A customer's name. The first ones order most."""
        return CUSTOMERS[min(int(self.rng.expovariate(0.25)), len(CUSTOMERS) - 1)]

    def invoice(self, edition: Edition) -> dict[str, Any]:
        """The body of a new invoice, such as this edition takes it."""
        in_lite = edition == Edition.LITE
        currency = self.rng.choices(("EUR", "USD", "GBP"), (65, 25, 10))[0]
        body: dict[str, Any] = {
            "customer": self.name(),
            "amount": amount(self.cents()),
            "currency": "EUR" if in_lite else currency,
            "due_date": self.past_due_date() if self.chance(0.12) else self.due_date(),
        }
        if self.chance(0.7):
            body["description"] = self.description()
        if not in_lite and self.chance(0.7):
            body["tax_percent"] = self.rng.choices(TAX_PERCENTS, (75, 15, 10))[0]
        if self.chance(0.6) and (client := self.clients.look()):
            body |= {"customer": client.name, "customer_id": client.id}
        return body

    def method(self) -> str:
        """How someone pays."""
        return self.rng.choices(("transfer", "card", "cash"), (55, 38, 7))[0]

    def reason(self) -> str:
        """Why money goes back; the number keeps two refunds of a payment apart."""
        return f"{self.rng.choice(REASONS)} (case {self.rng.randint(1000, 9999)})"


def iban(account: int) -> str:
    """The German IBAN of ACCOUNT, 18 digits, with its check digits (ISO 13616, ISO 7064)."""
    # D, E are 13, 14; two zeros stand for the check digits.
    return f"DE{98 - int(f'{account}131400') % 97:02}{account}"


def amount(cents: int) -> int | float:
    """Cents as a JSON number, without a fraction where there is none: as a browser writes it."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def cents_of(number: Any) -> int:
    """The cents of a JSON number, or of its text, which a defective ledger may send."""
    return round(float(number) * 100)
