"""Operators about how much one may ask for: a bounded row of requests, where a limit is declared.

(OWASP API Security 2023, API4: unrestricted resource consumption; API2: guessing of passwords)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from premortem.checks.no_limit import LIMITS
from premortem.domain.bodies import is_json
from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import Kit, loose
from premortem.generate.starts import Start
from premortem.generate.steps import ROW_MAX, tried

TOO_MANY = 429
NOBODY = "premortem-nobody"
"""An account that there is not: no true one is locked by guessing."""
_REMAINING = re.compile(r"^(?:x-)?rate-?limit(?:-remaining)?$")
_LOGIN = re.compile(r"/(?:login|sign-?in|token|sessions?|auth(?:enticate)?)$")


def bursts(kit: Kit, start: Start, *, length: int, attempts: int) -> Iterator[Sequence | None]:
    """LENGTH readings in a row where answers say how many are left; ATTEMPTS wrong passwords, and
    one more."""
    final = start.final
    if final.request.method in SAFE_METHODS and not start.setup and _counts(start.operation):
        row = kit.row(start)
        for _ in range(min(length, ROW_MAX) - 1):
            row.add(loose(final))
        yield row.ending(
            tried(final, kit.origin, operator="burst", breaks=f"{LIMITS}remaining", against=0)
        )
    guess = _guess(start)
    if guess is not None and attempts > 0:
        row = kit.row()
        for _ in range(min(attempts, ROW_MAX - 1)):
            row.add(loose(guess))
        yield row.ending(
            tried(guess, kit.origin, operator="guesses", breaks=f"{LIMITS}guesses", against=0)
        )


def _counts(operation: OperationProfile) -> bool:
    """Whether its answers were seen, or are declared, to say how many requests are left."""
    for answer in operation.answers:
        names = {f.place.name for f in answer.fields if f.place.part == "header"}
        names |= {header.name for header in answer.headers}
        if any(map(_REMAINING.match, names)):
            return True
    return TOO_MANY in operation.declared


def _guess(start: Start) -> Case | None:
    """A login with a wrong password of nobody; None where START is no login."""
    request = start.final.request
    path = request.path.rstrip("/").lower()
    if request.method != "POST" or not _LOGIN.search(path) or not is_json(request.media_type):
        return None
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(body, dict) or not any("pass" in name.lower() for name in body):
        return None
    wrong = {name: NOBODY if isinstance(value, str) else value for name, value in body.items()}
    made = replace(request, body=msgspec.json.encode(wrong))
    return replace(start.final, request=made, role="", bindings=())
