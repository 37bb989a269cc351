"""The matrix of roles as a picture: one HTML file that needs nothing else, with one SVG for each
edition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import Template
from msgspec import Struct

from premortem.analyse.pages import environment
from premortem.domain.access_matrix import AccessCell, AccessMatrix, Standing
from premortem.domain.source_findings import SourceFinding

OPERATIONS_MAX = 1_000
"""Drawn; the CSV has all."""
ROLES_MAX = 40
CONTRADICTIONS_MAX = 500
ROW_PX, COLUMN_PX, NAME_PX, HEAD_PX = 22, 34, 380, 120
SIGNS: Mapping[Standing, str] = {
    "allowed": "yes",
    "denied": "no",
    "contradiction": "!",
    "untested": "?",
}


class Square(Struct, frozen=True, kw_only=True):
    """One drawn cell: pixels from the upper left corner, its class, its sign, what is told."""

    x: int
    y: int
    standing: str
    sign: str
    told: str


class Drawn(Struct, frozen=True, kw_only=True):
    """The matrix of one edition, drawn."""

    edition: str
    width: int
    height: int
    heads: tuple[tuple[int, str], ...]
    names: tuple[tuple[int, str], ...]
    squares: tuple[Square, ...]
    more: int
    """Operations that are left out."""


def render_access_html(
    matrix: AccessMatrix,
    contradictions: Sequence[SourceFinding] = (),
    *,
    sources: Sequence[str] = (),
) -> str:
    """MATRIX as a page: no script, no address of anything outside, all that was read escaped."""
    return _template().render(
        drawn=[_drawn(matrix, edition) for edition in matrix.editions],
        standings=matrix.standings,
        total=len(matrix.cells),
        contradictions=contradictions[:CONTRADICTIONS_MAX],
        more=max(0, len(contradictions) - CONTRADICTIONS_MAX),
        sources=sources,
        row=ROW_PX,
        column=COLUMN_PX,
        name=NAME_PX,
        head=HEAD_PX,
    )


def _drawn(matrix: AccessMatrix, edition: str) -> Drawn:
    roles = matrix.roles[:ROLES_MAX]
    rows = list(matrix.by_row(edition))
    shown = rows[:OPERATIONS_MAX]
    squares = tuple(
        _square(cell, x=NAME_PX + column * COLUMN_PX, y=HEAD_PX + at * ROW_PX)
        for at, (_, cells) in enumerate(shown)
        for column, cell in enumerate(cells[:ROLES_MAX])
    )
    return Drawn(
        edition=edition,
        width=NAME_PX + len(roles) * COLUMN_PX + 60,
        height=HEAD_PX + len(shown) * ROW_PX + 8,
        heads=tuple((NAME_PX + at * COLUMN_PX, role) for at, role in enumerate(roles)),
        names=tuple((HEAD_PX + at * ROW_PX, name) for at, (name, _) in enumerate(shown)),
        squares=squares,
        more=len(rows) - len(shown),
    )


def _square(cell: AccessCell, *, x: int, y: int) -> Square:
    declared = f"declared {cell.declared}: {cell.declared_by}" if cell.declared else "not declared"
    observed = f"observed {cell.observed}: {cell.observed_in}" if cell.observed else "not observed"
    if cell.why_not:
        observed = f"looked at, and not known: {cell.why_not}"
    where = f" in {cell.edition}" if cell.edition else ""
    told = [
        f"{cell.operation_id} as {cell.role}{where}: {cell.standing}",
        declared,
        observed,
        f"{cell.tested:,} requests of ours",
    ]
    sign = SIGNS[cell.standing]
    if cell.standing == "untested" and cell.declared:
        sign = f"{SIGNS[cell.declared]}?"
    return Square(x=x, y=y, standing=cell.standing, sign=sign, told="\n".join(told))


@cache
def _template() -> Template:
    made = environment()
    return made.get_template("access.html")
