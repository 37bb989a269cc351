"""What others did meanwhile showed in pages, or undid a change of another field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from premortem.checks.check import Check, Known, earlier, succeeded
from premortem.checks.refusal import body_of
from premortem.domain.bodies import read_body
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "at_one_time"
PAGES = "order pages"
BOTH = "order both changes"
"""`breaks` of the readings that this is about, as `generate.order_pages` writes them."""
SHOWN_MAX = 3
_NAMES = ("id", "uuid", "key", "name", "_id")


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """A list that was read page by page, by its own cursor, while something was made shows an item
    twice or leaves one out; of two changes of different fields, sent at once, one is gone.

    Guard: items without identifiers say nothing; what was made between two pages may be missing;
    both changes must have been let through, and answers to such changes always repeated the field
    in production. What another client did may look the same: only what comes again from a fresh
    state is a finding.
    """
    response = sent.response
    if response is None or not succeeded(response):
        return
    if case.intent.breaks == PAGES:
        yield from _pages(case, response, before)
    elif case.intent.breaks == BOTH:
        yield from _both(case, response, before)


def _pages(case: Case, response: Response, before: Before) -> Iterator[Verdict]:
    first, last = case.intent.against, case.intent.if_passed
    if not 0 <= first < last < len(before):
        return
    pages = [_ids(_answer(before[first])), _ids(_answer(before[last])), _ids(response)]
    one, two, whole = pages
    if not one or not two or not whole:
        return
    twice = [name for name in two if name in one]
    if twice:
        yield _verdict(
            "shows an item on two pages",
            "twice",
            f"{_listed(twice)} stood on the first page and, behind its own cursor, on the second; "
            "something was made in between",
        )
    made = b"".join(answer.body for s in before[first + 1 : last] if (answer := _answer(s)))
    missing = [name for name in whole if name not in {*one, *two} and name.encode() not in made]
    if missing and len(one) + len(two) >= len(whole):
        yield _verdict(
            "leaves an item out between two pages",
            "left out",
            f"{_listed(missing)} stood on neither of two pages, and on one that is as long as both",
        )


def _both(case: Case, response: Response, before: Before) -> Iterator[Verdict]:
    first, shown = case.intent.against, body_of(response)
    if not 0 <= first < len(before) - 1 or not isinstance(shown, dict):
        return
    if not succeeded(_answer(earlier(case, before))):
        return
    for sent in before[first : first + 2]:
        asked = _asked(sent)
        for name, value in asked.items():
            if name in shown and shown[name] != value:
                yield _verdict(
                    f"loses a change of `{name}` that was made at once with another",
                    f"lost {name}",
                    f"`{name}` was set to {value!r} and answered 2xx, another field was changed at "
                    f"the same moment, and then it was {shown[name]!r}",
                )


def _answer(sent: Sent | None) -> Response | None:
    return sent.response if sent is not None else None


def _asked(sent: Sent | None) -> dict[str, Any]:
    try:
        body = read_body(sent.request) if sent is not None else None
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _ids(response: Response | None) -> list[str]:
    """Identifiers of the items that RESPONSE lists, in their order; empty where one has none."""
    body = body_of(response) if response is not None and succeeded(response) else None
    lists = [v for v in body.values() if isinstance(v, list)] if isinstance(body, dict) else [body]
    items = lists[0] if len(lists) == 1 else None
    if not isinstance(items, list):
        return []
    found = [_id(item) for item in items]
    return [] if "" in found else found


def _id(item: Any) -> str:
    for name in _NAMES if isinstance(item, dict) else ():
        value = item.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return ""


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN_MAX])


def _verdict(title: str, signature: str, evidence: str) -> Verdict:
    return Verdict(
        check=NAME, title=title, signature=signature, evidence=evidence, severity="medium"
    )


CHECK = Check(
    name=NAME,
    description="pages that are read while something is made repeat an item or leave one out, or "
    "one of two changes at once is lost",
    severity="medium",
    judge=judge,
)
