"""What changed between two profiles, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.excerpt import printable, shorten
from premortem.analyse.terminal.cells import CELL_CHARS_MAX, indented, stack
from premortem.domain.difference import Change, Difference

WORDS = {
    "operation_added": "new operation",
    "operation_removed": "operation is gone",
    "status_added": "new status",
    "status_removed": "status is gone",
    "status_share": "status share",
    "role": "role",
    "field_added": "new field",
    "field_removed": "field is gone",
    "type": "type",
    "presence": "presence",
    "values": "closed set",
    "range": "range",
    "distribution": "distribution",
    "rule_added": "new rule",
    "rule_removed": "rule is gone",
    "link_added": "new link",
    "link_removed": "link is gone",
    "timing": "duration",
    "volume": "volume",
}
LOUD_MIN, QUIET_MAX = 65, 35
"""Weights that are shown in red, and those that are faint."""


def difference_view(difference: Difference, *, limit: int) -> RenderableType:
    """The LIMIT changes that matter most, by operation; operations by their weightiest change."""
    shown = difference.changes[:limit]
    more = len(difference.changes) + difference.omitted - len(shown)
    return stack(
        Text(f"{difference.before} → {difference.after}", style="bold"),
        Text(
            f"{difference.exchanges[0]:,} → {difference.exchanges[1]:,} exchanges, "
            f"{difference.operations[0]:,} → {difference.operations[1]:,} operations, "
            f"{len(difference.changes) + difference.omitted:,} changes"
        ),
        *(part for group in _grouped(shown) for part in _operation(group)),
        Text(f"\nand {more:,} more: --limit {limit + more}", style="dim") if more else None,
        None if shown else Text("nothing that matters has changed"),
    )


def _grouped(changes: Sequence[Change]) -> list[list[Change]]:
    groups: dict[str, list[Change]] = {}
    for change in changes:
        groups.setdefault(change.operation_id, []).append(change)
    return list(groups.values())


def _operation(changes: Sequence[Change]) -> list[RenderableType]:
    lines: list[RenderableType] = [
        Text(f"\n{shorten(changes[0].operation_id, CELL_CHARS_MAX)}", style="bold")
    ]
    return lines + [indented(_line(change)) for change in changes]


def _line(change: Change) -> Text:
    loud = change.weight >= LOUD_MIN
    style = "red" if loud else "dim" if change.weight <= QUIET_MAX else ""
    line = Text.assemble((f"{WORDS[change.kind]:17} ", style))
    if change.where:
        line.append(shorten(change.where, CELL_CHARS_MAX) + "  ", style="cyan")
    told = " → ".join(part for part in (change.before, change.after) if part)
    return line.append(printable(shorten(told, CELL_CHARS_MAX)))
