"""A run's latencies as a HdrHistogram log, second by second, for the tools that read those.

Format: HdrHistogram's log, version 1.3 (https://github.com/HdrHistogram/HdrHistogram,
HistogramLogWriter), its histograms in the compressed V2 encoding. Values are microseconds from
the intended send time; a line for each operation is tagged with it, the lines without a tag hold
all operations. HistogramLogAnalyzer, hdr-plot and the libraries of ten languages read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from hdrh.histogram import HdrHistogram

from premortem.domain.jobs import Count
from premortem.domain.latency import MICROS_MAX, Latency

_LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def hdr_log(counts: Iterable[Count], *, run_id: str, started_at: float) -> Iterator[str]:
    """The lines of the log. COUNTS: by second and operation, with latencies, in any order.

    STARTED_AT: seconds since the epoch at which the run's second 0 began.
    """
    began = datetime.fromtimestamp(started_at, UTC).isoformat()
    yield f"#[premortem run {run_id}; values are microseconds]"
    yield "#[Histogram log format version 1.3]"
    yield f"#[BaseTime: {started_at:.3f} (seconds since epoch)]"
    yield f"#[StartTime: {started_at:.3f} (seconds since epoch), {began}]"
    yield _LEGEND
    seconds: dict[int, dict[str, Latency]] = {}
    for count in counts:
        if count.latency:
            latency = Latency.unpacked(count.latency)
            for name in ("", count.operation_id):
                seconds.setdefault(count.second, {}).setdefault(name, Latency()).add(latency)
    for second in sorted(seconds):
        for name in sorted(seconds[second]):
            yield _line(second, name, seconds[second][name])


def _line(second: int, name: str, latency: Latency) -> str:
    histogram = HdrHistogram(1, MICROS_MAX, 3)
    for micros, number in latency.counts():
        histogram.record_value(micros, number)
    # A tag ends at a comma, and at white space for some readers.
    tag = f"Tag={name.replace(',', ';').replace(' ', '_')}," if name else ""
    # Interval maxima are in ms, as other tools write them.
    return f"{tag}{second:.3f},1.000,{latency.max_ms:.3f},{histogram.encode().decode()}"
