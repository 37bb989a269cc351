"""What is stored of runs: those that go on, one held against another, latencies as a log."""

from __future__ import annotations

from pathlib import Path

from premortem.analyse import Compared, compare_runs
from premortem.analyse.hdr_log import hdr_log
from premortem.domain.live import LiveRun
from premortem.domain.run import RunSummary
from premortem.errors import InputError
from premortem.store import Store


def going_run(store: Store, run_id: str = "") -> LiveRun:
    """The run in progress, or broken off, whose id starts so. Raises InputError."""
    going = [run for run in store.queue.unended_runs() if run.id.startswith(run_id)]
    if len(going) == 1:
        return going[0]
    if not going:
        which = f"no run {run_id!r}" if run_id else "no run"
        raise InputError(f"{which} goes on or was broken off; `premortem runs` lists all")
    ids = ", ".join(run.id for run in going)
    raise InputError(f"more than one run goes on or was broken off: {ids}; name one")


def compare_stored(
    store: Store, before: str, after: str
) -> tuple[RunSummary, RunSummary, list[Compared]]:
    """Both runs and their metrics side by side. Raises InputError for one that is not there."""
    first, second = store.run(before), store.run(after)
    by = ("second", "operation_id", "status", "outcome")
    rows = compare_runs(store.queue.counts(first.id, by=by), store.queue.counts(second.id, by=by))
    return first, second, rows


def write_hdr(store: Store, run_id: str, path: Path) -> None:
    """The latencies of a run as a HdrHistogram log. Raises InputError."""
    summary = store.run(run_id)
    counts = store.queue.counts(summary.id, by=("second", "operation_id"))
    lines = hdr_log(counts, run_id=summary.id, started_at=summary.started_at)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
