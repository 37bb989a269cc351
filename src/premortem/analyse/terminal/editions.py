"""How editions differ, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.terminal.cells import Listing, cell, count, stack
from premortem.domain.variants import Difference


def differences_view(
    names: Sequence[str], rows: Sequence[tuple[Difference, int, int]]
) -> RenderableType:
    """ROWS: each difference with the number of its tests and of scenarios proposed for it; NAMES
    are the editions."""
    untested = sum(not tests for _, tests, _ in rows)
    head = f"{', '.join(names) or 'no editions'}: {len(rows):,} differences, {untested:,} untested"
    made = Listing(
        "operation", "where", "what", "tests", "proposed",
        wide="operation", right=("tests", "proposed"),
    )  # fmt: skip
    for one, tests, proposed in rows:
        made.add(
            cell(one.operation_id),
            cell(f"{one.dimension} {one.value}"),
            cell(one.what),
            count(tests, "green"),
            count(proposed),
            below=(cell(one.because, "dim"),) if one.because else (),
        )
    return stack(Text(head, style="bold"), made if rows else None)
