"""Progress for whatever takes longer than a moment; on standard error, terminals only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from premortem.cli.context import err, warn

if TYPE_CHECKING:
    from premortem.generate.llm_batch import Made

LOG_EVERY_S = 5


@contextmanager
def bytes_progress(
    files: Sequence[Path], *, quiet: bool
) -> Iterator[Callable[[Path, int], None] | None]:
    """A bar over the bytes read of the present file."""
    if quiet or not err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        tasks = {path: bars.add_task(path.name, total=_size(path), visible=False) for path in files}
        shown = [bars.add_task("", visible=False)]

        def show(path: Path, position: int) -> None:
            if path not in tasks:  # a folder's
                tasks[path] = bars.add_task(path.name, total=_size(path), visible=False)
            if tasks[path] != shown[0]:
                bars.update(shown[0], visible=False)
                shown[0] = tasks[path]
            bars.update(shown[0], completed=position, visible=True)

        yield show


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


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
def steps_progress(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar over (done, total) bytes."""
    if quiet or not err.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def making_progress(what: str, *, quiet: bool) -> Iterator[Callable[[Made], None]]:
    """WHAT is going on, with the time it has taken; with a bar once a language model answers.

    Where standard error is no terminal, a line every `LOG_EVERY_S` seconds of asking.
    """
    if quiet:
        yield lambda _made: None
        return
    if not err.is_terminal:
        yield _MadeLines()
        return
    columns = (
        TextColumn("{task.description} ..."),
        BarColumn(pulse_style="cyan"),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task(what, total=None, detail="")
        yield lambda made: bars.update(
            task, completed=made.done, total=made.wanted, detail=_made_spelled(made)
        )


class _MadeLines:
    """Tells now and then, for those who read a log."""

    def __init__(self) -> None:
        self._told_s = 0.0

    def __call__(self, made: Made) -> None:
        spent_s = made.done / made.per_second if made.per_second else 0.0
        if spent_s - self._told_s >= LOG_EVERY_S:
            self._told_s = spent_s
            warn(f"  {_made_spelled(made)}")


def _made_spelled(made: Made) -> str:
    return (
        f"{made.done:,}/{made.wanted:,} by the model, {made.per_second:.2f}/s, "
        f"about {made.left_s:.0f} s left"
    )
