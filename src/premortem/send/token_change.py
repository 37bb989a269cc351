"""Credentials that are not what the target gave: a token with another claim, or a broken one."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from premortem.config import resolve
from premortem.domain.token_change import TokenChange
from premortem.domain.traffic import Pairs
from premortem.errors import TargetError

_AUTHORIZATION = "authorization"
_SIGNATURE = "signature"
_TIMES = frozenset({"exp", "nbf", "iat", "auth_time"})
"""Claims that hold a NumericDate (RFC 7519, section 2)."""
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*")
_DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def altered(headers: Pairs, change: TokenChange, *, environment: Mapping[str, str]) -> Pairs:
    """HEADERS, which hold a role's credentials, with the token in them as CHANGE says.

    Raises TargetError when there is none that could be changed so.
    """
    if not headers:
        raise TargetError("there are no credentials that could be changed: the role has none")
    claims = dict(change.claims)
    broken = claims.pop(_SIGNATURE, None)
    if claims:
        headers = _with_claims(headers, claims, change, environment)
    if broken is not None:
        # Beside a token other headers are no secrets: a tenant stays as it is.
        kept = {name for name, _ in headers} - {_AUTHORIZATION}
        kept = kept if any(name == _AUTHORIZATION for name, _ in headers) else set()
        headers = tuple((n, v if n in kept else _broken(v, broken)) for n, v in headers)
    return headers


def _with_claims(
    headers: Pairs, claims: Mapping[str, str], change: TokenChange, environment: Mapping[str, str]
) -> Pairs:
    key = resolve(change.key, environment=environment).encode()
    changed = 0

    def signed(found: re.Match[str]) -> str:
        nonlocal changed
        head, payload = (_decoded(part) for part in found[0].split(".")[:2])
        if not isinstance(head, dict) or not isinstance(payload, dict):
            return found[0]
        changed += 1
        for name, value in claims.items():
            payload.pop(name, None)
            if value != "null":
                payload[name] = _claim(name, value)
        body = ".".join((_encoded({**head, "alg": change.algorithm}), _encoded(payload)))
        digest = hmac.digest(key, body.encode(), _DIGESTS[change.algorithm])
        return f"{body}.{_text(digest)}"

    made = tuple((name, _JWT.sub(signed, value)) for name, value in headers)
    if not changed:
        raise TargetError(
            "the role's credentials hold no JSON Web Token whose claims could be set; the claim "
            "'signature' can be set in any"
        )
    return made


def _claim(name: str, value: str) -> Any:
    """VALUE as a claim: a time as NumericDate, JSON as what it says, anything else as text."""
    if name in _TIMES:
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    try:
        return json.loads(value)
    except ValueError:
        return value


def _broken(credentials: str, value: str) -> str:
    """CREDENTIALS whose end, a token's signature where it is a JSON Web Token, is VALUE."""
    scheme, space, token = credentials.rpartition(" ")
    if _JWT.fullmatch(token):
        kept = token.rsplit(".", 1)[0] + "."
    else:
        kept = token[: max(0, len(token) - max(1, len(value)))]
    made = kept + value
    if made == token:
        made += "x"
    return f"{scheme}{space}{made}"


def _decoded(part: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return None


def _encoded(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
