"""Lines of a log, put together: a trace belongs to the line before it, or is a record alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from premortem.domain.log_error import LogError, LogLine, Severity, error_in
from premortem.observe.drain import Drain

RECORD_LINES_MAX = 2000
"""Lines of one record; further ones begin another."""
SEVERITY_CHARACTERS_MAX = 160
"""The start of a line in which its severity is looked for."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TRACEBACK = re.compile(r"^[\s|+]*(?:Exception Group )?Traceback \(most recent call last\):")
_FRAME_LIKE = re.compile(
    r"^(?:\s|Caused by: |goroutine \d+ \[|created by |\.\.\. \d+ more|exit status)"
)
_CHAINED = re.compile(
    r"^(?:During handling of the above exception|The above exception was the direct cause)"
)
_PYTHON_END = re.compile(r"^[A-Za-z_][\w.]*(?::\s.*)?$")
_PYTHON_REST = re.compile(
    r"^(?:\[SQL: |\[parameters: |\(Background on this error|DETAIL: |HINT: |LINE \d+: )"
)
_GO_CALL = re.compile(r"^[\w./*()\[\]{}-]+\(.*\)$")
_GO_HEAD = re.compile(r"^(?:goroutine \d+ \[|panic: )|http: panic serving ")
_HEADS_OF_TRACES = re.compile(
    r"^(?:[A-Za-z_$][\w.$]*(?:Exception|Error)\b|Unhandled exception|panic: |Exception in thread)"
)
_ERROR_WORD = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL|SEVERE|PANIC|EMERG|ALERT)\b|^(?:fail|crit|error|panic): |\[error\]"
    r"|level=(?:error|fatal|panic)\b|\bException in\b|^E\d{4} "
)
_WARNING_WORD = re.compile(r"\bWARN(?:ING)?\b|^warn(?:ing)?: |\[warn(?:ing)?\]|level=warn|^W\d{4} ")
_INFO_WORD = re.compile(r"\b(?:INFO|NOTICE)\b|^info: |\[(?:info|notice)\]|level=info|^I\d{4} ")
_DEBUG_WORD = re.compile(
    r"\b(?:DEBUG|TRACE)\b|^(?:dbug|trce|debug): |\[(?:debug|trace)\]|level=debug"
)
_TRACE_ID = re.compile(r"\b(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?\b")
_STACKS = ("stack", "stack_trace", "stackTrace", "exc_info", "exception", "traceback", "error")
_MESSAGES = ("msg", "message", "event", "@m", "Message", "log")
_LEVELS = ("level", "severity", "levelname", "log.level", "@l", "Level", "LogLevel")
_NUMBERED: tuple[tuple[int, Severity], ...] = ((50, "error"), (40, "warning"), (30, "info"))
"""Levels of pino, bunyan and Python's `logging` agree from 30 on, up to a name."""


def records(lines: Iterable[str], drain: Drain, *, times: int = 1) -> Iterator[LogLine]:
    """The records of LINES, which have no line ends; each is counted TIMES in DRAIN."""
    for text in _joined(_COLOURS.sub("", line) if "\x1b" in line else line for line in lines):
        yield _record(text, drain, times)


def _joined(lines: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    inside = ""
    """Of which trace the lines are: python, its `end`, or go."""
    for line in lines:
        joins, inside = _joins(line, held, inside)
        if held and (not joins or len(held) >= RECORD_LINES_MAX):
            yield "\n".join(held).rstrip()
            held = []
        if line.strip() or held:
            held.append(line)
    if held:
        yield "\n".join(held).rstrip()


def _joins(line: str, held: list[str], inside: str) -> tuple[bool, str]:
    """Whether LINE goes on with what is HELD, and inside of which trace the next one is."""
    if _TRACEBACK.match(line):
        # One alone on its line belongs to what was said before it, unless that had one already.
        chained = inside in ("python", "end") and bool(_recent(held))
        fresh = "python" not in inside and inside != "end" and line[:1] == "T"
        return chained or (fresh and _announces(held)) or line[:1] in " |+", "python"
    if inside == "python":
        ended = bool(line) and not line[0].isspace() and line[0] not in "|+"
        return True, "end" if ended and _PYTHON_END.match(line) else "python"
    if inside == "end" and (not line or _CHAINED.match(line) or _PYTHON_REST.match(line)):
        return True, "end"
    if _GO_HEAD.search(line):
        return line.startswith("goroutine ") and inside == "go", "go"
    if inside == "go" and (not line or line[0] == "\t" or _GO_CALL.match(line)):
        return True, "go"
    if not line.strip():
        return bool(inside), inside
    if _FRAME_LIKE.match(line):
        return True, inside
    return bool(_HEADS_OF_TRACES.match(line)) and _announces(held) and len(held) == 1, ""


def _recent(held: list[str]) -> str:
    return next((line for line in reversed(held) if line.strip()), "") if held else ""


def _announces(held: list[str]) -> bool:
    return bool(held) and _severity(held[0]) == "error"


def _record(text: str, drain: Drain, times: int) -> LogLine:
    said = _said(text) if text.startswith("{") else None
    message, severity, stack = said or (text, _severity(text), text)
    error = error_in(stack)
    if error is not None and not severity:
        severity = "error"
    trace = _TRACE_ID.search(text)
    return LogLine(
        template_id=drain.add(_line_of(message, error), times=times),
        severity=severity,
        text=text,
        error=error,
        trace_id=trace[1] if trace is not None else "",
    )


def _line_of(message: str, error: LogError | None) -> str:
    """What a record is grouped by: its first line, behind the kind of its error."""
    first = message.split("\n", 1)[0]
    if error is None:
        return first
    if _TRACEBACK.match(first):
        return error.signature.replace(" ", "_")
    return f"{error.exception} {first}"


def _severity(text: str) -> Severity:
    start = text[:SEVERITY_CHARACTERS_MAX].split("\n", 1)[0]
    if _ERROR_WORD.search(start):
        return "error"
    if _WARNING_WORD.search(start):
        return "warning"
    if _INFO_WORD.search(start):
        return "info"
    return "debug" if _DEBUG_WORD.search(start) else ""


def _said(text: str) -> tuple[str, Severity, str] | None:
    """Message, severity and trace of a line of JSON; None: it is none."""
    try:
        read: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(read, dict):
        return None
    message = next((read[n] for n in _MESSAGES if isinstance(read.get(n), str)), text)
    level = next((read[n] for n in _LEVELS if isinstance(read.get(n), str | int)), "")
    stacks = [read, *(inner for inner in read.values() if isinstance(inner, dict))]
    stack = next(
        (s[n] for s in stacks for n in _STACKS if isinstance(s.get(n), str) and "\n" in s[n]), ""
    )
    return message, _level(level), stack


def _level(level: str | int) -> Severity:
    if isinstance(level, int):
        return next((name for least, name in _NUMBERED if level >= least), "debug")
    return _severity(level.upper()) or "info"
