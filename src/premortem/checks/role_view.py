"""A role sees a field whole that production always hid from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from premortem.checks.check import Check, Known, succeeded
from premortem.checks.refusal import refuses
from premortem.checks.selecting import NOTHING, select
from premortem.domain.masks import is_masked
from premortem.domain.relations import View
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "role_view"


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """A 2xx answer to a role against what production showed it (see `View`); excessive data
    exposure (OWASP API Security 2023, API3)."""
    response = sent.response
    learned = known.learned.get(response.status) if response is not None else None
    if response is None or learned is None or not case.role or not succeeded(response):
        return
    views = [view for view in learned.views if view.role == case.role]
    if not views or case.intent.breaks.startswith("auth "):
        return
    body = learned.bodies.of(response)
    if body is NOTHING or refuses(response):
        return
    for view in views:
        if any(_is_whole(value) for value in select(body, view.place)):
            yield _verdict(view)


def _is_whole(value: Any) -> bool:
    if value is None or value in ("", [], {}):
        return False
    return not is_masked(value)


def _verdict(view: View) -> Verdict:
    how = {"masked": "masked", "null": "as null", "absent": "not at all"}[view.form]
    return Verdict(
        check=NAME,
        title=f"shows `{view.place.name}` to the role {view.role}, which is not to see it",
        signature=f"{view.role} {view.place.name}",
        evidence=f"production showed it to the role {view.role} {how} in all {view.support} "
        f"answers, and whole to others in {view.whole}",
        severity="high" if view.form == "masked" else "medium",
    )


CHECK = Check(
    name=NAME,
    description="a role sees a field that production always masked for it, or left out",
    severity="high",
    judge=judge,
)
