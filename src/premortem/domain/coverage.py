"""What was tried and what came of it, in cells; and what was not: gaps."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ValueClass = Literal[
    "absent", "null", "empty", "boundary", "enum", "typical", "out_of_range", "wrong_type"
]
"""What kind of value stood in a place (equivalence classes and boundaries, ISO/IEC/IEEE 29119-4,
5.2.1 and 5.2.3). `enum`: a member of a closed set; `boundary`: at a declared or observed limit;
`out_of_range`: the right type, outside what is declared or was ever seen."""
StatusClass = Literal["1xx", "2xx", "3xx", "4xx", "5xx", "none"]


class Cell(Struct, frozen=True, kw_only=True, order=True, gc=False):
    """One thing to try: a kind of value in one place of an operation, by a role in an edition."""

    operation_id: str
    place: str = ""
    """`str(Place)`; empty: the operation as such."""
    value_class: ValueClass = "typical"
    role: str = ""
    edition: str = ""


class CellCount(Struct, frozen=True, kw_only=True, gc=False):
    """How often a cell was tried with one outcome."""

    cell: Cell
    status_class: StatusClass
    hits: int
    last_status: int = 0
    """0: no answer."""
    last_run: str = ""
    last_at: float = 0.0
    """Seconds since the epoch."""


class Gap(Struct, frozen=True, kw_only=True, gc=False):
    """A cell that deserves a case, and what is wanted of it."""

    cell: Cell
    status_wanted: StatusClass = "2xx"
    energy: float = 1.0
    """How much it deserves one, beside others; more than 0."""
