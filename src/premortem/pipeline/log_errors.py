"""Errors in the target's log that no failed answer explains, and the requests they belong to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from premortem.checks.log_error import judge_lines, said_by
from premortem.domain.log_error import LogLine
from premortem.domain.run import Result, Sent, Sequence
from premortem.domain.tracing import trace_id
from premortem.observe.log import LogWatch
from premortem.run.happenings import Gathered
from premortem.send.line import Line

KEPT_MAX = 2
"""Results of one operation and status that may be sent again."""
RESULTS_MAX = 2_000
PROBES_MAX = 100
"""Sequences sent again, one after the other, to find whose error it was."""
PROBE_REQUESTS_MAX = 600
SETTLE_S = 0.05
"""A service may write of its error a little after it has answered."""

SequenceOf = Callable[[str], Sequence | None]


class LogErrors:
    """Follows one run. While cases go out side by side the time of a line says little, so a few
    of those that were answered 2xx are sent again alone, when the log tells of more errors than
    answers failed. PATH: the file the log comes to; None: nothing is looked at."""

    def __init__(self, path: Path | None) -> None:
        self._log = LogWatch(path) if path is not None else None
        self._mark = self._log.mark() if self._log is not None else 0
        self._kept: dict[tuple[str, int], list[tuple[Result, Sequence]]] = {}
        self._failed = 0
        self._held = 0
        self._pause = threading.Event()

    def take(self, event: Gathered, sequence_of: SequenceOf) -> None:
        """What came of cases."""
        if self._log is None:
            return
        self._failed += sum(count.count for count in event.counts if count.status >= 500)
        for result in event.results:
            response = result.sent.response
            if response is None or not 200 <= response.status < 300 or self._held >= RESULTS_MAX:
                continue
            kept = self._kept.setdefault((result.case.operation_id, response.status), [])
            sequence = sequence_of(result.sequence_id) if len(kept) < KEPT_MAX else None
            if sequence is not None:
                kept.append((result, sequence))
                self._held += 1

    def suspicious(
        self, line: Line, *, stop: Callable[[], bool]
    ) -> Iterator[tuple[Result, Sequence]]:
        """Results answered 2xx behind which the log told of an error, with its verdict.

        Sends some requests anew, one after the other. Raises TargetError.
        """
        if self._log is None:
            return
        lines = [one for one in self._log.since(self._mark) if said_by(one)]
        if len(lines) <= self._failed:
            return
        traced = {one.trace_id for one in lines if one.trace_id}
        probes = [pair for kept in self._kept.values() for pair in kept]
        probes.sort(key=lambda pair: trace_id(pair[0].case) not in traced)
        requests = 0
        for result, sequence in probes[:PROBES_MAX]:
            again = sequence.upto(result.position)
            requests += len(again.cases)
            if stop() or requests > PROBE_REQUESTS_MAX:
                return
            sent, told = self._sent_alone(line, again)
            if not any(map(said_by, told)) or any(map(_failed, sent)):
                continue
            if len(again.cases) > 1:
                # What came up before the last case is not about it.
                _, before = self._sent_alone(line, again.upto(result.position - 1))
                others = {said_by(one) for one in before}
                told = [one for one in told if said_by(one) not in others]
            verdicts = tuple(judge_lines(sent[-1], told))
            if verdicts:
                yield replace(result, sent=sent[-1], verdicts=verdicts), sequence

    def _sent_alone(self, line: Line, sequence: Sequence) -> tuple[tuple[Sent, ...], list[LogLine]]:
        """What came of SEQUENCE, and what the log told meanwhile."""
        assert self._log is not None  # noqa: S101 - asked before
        mark = self._log.mark()
        sent = line.send_sequence(sequence)
        self._pause.wait(SETTLE_S)
        return sent, self._log.since(mark)


def _failed(sent: Sent) -> bool:
    return sent.response is None or sent.response.status >= 500
