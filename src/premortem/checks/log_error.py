"""An error in the service's log behind an answer that says all is well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from premortem.checks.check import Check, Known, Severity, succeeded
from premortem.checks.signature import normalise
from premortem.domain.log_error import LogLine
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "log_error"
EVIDENCE_CHARS_MAX = 300


def judge(_case: Case, _sent: Sent, _known: Known, _before: Before) -> Iterator[Verdict]:
    """Nothing: an answer alone does not tell. Who follows the log asks `judge_lines`."""
    yield from ()


def judge_lines(sent: Sent, lines: Iterable[LogLine]) -> Iterator[Verdict]:
    """What LINES, all that the service wrote while SENT alone was under way, say against its 2xx.

    Guard: only while nothing else is sent, so that the line is of this request; a line of severity
    `error` without a trace is low, for some write so of what they handled; warnings are none.
    """
    if sent.response is None or not succeeded(sent.response):
        return
    told: set[str] = set()
    for line in lines:
        said = said_by(line)
        if not said or said in told:
            continue
        told.add(said)
        severity: Severity = "medium" if line.error is not None else "low"
        what = f"{line.error.signature}: {line.error.message}" if line.error else line.text
        yield Verdict(
            check=NAME,
            title=f"answers {sent.response.status // 100}xx, and its log tells of {said}",
            signature=said,
            evidence=f"answered {sent.response.status} while its log said: "
            f"{' '.join(what.split())[:EVIDENCE_CHARS_MAX]}",
            severity=severity,
        )


def said_by(line: LogLine) -> str:
    """What is told of, the same whenever it happens; empty: no error."""
    if line.error is not None:
        return line.error.signature
    if line.severity != "error":
        return ""
    return normalise(line.text.splitlines()[0] if line.text else "")


CHECK = Check(
    name=NAME,
    description="the service's log tells of an error while it answers 2xx; needs `log` or "
    "`log_command` under [target]",
    severity="medium",
    judge=judge,
)
