"""The service's errors, read from its own log: exception type and innermost frame of its own.

A line of a traceback names file and function; which operation it surfaced in does not count, for
one defect can surface in twenty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

LINE_BYTES_MAX = 200_000
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_GROUP = re.compile(r"^[ ]*[+|][ |+-]*(?:\d+ -+)?[ ]?")
"""What Python draws before the lines of an exception group."""
_BEGIN = "Traceback (most recent call last):"
_FRAME = re.compile(r'^ +File "(?P<file>[^"]+)", line \d+, in (?P<function>.+)$')
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?::|$)")
_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_NODE_FRAME = re.compile(
    r"^\s*at (?:async )?(?:(?P<function>.+?) \()?(?P<file>[^()]+?):\d+:\d+\)?$"
)
_ERROR_LEVEL = 50
"""Of pino: error; 60 is fatal."""


class ServerError(Struct, frozen=True, kw_only=True):
    """One error as it stands in the log."""

    type: str
    frame: str
    """`file:function`, the file from the package on; empty: no frame of the service's own."""
    message: str
    at: int
    """Byte of the log where it begins."""

    @property
    def signature(self) -> str:
        """What makes it one and the same defect."""
        return f"{self.type} @ {self.frame or '(no own frame)'}"


def read_errors(log: bytes, *, language: str, own: str) -> list[ServerError]:
    """The errors in LOG, in order.

    OWN: what the path of a file of the service's own holds, `/site-packages/kinto/`.
    """
    read = python_errors if language == "python" else node_errors
    return list(read(log, own=own))


def _lines(log: bytes) -> Iterator[tuple[int, str]]:
    at = 0
    for raw in log.split(b"\n"):
        yield at, _COLOURS.sub("", raw[:LINE_BYTES_MAX].decode("utf-8", "replace")).rstrip("\r")
        at += len(raw) + 1


class _Traceback:
    """What one `Traceback` said."""

    def __init__(self, at: int, before: str) -> None:
        self.at, self.before = at, before
        self.frames: list[tuple[str, str]] = []
        self.type = self.message = ""

    def own(self, marker: str) -> str:
        for file, function in reversed(self.frames):
            if marker in file:
                return f"{_from_package(file, marker)}:{function}"
        return ""


def _from_package(file: str, marker: str) -> str:
    return (marker.rstrip("/").rsplit("/", 1)[-1] + "/" + file.rsplit(marker, 1)[-1]).lstrip("/")


_LOGGING = "--- Logging error ---"
"""The service's logger failed to write a line; what it was about is the exception before that."""


def python_errors(log: bytes, *, own: str) -> Iterator[ServerError]:
    """Of a chain the exception that was raised last, of a group its innermost exception.

    Where the last one of a chain has no frame of the service's own, the ones before it are asked.
    """
    chain: list[_Traceback] = []
    for traceback, chained in _tracebacks(log):
        if not chained and chain:
            yield from _of_chain(chain, own)
            chain = []
        chain.append(traceback)
    if chain:
        yield from _of_chain(chain, own)


def _of_chain(chain: list[_Traceback], own: str) -> Iterator[ServerError]:
    if chain[0].before.strip() == _LOGGING:
        chain = chain[:-1]
        if not chain:
            return
    last = chain[-1]
    frame = next((found for one in reversed(chain) if (found := one.own(own))), "")
    message = f"{last.message} {chain[0].before}".strip()
    yield ServerError(type=last.type, frame=frame, message=message[:500], at=chain[0].at)


def _tracebacks(log: bytes) -> Iterator[tuple[_Traceback, bool]]:
    """Each one, and whether it goes on with the chain before."""
    current: _Traceback | None = None
    chained = linked = False
    before = ""
    for at, line in _lines(log):
        text = _GROUP.sub("", line) if line.lstrip()[:1] in ("+", "|") else line
        if text.strip() == _BEGIN:
            # Within a group: its exceptions stand in for it.
            if current is not None and current.type:
                yield current, chained
            current, chained, linked = _Traceback(at, before), linked, False
        elif current is None:
            linked = linked or text.strip() in _CHAINED
            before = text or before
        elif frame := _FRAME.match(text):
            current.frames.append((frame["file"], frame["function"].strip()))
        elif text and not text.startswith(" ") and (raised := _RAISED.match(text)):
            current.type, current.message = raised["type"].rsplit(".", 1)[-1], text
            yield current, chained
            current, before, linked = None, "", False
    if current is not None and current.frames:
        current.type = "Unfinished"
        yield current, chained


def node_errors(log: bytes, *, own: str) -> Iterator[ServerError]:
    """Errors in lines of JSON as pino writes them: `err` with `type`, `message` and `stack`."""
    for at, line in _lines(log):
        if not line.startswith("{"):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and (record.get("level") or 0) >= _ERROR_LEVEL:
            found = _of_record(record, own, at)
            if found is not None:
                yield found


def _of_record(record: dict[str, Any], own: str, at: int) -> ServerError | None:
    error = record.get("err")
    if not isinstance(error, dict):
        return None
    stack = str(error.get("stack") or "")
    message = str(error.get("message") or record.get("msg") or "")
    frame = ""
    for line in stack.splitlines():
        found = _NODE_FRAME.match(line)
        if found and own in found["file"]:
            function = (found["function"] or "<anonymous>").split(" [as ")[0]
            frame = f"{_from_package(found['file'], own)}:{function}"
            break
    kind = str(error.get("type") or "Error")
    code = error.get("code")
    if isinstance(code, str) and kind in ("Error", "Object"):
        kind = f"{kind}[{code}]"
    return ServerError(type=kind, frame=frame, message=message[:500], at=at)
