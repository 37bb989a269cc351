"""Runs in lists and side by side."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.report_html import moment
from premortem.analyse.run_comparison import CONFIDENCE, Compared
from premortem.analyse.terminal.cells import Listing, cell, count, stack, table
from premortem.domain.live import LiveRun
from premortem.domain.run import RunSummary

_WORSE_WHEN_MORE = ("_ms", "error_ratio")


def runs_view(going: Sequence[LiveRun], ended: Sequence[RunSummary]) -> RenderableType:
    """Runs that go on or were broken off, then those that ended, newest first."""
    made = Listing(
        "run",
        "began",
        "plan",
        "requests",
        "answered",
        "p99 ms",
        "findings",
        "state",
        wide="plan",
        right=("requests", "answered", "p99 ms", "findings"),
        spare=("began", "p99 ms"),
    )
    for run in going:
        state = "going on or broken off" if run.status == "running" else "stopping"
        made.add(
            cell(run.id, "bold"),
            cell(moment(run.started_at)),
            cell(run.plan.name),
            count(run.planned),
            "",
            "",
            "",
            cell(state, "yellow"),
        )
    for summary in ended:
        p99 = summary.latency_ms.get("p99")
        state = "stopped" if summary.stopped else "done" if summary.passed else "threshold broken"
        style = "" if state == "done" else "yellow" if state == "stopped" else "red"
        made.add(
            cell(summary.id, "bold"),
            cell(moment(summary.started_at)),
            cell(summary.plan.name),
            count(summary.planned),
            count(summary.answered),
            Text("-" if p99 is None else f"{p99:,.1f}"),
            count(len(summary.findings), "red"),
            cell(state, style),
        )
    return made


def comparison_view(
    before: RunSummary, after: RunSummary, rows: Sequence[Compared]
) -> RenderableType:
    """Metric by metric, with the interval of the difference; what is clear stands out."""
    made = table("", "metric", "before", "after", "difference", f"{CONFIDENCE:.0%} interval", "")
    for row in rows:
        if row.operation_id and not row.clear:
            continue
        made.add_row(
            cell(row.operation_id or "all"),
            row.metric,
            _number(row.before),
            _number(row.after),
            _signed(row.difference),
            _interval(row),
            _word(row),
        )
    quiet = len({row.operation_id for row in rows if row.operation_id and not row.clear})
    note = f"{quiet} operations without a clear difference are left out" if quiet else ""
    return stack(
        Text(f"run {before.id} -> run {after.id}", style="bold"),
        made,
        Text(note, style="dim") if note else None,
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+,.4g}"


def _interval(row: Compared) -> str:
    if row.low is None or row.high is None:
        return "too short to tell"
    return f"{row.low:+,.4g} .. {row.high:+,.4g}"


def _word(row: Compared) -> Text:
    if row.low is None:
        return Text("")
    if not row.clear or row.difference is None:
        return Text("may be chance", style="dim")
    more_is_worse = row.metric.endswith(_WORSE_WHEN_MORE)
    worse = (row.difference > 0) == more_is_worse
    return Text("worse", style="bold red") if worse else Text("better", style="bold green")
