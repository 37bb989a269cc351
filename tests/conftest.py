"""Settings that hold for all tests."""

from __future__ import annotations

import os
import signal
import threading

from hypothesis import settings

from tests.shared import ROOT

# Machines are shared, so no example has a deadline. CI tries the same examples each time; what
# others find by chance becomes an example there.
settings.register_profile("shared machine", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "shared machine")

# What somebody fetched for their own use must not decide a test: models only where one is named.
os.environ.setdefault("PREMORTEM_CACHE", str(ROOT / ".build" / "no-models"))

# What a shell puts into the background is deaf to Ctrl-C, and so would be all that tests start.
if (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):
    signal.signal(signal.SIGINT, signal.default_int_handler)
