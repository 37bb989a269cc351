"""A target that stalls for two seconds once: what is reported is what clients would have felt."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from tests.run.controlling import Controller, jobs_of, setup_of, singles, work
from tests.send.server import answering, ok

pytestmark = pytest.mark.quality

RATE = 200.0
SECONDS = 20
STALL_AT_S = 8.0
STALL_S = 2.0
WITHIN = 0.10


@pytest.mark.parametrize("in_flight_max", [16, 128])
def test_p99_9_from_the_intended_time_is_that_of_the_schedule(in_flight_max):
    """However few may be under way: a stalled target cannot hold back its own bad news.

    The true figure: each case whose slot lies within the stall waits for its end. What waits
    behind it is answered as fast as the rest is.
    """
    began: list[float] = []
    lock = threading.Lock()

    def reply(request: bytes) -> bytes:
        now = time.monotonic()
        with lock:
            if not began:
                began.append(now)
        until = began[0] + STALL_AT_S + STALL_S
        if began[0] + STALL_AT_S <= now < until:
            time.sleep(until - now)
        return ok()

    count = int(RATE * SECONDS)
    with answering(reply) as server:
        setup = setup_of(server.url, in_flight_max=in_flight_max, timeout_s=10.0)
        jobs = jobs_of(singles(count, operation_id="GET /{n}"), size=400, rate=RATE)
        heard = work(lambda: Controller(setup, jobs), limit_s=60)
    assert heard.adds_up() == {"answered": count}
    slots = np.arange(count) / RATE
    stalled = (slots >= STALL_AT_S) & (slots < STALL_AT_S + STALL_S)
    true_ms = np.where(stalled, STALL_AT_S + STALL_S - slots, 0.0) * 1000
    true = float(np.percentile(true_ms, 99.9, method="inverted_cdf"))
    assert heard.latency.percentile_ms(99.9) == pytest.approx(true, rel=WITHIN)
    # Measured from when they went out, most of the stall would be gone.
    if in_flight_max == 16:
        longest = sum(r.sent.duration_ms > STALL_S * 1000 / 2 for r in heard.results)
        assert longest <= in_flight_max
