"""Progress for whatever takes longer than a moment; on standard error, terminals only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from premortem.cli.context import err


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
