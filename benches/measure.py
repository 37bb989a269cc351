"""Repeated runs, CPU seconds and ratios for the benches; and where the recordings lie."""

from __future__ import annotations

import gc
import gzip
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

SHARED = Path(__file__).resolve().parents[2] / "shared"


class Taken(NamedTuple):
    """What runs of one work took."""

    best_s: float
    """CPU-seconds of the least disturbed run."""
    median_s: float
    wall_s: float
    """Wall-clock seconds of the fastest run."""


def recording(name: str) -> Path:
    """The recording NAME, or the file that the command line names; ends the bench without one."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    if not (SHARED / name).exists():
        print(f"skipped: shared/{name} does not lie beside this checkout; name a HAR file instead")
        raise SystemExit(0)
    return SHARED / name


def unpacked(path: Path) -> bytes:
    """The content of PATH, a plain or a gzip file."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def compared(works: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Taken]:
    """What each of WORKS takes. They are run in turn, so that a disturbance meets all alike."""
    cpu: dict[str, list[float]] = {name: [] for name in works}
    wall: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            gc.collect()
            started, before = time.perf_counter(), time.process_time()
            work()
            cpu[name].append(time.process_time() - before)
            wall[name].append(time.perf_counter() - started)
    return {
        name: Taken(min(cpu[name]), statistics.median(cpu[name]), min(wall[name])) for name in works
    }


def table(taken: Mapping[str, Taken], *, amount: float, unit: str) -> None:
    """Print AMOUNT / time of each; the first one is the floor that the others stand beside."""
    floor = next(iter(taken.values()))
    print(f"{'':42}{'CPU s':>8}{'median':>8}{'wall s':>8}{unit:>12}{'of floor':>10}")
    for name, (best, median, wall) in taken.items():
        rate = f"{amount / best:,.1f}" if amount / best < 1000 else f"{amount / best:,.0f}"
        ratio = floor.best_s / best
        print(f"{name:42}{best:>8.2f}{median:>8.2f}{wall:>8.2f}{rate:>12}{ratio:>10.2f}")
