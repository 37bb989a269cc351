"""Of what kind a finding is, and why: defect, contract drift, flaky."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from msgspec.structs import replace

from premortem.analyse.minimise import Freedom
from premortem.checks import reason_of
from premortem.domain.run import (
    Before,
    Case,
    Finding,
    FindingKind,
    Intent,
    Sent,
    Sequence,
    Verdict,
)
from premortem.domain.traffic import Answer, OperationProfile, Profile

Judge = Callable[[Case, Sent, Before], tuple[Verdict, ...]]
KINDS: tuple[FindingKind, ...] = ("defect", "drift", "flaky")
RECORDED_MAX = 200
"""Recorded exchanges of one operation that are judged."""
MESSAGE = ("body", "query:", "header:", "path:", "content-type")
"""What a broken constraint begins with that is about a message, not about state and order."""
UNDECLARED = "undeclared_status"
PROTOCOL = frozenset({401, 403, 404, 405, 406, 411, 413, 414, 415, 417, 426, 431})
"""Refusals that any operation may give and few documents list: for who asks, for what is not
there, for how a request is written (RFC 9110, 15.5)."""


def same(verdict: Verdict, verdicts: Iterable[Verdict]) -> Verdict | None:
    """The one of VERDICTS that says what VERDICT says: same check, same signature."""
    for other in verdicts:
        if other.check == verdict.check and other.signature == verdict.signature:
            return other
    return None


def alike_answers(one: Sent, other: Sent) -> bool:
    """Whether ONE and OTHER were answered alike: same status, and same reason for a refusal.

    A shorter request may fail in the same way for another reason, which is another finding.
    """
    a, b = one.response, other.response
    if a is None or b is None:
        return a is None and b is None
    return a.status == b.status and reason_of(a) == reason_of(b)


def as_declared(profile: Profile) -> Profile:
    """PROFILE with what its specification says, and nothing that traffic showed."""
    return replace(profile, operations=tuple(map(_declared, profile.operations)), links=())


def _declared(operation: OperationProfile) -> OperationProfile:
    answers = (a for a in operation.answers if a.source == "spec")
    return replace(
        operation,
        count=0,
        answers=tuple(_as_written(a) for a in answers),
        request_schema=operation.request_schema if operation.request_source == "spec" else "",
        roles={},
        duration_ms=(),
        recipes=(),
        exemplars=(),
        rules=(),
        correlations=(),
    )


def _as_written(answer: Answer) -> Answer:
    return Answer(
        status=answer.status,
        count=0,
        schema=answer.schema,
        source="spec",
        declared_types=answer.declared_types,
        headers=answer.headers,
    )


def freedom_of(
    sequence: Sequence, sent: tuple[Sent, ...], verdict: Verdict, declared: Judge
) -> Freedom:
    """What may be left out of SEQUENCE without making VERDICT, about its last case, untrue.

    DECLARED: the checks, knowing the specification alone. Where they say the same of the bare
    message, it is wrong in whatever state and whatever was asked; where they say it of a request
    that breaks a declared constraint, as long as it breaks it. All else says something about the
    state that the sequence brought about, or about what came of its other cases.
    """
    case, last = sequence.cases[-1], sent[-1]
    if case.together or case.intent.refers:
        return "same_state"
    unrecorded = replace(case, recorded_status=0, recorded_reason="")
    bare = replace(unrecorded, intent=Intent())
    if same(verdict, declared(bare, last, ())):
        return "free"
    intent = case.intent
    sure = intent.breaks.startswith("auth ") or (
        intent.certain and intent.breaks.startswith(MESSAGE)
    )
    if sure and same(verdict, declared(unrecorded, last, ())):
        return "free"
    return "same_state"


def kind_of(
    finding: Finding,
    *,
    recorded: Iterable[tuple[Case, Sent]] = (),
    declared: Collection[int] = (),
    judge: Judge,
) -> tuple[FindingKind, str]:
    """The kind of FINDING, and why it is that.

    RECORDED: what production asked of its operation and answered, as cases; DECLARED: statuses that
    the document declares for it; JUDGE: the checks.
    """
    again, tries = finding.reproduced, finding.reproduction_tries
    case, response = finding.sequence.cases[-1], finding.sent.response
    if again < tries:
        if case.together:
            why = f"a race: sent at once it came in {again} of {tries} tries, as races do"
            return "defect", why
        return "flaky", f"it came again in {again} of {tries} tries from a fresh state"
    if response is None or response.status >= 500:
        return "defect", "it failed, and no document makes that right"
    verdict, asked, shown = finding.verdict, 0, 0
    for before, sent in recorded:
        if asked >= RECORDED_MAX:
            break
        asked += 1
        shown += same(verdict, judge(before, sent, ())) is not None
    if shown:
        why = f"production's own answers break the document in the same way ({shown} of {asked} \
recorded that were looked at), so that it does not say what the service does"
        return "drift", why
    if _unasked(finding, case, declared):
        why = "it refuses what production never asked for, and the document does not say how \
such requests are refused"
        return "drift", why
    return "defect", _why(asked, again, tries)


def _unasked(finding: Finding, case: Case, declared: Collection[int]) -> bool:
    """It refuses with a status that is not declared, production never sent the like, and the
    document leaves such refusals out altogether."""
    response = finding.sent.response
    if finding.check != UNDECLARED or response is None or case.recorded_status:
        return False
    status = response.status
    if not 400 <= status < 500:
        return False
    return status in PROTOCOL or not any(400 <= s < 500 or s == -4 for s in declared)


def _why(asked: int, again: int, tries: int) -> str:
    reproduced = f"it came again in {again} of {tries} tries from a fresh state"
    if not asked:
        return reproduced
    return f"{reproduced}, and none of {asked} recorded answers of production is like it"
