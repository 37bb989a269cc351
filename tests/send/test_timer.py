"""A clock that wakes a loop; what it promises of order, never how punctual a busy machine is."""

from __future__ import annotations

import asyncio
import time

import pytest

from premortem.send.line import new_loop
from premortem.send.timer import EARLY_S_MAX, Alarm


class LoopOnly(asyncio.SelectorEventLoop):
    """A loop that watches no descriptors, as Windows' proactor does not."""

    def add_reader(self, *_):
        raise NotImplementedError


@pytest.fixture(params=[new_loop, LoopOnly], ids=["descriptor", "loop"])
def runner(request):
    with asyncio.Runner(loop_factory=request.param) as made:
        yield made


def fired(alarm: Alarm, moments: list[float]) -> asyncio.Future[list[float]]:
    """When it called back, set to each of MOMENTS, one after the other."""
    loop = asyncio.get_running_loop()
    over, times, left = loop.create_future(), [], list(moments)

    def called() -> None:
        times.append(time.monotonic())
        if left:
            alarm.at(left.pop(0), called)
        else:
            over.set_result(times)

    alarm.at(left.pop(0), called)
    return over


def test_it_calls_back_at_each_moment_and_never_before(runner):
    async def work():
        alarm = Alarm(asyncio.get_running_loop())
        start = time.monotonic()
        moments = [start + n / 300 for n in range(1, 20)]
        times = await fired(alarm, moments)
        alarm.close()
        return moments, times

    moments, times = runner.run(work())
    assert len(times) == len(moments)
    assert all(t >= m - EARLY_S_MAX for m, t in zip(moments, times, strict=True))


def test_a_moment_that_is_past_comes_soon_but_not_within_the_call(runner):
    async def work():
        alarm = Alarm(asyncio.get_running_loop())
        called = asyncio.Event()
        alarm.at(time.monotonic() - 5, called.set)
        at_once = called.is_set()
        await asyncio.wait_for(called.wait(), 5)
        alarm.close()
        return at_once

    assert runner.run(work()) is False


def test_a_later_setting_replaces_the_earlier_one_and_a_cancelled_one_never_comes(runner):
    async def work():
        loop = asyncio.get_running_loop()
        alarm, said = Alarm(loop), []
        alarm.at(time.monotonic() + 0.01, lambda: said.append("first"))
        alarm.at(time.monotonic() + 0.02, lambda: said.append("second"))
        other = Alarm(loop)
        other.at(time.monotonic() + 0.01, lambda: said.append("cancelled"))
        other.cancel()
        third = Alarm(loop)
        await fired(third, [time.monotonic() + 0.06])
        for made in (alarm, other, third):
            made.close()
        return said

    assert runner.run(work()) == ["second"]


def test_it_is_exact_where_the_system_has_timers_with_a_descriptor(runner):
    async def work():
        alarm = Alarm(asyncio.get_running_loop())
        exact = alarm.exact
        alarm.close()
        return exact

    made = runner.run(work())
    assert made in (True, False)
    if isinstance(runner.get_loop(), LoopOnly):
        assert not made
