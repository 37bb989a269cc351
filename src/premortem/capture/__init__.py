"""From recordings to exchanges: HAR 1.2 in, filtered, tagged and redacted exchanges out."""

from premortem.capture.compose import capture_har
from premortem.capture.counts import CaptureCounts
from premortem.capture.har import read_har
from premortem.capture.redact import Redactor

__all__ = ["CaptureCounts", "Redactor", "capture_har", "read_har"]
