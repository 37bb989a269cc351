"""What was tried and what came of it, in cells; and what was not: gaps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from premortem.domain.agreement import Agreement

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


class Unasked(Struct, frozen=True, kw_only=True, order=True, gc=False):
    """A cell that was to be looked at and is not known, and why."""

    cell: Cell
    why: str


class Gap(Struct, frozen=True, kw_only=True, gc=False):
    """A cell that deserves a case, and what is wanted of it."""

    cell: Cell
    operator: str = ""
    """What to do there, by the name that a source gives it; empty: whatever makes the class."""
    status_wanted: StatusClass = "2xx"
    energy: float = 1.0
    """How much it deserves one, beside others; more than 0."""


SeenKind = Literal["field", "link", "log", "span", "statement"]


class Seen(Struct, frozen=True, kw_only=True, order=True, gc=False):
    """Something of the target that a run brought to light, and how often."""

    kind: SeenKind
    """`field`: a place of an answer. `link`: a value of an answer that a request reused. `log`: a
    template of the target's log. `span`, `statement`: what its traces name, and what it asked of
    a database."""
    operation_id: str = ""
    """Of the request; for a link of the one that reused it; empty: not known."""
    name: str
    """`200 body:/id`; `POST /login body:/token -> header:authorization`; else as the target
    wrote it, without values."""
    hits: int = 0
    detail: str = ""
    """Of a log: its severity, and the signature of its error; of a statement: the system."""


class CodeTotal(Struct, frozen=True, kw_only=True, order=True):
    """How much of one file of the target ran."""

    file: str
    lines: int
    """That can run."""
    lines_covered: int
    branches: int = 0
    branches_covered: int = 0


class RunCoverage(Struct, frozen=True, kw_only=True):
    """What one run covered, or several together."""

    run_id: str
    """Empty: of several."""
    profile_version: str
    at: float
    """Seconds since the epoch at which the (last) run began."""
    cells: tuple[CellCount, ...] = ()
    seen: tuple[Seen, ...] = ()
    code: tuple[CodeTotal, ...] = ()
    """As the target had it at the end of the run; empty: not measured."""
    cases: int = 0
    """That ended."""
    read: int = 0
    """Of these, cases whose requests and answers were read; the others count for their operation
    as such alone."""
    runs: int = 1
    unasked: tuple[Unasked, ...] = ()
    """Of an observation of roles; of several runs together nothing."""
    notes: tuple[str, ...] = ()
    """What could not be read of the target."""
    agreements: tuple[Agreement, ...] = ()
    """How often answers to replayed sequences were as recorded; nothing of what was suspicious."""


def totalled(code: Iterable[CodeTotal]) -> CodeTotal:
    """All files of CODE as one, without a name."""
    files = tuple(code)
    return CodeTotal(
        file="",
        lines=sum(file.lines for file in files),
        lines_covered=sum(file.lines_covered for file in files),
        branches=sum(file.branches for file in files),
        branches_covered=sum(file.branches_covered for file in files),
    )
