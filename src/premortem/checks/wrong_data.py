"""An answer about something else than was asked for: others' data, a filter that is ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from premortem.checks.check import Check, Known, Severity, succeeded
from premortem.checks.learned import Learned, own_name
from premortem.checks.refusal import refuses
from premortem.checks.selecting import NOTHING, select
from premortem.checks.usual import is_usual, is_usual_text, same
from premortem.domain.bodies import at, read_body
from premortem.domain.once import names_one_request
from premortem.domain.places import Place
from premortem.domain.relations import Echo
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Request

NAME = "wrong_data"

SENT_SUPPORT_MIN = 12
"""Answers that must have repeated a field of the body before it is expected to come back."""
_UNSET: Any = object()
_IDENTIFYING = ("id", "uuid", "guid", "uid", "key", "number", "code", "slug")


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """A 2xx answer against what the request asked for, where all of production's answers repeated
    it: the customer in the path and that of every item, a filter, a field that was sent.

    Only what was asked for in the way of production counts: a service may read `ALL`, an empty
    filter or a number beyond its limit in a way of its own.
    """
    response = sent.response
    learned = known.learned.get(response.status) if response is not None else None
    if response is None or learned is None or not learned.echoes:
        return
    if not succeeded(response) or case.intent.breaks.startswith("auth "):
        return
    body = learned.bodies.of(response)
    if body is NOTHING or refuses(response):
        return
    for echo in learned.echoes:
        if not _is_judged(echo, case, sent.request):
            continue
        wanted = _wanted(echo.asked, sent.request, learned)
        if wanted is _UNSET or not _is_plain(wanted, echo.asked, learned):
            continue
        others = [v for v in select(body, echo.answered) if not _fits(v, wanted, echo)]
        if others:
            yield _verdict(echo, case)


def _is_judged(echo: Echo, case: Case, request: Request) -> bool:
    place = case.intent.place
    if echo.asked.part == "path":
        return place is None or place.part != "path"
    if case.intent.kind == "adversarial" and (place is None or place.part == echo.asked.part):
        return False  # what was made of the request may be read in more than one way
    if echo.asked.part == "body":
        once = any(names_one_request(name) for name, _ in request.headers)
        return echo.support >= SENT_SUPPORT_MIN and not once
    return True


def _wanted(place: Place, request: Request, learned: Learned) -> Any:
    """What REQUEST holds at PLACE; `_UNSET` where that is nothing, or more than one value."""
    if place.part == "path":
        match = learned.matcher.match(request.method, request.path)
        return match.params.get(place.name, _UNSET) if match is not None else _UNSET
    if place.part == "query":
        found = [text for name, text in request.query if name == place.name]
        return found[0] if len(found) == 1 else _UNSET
    if place.part != "body":
        return _UNSET
    try:
        return at(read_body(request), place.tokens)
    except (LookupError, ValueError):
        return _UNSET


def _is_plain(wanted: Any, place: Place, learned: Learned) -> bool:
    """Whether production asked in this way, too."""
    if wanted is None or wanted == "" or isinstance(wanted, dict | list):
        return False
    if isinstance(wanted, str) and holds_token(wanted):
        return False
    field = learned.asked.get(str(place))
    if place.part == "body":
        return is_usual(wanted, field)
    return is_usual_text(wanted, field)


def _fits(value: Any, wanted: Any, echo: Echo) -> bool:
    if value is None or isinstance(value, dict | list) or same(value, wanted):
        return True
    if isinstance(value, str) and holds_token(value):
        return True
    # A page or a limit beyond the last one is commonly brought down to it.
    paged = echo.asked.part == "query" and "*" not in echo.answered.tokens
    return paged and isinstance(value, int | float) and not isinstance(value, bool)


def _verdict(echo: Echo, case: Case) -> Verdict:
    asked, told = own_name(echo.asked), echo.answered.name
    if _names_thing(echo):
        title = f"shows in `{told}` another `{asked}` than the one asked for"
    elif echo.asked.part == "body":
        title = f"answers with another `{told}` than was sent"
    else:
        title = f"does not keep to the `{asked}` asked for in `{told}`"
    return Verdict(
        check=NAME,
        title=title,
        signature=f"{echo.asked} {told}",
        evidence=f"all {echo.support} recorded answers ({echo.distinct} different values) "
        "repeated what was asked for",
        severity=_severity(echo, case),
    )


def _names_thing(echo: Echo) -> bool:
    name = own_name(echo.asked).lower().replace("-", "_")
    identifies = name.rpartition("_")[2] in _IDENTIFYING or name.endswith("id")
    return echo.asked.part == "path" or (echo.asked.part == "query" and identifies)


def _severity(echo: Echo, case: Case) -> Severity:
    if _names_thing(echo):
        return "high"
    return "low" if case.intent.kind == "adversarial" else "medium"


CHECK = Check(
    name=NAME,
    description="an answer is about something else than was asked for: another's data, "
    "or a filter that is ignored",
    severity="high",
    judge=judge,
)
