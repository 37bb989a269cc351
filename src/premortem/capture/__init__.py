"""From recordings of any known format to exchanges: read, filtered, tagged and redacted."""

from premortem.capture.compose import capture_har, capture_recordings
from premortem.capture.counts import CaptureCounts
from premortem.capture.detect import detect
from premortem.capture.har import read_har
from premortem.capture.readers import FORMATS, Format
from premortem.capture.recording import ReadOptions
from premortem.capture.redact import Redactor

__all__ = [
    "FORMATS",
    "CaptureCounts",
    "Format",
    "ReadOptions",
    "Redactor",
    "capture_har",
    "capture_recordings",
    "detect",
    "read_har",
]
