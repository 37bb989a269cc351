"""A stream of cases for each operation, taken from a few at a time, none of them twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from premortem.domain.run import Case
from premortem.domain.traffic import OperationProfile


class Streams:
    """Remembers where each operation's stream stands and which cases it has given."""

    def __init__(
        self, start: Callable[[OperationProfile], Iterator[Case]], *, repeated_max: int
    ) -> None:
        """START: begins an operation's stream; called once for each. REPEATED_MAX: after so many
        cases in a row that were given before, the operation has no more."""
        self._start = start
        self._repeated_max = repeated_max
        self._open: dict[str, tuple[Iterator[Case], set[int]]] = {}

    def gave(self, operation_id: str) -> bool:
        """Whether any case of OPERATION_ID was given so far."""
        return operation_id in self._open and bool(self._open[operation_id][1])

    def take(self, operation: OperationProfile | None, count: int) -> list[Case]:
        """The next COUNT distinct cases of OPERATION; fewer when there are no more."""
        if operation is None or count <= 0:
            return []
        if operation.id not in self._open:
            self._open[operation.id] = self._start(operation), set()
        stream, given = self._open[operation.id]
        out: list[Case] = []
        repeated = 0
        for case in stream:
            request = case.request
            key = hash((request.path, request.query, request.headers, request.body, case.role))
            if key in given:
                repeated += 1
                if repeated > self._repeated_max:
                    break
                continue
            repeated = 0
            given.add(key)
            out.append(case)
            if len(out) >= count:
                break
        return out
