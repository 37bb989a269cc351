"""Settings that hold for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# Machines are shared, so no example has a deadline. CI tries the same examples each time; what
# others find by chance becomes an example there.
settings.register_profile("shared machine", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "shared machine")
