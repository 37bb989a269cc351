"""What redaction would change in a recording, shown before it is stored; or done to a file."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from premortem.capture import FORMATS, CaptureCounts, ReadOptions, Redactor, detect
from premortem.capture.formats import unexplained
from premortem.capture.message import Unusable, write_query
from premortem.config import Config
from premortem.domain.traffic import Exchange, Pairs
from premortem.errors import InputError

CHANGES_MAX = 200
"""Distinct (place, rule) listed; more are counted."""
REMAINING_MAX = 100
LEAVES_MAX = 20_000
"""Of one body; beyond that it is compared as a whole."""

Show = Callable[[Path, int], None]


class Change(Struct, frozen=True, kw_only=True):
    """One value that is replaced, as an example of all under its place and rule."""

    place: str
    """`request.body /customer/email`; indices of lists are `*`."""
    rule: str
    before: str
    """Its first and last character."""
    after: str
    count: int


class Remaining(Struct, frozen=True, kw_only=True):
    """A value that looks random and stays: for a person to judge."""

    place: str
    value: str
    count: int


class Checked(Struct, frozen=True, kw_only=True):
    """What redaction does to recordings."""

    files: tuple[str, ...]
    exchanges: int
    malformed: int
    rules: dict[str, int]
    """Rule -> values it replaces."""
    changes: tuple[Change, ...]
    changes_left_out: int
    remaining: tuple[Remaining, ...]


class _Tally:
    """Compares exchanges before and after."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.rules: Counter[str] = Counter()
        self.exchanges = 0
        self._changes: dict[tuple[str, str], list[Any]] = {}
        self._remaining: dict[tuple[str, str], int] = {}
        self.left_out = 0

    def add(self, exchange: Exchange) -> Exchange:
        """EXCHANGE redacted, and what changed noted."""
        new = self.redactor.exchange(exchange, self.rules)
        self.exchanges += 1
        before, after = list(leaves(exchange)), list(leaves(new))
        if len(before) == len(after):
            for (place, name, old), (_, _, now) in zip(before, after, strict=True):
                self.note(place, name, old, now)
        return new

    def note(self, place: str, name: str, old: str, now: str) -> None:
        """The value OLD, under NAME at PLACE, became NOW."""
        if old != now:
            key = place, self.redactor.rule_of(name, old)
            if key in self._changes:
                self._changes[key][2] += 1
            elif len(self._changes) < CHANGES_MAX:
                self._changes[key] = [masked(old), now[:80], 1]
            else:
                self.left_out += 1
        elif unexplained(old) and len(self._remaining) < REMAINING_MAX:
            key = place, old[:120]
            self._remaining[key] = self._remaining.get(key, 0) + 1

    def checked(self, files: tuple[str, ...], malformed: int) -> Checked:
        """All that was noted."""
        return Checked(
            files=files,
            exchanges=self.exchanges,
            malformed=malformed,
            rules=dict(self.rules.most_common()),
            changes=tuple(
                Change(place=place, rule=rule, before=old, after=now, count=count)
                for (place, rule), (old, now, count) in sorted(self._changes.items())
            ),
            changes_left_out=self.left_out,
            remaining=tuple(
                Remaining(place=place, value=value, count=count)
                for (place, value), count in sorted(self._remaining.items())
            ),
        )


def check(paths: list[Path], *, config: Config, key: bytes, show: Show | None = None) -> Checked:
    """What redaction with KEY would change in the recordings PATHS; nothing is written.

    Raises InputError for a file of no known format, ConfigError for rules that cannot be.
    """
    tally, counts = _Tally(Redactor(key, config.redact)), CaptureCounts()
    for path in paths:
        for exchange in _exchanges(path, counts, config, show):
            tally.add(exchange)
    return tally.checked(tuple(map(str, paths)), counts.malformed_total)


def check_text(text: str, *, config: Config, key: bytes) -> Checked:
    """What redaction would change in the lines of TEXT."""
    tally = _Tally(Redactor(key, config.redact))
    new = tally.redactor.text(text, tally.rules)
    before, after = text.split("\n"), new.split("\n")
    if len(before) != len(after):
        before, after = [text], [new]
    for number, (old, now) in enumerate(zip(before, after, strict=True), 1):
        tally.note(f"line {number}", "", old, now)
    return tally.checked(("-",), 0)


def redact_file(
    path: Path, out: Path, *, config: Config, key: bytes, show: Show | None = None
) -> Checked:
    """Write the recording PATH to OUT as a redacted HAR 1.2 archive. Raises InputError."""
    if out.exists():
        raise InputError(f"{out} is there already; name a new file, or remove it first")
    tally, counts = _Tally(Redactor(key, config.redact)), CaptureCounts()
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(
                '{"log": {"version": "1.2", "creator": {"name": "premortem", "version": ""},'
            )
            file.write(' "entries": [')
            for index, exchange in enumerate(_exchanges(path, counts, config, show)):
                file.write(",\n" if index else "\n")
                json.dump(_entry(tally.add(exchange)), file, ensure_ascii=False)
            file.write("\n]}}\n")
    except InputError:
        out.unlink()  # half an archive is none
        raise
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}; name another file") from None
    return tally.checked((str(path),), counts.malformed_total)


def masked(text: str) -> str:
    """TEXT's first and last character; of short ones none."""
    return f"{text[0]}…{text[-1]} ({len(text)})" if len(text) >= 6 else f"… ({len(text)})"


def leaves(exchange: Exchange) -> Iterator[tuple[str, str, str]]:
    """The values in EXCHANGE: their place, the name they stand under, and themselves."""
    request, response = exchange.request, exchange.response
    for segment in request.path.split("/"):
        yield "request.path", "", segment
    for name, value in request.query:
        yield f"request.query {name}", name, value
    for side, message in (("request", request), ("response", response)):
        for name, value in message.headers:
            yield f"{side}.header {name}", name, value
        yield from _body(f"{side}.body", message.body)


def _body(place: str, body: bytes) -> Iterator[tuple[str, str, str]]:
    text = body.decode("utf-8", "replace")
    if text.lstrip()[:1] in ("{", "["):
        try:
            found = list(_inside(json.loads(text), place + " ", ""))
        except (ValueError, RecursionError):
            found = []
        if 0 < len(found) <= LEAVES_MAX:
            yield from found
            return
    for line in text.split("\n"):
        yield place, "", line


def _inside(value: Any, place: str, name: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(item, f"{place}/{key}", key)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item, f"{place}/*", name)
    elif value is not None and not isinstance(value, bool):
        yield place, name, value if isinstance(value, str) else json.dumps(value)


def _exchanges(
    path: Path, counts: CaptureCounts, config: Config, show: Show | None
) -> Iterator[Exchange]:
    name = detect(path, ReadOptions())
    if not name:
        titles = ", ".join(known.title for known in FORMATS.values())
        raise InputError(
            f"{path} has none of the known formats; give {titles}, or a text on standard input"
        )
    progress = None if show is None else lambda position: show(path, position)
    recordings = FORMATS[name].read(path, counts=counts, progress=progress, options=ReadOptions())
    for index, recording in recordings:
        try:
            yield recording.exchange(body_bytes_max=config.capture.body_bytes_max, counts=counts)
        except Unusable as error:
            counts.skip(index, str(error))


def _entry(exchange: Exchange) -> dict[str, Any]:
    """EXCHANGE as an entry of a HAR archive."""
    request, response = exchange.request, exchange.response
    query = f"?{write_query(request.query)}" if request.query else ""
    sent: dict[str, Any] = {
        "method": request.method,
        "url": f"{request.origin}{request.path}{query}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _named(request.headers),
        "queryString": _named(request.query),
        "headersSize": -1,
        "bodySize": len(request.body),
    }
    if request.body:
        sent["postData"] = {"mimeType": request.media_type, **_content(request.body)}
    return {
        "startedDateTime": datetime.fromtimestamp(exchange.started_at, UTC).isoformat(),
        "time": exchange.duration_ms,
        "request": sent,
        "response": {
            "status": response.status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _named(response.headers),
            "content": {
                "size": len(response.body),
                "mimeType": next((v for k, v in response.headers if k == "content-type"), ""),
                **_content(response.body),
            },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": exchange.duration_ms, "receive": 0},
    }


def _named(pairs: Pairs) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _content(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), "encoding": "base64"}
