"""Who may do what, in the terminal: a table for each edition, and what contradicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.terminal.cells import SEVERITY_STYLE, Listing, cell, heading, stack
from premortem.domain.access_matrix import AccessCell, AccessMatrix, Standing
from premortem.domain.source_findings import SourceFinding

LEGEND = "yes, no: observed; yes?, no?: declared, and not looked at; !: not as declared; ?: unknown"
CONTRADICTIONS_SHOWN = 30
_STYLES: Mapping[Standing, str] = {
    "allowed": "green",
    "denied": "dim",
    "contradiction": "bold red",
    "untested": "yellow",
}
_SAID = {"allowed": "yes", "denied": "no", "": ""}


def access_view(
    matrix: AccessMatrix, found: Sequence[SourceFinding], *, edition: str | None = None
) -> RenderableType:
    """MATRIX, of EDITION alone where one is named, and the contradictions FOUND."""
    editions = matrix.editions if edition is None else (edition,)
    tables: list[RenderableType] = []
    for name in editions:
        if name:
            tables.append(heading(f"Edition {name}"))
        tables.append(_table(matrix, name))
    return stack(
        Text(totals_words(matrix, found), style="bold"),
        *tables,
        cell(LEGEND, "dim"),
        contradictions_view(found) if found else None,
    )


def totals_words(matrix: AccessMatrix, found: Sequence[SourceFinding]) -> str:
    """How the cells stand, in one line."""
    standings = matrix.standings
    counted = ", ".join(f"{standings[name]:,} {name}" for name in _STYLES if standings.get(name))
    against = len(found)
    said = f"{against:,} contradiction{'' if against == 1 else 's'} between sources"
    lost = sum(bool(cell.why_not) for cell in matrix.cells)
    looked = f" ({lost:,} looked at, and not known)" if lost else ""
    return f"{len(matrix.cells):,} cells: {counted or 'none'}{looked}; {said}"


def contradictions_view(
    found: Sequence[SourceFinding], *, limit: int = CONTRADICTIONS_SHOWN
) -> RenderableType:
    """Where sources cannot both be right, the gravest first."""
    made = Listing("", "id", "operation", "role", "edition", "kind", wide="operation")
    for one in found[:limit]:
        style = SEVERITY_STYLE[one.severity]
        made.add(
            cell(one.severity, style),
            cell(one.id, "bold"),
            cell(one.operation_id),
            cell(one.role),
            cell(", ".join(one.editions) or "all"),
            cell("lets in" if one.kind == "let_in" else "keeps out", style),
            below=(
                cell(f"{one.trusted.grant} by {one.trusted.words}", "dim"),
                cell(f"{one.against.grant} by {one.against.words}"),
            ),
        )
    more = len(found) - limit
    rest = cell(f"and {more:,} more; see --json", "dim") if more > 0 else None
    return stack(heading("Contradictions between sources"), made, rest)


def _table(matrix: AccessMatrix, edition: str) -> RenderableType:
    made = Listing("operation", *matrix.roles, wide="operation")
    for operation, cells in matrix.by_row(edition):
        made.add(cell(operation), *_row(cells))
    return made


def _row(cells: Iterable[AccessCell]) -> Iterable[Text]:
    for one in cells:
        style = _STYLES[one.standing]
        if one.standing == "contradiction":
            yield Text(f"! {_SAID[one.observed]}", style=style)
        elif one.standing == "untested":
            yield Text(f"{_SAID[one.declared]}?", style=style)
        else:
            yield Text(_SAID[one.observed], style=style)
