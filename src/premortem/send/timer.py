"""A clock that wakes a loop at a moment, to some ten microseconds.

Loops count in milliseconds (uvloop, Windows) and the kernel rounds a wait up by its timer slack;
a timerfd does neither (Linux, timerfd_create(2)) and costs nothing while it waits.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable

EARLY_S_MAX = 0.0001
"""A loop's own timer that comes earlier than this is set again."""
WAKE_S_MIN = 0.0001
"""It wakes the loop no more often than this: at 35,000 slots a second each on its own would cost
half a core for nothing but waking."""
LOOP_TIMER_S_MIN = 0.001
"""What loops tell apart; a shorter wait would be none, and the loop would spin."""

_CLOCK_MONOTONIC = 1
_NONBLOCK, _CLOEXEC = os.O_NONBLOCK if hasattr(os, "O_NONBLOCK") else 0, 0o2000000
_ABSOLUTE = 1


class Alarm:
    """Calls back on LOOP at a moment of `time.monotonic()`; one moment at a time.

    Its callback runs within LOOP. Close it: it may hold a file descriptor.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._callback: Callable[[], None] = _nothing
        self._at = 0.0
        self._fired_at = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self._timer = _timer()
        if self._timer is not None:
            try:
                loop.add_reader(self._timer.descriptor, self._fired)
            except NotImplementedError:  # Windows' proactor
                self._timer.close()
                self._timer = None

    @property
    def exact(self) -> bool:
        """Whether it is a timerfd; else the loop's own timer, good to a millisecond or two."""
        return self._timer is not None

    def at(self, monotonic_s: float, callback: Callable[[], None]) -> None:
        """Call CALLBACK at MONOTONIC_S, or soon if that is past; it replaces what was set.

        Never earlier, and not within `WAKE_S_MIN` of the call before.
        """
        self._callback = callback
        if self._timer is not None:
            monotonic_s = max(monotonic_s, self._fired_at + WAKE_S_MIN)
            seconds = max(0, int(monotonic_s))
            # 0 and 0 would mean never.
            self._timer.set(seconds, max(1, int((monotonic_s - seconds) * 1e9)))
            return
        self._at = monotonic_s
        if self._handle is not None:
            self._handle.cancel()
        wait_s = monotonic_s - time.monotonic()
        if wait_s <= 0:
            self._handle = self._loop.call_later(0, self._due)
        else:
            self._handle = self._loop.call_later(max(wait_s, LOOP_TIMER_S_MIN), self._due)

    def cancel(self) -> None:
        """Call nothing back."""
        self._callback = _nothing
        if self._timer is not None:
            self._timer.set(0, 0)
        elif self._handle is not None:
            self._handle.cancel()

    def close(self) -> None:
        """Give the descriptor back; it cannot be set again."""
        self.cancel()
        if self._timer is not None:
            self._loop.remove_reader(self._timer.descriptor)
            self._timer.close()
            self._timer = None

    def _fired(self) -> None:
        assert self._timer is not None  # noqa: S101 - it is its descriptor that woke the loop
        if self._timer.fired():
            self._fired_at = time.monotonic()
            callback, self._callback = self._callback, _nothing
            callback()

    def _due(self) -> None:
        if self._at - time.monotonic() > EARLY_S_MAX:
            self.at(self._at, self._callback)
            return
        callback, self._callback = self._callback, _nothing
        callback()


class _Timer:
    """A timerfd, by the C library: Python has its own door from 3.13 on only."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._set = library.timerfd_settime
        self._set.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        # struct itimerspec: interval and value, each seconds and nanoseconds.
        self._fields = (ctypes.c_long * 4)()
        self._address = ctypes.addressof(self._fields)
        self.descriptor: int = library.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK | _CLOEXEC)
        if self.descriptor < 0:
            raise OSError("no timerfd")

    def set(self, seconds: int, nanoseconds: int) -> None:
        """0 and 0: never."""
        self._fields[2] = seconds
        self._fields[3] = nanoseconds
        self._set(self.descriptor, _ABSOLUTE, self._address, None)

    def fired(self) -> bool:
        try:
            os.read(self.descriptor, 8)
        except BlockingIOError:
            return False  # it was set again in the same turn of the loop
        return True

    def close(self) -> None:
        os.close(self.descriptor)


def _timer() -> _Timer | None:
    """A timerfd where the system has one."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return _Timer(ctypes.CDLL(None, use_errno=True))
    except (OSError, AttributeError):
        return None


def _nothing() -> None:
    """Stands where nothing is set."""
