"""What this process uses."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import process_time

_STATM = Path("/proc/self/statm")


def cpu_s() -> float:
    """User and system time of this process so far, all its threads."""
    return process_time()


def rss_bytes() -> int:
    """Memory of this process that is in RAM; where the system does not tell, the most it ever
    was; 0 where it tells nothing."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
