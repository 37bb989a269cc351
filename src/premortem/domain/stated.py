"""What must hold of the order of requests and of who sends them, in one line each.

    POST /invoices/{invoice_id}/late-fee: once
    POST /payments/{payment_id}/refunds: never after POST /invoices/{invoice_id}/lock
    POST /refund-requests/{request_id}/approve: never by who did POST /payments/{id}/refund-requests
    GET /notes/{note_id}: only by who did POST /notes
    POST /invoices/{invoice_id}/unlock: one entry in GET /audit?subject={invoice_id}
    GET /reports/daily: day by time_zone counts POST /invoices/{invoice_id}/payments

The operation before the colon is what is tried. `once`: of one thing, a second time is refused.
`never after`: it is refused once the other was done to the same thing. `never by who did`: four
eyes. `only by who did`: it is refused to everybody else. `one entry in`: what is read then has one
item more, and none where it was refused. `A by B counts`: A is a query parameter with a day, B one
with a time zone; what the other operation does counts for the day that it is in that zone.

A line may end with ` because ...`: where it stands, for whoever reads a finding.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

StatedKind = Literal["once", "never after", "never by who did", "only by who did", "entry", "day"]

PREFIX = "rule "
"""Begins `breaks` of a case that a rule is about; the rule's text follows."""
CHARS_MAX = 500
_OPERATION = r"[A-Z]+ /\S*"
_RULE = re.compile(
    rf"(?P<operation>{_OPERATION}):\s+(?:(?P<once>once)"
    r"|(?P<words>never after|never by who did|only by who did|one entry in)\s+"
    rf"(?P<other>{_OPERATION})"
    rf"|(?P<day>[\w.-]+) by (?P<zone>[\w.-]+) counts\s+(?P<counted>{_OPERATION}))"
    r"(?:\s+because\s+(?P<why>.+))?"
)
_EXAMPLE = "write it like `POST /invoices/{invoice_id}/late-fee: once`"


class Stated(Struct, frozen=True, kw_only=True):
    """One of them, read."""

    text: str
    """As it was written, without its reason."""
    why: str = ""
    """Where it stands, or what shows it; empty: that is not told."""
    certain: bool = True
    """False: a suspicion, which nobody stated."""
    kind: StatedKind
    operation: str
    """Operation id of what is tried."""
    other: str = ""
    """Operation id; see the kinds."""
    query: tuple[tuple[str, str], ...] = ()
    """Of an `entry`: what the reading asks for; `{name}` is a path parameter of the change."""
    day: str = ""
    zone: str = ""
    """Of a `day`: names of query parameters."""

    @property
    def told(self) -> str:
        """The line with its reason."""
        return f"{self.text} because {self.why}" if self.why else self.text

    @property
    def final(self) -> str:
        """Id of the operation that the last request of a try is of."""
        return self.other if self.kind == "entry" else self.operation


class StatedRules(Struct, frozen=True, kw_only=True):
    """All of a target's, and what it takes to try them."""

    rules: tuple[Stated, ...] = ()
    clock_header: str = ""
    """Header by which the target is told the time of one request; empty: it takes none."""
    now: float = 0.0
    """Seconds since the epoch, UTC."""


def parse_stated(text: str) -> Stated:
    """TEXT read. Raises ValueError, saying what is wrong and how to write it."""
    if len(text) > CHARS_MAX:
        raise ValueError(f"it is longer than {CHARS_MAX} characters")
    said = " ".join(text.split())
    found = _RULE.fullmatch(said)
    if found is None:
        raise ValueError(f"it says nothing that could be tried; {_EXAMPLE}")
    operation, why = found["operation"], found["why"] or ""
    said = said[: found.start("why")].removesuffix(" because ") if why else said
    if found["once"]:
        return Stated(text=said, why=why, kind="once", operation=operation)
    if found["day"]:
        return Stated(
            text=said,
            why=why,
            kind="day",
            operation=operation,
            other=found["counted"],
            day=found["day"],
            zone=found["zone"],
        )
    other, _, asked = found["other"].partition("?")
    kind = _KINDS[found["words"]]
    if asked and kind != "entry":
        raise ValueError(f"only `one entry in` takes a query; {_EXAMPLE}")
    pairs = [pair.partition("=") for pair in asked.split("&") if pair]
    query = tuple((name, value) for name, _, value in pairs)
    return Stated(text=said, why=why, kind=kind, operation=operation, other=other, query=query)


_KINDS: dict[str, StatedKind] = {
    "never after": "never after",
    "never by who did": "never by who did",
    "only by who did": "only by who did",
    "one entry in": "entry",
}
