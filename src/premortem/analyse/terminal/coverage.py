"""What runs covered, in the terminal: a heat map, what is untested, what remains unseen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.coverage_map import (
    UNKNOWN_ROLE,
    VALUE_CLASSES,
    CoverageMap,
    Square,
    Untested,
    heat,
)
from premortem.analyse.coverage_words import (
    code_words,
    estimate_words,
    reading_words,
    totals_words,
)
from premortem.analyse.terminal.cells import Listing, cell, count, heading, stack, table

HEADS: Mapping[str, str] = {
    "typical": "typ",
    "enum": "enum",
    "boundary": "edge",
    "absent": "none",
    "empty": '""',
    "null": "null",
    "out_of_range": "out",
    "wrong_type": "type",
}
"""Columns of the heat map; `LEGEND` says what they are."""
LEGEND = (
    "typ: typical, enum: one of a closed set, edge: at a limit, none: absent, "
    '"": empty, null, out: out of range, type: of the wrong type'
)
UNTESTED_SHOWN = 20
LOGS_SHOWN = 20
ROLES_SHOWN_MAX = 12
_HEAT = ("on #7a1f1a", "on #8a4b12", "on #6d6416", "on #3f6b22", "on #1f6b3a")
"""By the share of cells that were tried: none, up to a third, two thirds, nearly all, all."""


def coverage_view(found: CoverageMap, *, by: str = "values") -> RenderableType:
    """The map with what is said around it; BY `values` or `roles`."""
    return stack(
        Text(totals_words(found), style="bold"),
        cell(reading_words(found), "dim"),
        *(cell(f"note: {note}", "yellow") for note in found.covered.notes),
        heading("Cells tried, of those that there are"),
        heat_map(found, by=by),
        cell(LEGEND, "dim") if by == "values" else None,
        *_what_else(found),
        heading("What remains unseen"),
        Text(estimate_words(found)),
        *_untested(found.untested, UNTESTED_SHOWN),
    )


def heat_map(found: CoverageMap, *, by: str) -> RenderableType:
    """Operations in rows; kinds of values, or roles, in columns."""
    columns: Sequence[str] = VALUE_CLASSES if by == "values" else _roles(found)
    heads = [HEADS.get(name, name or "nobody") for name in columns]
    made = Listing("operation", *heads, "sent", wide="operation", right=(*heads, "sent"))
    for row in found.rows:
        of_classes: dict[str, Square] = {str(name): s for name, s in row.classes.items()}
        squares = of_classes if by == "values" else row.roles
        made.add(
            cell(row.operation_id, "" if row.hits else "red"),
            *(_square(squares.get(name)) for name in columns),
            count(row.hits),
        )
    return made


def _roles(found: CoverageMap) -> tuple[str, ...]:
    return tuple(role for role in found.roles if role != UNKNOWN_ROLE)[:ROLES_SHOWN_MAX]


def _square(square: Square | None) -> Text:
    if square is None or not square.possible:
        return Text("·", style="dim")
    return Text(f"{square.tried}/{square.possible}", style=_HEAT[heat(square)])


def untested_view(found: CoverageMap, *, limit: int) -> RenderableType:
    """What nobody tried, what production does most first."""
    return stack(Text(totals_words(found), style="bold"), *_untested(found.untested, limit))


def _untested(gaps: Sequence[Untested], limit: int) -> Iterable[RenderableType]:
    yield heading("Untested, what production does most first")
    if not gaps:
        yield Text("nothing: every cell was tried", style="green")
        return
    made = Listing("operation", "where", "what", "recorded", wide="operation", right=("recorded",))
    for gap in gaps[:limit]:
        made.add(
            cell(gap.operation_id),
            cell(gap.place or "-"),
            cell(gap.what),
            count(gap.production),
        )
    yield made
    if len(gaps) > limit:
        yield cell(f"and {len(gaps) - limit:,} more; see --untested --limit, or --json", "dim")


def _what_else(found: CoverageMap) -> Iterable[RenderableType]:
    if found.code is not None:
        yield heading("Code of the target that ran")
        yield Text(code_words(found.code))
    logs = [item for item in found.covered.seen if item.kind == "log"]
    if logs:
        yield heading("Lines of the target's log")
        made = table("lines", "severity", "template", right=("lines",))
        ordered = sorted(logs, key=lambda item: (not _loud(item.detail), -item.hits, item.name))
        for item in ordered[:LOGS_SHOWN]:
            style = "red" if _loud(item.detail) else ""
            made.add_row(count(item.hits), cell(item.detail, style), cell(item.name))
        yield made
    for kind, title in (("span", "Spans of the target"), ("statement", "Statements")):
        traced = [item for item in found.covered.seen if item.kind == kind]
        if traced:
            yield heading(title)
            operations = len({item.operation_id for item in traced})
            yield Text(f"{len({t.name for t in traced}):,} different, of {operations} operations")


def _loud(detail: str) -> bool:
    return detail.startswith("error")
