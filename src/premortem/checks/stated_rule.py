"""What was stated of the order of requests, or of who sends them, did not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import body_of, refuses
from premortem.domain.bodies import goes_on, leaves
from premortem.domain.run import SAFE_METHODS, Before, Case, Sent, Verdict
from premortem.domain.stated import PREFIX, Stated, parse_stated
from premortem.domain.traffic import Response

NAME = "stated_rule"
LEAVES_MAX = 2_000


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """A rule that the answer breaks (see `domain.stated`): a line of `rules` under [checks], of a
    blueprint, or one that traffic or specification suggests.

    Guard: what has to come first must have been let through, which the case itself says
    (`if_passed`); a list that shows only its first page, and a report that does not show the
    change in UTC either, say nothing.
    """
    response = sent.response
    if not case.intent.breaks.startswith(PREFIX) or response is None or not succeeded(response):
        return
    if refuses(response):
        return
    rule = parse_stated(case.intent.breaks.removeprefix(PREFIX))
    why = _WAYS.get(rule.kind, _let_through)(case, sent, response, before)
    if why:
        yield Verdict(
            check=NAME,
            title=f"breaks the rule: {_worded(rule)}",
            signature=rule.text,
            evidence=f"{why}; {_grounds(rule, certain=case.intent.certain)}",
            severity="high" if case.intent.certain else "low",
        )


def _grounds(rule: Stated, *, certain: bool) -> str:
    """Who says so."""
    if not rule.why:
        return f"the rules say `{rule.text}`"
    said = "is expected" if certain else "is suspected"
    return f"`{rule.text}` {said} because {rule.why}"


def _let_through(case: Case, _sent: Sent, response: Response, _before: Before) -> str:
    if case.intent.expects != "refusal":
        return ""
    return f"answered {response.status} where it is to be refused"


def _one_entry(case: Case, _sent: Sent, response: Response, before: Before) -> str:
    was, index = earlier(case, before), case.intent.against + 1
    change = before[index] if index < len(before) else None
    if was is None or was.response is None or change is None or change.response is None:
        return ""
    if change.request.method in SAFE_METHODS:
        return ""
    first, second = _items(was.response), _items(response)
    if first is None or second is None or change.response.status >= 500:
        return ""
    wanted = int(succeeded(change.response) and not refuses(change.response))
    if second - first == wanted:
        return ""
    done = f"{change.request.method} {change.request.path} was answered {change.response.status}"
    return f"{done}, and there were {first} entries before and {second} after"


def _same_day(case: Case, sent: Sent, response: Response, before: Before) -> str:
    index = case.intent.against
    was = earlier(case, before)
    if was is None or was.response is None or index < 1 or len(before) < index + 3:
        return ""
    control, controlled = before[index - 1], before[index + 2]
    if control is None or controlled is None:
        return ""
    if control.request.query != controlled.request.query or control.request == sent.request:
        return ""
    if not _changed(control.response, controlled.response) or _changed(was.response, response):
        return ""
    asked = " and ".join(f"{name}={value}" for name, value in sent.request.query)
    return f"a change just made does not count for {asked}, though it does in UTC"


_WAYS = {"entry": _one_entry, "day": _same_day}


def _items(response: Response) -> int | None:
    """How many items the answer lists; None where that is not all of them, or none can be told."""
    body = body_of(response) if succeeded(response) else None
    if isinstance(body, list):
        return len(body)
    if not isinstance(body, dict) or goes_on(body):
        return None
    lists = [value for value in body.values() if isinstance(value, list)]
    return len(lists[0]) if len(lists) == 1 else None


def _changed(was: Response | None, now: Response | None) -> bool:
    """Whether a number is another one."""
    return _numbers(was) != _numbers(now)


def _numbers(response: Response | None) -> list[Any]:
    body = body_of(response) if response is not None else None
    if not isinstance(body, dict | list):
        return []
    found = [v for (_, v), _ in zip(leaves(body), range(LEAVES_MAX), strict=False)]
    return [v for v in found if isinstance(v, int | float) and not isinstance(v, bool)]


def _worded(rule: Stated) -> str:
    if rule.kind == "once":
        return "it happens more than once"
    words = {
        "never after": "done after",
        "never by who did": "by who did",
        "only by who did": "by somebody else than who did",
        "entry": "not one entry in",
        "day": "the day is not that of the time zone, by",
    }[rule.kind]
    return f"{words} {rule.other}"


CHECK = Check(
    name=NAME,
    description="a rule of `rules` under [checks] is broken: order, four eyes, owner, entry, day",
    severity="high",
    judge=judge,
)
