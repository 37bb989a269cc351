"""A request that should have been carried out was refused for what it says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from premortem.checks.check import Check, Known, Severity, succeeded
from premortem.checks.message import message_of, reason_of
from premortem.checks.refusal import refuses
from premortem.domain.bodies import is_json, read_body
from premortem.domain.conform import Conformance, compiled
from premortem.domain.places import Place, body_place, parse_place
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.template import split_path, split_template
from premortem.domain.traffic import Document, OperationProfile, Request

NAME = "refused_valid"
STATUSES = frozenset({400, 422})
"""Refusals for what a request says; others are about who asks, and what state things are in."""
SEEN_MIN = 30
"""Requests that production carried out, before never having refused one tells anything."""
SOURCES = frozenset({"sample", "schema"})
"""Of these it is known that what they make of a request is valid."""
SCHEMAS_MAX = 1024


def judge(case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
    """400 or 422 to a realistic case that satisfies everything the specification declares.

    A service may refuse what is valid by its document: rules of the business are seldom written
    in it. So all of this has to hold: the specification declares shapes for the request and the
    request, as it was sent, satisfies them; production carried out SEEN_MIN or more and refused
    none for what it said; whatever went before in the sequence succeeded. Low, for all that;
    medium where the specification does not declare such a refusal either.
    """
    response, operation = sent.response, known.operation
    if response is None or response.status not in STATUSES or operation is None:
        return
    if not _is_realistic(case) or not is_trusted(known):
        return
    if any(s is not None and _failed(s) for s in before):
        return
    if not _is_valid(sent.request, operation):
        return
    reason = reason_of(response)
    undeclared = not known.declares(response.status)
    severity: Severity = "medium" if undeclared else "low"
    said = message_of(response)
    evidence = f"answered {response.status}" + (f", saying: {said}" if said else "")
    evidence += "; the request satisfies what the specification declares, and production carried "
    evidence += f"out {_succeeded(known)} such requests and refused none"
    yield Verdict(
        check=NAME,
        title="refuses a valid request" + (f": {reason}" if reason else ""),
        signature=f"{response.status} {reason}".strip(),
        evidence=evidence,
        severity=severity,
    )


def is_trusted(known: Known) -> bool:
    """Whether production shows that valid requests of the operation are not refused."""
    operation = known.operation
    if operation is None or not operation.in_spec:
        return False
    declared = operation.parameter_schemas or operation.request_source == "spec"
    return bool(declared) and not known.recorded(*STATUSES) and _succeeded(known) >= SEEN_MIN


def _is_realistic(case: Case) -> bool:
    intent = case.intent
    made = case.origin.source in SOURCES and not case.recorded_status
    return made and intent.kind == "realistic" and intent.expects == "answer"


def _failed(sent: Sent) -> bool:
    response = sent.response
    return response is None or response.status >= 400 or (succeeded(response) and refuses(response))


def _succeeded(known: Known) -> int:
    return sum(answer.count for status, answer in known.answers.items() if 200 <= status < 300)


def _is_valid(request: Request, operation: OperationProfile) -> bool:
    """Whether REQUEST satisfies every schema that OPERATION declares, and leaves out nothing."""
    for name, schema in operation.parameter_schemas.items():
        conformance = _compiled(schema)
        texts = _texts(request, parse_place(name), operation)
        if conformance is None or (texts and not conformance.reads_valid(texts)):
            return False
    present = (bool(_texts(request, parse_place(name), operation)) for name in operation.required)
    if not all(present):
        return False
    if not request.body or operation.request_source != "spec":
        return not request.body
    conformance = _compiled(operation.request_schema)
    if conformance is None or not is_json(request.media_type):
        return False
    try:
        return conformance.is_valid(read_body(request))
    except ValueError:
        return False


def _texts(request: Request, place: Place, operation: OperationProfile) -> list[str]:
    """What REQUEST holds at PLACE; empty: nothing."""
    match place.part:
        case "query":
            return [value for name, value in request.query if name == place.name]
        case "header":
            return [value for name, value in request.headers if name == place.name]
        case "path":
            names = split_template(operation.operation.template)
            pairs = zip(names, split_path(request.path), strict=False)
            return [value for name, value in pairs if name == f"{{{place.name}}}"]
        case "body":
            return [""] if place == body_place() and request.body else []
        case _:
            return []


@lru_cache(maxsize=SCHEMAS_MAX)
def _compiled(document: Document) -> Conformance | None:
    return compiled(document)


CHECK = Check(
    name=NAME,
    description="400 or 422 to a request that is valid by the specification and like those that "
    "production never refused",
    severity="low",
    judge=judge,
)
