"""A request that should have been refused was carried out."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks import server_error
from premortem.checks.barred import barred
from premortem.checks.check import METHOD, Check, Known, Severity, is_foreign, succeeded
from premortem.checks.refusal import is_empty, refuses
from premortem.domain.places import parse_place
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.stated import PREFIX as STATED
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Request, Response

NAME = "accepted_invalid"

RULES = frozenset({403, 405, 411, 413, 414, 415, 417, 431})
"""Refusals by rules that hold whatever the state of the data."""
CONTENT = frozenset({400, 422})
"""Refusals for what the request says."""
STATE = frozenset({409, 412, 423, 428})
"""Refusals because of the state things are in. 404 and 410 are not among them: a thing that was
gone in production may well be there now. Nor are 401, 402, 408, 425, 429 and 451, which are
about who asks, when and how often."""

ORDER = "order "
"""`breaks` of a case that breaks nothing but the order of requests."""
_MILD = (" format", " additionalProperties", " unevaluatedProperties")


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """2xx to what the specification forbids, or to what production itself refused."""
    response = sent.response
    refused = 400 <= case.recorded_status < 500
    if response is None or not succeeded(response) or response.status == 207:
        return  # 207: each item has a status of its own
    if refuses(response) or sent.request.method == "OPTIONS":
        return
    if not refused and case.intent.expects != "refusal":
        yield from _turned_away(case, sent.request, response, known)
    elif case.intent.kind == "adversarial":
        yield from _broken(case, sent.request, response, known)
    else:
        yield from _let_through(case, sent.request, response)


def _turned_away(
    case: Case, request: Request, response: Response, known: Known
) -> Iterator[Verdict]:
    """Nothing is wrong with the request but who sends it."""
    who = barred(case, request, known.operation, known.edition_header)
    if who is None or is_foreign(case):
        return
    title, signature = _role_words(who.name)
    if who.kind == "edition":
        title, signature = f"lets the edition {who.name} through", f"edition {who.name}"
    yield Verdict(
        check=NAME,
        title=title,
        signature=signature,
        evidence=f"answered {response.status}; {who.evidence}",
        severity="high",
    )


def _broken(case: Case, request: Request, response: Response, known: Known) -> Iterator[Verdict]:
    breaks = case.intent.breaks
    if case.intent.expects != "refusal" or breaks.startswith(("auth ", METHOD, STATED)):
        return
    if breaks.startswith("header:") and breaks.endswith(" required"):
        return  # `missing_header` speaks of these
    proof = _proof(case, request, response, known)
    if not proof:
        return
    title, signature = f"accepts {_spelled(breaks)}", f"accepts {_general(breaks)}"
    if breaks.startswith("role "):
        title, signature = _role_words(breaks.removeprefix("role "))
    yield Verdict(
        check=NAME,
        title=title,
        signature=signature,
        evidence=f"answered {response.status}; {proof}",
        severity=_severity(case),
    )


def _proof(case: Case, request: Request, response: Response, known: Known) -> str:
    """Why a correct service would have refused; empty when nobody said so."""
    breaks = case.intent.breaks
    if breaks.startswith("role "):
        return _role_proof(breaks.removeprefix("role "), known)
    if breaks.startswith("body:/query ") and server_error.is_varied(known):
        return ""  # another GraphQL document is another request, not a broken one
    if case.intent.certain and breaks.startswith(ORDER):
        return _order_proof(breaks, known)
    if case.intent.certain:
        return f"the specification declares what it breaks ({_general(breaks)})"
    if breaks.startswith("path:") and breaks.endswith(" unknown"):
        # An empty list for an unknown parent, and a deletion of what is not there, are customs.
        quiet = request.method == "DELETE" or (request.method in ("GET", "HEAD"))
        if quiet and (request.method == "DELETE" or is_empty(response)):
            return ""
        return _recorded_proof(known, 404, 410)
    if breaks.startswith("content-type"):
        return _recorded_proof(known, 415)
    if breaks == "body malformed":
        return _recorded_proof(known, 400, 422)
    return ""


def _order_proof(breaks: str, known: Known) -> str:
    """Only what production refused, or what RFC 9110 (13.1.1) refuses, is certain of an order."""
    if known.recorded(*STATE):
        return f"production refused it each time ({known.recorded(*STATE)} recorded refusals)"
    return f"a correct service refuses it ({breaks.removeprefix(ORDER)})"


def _recorded_proof(known: Known, *statuses: int) -> str:
    """Production refusing the like. That a status is declared is not enough: many declare all."""
    count = known.recorded(*statuses)
    named = " or ".join(map(str, statuses))
    return f"production refused such requests with {named} ({count} recorded)" if count else ""


def _role_proof(role: str, known: Known) -> str:
    operation = known.operation
    if operation is None:
        return ""
    if operation.allowed_roles and role not in operation.allowed_roles:
        allowed = ", ".join(operation.allowed_roles)
        return f"the specification allows it to {allowed} only"
    statuses = operation.roles.get(role, {})
    refused = statuses.get("403", 0)
    if not refused or any(status.startswith("2") for status in statuses):
        return ""
    return f"production refused the role {role} each time ({refused} recorded)"


def _severity(case: Case) -> Severity:
    if case.intent.breaks.startswith(("role ", ORDER)):
        return "high"
    # What is ignored in a query or a header rarely does harm; formats and closed objects are
    # often declared and seldom meant.
    breaks = case.intent.breaks
    mild = breaks.startswith(("query:", "header:", "content-type")) or breaks.endswith(_MILD)
    return "low" if mild else "medium"


def _let_through(case: Case, request: Request, response: Response) -> Iterator[Verdict]:
    recorded = case.recorded_status
    if recorded not in RULES | CONTENT | STATE:
        return
    if recorded in CONTENT and _holds_token(request):
        return  # what was wrong with it may have been redacted
    evidence = f"production answered {recorded} to the same request in the same state"
    severity: Severity = "high" if recorded in (403, 409) else "medium"
    if recorded in STATE and not case.bindings:
        severity = "low"
        evidence += (
            "; it uses nothing that was made earlier in the recording, so what it conflicted "
            "with may have been there before"
        )
    if recorded == 403 and case.role:
        title, signature = _role_words(case.role)
    else:
        why = f" {case.recorded_reason}" if case.recorded_reason else ""
        title = f"lets through what production refused with {recorded}{why}"
        signature = f"{recorded} became 2xx{why}"
    yield Verdict(
        check=NAME,
        title=title,
        signature=signature,
        evidence=f"answered {response.status}; {evidence}",
        severity=severity,
    )


def _holds_token(request: Request) -> bool:
    texts = [request.path, *(value for _, value in request.query)]
    return any(map(holds_token, texts)) or holds_token(request.body.decode("utf-8", "replace"))


def _general(breaks: str) -> str:
    """`body:/lines/0/quantity minimum` with `*` for the index."""
    where, _, what = breaks.rpartition(" ")
    try:
        place = parse_place(where)
    except ValueError:
        return breaks
    if place.part != "body":
        return breaks
    tokens = ("*" if token.isdigit() else token for token in place.name.split("/"))
    return f"body:{'/'.join(tokens)} {what}"


def _role_words(role: str) -> tuple[str, str]:
    """Title and signature, the same whether the case was recorded or made."""
    return f"lets the role {role} through, which may not do this", f"role {role}"


def _spelled(breaks: str) -> str:
    if breaks.startswith(ORDER):
        return f"a request out of its order ({breaks.removeprefix(ORDER)})"
    if breaks.endswith(" unknown"):
        return f"an identifier that does not exist ({breaks.removesuffix(' unknown')})"
    if breaks == "body malformed":
        return "a body that is not valid JSON"
    return f"a request that breaks {_general(breaks)}"


CHECK = Check(
    name=NAME,
    description="2xx to a request that the specification forbids, or that production refused",
    severity="medium",
    judge=judge,
)
