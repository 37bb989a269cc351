"""The service took a request and gave no usable answer."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known, Severity
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "no_answer"

_TOLD: dict[str, tuple[str, Severity]] = {
    "garbage": ("answers with something that is not HTTP", "high"),
    "reset": ("drops the connection without an answer", "high"),
    "too_large": ("answers with more than the target's `response_bytes_max`", "medium"),
    "timeout": ("does not answer in time", "medium"),
}
"""Kinds of fault that say something about the request's handling. `connect` and `tls` speak of
the target as a whole, `unbound` of an earlier answer."""


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """A fault after the request went out."""
    fault = sent.fault
    if fault is None or not fault.sent or fault.kind not in _TOLD:
        return
    if fault.kind in ("timeout", "too_large") and _is_stream(case, known):
        return
    title, severity = _TOLD[fault.kind]
    evidence = fault.detail
    if case.recorded_status:
        evidence += f"; production answered {case.recorded_status}"
    yield Verdict(
        check=NAME, title=title, signature=fault.kind, evidence=evidence, severity=severity
    )


def _is_stream(case: Case, known: Known) -> bool:
    """Whether the answer is meant to go on and on (server-sent events)."""
    if "event-stream" in (case.request.header("accept") or ""):
        return True
    return any("event-stream" in m for a in known.answers.values() for m in a.media_types)


CHECK = Check(
    name=NAME,
    description="a request went out and no usable answer came: garbage, a dropped connection, "
    "an endless answer, or none in time",
    severity="high",
    judge=judge,
)
