"""Access logs: what servers and load balancers write about requests, a line each.

A line holds no bodies and few headers, so its exchange is recorded as `line`. Formats: common and
combined (Apache, nginx), AWS load balancers', JSON lines of any of those who write them (their
names are made out, see `log_fields`), or what a `log_format` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from premortem.capture.counts import CaptureCounts
from premortem.capture.lines import LINE_BYTES_MAX, lines
from premortem.capture.log_fields import Meaning, Plan, duration_s, plan
from premortem.capture.log_format import LogFormat, balancer, combined
from premortem.capture.message import Unusable, timestamp
from premortem.capture.recording import (
    DEFAULTS,
    Entry,
    Progress,
    ReadOptions,
    Sender,
    Stamps,
    not_a,
)
from premortem.domain.traffic import Pairs

GIVE = (
    "an access log in common or combined format, JSON lines with method, path and status, "
    "or say its format with --log-format"
)
LINES_TRIED_MAX = 1000
"""Lines at the beginning among which one must be of a log."""
NESTED_MAX = 4
"""Objects inside each other whose fields are looked at."""
PLANS_MAX = 1000
"""Sets of field names remembered with their meanings."""

_OBJECT = msgspec.json.Decoder(dict[str, Any])
_REQUEST = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+)(?: HTTP/\d(?:\.\d)?)?")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"v": b"\v", b"f": b"\f"}
_LOG_TIME = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ?([+-]\d{4})?")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_EPOCH_MAX = {1.0: 1e11, 1e3: 1e14, 1e6: 1e17, 1e9: 1e20}
"""Parts of a second -> numbers of them since the epoch that are below the year 5000."""
_MASKS = frozenset(("", "-", "REDACTED", "[REDACTED]", "<redacted>"))
_NOTHING = ("", "-")


def read_access_log(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Progress | None = None,
    options: ReadOptions = DEFAULTS,
) -> Iterator[tuple[int, Entry]]:
    """The requests in the access log at PATH with their line numbers, from 1.

    Raises InputError when none of the first LINES_TRIED_MAX lines is a log's.
    """
    parser = LineParser(options)
    number = good = 0
    for number, line in lines(path, progress=progress):
        if line is not None and not line.strip():
            continue
        counts.read += 1
        if line is None:
            counts.skip(number, f"longer than {LINE_BYTES_MAX} bytes")
            continue
        try:
            entry = parser.entry(line)
        except Unusable as error:
            counts.skip(number, str(error))
            if not good and counts.read >= LINES_TRIED_MAX:
                break
            continue
        if entry is None:
            counts.dropped["not a request"] += 1
            continue
        good += 1
        yield number, entry
    if not good:
        reason = "none of its lines is one" if number else "it is empty"
        raise not_a(path, "an access log", reason, give=GIVE)


class LineParser:
    """Lines of one log as entries; knows what format the last one had."""

    def __init__(self, options: ReadOptions = DEFAULTS) -> None:
        """Raises InputError for a log format that cannot be one."""
        self._origin = options.origin
        custom = (LogFormat(options.log_format),) if options.log_format else ()
        self._formats: list[Callable[[str], dict[str, str] | None]] = [
            *custom,
            *(() if custom else (combined, balancer)),
        ]
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._stamps = Stamps()

    def entry(self, line: bytes) -> Entry | None:
        """The request of LINE; None for a whole line about something else.

        Raises Unusable for a line of no known format.
        """
        if line.startswith(b"{"):
            return self._json(line)
        text = line.decode("utf-8", "replace")
        for place, parse in enumerate(self._formats):
            values = parse(text)
            if values is not None:
                if place:
                    self._formats.insert(0, self._formats.pop(place))
                if "\\" in text:
                    values = {name: unescaped(value) for name, value in values.items()}
                return self._entry(values)
        raise Unusable("it has none of the known log formats")

    def _json(self, line: bytes) -> Entry | None:
        try:
            values = _OBJECT.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unusable(f"not JSON: {error}") from None
        inner = values.get("log")
        if isinstance(inner, str) and "stream" in values:  # what a container wrote
            return self.entry(inner.strip().encode()) if inner.strip() else None
        return self._entry(dict(_flat(values)))

    def _entry(self, values: Mapping[str, Any]) -> Entry | None:
        """The request that fields by the name of VALUES tell of."""
        names = tuple(values)
        known = self._plans.get(names)
        if known is None:
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            known = self._plans[names] = plan(names)
        if not known.usable:
            return None
        line = _Line(values, known)
        method, target = line.request()
        started_at, duration_ms = self._time(line)
        return Entry(
            method=method,
            target=target,
            origin=self._origin or line.origin(),
            headers=line.pairs(known.headers),
            status=line.status(),
            answer_headers=line.pairs(known.answer_headers),
            started_at=started_at,
            duration_ms=duration_ms,
            recorded="line",
            sender=line.sender(),
        )

    def _time(self, line: _Line) -> tuple[float, float]:
        """Start, seconds since the epoch, and duration in milliseconds.

        Logs are written when requests end. Where the end is told to the second, lines keep the
        order they stand in: the order in which a client saw its answers.
        """
        taken_s = line.taken_s()
        at, begins = line.when()
        if not begins and at != int(at):
            at -= taken_s or 0.0
        return self._stamps.apart(at), (taken_s or 0.0) * 1e3


class _Line:
    """The fields of one line, by meaning."""

    def __init__(self, values: Mapping[str, Any], known: Plan) -> None:
        self._values, self._plan = values, known

    def _texts(self, meaning: Meaning) -> Iterator[str]:
        """What is said under MEANING, the most telling first, without `-` and blanks."""
        for name in self._plan.fields.get(meaning, ()):
            value = self._values[name]
            if isinstance(value, str):
                if value not in _NOTHING:
                    yield value
            elif isinstance(value, int | float) and not isinstance(value, bool):
                yield str(value)

    def _text(self, meaning: Meaning) -> str:
        for name in self._plan.fields.get(meaning, ()):
            value = self._values[name]
            if isinstance(value, str):  # as nearly all are
                if value not in _NOTHING:
                    return value
            elif isinstance(value, int | float) and not isinstance(value, bool):
                return str(value)
        return ""

    def request(self) -> tuple[str, str]:
        """Method and target; empty where the client sent garbage."""
        method, target = self._text("method"), self._text("target")
        if not method or not target:
            line = self._text("line")
            found = _REQUEST.fullmatch(line)
            if found is None:
                return "", ""
            method, target = found[1], found[2]
        if "?" not in target:
            query = self._text("query").removeprefix("?")
            target = f"{target}?{query}" if query else target
        return method, target

    def origin(self) -> str:
        """Where it went; empty where the log does not name it."""
        host = self._text("host").lower()
        if not host or host == "_" or "/" in host or "," in host:
            return ""
        scheme = self._text("scheme").lower()
        port = self._text("port")
        if scheme not in ("http", "https"):
            secure = self._plan.secure or port == "443" or host.endswith(":443")
            scheme = "https" if secure else "http"
        has_port = host.rpartition(":")[2].isdigit() and (":" not in host[:-6] or "]" in host)
        if port.isdigit() and not has_port:
            host = f"{host}:{port}"
        return f"{scheme}://{host}"

    def status(self) -> int:
        """0 where none is told."""
        for text in self._texts("status"):
            if text.isdigit() and len(text) <= 3:
                return int(text)
        return 0

    def taken_s(self) -> float | None:
        """How long it took."""
        for name in self._plan.fields.get("duration", ()):
            taken = duration_s(self._values[name], self._plan.units_s.get(name))
            if taken is not None:
                return taken
        return None

    def when(self) -> tuple[float, bool]:
        """Seconds since the epoch, and whether the request began then. Raises Unusable."""
        for meaning in ("started", "ended"):
            for text in self._texts(meaning):
                at = _moment(text)
                if at is not None:
                    return at, meaning == "started"
        raise Unusable("it tells no time")

    def sender(self) -> Sender:
        """User and address."""
        address = self._text("address").partition(",")[0].strip()
        user = self._text("user")
        return Sender(user="" if user in _MASKS else user, address=address)

    def pairs(self, headers: tuple[tuple[str, str], ...]) -> Pairs:
        """Those HEADERS that the line has a value of."""
        found = ((header, self._values[name]) for header, name in headers)
        return tuple((h, v) for h, v in found if isinstance(v, str) and v not in _MASKS)


def _flat(values: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Fields with the names of nested ones joined by points; of lists the first value."""
    for name, value in values.items():
        if isinstance(value, dict):
            if depth < NESTED_MAX:
                yield from _flat(value, f"{prefix}{name}.", depth + 1)
        elif isinstance(value, list):
            if value and isinstance(value[0], str):
                yield prefix + name, value[0]
        else:
            yield prefix + name, value


def unescaped(text: str) -> str:
    r"""TEXT without the escapes of servers: nginx's `\x22`, Apache's `\"` and `\n`."""
    if "\\" not in text:
        return text

    def plain(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return bytes((int(found[1], 16),))
        return _ESCAPES.get(found[2], found[2])

    return _ESCAPE.sub(plain, text.encode()).decode("utf-8", "replace")


@lru_cache(maxsize=1024)
def _moment(text: str) -> float | None:
    """Seconds since the epoch of a time in any of the ways logs write it; None for none."""
    found = _LOG_TIME.fullmatch(text)
    if found is not None:
        return _log_time(found)
    try:
        number = float(text)
    except ValueError:
        try:
            return timestamp(text, name="time")
        except Unusable:
            return None
    for parts, largest in _EPOCH_MAX.items():
        if 1e8 * parts <= number < largest:
            return number / parts
    return None


def _log_time(found: re.Match[str]) -> float | None:
    day, month, year, hour, minute, second, zone = found.groups()
    offset = timedelta()
    if zone:
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
        offset = -offset if zone[0] == "-" else offset
    try:
        number = _MONTHS.index(month) // 3 + 1
        zoned = timezone(offset)
        moment = datetime(int(year), number, int(day), int(hour), int(minute), tzinfo=zoned)
    except ValueError:
        return None
    return moment.timestamp() + int(second)
