"""What one cycle gave, as it lies in `outcome.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from benches.defects.counting_proxy import Seen
from benches.defects.operations import Tried
from benches.defects.server_errors import ServerError, read_errors
from benches.defects.services import Service

EXAMPLES_MAX = 3
SILENT_MAX = 30
LATE_BYTES_MAX = 30_000
"""Of the log between an answer and the error behind it."""


class Trigger(Struct, frozen=True, kw_only=True):
    """The request behind an error, as far as it can be told."""

    number: int
    line: str
    status: int
    body: str = ""
    headers: str = ""

    @classmethod
    def of(cls, seen: Seen) -> Trigger:
        """SEEN without what every request carries."""
        lines = seen.head.decode("latin-1").split("\r\n")[1:]
        usual = (
            "host:",
            "user-agent:",
            "accept",
            "connection:",
            "content-length:",
            "x-schemathesis",
        )
        kept = [line for line in lines if line and not line.lower().startswith(usual)]
        return cls(
            number=seen.number,
            line=seen.line,
            status=seen.status,
            body=seen.body.decode("utf-8", "replace"),
            headers="; ".join(kept)[:600],
        )


class Defect(Struct, frozen=True, kw_only=True):
    """One distinct server error."""

    signature: str
    count: int
    message: str
    triggers: tuple[Trigger, ...] = ()


class Outcome(Struct, frozen=True, kw_only=True):
    """One cycle."""

    service: str
    kind: str
    seed: int
    requests: int
    turned_away: int
    statuses: Mapping[str, int]
    wall_s: float
    cpu_s: float
    """Of the client; the service and the proxy have theirs."""
    reached: int
    """Branches or lines, start-up included."""
    reported: int
    """Distinct findings that the side itself reports."""
    errors: tuple[Defect, ...]
    operations: Mapping[str, int]
    """Requests per method and status class."""
    tried: Tried = Tried()
    """Of the specification's operations."""
    silent: Mapping[str, int] = {}
    """`METHOD /path status` of answers 5xx for which nothing stands in the log: not scored."""
    alive: bool = True
    access: bool = True
    """The credentials still opened the service at the end."""
    trouble: str = ""

    @property
    def signatures(self) -> frozenset[str]:
        """Its distinct server errors."""
        return frozenset(defect.signature for defect in self.errors)


def errors_of(
    service: Service, log: bytes, begun: int, seen: Sequence[Seen]
) -> tuple[tuple[Defect, ...], Mapping[str, int]]:
    """The distinct errors in LOG from byte BEGUN on, and `Outcome.silent`; most frequent first."""
    found = read_errors(log[begun:], language=service.language, own=service.own)
    behind = _behind([error.at + begun for error in found], seen)
    kept = [
        (error, one)
        for error, one in zip(found, behind, strict=True)
        if not service.comes_from_setup(error.message)
    ]
    counts = Counter(error.signature for error, _ in kept)
    first: dict[str, ServerError] = {}
    triggers: dict[str, list[Trigger]] = {}
    for error, one in kept:
        first.setdefault(error.signature, error)
        shown = triggers.setdefault(error.signature, [])
        if len(shown) < EXAMPLES_MAX and one is not None:
            shown.append(Trigger.of(one))
    defects = tuple(
        Defect(
            signature=signature,
            count=count,
            message=first[signature].message,
            triggers=tuple(triggers[signature]),
        )
        for signature, count in counts.most_common()
    )
    explained = {one.number for one in behind if one is not None}
    silent = Counter(
        f"{one.line.partition('?')[0]} {one.status}"
        for one in seen
        if one.status >= 500 and one.number not in explained
    )
    return defects, dict(silent.most_common(SILENT_MAX))


def _behind(places: Sequence[int], seen: Sequence[Seen]) -> list[Seen | None]:
    """For each of PLACES, bytes of the log in order, the request during which it was written.

    Of several the last one that was answered 5xx. A server may log after it has answered: then
    it is one answered 5xx shortly before that has no error yet. Else any that goes on then.
    """
    explained: set[int] = set()
    found: list[Seen | None] = []
    for at in places:
        around = [one for one in seen if one.log_from <= at < max(one.log_to, one.log_from + 1)]
        broken = [one for one in around if one.status >= 500]
        late = [
            one
            for one in seen
            if one.status >= 500
            and 0 <= at - one.log_to <= LATE_BYTES_MAX
            and one.number not in explained
        ]
        fitting = broken or late or around
        explained.update(one.number for one in fitting[-1:])
        found.append(fitting[-1] if fitting else None)
    return found
