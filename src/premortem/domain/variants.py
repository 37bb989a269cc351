"""How a service differs by edition, region, locale or tenant: rules that say so, differences that
show."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Dimension = Literal["edition", "region", "locale", "tenant"]
DIMENSIONS: tuple[Dimension, ...] = ("edition", "region", "locale", "tenant")


class VariantRule(Struct, frozen=True, kw_only=True):
    """An override: `enterprise -> emit InvoiceAuditLogged`, `lite -> skip tax validation`."""

    dimension: Dimension
    value: str
    """`lite`."""
    action: Literal["emit", "skip"]
    what: str
    """The event that is emitted, or the check that is skipped."""
    handler: str = ""
    """Of what; empty: the rule does not say."""
    document: str = ""
    line: int = 0
    said: str = ""

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.document}:{self.line}" if self.line else self.document


class Difference(Struct, frozen=True, kw_only=True):
    """Something that one edition (region, locale, tenant) does otherwise than others."""

    dimension: Dimension
    value: str
    others: tuple[str, ...]
    """Those that it was compared with."""
    operation_id: str
    kind: Literal["lacks", "roles", "value", "emit", "skip"]
    """`lacks`: the operation is not there. `roles`: others may. `value`: a value is refused.
    `emit`, `skip`: an override says so."""
    what: str
    """In words: `currency "USD" is refused`."""
    field: str = ""
    json: str = ""
    """Of a value: the JSON text that is refused."""
    here: int = 0
    """The status that answers it here; 0: not known."""
    elsewhere: int = 0
    support: int = 0
    """Recorded answers that show it; 0: it was written down."""
    because: str = ""
    """Where that stands, or what was counted."""
