"""How realistic, in the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.realism.judging import EYES_MIN, WORSE_MAX, Judged, Quality
from premortem.analyse.terminal.cells import Listing, cell, heading, stack, table

COLUMNS_SHOWN = 8
LEGEND_CHARS_MAX = 1_000


def quality_view(found: Quality) -> RenderableType:
    """FOUND as a table, and what lies farthest from production."""
    shown = (found.ceiling, found.blind, *found.candidates)
    names = [one.name for one in shown]
    listed = table("", *names, right=names)
    for measure, cells in measures(found):
        styles = [_style(one, found) if measure == "AUC" else "" for one in shown]
        listed.add_row(cell(measure), *map(cell, cells, styles))
    return stack(
        Text(headline(found), style="bold"),
        listed,
        *(_farthest(one) for one in found.candidates),
        cell(legend(found), "dim", chars_max=LEGEND_CHARS_MAX),
    )


def measures(found: Quality) -> list[tuple[str, list[str]]]:
    """(measure, of production, of shuffled production and of each candidate) as text."""
    shown = (found.ceiling, found.blind, *found.candidates)
    rows: dict[str, list[str]] = {
        "AUC": [f"{o.seen.auc:.3f}" if o.seen is not None else "-" for o in shown],
        "its standard error": [f"{o.seen.error:.3f}" if o.seen is not None else "-" for o in shown],
        "values": [f"{o.variation.marginal:.3f}" for o in shown],
        "pairs of values": [f"{o.variation.pairwise:.3f}" for o in shown],
        "presence": [f"{o.variation.presence:.3f}" for o in shown],
        "lengths of arrays": [f"{o.variation.lengths:.3f}" for o in shown],
        "operation mix": [f"{o.mix:.3f}" for o in shown],
        "order": [f"{o.order:.3f}" for o in shown],
        "references known": [f"{o.coherence:.0%}" for o in shown],
        "copied values": [f"{o.copies.values:.1%}" for o in shown],
        "distinct requests": [f"{o.copies.distinct:.0%}" for o in shown],
        "operations made": [f"{o.made:.0%}" for o in shown],
        "valid": [f"{o.valid:.1%}" if o.seconds else "" for o in shown],
        "requests a CPU-second": [
            f"{o.requests / o.seconds:,.0f}" if o.seconds else "" for o in shown
        ],
    }
    return list(rows.items())


def _style(one: Judged, found: Quality) -> str:
    passes = found.passes(one) if one.seconds else None
    return "" if passes is None else "green" if passes else "red"


def headline(found: Quality) -> str:
    """What came of it, in a line or two."""
    if found.eyes is None:
        return (
            f"{found.held_out:,} held-out requests are too few to tell anything apart; "
            f"the distances below are all there is"
        )
    said = []
    for one in found.candidates:
        passes = found.passes(one)
        word = "too little to say" if passes is None else "passes" if passes else "is told apart"
        said.append(f"{one.name} {word}")
    blind = "" if found.eyes else "; shuffled fields were hardly seen, so praise means little"
    return f"{', '.join(said)}{blind}"


def legend(found: Quality) -> str:
    """What the numbers mean."""
    return (
        f"Each column against {found.held_out:,} held-out requests; {found.trained:,} others were "
        f"there to learn from. AUC: 0.5 nobody can tell them from production, 1 always; it passes "
        f"up to {WORSE_MAX:g} above production's own. Values to order: total variation distance, "
        f"to be read beside production's. Known: identifiers that an earlier answer brought. "
        f"Copied: values that one training session alone sent. Shuffled: the eyes see if its AUC "
        f"is {EYES_MIN:g} or more."
    )


def _farthest(one: Judged) -> RenderableType | None:
    columns = one.variation.columns[:COLUMNS_SHOWN]
    if not columns:
        return None
    listed = Listing("apart", "operation", "place", wide="operation")
    for column in columns:
        listed.add(cell(f"{column.distance:.3f}"), cell(column.operation_id), cell(column.place))
    return stack(heading(f"Farthest from production: {one.name}"), listed)
