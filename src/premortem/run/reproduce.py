"""Whether a failure comes again from a fresh state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from premortem.domain.run import Case, Sent, Sequence, Verdict

Check = Callable[[Case, Sent], tuple[Verdict, ...]]


class Client(Protocol):
    """What sends a sequence; `send.line.Line` is one."""

    def send_sequence(self, sequence: Sequence) -> tuple[Sent, ...]:
        """What came of its cases, in order."""


def reproduce(
    sequence: Sequence,
    verdict: Verdict,
    *,
    client: Client,
    reset: Callable[[], object] | None,
    checker: Check,
    tries: int = 2,
) -> int:
    """How often of TRIES the last case of SEQUENCE gives a verdict like VERDICT again.

    Like: same check, same signature. RESET is called before each try; None, or a target without
    one configured, leaves the state as it is. Raises TargetError when the reset fails.
    """
    again = 0
    for _ in range(tries):
        if reset is not None:
            reset()
        sent = client.send_sequence(sequence)
        found = checker(sequence.cases[-1], sent[-1])
        again += any(v.check == verdict.check and v.signature == verdict.signature for v in found)
    return again
