"""A request without a header that is required was carried out."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.checks.check import Check, Known, succeeded
from premortem.checks.refusal import refuses
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "missing_header"
_CREDENTIALS = frozenset({"authorization", "cookie", "x-api-key", "proxy-authorization"})
"""`auth_ignored` speaks of these."""


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """2xx to a request that leaves out exactly one header that the specification requires.

    Guard: an answer 2xx whose body refuses is a refusal; what production let through without the
    header, too, is the document's gap: low.
    """
    name = _left_out(case)
    response = sent.response
    if not name or name in _CREDENTIALS or response is None or not succeeded(response):
        return
    if refuses(response) or response.status == 207 or sent.request.header(name) is not None:
        return
    evidence = f"answered {response.status}; the specification requires the header `{name}`"
    operation = known.operation
    seen = {f.place.name: f for f in operation.fields} if operation is not None else {}
    recorded = known.recorded(200, 201, 202, 204)
    usual = operation is not None and recorded and (name not in seen or seen[name].presence < 1)
    if usual:
        evidence += "; production sent requests without it, too"
    yield Verdict(
        check=NAME,
        title=f"does without the header `{name}`, which is required",
        signature=f"header {name}",
        evidence=evidence,
        severity="low" if usual else "medium",
    )


def _left_out(case: Case) -> str:
    """The required header that CASE is without; empty: it leaves out none."""
    breaks, intent = case.intent.breaks, case.intent
    if intent.expects != "refusal" or not intent.certain:
        return ""
    if not breaks.startswith("header:") or not breaks.endswith(" required"):
        return ""
    return breaks.removeprefix("header:").removesuffix(" required")


CHECK = Check(
    name=NAME,
    description="2xx to a request without a header that the specification requires",
    severity="medium",
    judge=judge,
)
