"""The log is read back by the format's own library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from premortem.analyse.hdr_log import hdr_log
from premortem.domain.jobs import Count
from premortem.domain.latency import Latency


def counts() -> list[Count]:
    rng = np.random.default_rng(1)
    return [
        Count(
            second,
            name,
            "replay",
            False,
            0,
            200,
            "answered",
            "",
            1000,
            Latency.of_ms(rng.lognormal(3, 1, 1000)).packed(),
        )
        for second in (0, 1, 3)
        for name in ("GET /a", "POST /b")
    ]


def test_every_second_and_operation_is_a_line_that_other_tools_read(tmp_path: Path) -> None:
    path = tmp_path / "run.hlog"
    path.write_text("\n".join(hdr_log(counts(), run_id="r", started_at=1000.0)) + "\n")
    whole = HdrHistogram(1, 3_600_000_000, 3)
    lines = [line for line in path.read_text().splitlines() if line.startswith("Tag=")]
    assert len(lines) == 6
    assert lines[0].startswith("Tag=GET_/a,0.000,1.000,")
    untagged = tmp_path / "untagged.hlog"
    untagged.write_text(
        "\n".join(line for line in path.read_text().splitlines() if not line.startswith("Tag="))
        + "\n"
    )
    reader = HistogramLogReader(str(untagged), whole)
    total = 0
    while (histogram := reader.get_next_interval_histogram()) is not None:
        total += histogram.get_total_count()
        whole.add(histogram)
    assert total == 6000
    mine = Latency()
    for count in counts():
        mine.add(Latency.unpacked(count.latency))
    for percent in (50, 90, 99, 99.9):
        read = whole.get_value_at_percentile(percent) / 1000
        assert read == pytest.approx(mine.percentile_ms(percent), rel=0.01)
