"""What an answer shows that none before it did, and how much that is worth.

Coverage that needs nothing of the target: statuses, messages, signatures, shapes of answers. As in
grey-box fuzzing (Boehme, Pham, Roychoudhury 2016, AFLFast, CCS) what is met for the n-th time is
worth less; here the n-th news of one kind from one operation is worth 1 / sqrt(n), so that a
service that repeats parts of the request in its answers does not look inexhaustible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import lru_cache
from itertools import chain

import msgspec
from msgspec import Struct

from premortem.domain.bodies import leaves, read_body
from premortem.domain.run import Case, Sent, Verdict
from premortem.domain.traffic import Request, Response

KEYS_MAX = 200_000
"""Things seen that are remembered; further ones count as seen."""
POINTERS_MAX = 400
"""Of one answer that make up its shape."""
SHAPE_BYTES_MAX = 256 * 1024
"""Larger bodies are not looked into."""
VALIDATION = frozenset({400, 422})
"""Refusals of what the request looks like: most never come near what the operation does."""

Said = Callable[[Request, Response], str]
"""What went wrong according to an answer, the same for every occurrence; empty: it says nothing."""


class Worth(Struct, frozen=True, kw_only=True):
    """How much each kind of news is worth; the scale is arbitrary."""

    failure: float = 8.0
    """A failure (5xx, or no answer at all) that no operation showed."""
    status: float = 3.0
    """A status that the operation did not answer with before; of a failure: of that too."""
    passed: float = 4.0
    """The operation was let through (2xx) for the first time."""
    message: float = 1.0
    """Why it refuses; a refusal of what a request looks like is worth a fifth of it."""
    verdict: float = 3.0
    """A check objects to something that it did not object to before."""
    shape: float = 1.5
    """Members in its answer that were not together before."""


class News(Struct, frozen=True, kw_only=True):
    """What is new about one answer."""

    worth: float = 0.0
    kinds: tuple[str, ...] = ()
    failed: bool = False
    """5xx, or no answer."""


class Novelty:
    """Remembers what was seen. SAID: tells what an answer says went wrong."""

    def __init__(self, said: Said, *, worth: Worth = Worth()) -> None:  # noqa: B008 - frozen
        self._said = said
        self._worth = worth
        self._seen: set[Hashable] = set()
        self._counts: Counter[tuple[str, str]] = Counter()
        self.passed: set[str] = set()
        """Operations that were let through (2xx or 3xx)."""
        self.statuses: dict[str, set[int]] = {}

    def look(self, case: Case, sent: Sent, verdicts: Iterable[Verdict] = ()) -> News:
        """What is new about what came of CASE, and what checks said of that; it is seen from now
        on."""
        response = sent.response
        if response is None and sent.fault is not None and not sent.fault.sent:
            return News()
        status = response.status if response is not None else 0
        failed = status >= 500 or response is None
        kinds: list[str] = []
        worth = 0.0
        said = [("verdict", (case.operation_id, v.check, v.signature)) for v in verdicts]
        told = ((kind, key, self._worth.verdict) for kind, key in said)
        for kind, key, value in chain(self._keys(case, sent, response, status), told):
            if key in self._seen or len(self._seen) >= KEYS_MAX:
                continue
            self._seen.add(key)
            scope = "" if kind == "failure" else case.operation_id
            self._counts[scope, kind] += 1
            worth += value / self._counts[scope, kind] ** 0.5
            kinds.append(kind)
        if 200 <= status < 400:
            self.passed.add(case.operation_id)
        self.statuses.setdefault(case.operation_id, set()).add(status)
        return News(worth=worth, kinds=tuple(kinds), failed=failed)

    def _keys(
        self, case: Case, sent: Sent, response: Response | None, status: int
    ) -> Iterator[tuple[str, Hashable, float]]:
        """(kind, what is remembered, its worth)."""
        worth, operation_id = self._worth, case.operation_id
        yield "status", (operation_id, status), worth.status
        if response is None:
            yield "failure", ("fault", sent.fault.kind if sent.fault else ""), worth.failure
            return
        if status >= 500:
            said = self._said(sent.request, response)
            # One that says nothing of its own may still be another one elsewhere.
            yield "failure", (status, said), worth.failure
            yield "own failure", (operation_id, status, said), worth.status
        elif status >= 400:
            value = worth.message / (5 if status in VALIDATION else 1)
            yield "message", (operation_id, status, self._said(sent.request, response)), value
        elif 200 <= status < 300:
            yield "passed", (operation_id, "passed"), worth.passed
            yield "shape", (operation_id, status, shape_of(response)), worth.shape


def shape_of(response: Response) -> int:
    """A number for the members that RESPONSE's body and head have, whatever their values."""
    names = tuple(sorted({name for name, _ in response.headers}))
    if len(response.body) > SHAPE_BYTES_MAX:
        return hash(names)
    try:
        body = read_body(response)
    except (ValueError, msgspec.DecodeError):
        return hash((names, "broken"))
    if body is None:
        return hash((names, response.media_type, bool(response.body)))
    found: set[tuple[str, ...]] = set()
    for place, value in leaves(body):
        found.add((_general(place.name), "null" if value is None else ""))
        if len(found) >= POINTERS_MAX:
            break
    return hash((names, type(body).__name__, bool(body), frozenset(found)))


@lru_cache(maxsize=65_536)
def _general(pointer: str) -> str:
    if not any(c.isdigit() for c in pointer):
        return pointer
    return "/".join("*" if token.isdigit() else token for token in pointer.split("/"))
