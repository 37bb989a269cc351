"""A recording reverse proxy for HTTP/1.1: traffic passes whatever becomes of the recording."""

from premortem.capture.proxy.recorder import Report
from premortem.capture.proxy.recording import Recording
from premortem.capture.proxy.server import Counts, Proxy, Waits

__all__ = ["Counts", "Proxy", "Recording", "Report", "Waits"]
