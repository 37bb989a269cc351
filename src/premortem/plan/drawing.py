"""A schedule as lines of text: rate over time, in block elements."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from premortem.domain.limit import climb
from premortem.domain.run import Plan
from premortem.domain.schedule import Schedule, Segment

ROWS = 8
COLUMNS_MIN, COLUMNS_MAX = 24, 120
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MINUTE, _HOUR = 60.0, 3_600.0


def draw(schedule: Schedule, *, columns: int, rows: int = ROWS) -> list[str]:
    """SCHEDULE in ROWS lines and an axis below, none longer than COLUMNS (at least 24).

    A column shows the highest rate within it, so that no spike is lost; of arrivals the mean.
    """
    columns = min(max(columns, COLUMNS_MIN), COLUMNS_MAX)
    top = max(schedule.peak_per_second, 1e-9)
    labels = [rate_text(top), rate_text(top / 2), "0"]
    margin = max(map(len, labels))
    width = columns - margin - 2
    heights = rates(schedule, width)
    if schedule.arrivals:
        top = max(heights) or top
        labels = [rate_text(top), rate_text(top / 2), "0"]
        margin = max(margin, *map(len, labels))
    named = {0: labels[0], rows // 2: labels[1]}
    lines = []
    for row in range(rows):
        floor = rows - 1 - row
        cells = "".join(_cell(height / top * rows - floor) for height in heights)
        lines.append(f"{named.get(row, ''):>{margin}} │{cells}".rstrip())
    lines.append(f"{'0':>{margin}} └{'─' * width}")
    lines.append(" " * (margin + 2) + _seconds_axis(schedule.duration_s, width))
    return [line[:columns] for line in lines]


def drawn(plan: Plan, schedule: Schedule) -> Schedule:
    """What to draw of PLAN: its SCHEDULE, or of a search the climb when every trial holds."""
    if plan.load.shape != "find_limit":
        return schedule
    wide = plan.load.trial_s
    trials = climb(plan.load)[: max(1, int(plan.duration_s / wide))]
    return Schedule(
        segments=tuple(
            Segment(start_s=n * wide, end_s=(n + 1) * wide, rate_start=rate, rate_end=rate)
            for n, rate in enumerate(trials)
        ),
        ends_s=len(trials) * wide,
    )


def rates(schedule: Schedule, columns: int) -> list[float]:
    """The rate in each of COLUMNS equal parts of SCHEDULE, per second; see `draw`."""
    wide = schedule.duration_s / columns
    edges = [wide * column for column in range(columns + 1)]
    if schedule.arrivals:
        before = [schedule.count_before(edge) for edge in edges[:-1]] + [schedule.total]
        return [(b - a) / wide for a, b in pairwise(before)]
    heights = [0.0] * columns
    for segment in schedule.segments:
        for column, rate in _touched(segment, edges, wide):
            heights[column] = max(heights[column], rate)
    return heights


def _touched(segment: Segment, edges: list[float], wide: float) -> Iterator[tuple[int, float]]:
    """Columns that SEGMENT reaches into, and its highest rate there."""
    slope = (segment.rate_end - segment.rate_start) / (segment.end_s - segment.start_s)
    last = len(edges) - 2
    for column in range(min(last, int(segment.start_s / wide)), last + 1):
        low, high = max(edges[column], segment.start_s), min(edges[column + 1], segment.end_s)
        # A sliver at an edge is rounding, not a part of the shape.
        if high - low > wide * 1e-6:
            ends = (segment.rate_start + slope * (at - segment.start_s) for at in (low, high))
            yield column, max(ends)
        if edges[column + 1] >= segment.end_s:
            return


def rate_text(rate: float) -> str:
    """RATE, per second, for people: `1,250/s`, `12.5/s`, `0.25/s`."""
    if rate >= 100 or rate == round(rate):
        return f"{rate:,.0f}/s"
    return f"{rate:.3g}/s"


def seconds_text(seconds: float) -> str:
    """SECONDS for people: `90 s`, `15 min`, `2.5 h`."""
    if seconds < 10 * _MINUTE:
        return f"{seconds:.4g} s"
    unit, name = (_MINUTE, "min") if seconds < 3 * _HOUR else (_HOUR, "h")
    return f"{seconds / unit:.3g} {name}"


def _cell(height: float) -> str:
    if height <= 0:
        return " "
    return _EIGHTHS[min(8, max(1, math.floor(height * 8 + 0.5)))]


def _seconds_axis(duration_s: float, width: int) -> str:
    end, middle = seconds_text(duration_s), seconds_text(duration_s / 2)
    if 2 + len(middle) + len(end) + 6 > width:
        return f"0{end:>{width - 1}}"
    line = f"{'0':<{(width - len(middle)) // 2}}{middle}"
    return f"{line}{end:>{width - len(line)}}"
