"""State machines and proposed rules in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.excerpt import printable
from premortem.analyse.states import StateView
from premortem.analyse.terminal.cells import block, cell, count, heading, stack, table

MACHINES_SHOWN_MAX = 20


def states_view(views: Sequence[StateView]) -> RenderableType:
    """A table and a diagram for each of VIEWS."""
    return stack(*(part for view in views[:MACHINES_SHOWN_MAX] for part in _machine(view)))


def _machine(view: StateView) -> Iterator[RenderableType]:
    yield heading(f"{printable(view.field)} of what {printable(view.maker)} makes")
    states = ", ".join(f"{printable(state)} {number:,}" for state, number in view.states)
    yield Text(f"{view.things:,} things changed it; seen in {states}")
    if view.unseen:
        unseen = ", ".join(printable(state) for state in view.unseen)
        yield Text(f"declared, and nothing was in it: {unseen}", style="yellow")
    rows = table(
        "state", "operation", "leads to", "passed", "refused", "why", right=("passed", "refused")
    )
    for move in view.moves:
        style = "bold red" if move.forbidden else ""
        rows.add_row(
            cell(move.before),
            cell(move.operation_id),
            cell(", ".join(move.after)),
            count(move.passed),
            count(move.refused, style),
            cell(", ".join(move.reasons), style),
        )
    yield rows
    yield block(view.mermaid, "dim")
