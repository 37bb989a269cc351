"""An answer whose body is not what was promised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from premortem.checks.check import Check, Known, Severity, is_foreign
from premortem.checks.shapes import Broken
from premortem.domain.bodies import is_json
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Answer, Request, Response

NAME = "response_shape"
LEARNED_SEEN_MIN = 20
"""Answers seen before a learned shape is held against a service."""
VERDICTS_MAX = 5
"""Verdicts about one answer; what breaks more is broken as a whole."""
BODY_BYTES_MAX = 8 * 1024 * 1024
"""Larger bodies are documents, not messages, and are not judged."""
EVIDENCE_CHARS_MAX = 300
_LEARNED_KEYWORDS = frozenset({"type", "required"})
_BODILESS = frozenset({204, 205, 304})
_WRONG: Any = object()


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """The body against the schema of its status: the specification's, or a learned one.

    A learned shape counts when it was seen often enough, for successful answers only (refusals
    differ with their reason), and only in types and in what was always there.
    """
    response = sent.response
    if response is None or not response.body or sent.request.method == "HEAD":
        return
    if not is_judged(response.status) or is_foreign(case):
        return
    if len(response.body) > BODY_BYTES_MAX:
        return
    answer = known.answer(response.status)
    if answer is None or not answer.schema or not counts(answer, response.status):
        return
    body = _read(response)
    if body is _WRONG:
        yield from _not_json(answer, sent.request, response)
        return
    operation_id = known.operation.id if known.operation is not None else ""
    shape = known.shapes.compiled(answer.schema, name=f"{operation_id} {answer.status}")
    if shape is None or shape.is_valid(body):
        return
    for broken in _telling(shape.broken(body), answer)[:VERDICTS_MAX]:
        yield _verdict(broken, case, answer, response.status)


def is_judged(status: int) -> bool:
    """Whether an answer with STATUS has a body that somebody promised."""
    return status not in _BODILESS and status < 500


def counts(answer: Answer, status: int) -> bool:
    """Whether what is known as ANSWER is held against an answer with STATUS."""
    if answer.source == "spec":
        return True
    return 200 <= status < 300 and answer.count >= LEARNED_SEEN_MIN


def _telling(broken: list[Broken], answer: Answer) -> list[Broken]:
    if answer.source == "spec":
        return broken
    return [b for b in broken if b.keyword in _LEARNED_KEYWORDS]


def _read(response: Response) -> Any:
    """The JSON value of the body; `_WRONG` when it is something else."""
    # Without a media type the content decides (RFC 9110, 8.3).
    given = response.media_type
    if given and not is_json(given):
        return _WRONG
    try:
        return msgspec.json.decode(response.body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _WRONG


def _not_json(answer: Answer, request: Request, response: Response) -> Iterator[Verdict]:
    given = response.media_type
    if given in answer.media_types and not is_json(given):
        return  # production gives this, too: the operation has more than one face
    if given and not is_json(given) and answer.declared_types:
        return  # `content_type` speaks of these
    accepted = request.header("accept") or "*/*"
    if "json" not in accepted and "*/*" not in accepted and "application/*" not in accepted:
        return  # it was asked for something else
    if is_json(given) or not given:
        title, signature = "answers with a body that is not valid JSON", "malformed JSON"
    else:
        title, signature = f"answers with {given} instead of JSON", f"media type {given}"
    source = "declared" if answer.source == "spec" else "usual"
    yield Verdict(
        check=NAME,
        title=title,
        signature=signature,
        evidence=f"{response.status} with content-type {given or '(none)'}; JSON is {source}",
        severity="medium",
    )


def _verdict(broken: Broken, case: Case, answer: Answer, status: int) -> Verdict:
    message = broken.message
    if len(message) > EVIDENCE_CHARS_MAX:
        message = message[:EVIDENCE_CHARS_MAX] + "..."
    if answer.source == "spec":
        why = "the specification declares it otherwise"
    else:
        why = f"all {answer.count} recorded answers were otherwise"
    return Verdict(
        check=NAME,
        title=_title(broken),
        signature=broken.signature,
        evidence=f"in the answer {status}, at {broken.place or '/'}: {message}; {why}",
        severity=_severity(broken, case, answer),
    )


def _severity(broken: Broken, case: Case, answer: Answer) -> Severity:
    if broken.keyword == "format":
        return "low"  # many services and clients take formats as hints
    adversarial = case.intent.kind == "adversarial"
    return "low" if answer.source == "learned" and adversarial else "medium"


def _title(broken: Broken) -> str:
    where = f"`{broken.place}`" if broken.place else "the body"
    match broken.keyword:
        case "type":
            return f"{where} is {_article(broken.found)} instead of {_article(broken.wanted)}"
        case "required":
            return f"{where} lacks `{broken.wanted}`"
        case "format":
            return f"{where} is no {broken.wanted}"
        case "additionalProperties" | "unevaluatedProperties":
            extra = f" `{broken.wanted}`" if broken.wanted else ""
            return f"{where} holds undeclared properties{extra}"
        case keyword:
            return f"{where} breaks the declared {keyword}"


def _article(kinds: str) -> str:
    words = kinds.split("/")
    named = [w if w == "null" else ("an " if w[0] in "aeiou" else "a ") + w for w in words if w]
    return " or ".join(named)


CHECK = Check(
    name=NAME,
    description="a JSON answer is not of the shape that the specification declares, "
    "or that every recorded answer had",
    severity="medium",
    judge=judge,
)
