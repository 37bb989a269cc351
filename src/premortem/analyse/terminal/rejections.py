"""What was not sent, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.excerpt import printable
from premortem.analyse.terminal.cells import Listing, block, cell, count, heading, indented, stack
from premortem.analyse.weaknesses import Weakness
from premortem.domain.rejection import Rejection

REASON_CHARS_MAX = 160
NOTHING = Text("no case was rejected", style="dim")


def rejections_table(rejections: Sequence[Rejection]) -> RenderableType:
    """One line for each, its reason below."""
    if not rejections:
        return NOTHING
    made = Listing("id", "rule", "operation", "source", wide="operation")
    for one in rejections:
        made.add(
            cell(one.case.id[:8], "bold"),
            cell(one.rule, "yellow"),
            cell(one.case.operation_id),
            cell(one.case.origin.source, "dim"),
            below=[cell(one.reason, "dim", chars_max=REASON_CHARS_MAX)],
        )
    more = Text("one with what a model was asked and answered: ", style="dim")
    more.append("premortem cases --rejected ID")
    return stack(made, more)


def weaknesses_table(weaknesses: Sequence[Weakness]) -> RenderableType:
    """How many of each, the newest one's reason below."""
    if not weaknesses:
        return NOTHING
    made = Listing("times", "rule", "operation", "source", wide="operation", right=("times",))
    for one in weaknesses:
        model = f" by {one.model}" if one.model else ""
        made.add(
            cell(count(one.count), "bold"),
            cell(one.rule, "yellow"),
            cell(one.operation_id),
            cell(one.source, "dim"),
            below=[
                cell(f"{one.case_id[:8]}{model}: {one.reason}", "dim", chars_max=REASON_CHARS_MAX)
            ],
        )
    return made


def rejection_view(rejection: Rejection) -> RenderableType:
    """One with what the model was asked and answered."""
    case = rejection.case
    made_by = case.origin.model or case.origin.source
    asked = rejection.prompt or "(no model was asked)"
    return stack(
        cell(f"{case.id}  {case.operation_id}", "bold"),
        cell(f"{rejection.rule}: {rejection.reason}", "yellow"),
        cell(f"made by {made_by}", "dim"),
        heading("asked"),
        indented(block(printable(asked))),
        heading("answered"),
        indented(block(printable(rejection.output or "(nothing)"))),
    )
