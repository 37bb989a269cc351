"""What came of a job's cases, summed up until a batch of it goes out."""

from __future__ import annotations

from struct import pack

from premortem.domain.jobs import Count
from premortem.domain.latency import MICROS_MAX, Latency
from premortem.domain.run import Case, Result
from premortem.run.kinds import Kind

BATCH_S = 0.25
"""A batch goes out this often, when there is something to say."""
BATCH_RESULTS_MAX = 500
BATCH_BYTES_MAX = 8 * 1024 * 1024
"""Bodies of one batch; a batch ends with the result that goes beyond."""
_FEW = 64
"""Up to here counting by hand is faster than numpy."""

_Cell = list[float]
_Answered = tuple[int, str, str, bool, int, int]
"""Second, operation id, source, setup, recorded status, status."""
_Failed = tuple[int, str, str, bool, int, str, str]
"""Second, operation id, source, setup, recorded status, outcome, kind of fault."""


class Counting:
    """Collects what is one batch, and starts again."""

    __slots__ = ("_answered", "_bytes", "_failed", "_filling", "_numbers", "_results")

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._answered: dict[_Answered, _Cell] = {}
        self._filling: list[dict[int, _Cell]] = []
        self._failed: dict[_Failed, int] = {}
        self._numbers: list[int] = []
        self._results: list[Result] = []
        self._bytes = 0

    @property
    def empty(self) -> bool:
        """Nothing has ended since the batch before."""
        return not self._numbers

    @property
    def full(self) -> bool:
        """It is time for a batch. What is only counted is bounded by the job's cases."""
        return len(self._results) >= BATCH_RESULTS_MAX or self._bytes >= BATCH_BYTES_MAX

    def answered(self, case: Case, number: int, second: int, status: int, latency_ms: float) -> int:
        """One more answer; how many like it there are in this batch."""
        self._numbers.append(number)
        cell = self._cell(case, second, status)
        cell.append(latency_ms)
        return len(cell)

    def alike(self, kind: Kind, number: int, second: int, status: int, latency_ms: float) -> int:
        """The same for a case of KIND, which need not be made for it."""
        self._numbers.append(number)
        cells = kind.cells
        place = 1000 * second + status
        try:
            cell = cells[place]
        except KeyError:
            if not cells:
                self._filling.append(cells)
            cell = cells[place] = self._cell(kind.like, second, status)
        cell.append(latency_ms)
        return len(cell)

    def _cell(self, case: Case, second: int, status: int) -> _Cell:
        key = (
            second,
            case.operation_id,
            case.origin.source,
            case.setup,
            case.recorded_status,
            status,
        )
        cell = self._answered.get(key)
        if cell is None:
            cell = self._answered[key] = []
        return cell

    def faulted(self, case: Case, number: int, second: int, outcome: str, kind: str) -> None:
        """One more without an answer."""
        self._numbers.append(number)
        key = (
            second,
            case.operation_id,
            case.origin.source,
            case.setup,
            case.recorded_status,
            outcome,
            kind,
        )
        self._failed[key] = self._failed.get(key, 0) + 1

    def keep(self, result: Result) -> None:
        """RESULT goes along in full."""
        self._results.append(result)
        response = result.sent.response
        self._bytes += len(result.case.request.body) + (len(response.body) if response else 0)

    def taken(self) -> tuple[tuple[tuple[int, int], ...], tuple[Count, ...], tuple[Result, ...]]:
        """Ranges of numbers, counts and results since the time before; it is empty after that."""
        counts = [
            Count(*key, "answered", "", len(cell), packed(cell))
            for key, cell in self._answered.items()
        ]
        counts += [
            Count(second, operation_id, source, setup, recorded, 0, outcome, kind, count)
            for (second, operation_id, source, setup, recorded, outcome, kind), count in (
                self._failed.items()
            )
        ]
        ranges, results = ranges_of(self._numbers), tuple(self._results)
        for cells in self._filling:
            cells.clear()
        self._clear()
        return ranges, tuple(counts), results


def ranges_of(numbers: list[int]) -> tuple[tuple[int, int], ...]:
    """NUMBERS, all different, as ascending ranges, both ends included."""
    if not numbers:
        return ()
    numbers.sort()
    ranges: list[tuple[int, int]] = []
    low = high = numbers[0]
    for number in numbers[1:] if numbers[-1] - low + 1 > len(numbers) else ():
        if number != high + 1:
            ranges.append((low, high))
            low = number
        high = number
    ranges.append((low, max(high, numbers[-1])))
    return tuple(ranges)


def packed(times_ms: list[float]) -> bytes:
    """`Latency.packed` of TIMES_MS."""
    if len(times_ms) > _FEW:
        return Latency.of_ms(times_ms).packed()
    counts: dict[int, int] = {}
    for time_ms in times_ms:
        micros = int(min(max(time_ms, 0.001), MICROS_MAX / 1000) * 1000)
        step = 1
        while micros >= 1000 * step:
            step *= 10
        micros -= micros % step
        counts[micros] = counts.get(micros, 0) + 1
    rows = sorted(counts.items())
    return pack(f"<{2 * len(rows)}q", *(v for v, _ in rows), *(c for _, c in rows))
