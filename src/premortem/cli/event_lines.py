"""What happens in a run as NDJSON: one JSON object on each line, named by `type`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from premortem.errors import InputError
from premortem.pipeline.confirming import Reproducing
from premortem.pipeline.run import Reported
from premortem.run import Event, Gathered, RunEnded


@contextmanager
def event_lines(path: Path | None) -> Iterator[Callable[[object], None]]:
    """What writes events to PATH, `-` for standard output; None: it writes nothing.

    Results are counted, not copied: they lie in the store. Raises InputError.
    """
    if path is None:
        yield lambda _event: None
        return
    if str(path) == "-":
        yield lambda event: print(line_of(event), flush=True)  # noqa: T201 - it was asked for
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    with file:
        yield lambda event: print(line_of(event), file=file, flush=True)


def line_of(event: Event | Reproducing | Reported | object) -> str:
    """EVENT as JSON without line breaks."""
    fields: dict[str, object]
    if isinstance(event, Gathered):
        failed = sum(bool(result.verdicts) for result in event.results)
        ended = sum(count.count for count in event.counts)
        fields = {"ended": ended, "failed": failed}
    elif isinstance(event, Reported):
        fields = {
            "findings": [finding.id for finding in event.findings],
            "unconfirmed": [finding.id for finding in event.unconfirmed],
            "trouble": event.trouble,
            "broken_checks": event.broken_checks,
        }
    elif isinstance(event, RunEnded):
        fields = {"summary": event.summary}
    else:
        fields = msgspec.to_builtins(event)
        fields.pop("type", None)
    return msgspec.json.encode({"type": type(event).__name__} | fields).decode()
