"""Progress for whatever takes longer than a moment; on standard error, terminals only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from premortem.cli.context import err, warn
from premortem.pipeline import Reproducing
from premortem.run import Paused, RunStarted, Tick


@contextmanager
def bytes_progress(
    files: Sequence[Path], *, quiet: bool
) -> Iterator[Callable[[Path, int], None] | None]:
    """A bar per file over the bytes read of it."""
    if quiet or not err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        tasks = {
            path: bars.add_task(path.name, total=path.stat().st_size if path.is_file() else None)
            for path in files
        }
        yield lambda path, position: bars.update(tasks[path], completed=position)


@contextmanager
def spinner(what: str, *, quiet: bool) -> Iterator[None]:
    """WHAT is going on, with the time it has taken."""
    if quiet or not err.is_terminal:
        yield
        return
    columns = (TextColumn(f"{what} ..."), BarColumn(pulse_style="cyan"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        bars.add_task(what, total=None)
        yield


@contextmanager
def run_progress(planned: int, *, quiet: bool) -> Iterator[Callable[[object], None]]:
    """A bar over the planned requests with rate, latency and errors; then over reproductions.

    Where standard error is no terminal, a line every `LOG_EVERY_S` seconds.
    """
    if quiet:
        yield lambda _event: None
        return
    if not err.is_terminal:
        yield _log_line
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        sending = bars.add_task("sending", total=planned, detail="")
        again = bars.add_task("reproducing", total=1, detail="", visible=False)

        def show(event: object) -> None:
            if isinstance(event, Tick):
                bars.update(sending, completed=event.sent, detail=_spelled(event))
            elif isinstance(event, Paused):
                bars.update(sending, detail=f"paused {event.pause_s:.0f} s: {event.status}")
            elif isinstance(event, Reproducing):
                bars.update(
                    again,
                    visible=True,
                    completed=event.done,
                    total=event.total,
                    detail=escape(event.title[:60]),
                )

        yield show


LOG_EVERY_S = 5


def _log_line(event: object) -> None:
    if isinstance(event, RunStarted):
        warn(f"  sending {event.planned:,} requests at {event.rate_per_second:g}/s")
    elif isinstance(event, Tick) and round(event.elapsed_s) % LOG_EVERY_S == 0:
        warn(f"  {event.sent:,}/{event.planned:,} sent, {_spelled(event)}")
    elif isinstance(event, Paused):
        warn(f"  paused {event.pause_s:.0f} s: the target answered {event.status}")
    elif isinstance(event, Reproducing):
        warn(f"  reproducing {event.done + 1}/{event.total}: {event.title}")


def _spelled(tick: Tick) -> str:
    classes = " ".join(f"{name} {count:,}" for name, count in sorted(tick.statuses.items()))
    return f"{tick.rate_per_second:.0f}/s  p99 {tick.latency_ms_p99:.0f} ms  {classes}"
