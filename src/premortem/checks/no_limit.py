"""A limit that the service itself declares, or that was declared for it, does not hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem.checks.check import Check, Known, succeeded
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Response

NAME = "no_limit"
LIMITS = "limits "
"""Begins `breaks` of the last case of a row that tries a limit."""
_LEFT = re.compile(r"(?:^|[;,\s])(?:r|remaining)=(\d+)")
_REFUSED = frozenset({403, 423, 429, 503})


def judge(case: Case, sent: Sent, _known: Known, before: Before) -> Iterator[Verdict]:
    """Of a row of requests: one was told that nothing is left, and the next ones were answered all
    the same; or a login takes more wrong passwords than `attempts_max` under [security] allows.

    (OWASP API Security 2023, API4 and API2.) Guard: a limit that nobody declares is none; where a
    window began anew in between, what is left has grown again.
    """
    what = case.intent.breaks.removeprefix(LIMITS)
    if what == case.intent.breaks or sent.response is None:
        return
    row = [one.response for one in (*before, sent) if one is not None and one.response is not None]
    if any(response.status == 429 for response in row):
        return
    if what == "guesses":
        yield from _guesses(row)
        return
    emptied = next((i for i, response in enumerate(row) if _left(response) == 0), None)
    if emptied is None:
        return
    after = row[emptied + 1 :]
    if after and all(_left(response) == 0 and succeeded(response) for response in after):
        yield Verdict(
            check=NAME,
            title="goes on answering after it said that no request is left",
            signature="remaining",
            evidence=f"request {emptied + 1} was told that 0 are left; {len(after)} more were "
            "answered 2xx, none with 429 (RFC 6585, 4)",
            severity="medium",
        )


def _guesses(row: list[Response]) -> Iterator[Verdict]:
    if not row or any(response.status in _REFUSED or succeeded(response) for response in row):
        return
    yield Verdict(
        check=NAME,
        title="takes any number of wrong passwords",
        signature="guesses",
        evidence=f"{len(row)} in a row were answered alike ({row[-1].status}); `attempts_max` "
        f"under [security] is {len(row) - 1} (OWASP API Security 2023, API2)",
        severity="low",
    )


def _left(response: Response) -> int | None:
    """How many requests are left, as the answer says; None: it does not."""
    for name in ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"):
        value = response.header(name)
        if value is not None and value.strip().isdigit():
            return int(value)
    found = _LEFT.search(response.header("ratelimit") or "")
    return int(found[1]) if found else None


CHECK = Check(
    name=NAME,
    description="a declared limit on requests, or on wrong passwords, does not hold",
    severity="medium",
    judge=judge,
)
