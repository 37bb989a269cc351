"""An answer shows what nobody but the service is to know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from premortem.checks.check import Check, Known, succeeded
from premortem.checks.refusal import body_of
from premortem.domain.bodies import general, leaves
from premortem.domain.masks import is_masked
from premortem.domain.places import Place
from premortem.domain.run import Before, Case, Sent, Verdict

NAME = "secret_shown"
LEAVES_MAX = 5_000
HASH = re.compile(
    rb"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|\$argon2(?:i|d|id)\$v=|\$scrypt\$|\$[156]\$[^$\"]{1,16}\$"
    rb"|pbkdf2[_:-]sha\d|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|\{SSHA(?:\d+)?\}"
)
"""Passwords as they are kept (bcrypt, argon2, scrypt, crypt, PBKDF2, LDAP), and private keys."""
NAMES = re.compile(
    rb'"(?:password|passwd|password_?hash|hashed_?password|pwd_?hash|private_?key|secret_?key'
    rb'|client_?secret|totp_?secret|otp_?secret|mfa_?secret|password_?salt)"\s*:\s*"',
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?:password|passwd|password_?hash|hashed_?password|pwd_?hash|private_?key|secret_?key"
    r"|client_?secret|totp_?secret|otp_?secret|mfa_?secret|password_?salt)",
    re.IGNORECASE,
)


def suspects(body: bytes) -> bool:
    """Whether BODY may hold such a thing: a quick look."""
    return NAMES.search(body) is not None or HASH.search(body) is not None


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """A password as it is kept, or a private key, by its form; or a text in a member of such a
    name (OWASP API Security 2023, API3: excessive data exposure).

    Guard: nothing is said of what the request itself sent, of masks, of what production showed in
    the same place (by design, or at least no news), nor of what the specification declares there.
    """
    response = sent.response
    if response is None or not succeeded(response) or not suspects(response.body):
        return
    body = body_of(response)
    if not isinstance(body, dict | list):
        return
    asked = sent.request.body.decode("utf-8", "replace")
    seen: set[str] = set()
    for (place, value), _ in zip(leaves(body), range(LEAVES_MAX), strict=False):
        form = _form(place, value)
        if not form or value in asked or _is_shown(known, response.status, place):
            continue
        name = general(place).name
        if name not in seen:
            seen.add(name)
            yield Verdict(
                check=NAME,
                title=f"shows {form} (`{name}`)",
                signature=f"{form} {name}",
                evidence=f"answered to {case.role or 'nobody'}; production never showed it",
                severity="high",
            )


def _form(place: Place, value: Any) -> str:
    if not isinstance(value, str) or not value or is_masked(value):
        return ""
    if HASH.search(value.encode("utf-8", "replace")):
        return "a kept password or a private key"
    last = place.tokens[-1] if place.tokens else ""
    return "a secret" if _NAME.fullmatch(last) else ""


def _is_shown(known: Known, status: int, place: Place) -> bool:
    """Whether answers had it in production, or are declared to."""
    answer = known.answer(status)
    if answer is None:
        return False
    where = general(place)
    if any(field.place == where for field in answer.fields):
        return True
    last = place.tokens[-1] if place.tokens else ""
    return f'"{last}"' in answer.schema


CHECK = Check(
    name=NAME,
    description="an answer shows a kept password, a private key or another secret",
    severity="high",
    judge=judge,
)
