"""A run while it goes on, in the terminal: what is planned, sent, answered; and what it takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from premortem.cli.context import err, warn
from premortem.pipeline.confirming import Minimising, Reproducing
from premortem.run.happenings import (
    Paused,
    Recovered,
    RunStarted,
    Steered,
    Stopping,
    Tick,
    Tried,
    WorkerChanged,
)

LOG_EVERY_S = 5
NOTES_MAX = 6
"""Last events that are shown beneath the numbers."""
GRAPH_S = 48
"""Seconds in the graphs."""
BARS = " ▁▂▃▄▅▆▇█"

Show = Callable[[object], None]


@contextmanager
def run_view(planned: int, *, quiet: bool) -> Iterator[Show]:
    """What takes the events of a run: a picture that renews itself in a terminal, else lines."""
    if quiet:
        yield lambda _event: None
        return
    if not err.is_terminal:
        yield log_line
        return
    screen = Screen(planned)
    with Live(screen, console=err, refresh_per_second=4, transient=True) as live:

        def show(event: object) -> None:
            screen.take(event)
            live.refresh()

        yield show


class Screen:
    """The picture: rich asks it how it looks."""

    def __init__(self, planned: int) -> None:
        self._tick: Tick | None = None
        self._rates: deque[float] = deque(maxlen=GRAPH_S)
        self._times: deque[float] = deque(maxlen=GRAPH_S)
        self._notes: deque[Text] = deque(maxlen=NOTES_MAX)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
        )
        self._sending: TaskID = self._bars.add_task("sending", total=planned, detail="")
        self._again: TaskID = self._bars.add_task("reproducing", total=1, detail="", visible=False)

    def take(self, event: object) -> None:
        """What EVENT changes."""
        if isinstance(event, Tick):
            self._tick = event
            self._rates.append(event.rate_per_second)
            self._times.append(event.latency_ms.get("p99", 0.0))
            ended = event.answered + event.faulted + event.unknown
            self._bars.update(self._sending, completed=ended)
        elif isinstance(event, Reproducing | Minimising):
            fewer = f"{event.cases} requests: " if isinstance(event, Minimising) else ""
            self._bars.update(
                self._again,
                visible=True,
                completed=event.done,
                total=event.total,
                detail=escape(fewer + event.title[:60]),
            )
        elif (note := noted(event)) is not None:
            self._notes.append(note)

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [self._bars]
        if self._tick is not None:
            parts.append(numbers(self._tick))
            parts.append(
                Text.assemble(
                    ("answers/s ", "dim"),
                    (graph(self._rates), "green"),
                    f" {self._rates[-1]:,.0f}   ",
                    ("p99 ", "dim"),
                    (graph(self._times), "yellow"),
                    f" {self._times[-1]:,.0f} ms",
                )
            )
        return Group(*parts, *self._notes)


def numbers(tick: Tick) -> Table:
    """The numbers of a moment, in two lines that do not jump."""
    grid = Table.grid(padding=(0, 2))
    for _ in range(6):
        grid.add_column(justify="left", no_wrap=True)
    latency = tick.latency_ms
    grid.add_row(
        _pair("planned", f"{tick.planned_per_second:,.0f}/s"),
        _pair("sent", f"{tick.sent_per_second:,.0f}/s"),
        _pair("answered", f"{tick.rate_per_second:,.0f}/s"),
        _pair("in flight", f"{tick.in_flight:,}"),
        _pair("backlog", f"{tick.backlog:,}", bad=tick.backlog > tick.planned_per_second),
        _pair("lag p99", f"{tick.lag_ms_p99:,.1f} ms"),
    )
    grid.add_row(
        *(_pair(name, _ms(latency.get(name))) for name in ("p50", "p90", "p99", "p99.9", "max")),
        _pair("failed", f"{tick.failed:,}", bad=tick.failed > 0),
    )
    jobs = tick.jobs
    grid.add_row(
        _pair("workers", f"{tick.workers}"),
        _pair("controllers", f"{tick.controllers}"),
        _pair("jobs ready", f"{jobs.get('untaken', 0):,}"),
        _pair("taken", f"{jobs.get('taken', 0):,}"),
        _pair("done", f"{jobs.get('done', 0):,}"),
        _pair("dead", f"{jobs.get('dead', 0):,}", bad=jobs.get("dead", 0) > 0),
    )
    said = [*_counted(tick.statuses), *_counted(tick.faults, "red")]
    if tick.unknown:
        said.append(Text(f"unknown {tick.unknown:,}", style="magenta"))
    said += [Text(f"{name} {value:.4g}", style="cyan") for name, value in tick.target.items()]
    for start in range(0, len(said), 6):
        grid.add_row(*said[start : start + 6])
    return grid


def _pair(name: str, value: str, *, bad: bool = False) -> Text:
    return Text.assemble((f"{name} ", "dim"), (value, "bold red" if bad else "bold"))


def _counted(counts: Mapping[str, int], style: str = "") -> list[Text]:
    styles = {"2xx": "green", "3xx": "cyan", "4xx": "yellow", "5xx": "red"}
    return [Text(f"{k} {n:,}", style=style or styles.get(k, "")) for k, n in counts.items()]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f} ms" if value < 100 else f"{value:,.0f} ms"


def graph(values: deque[float]) -> str:
    """VALUES as bars, the highest one full."""
    top = max(values, default=0.0)
    if top <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[min(8, round(8 * value / top))] for value in values)


def noted(event: object) -> Text | None:
    """EVENT in a line; None: it is none for people."""
    match event:
        case Paused():
            said = f"paused {event.pause_s:.0f} s: the target answered {event.status}"
            return Text(said, style="yellow")
        case WorkerChanged() if event.change == "lost":
            return Text(f"worker {event.worker_id} was lost: {event.why}", style="red")
        case WorkerChanged():
            return Text(f"worker {event.worker_id} {event.change} ({event.workers} now)", "dim")
        case Recovered():
            said = f"job {event.job_id}: {event.unknown} unknown, {event.again} sent by another"
            said += ", given up" if event.dead else ""
            return Text(said, style="yellow")
        case Steered():
            value = "not readable" if event.value is None else f"{event.value:.4g}"
            return Text(
                f"{event.metric} {value}, aim {event.aim:g}: "
                f"{event.rate_per_second:,.1f}/s from now on",
                "dim",
            )
        case Tried():
            verdict = "held" if event.held else "broke"
            return Text(f"{event.rate_per_second:,.1f}/s {verdict}: {event.evidence}", "cyan")
        case Stopping():
            said = f"stopping, {event.rule}" + (f": {event.evidence}" if event.evidence else "")
            return Text(said, style="bold red")
    return None


def log_line(event: object) -> None:
    """EVENT as a line of a log; a tick now and then."""
    if isinstance(event, RunStarted):
        resumed = f", {event.resumed:,} of them before" if event.resumed else ""
        warn(f"  sending {event.planned:,} requests at {event.rate_per_second:g}/s{resumed}")
    elif isinstance(event, Tick):
        if round(event.elapsed_s) % LOG_EVERY_S == 0:
            warn(f"  {event.sent:,}/{event.planned:,} sent, {_spelled(event)}")
    elif isinstance(event, Reproducing):
        warn(f"  reproducing {event.done + 1}/{event.total}: {event.title}")
    elif isinstance(event, Minimising) or (
        isinstance(event, WorkerChanged) and event.change == "started"
    ):
        return
    elif (note := noted(event)) is not None:
        warn(f"  {note.plain}")


def _spelled(tick: Tick) -> str:
    classes = " ".join(f"{name} {count:,}" for name, count in sorted(tick.statuses.items()))
    p99 = tick.latency_ms.get("p99", 0.0)
    lost = tick.faulted + tick.unknown
    said = f"{tick.rate_per_second:.0f}/s  p99 {p99:.0f} ms  {classes}"
    return f"{said}  no answer {lost:,}" if lost else said
