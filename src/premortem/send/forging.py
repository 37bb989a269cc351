"""Tokens that a correct service refuses, made of the ones that it gave."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from premortem.config import resolve
from premortem.domain.token_change import TokenChange
from premortem.domain.traffic import Pairs, Request
from premortem.errors import TargetError
from premortem.send import jws
from premortem.send.jws import Jws
from premortem.send.transport import Transport

LONG_PAST, FAR_AHEAD = 1_577_836_800, 4_102_444_800
"""2020-01-01 and 2100-01-01, as NumericDate (RFC 7519, section 2)."""
NOBODY = "premortem-other"
"""An audience, an issuer and a tenant that are nobody's."""
ELSEWHERE = "https://premortem.invalid/"
"""Of a domain that exists nowhere (RFC 2606, 2)."""
EMPTY_FILE = "../" * 16 + "dev/null"
SQL = "premortem' UNION SELECT 'premortem' -- "
"""Harmless: it reads nothing but a word."""
TENANTS = frozenset(
    [
        "tenant",
        "tenantid",
        "tid",
        "org",
        "orgid",
        "organization",
        "organizationid",
        "organisation",
        "organisationid",
        "account",
        "accountid",
        "company",
        "companyid",
        "workspace",
        "workspaceid",
        "customer",
        "customerid",
    ]
)
"""Claims that say whose things a token is for, in lower case without signs."""
ROLES = frozenset(
    [
        "role",
        "roles",
        "scope",
        "scopes",
        "scp",
        "permissions",
        "groups",
        "admin",
        "isadmin",
        "authorities",
    ]
)
KEYS_HELD_MAX = 8

_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*")

_Forge = Callable[["Forger", Jws, TokenChange], str]


class Forger:
    """Forges the tokens of one target.

    ENVIRONMENT holds the signing key that a change may name; DIRECTORY is where files are looked
    for. Nothing that it makes or reads is kept but public keys.
    """

    def __init__(
        self, sender: Transport, *, environment: Mapping[str, str], directory: Path
    ) -> None:
        self._sender = sender
        self._environment = environment
        self._directory = directory
        self._public: dict[str, bytes] = {}

    async def forged(
        self, headers: Pairs, change: TokenChange, *, other: Pairs, request: Request
    ) -> Pairs:
        """HEADERS, a role's credentials, with each JSON Web Token forged as CHANGE says.

        OTHER: the credentials of the role that CHANGE names. REQUEST: what they go out with.
        Raises TargetError where there is none, or where it would be no forgery.
        """
        if change.public:
            await self._fetch(change.public)
        theirs = next((t for _, token in _tokens(other) if (t := jws.read(token))), None)
        made: list[tuple[str, str]] = []
        forged = 0
        for name, value in headers:
            for token in _JWT.findall(value):
                known = jws.read(token)
                if known is None:
                    continue
                new = self._of(known, change, theirs, request)
                value = value.replace(token, new)
                forged += 1
            made.append((name, value))
        if not forged:
            raise TargetError(
                "the role's credentials hold no JSON Web Token that could be forged; leave them "
                "out with `forge = false` under [tokens] in premortem.toml"
            )
        return tuple(made)

    def _of(self, token: Jws, change: TokenChange, theirs: Jws | None, request: Request) -> str:
        make = _UNSIGNED.get(change.forgery)
        if make is not None:
            return make(self, token, change)
        if change.forgery in _BORROWED:
            return _borrowed(token, theirs, _BORROWED[change.forgery], change.forgery)
        if change.forgery == "other tenant":
            return self._signed(token, change, _other_tenant(token, theirs, request))
        claims = _CLAIMS[change.forgery](token.claims)
        if claims == token.claims:
            raise TargetError(f"the role's token has no such claim: {change.forgery}")
        return self._signed(token, change, claims)

    def _signed(self, token: Jws, change: TokenChange, claims: Mapping[str, Any]) -> str:
        algorithm = change.algorithm or str(token.head["alg"])
        said = resolve(change.key, environment=self._environment)
        try:
            key = said.encode() if algorithm[:2] == "HS" else jws.private_key(said)
            return jws.signed({**token.head, "alg": algorithm}, claims, key)
        except ValueError as error:
            raise TargetError(f"the key of [tokens] cannot sign by {algorithm}: {error}") from None

    async def _fetch(self, place: str) -> None:
        """The keys at PLACE, read once."""
        if place in self._public:
            return
        if not place.startswith("/") or (self._directory / place).is_file():
            try:
                said = (self._directory / place).read_bytes()
            except OSError as error:
                raise TargetError(f"cannot read the keys in {place}: {error.strerror}") from None
        else:
            sent = await self._sender.send(Request(method="GET", origin="", path=place))
            if sent.response is None or sent.response.status != 200:
                raise TargetError(f"the target does not give its public keys at {place}")
            said = sent.response.body
        if len(self._public) < KEYS_HELD_MAX:
            self._public[place] = said

    def public_pem(self, token: Jws, change: TokenChange) -> bytes:
        """The key that TOKEN is verified with. Raises TargetError."""
        try:
            return jws.public_pem(self._public[change.public], str(token.head.get("kid", "")))
        except (ValueError, KeyError) as error:
            raise TargetError(f"the keys at {change.public}: {error}") from None


def _tokens(headers: Pairs) -> Iterable[tuple[str, str]]:
    return ((name, token) for name, value in headers for token in _JWT.findall(value))


@lru_cache(maxsize=len(jws.ALGORITHMS))
def _own_key(algorithm: str) -> jws.PrivateKey | bytes:
    return jws.made_key(algorithm)


def _by_own_key(token: Jws, **head: Any) -> str:
    algorithm = str(token.head["alg"])
    if algorithm not in jws.ALGORITHMS:
        raise TargetError(f"tokens signed by {algorithm} are not forged with another key")
    return jws.signed({**token.head, **head}, token.claims, _own_key(algorithm))


def _wrong(_: Forger, token: Jws, _change: TokenChange) -> str:
    """Its first byte is another: of the last character of Base64url not all bits count."""
    try:
        raw = jws.octets(token.signature) or b"\0"
    except ValueError:
        raw = b"\0"
    other = bytes([raw[0] ^ 0xFF]) + raw[1:]
    return f"{jws.unsigned(token.head, token.claims)}.{jws.text(other)}"


def _brought(_: Forger, token: Jws, _change: TokenChange) -> str:
    algorithm = str(token.head["alg"])
    key = _own_key(algorithm) if algorithm in jws.ALGORITHMS else b""
    if isinstance(key, bytes):
        raise TargetError(f"a token signed by {algorithm} can bring no public key")
    return _by_own_key(token, jwk=jws.public_jwk(key, algorithm))


def _none(spelled: str) -> _Forge:
    def forge(_: Forger, token: Jws, _change: TokenChange) -> str:
        return jws.unsigned({**token.head, "alg": spelled}, token.claims) + "."

    return forge


def _with_public(forger: Forger, token: Jws, change: TokenChange) -> str:
    if str(token.head["alg"])[:2] == "HS":
        raise TargetError("the target's tokens are signed with a secret: no algorithm to confuse")
    secret = forger.public_pem(token, change)
    return jws.signed({**token.head, "alg": "HS256"}, token.claims, secret)


def _by_secret(key_id: str, secret: bytes) -> _Forge:
    def forge(_: Forger, token: Jws, _change: TokenChange) -> str:
        return jws.signed({**token.head, "alg": "HS256", "kid": key_id}, token.claims, secret)

    return forge


_UNSIGNED: Mapping[str, _Forge] = {
    "wrong signature": _wrong,
    "empty signature": lambda _f, token, _c: jws.unsigned(token.head, token.claims) + ".",
    "no signature": lambda _f, token, _c: jws.unsigned(token.head, token.claims),
    "own key": lambda _f, token, _c: _by_own_key(token),
    "unknown key id": lambda _f, token, _c: _by_own_key(token, kid="premortem-unknown"),
    "key id is a path": _by_secret(EMPTY_FILE, b""),
    "key id is SQL": _by_secret(SQL, b"premortem"),
    "key in the token": _brought,
    "algorithm none": _none("none"),
    "algorithm None": _none("None"),
    "algorithm NONE": _none("NONE"),
    "algorithm nOnE": _none("nOnE"),
    "public key as secret": _with_public,
}
"""Forgery -> how it is made; the claims stay, so that only the signature can be what is wrong."""


def _without(name: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def _elsewhere(name: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    return lambda claims: {**claims, name: ELSEWHERE} if name in claims else claims


_CLAIMS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "expired": lambda claims: {**claims, "exp": LONG_PAST},
    "not yet valid": lambda claims: {**claims, "nbf": FAR_AHEAD},
    "no expiry": _without("exp"),
    "no audience": _without("aud"),
    "other audience": _elsewhere("aud"),
    "other issuer": _elsewhere("iss"),
}
"""Forgery -> its claims; it is signed as a true one is."""
_BORROWED: Mapping[str, frozenset[str]] = {
    "another's subject": frozenset({"sub", "userid", "uid", "username", "email"}),
    "another's role": ROLES,
}
"""Forgery -> the claims that it takes from another token."""


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().rpartition("/")[2])


def _borrowed(token: Jws, theirs: Jws | None, names: frozenset[str], forgery: str) -> str:
    wanted = {
        name: value
        for name, value in (theirs.claims if theirs is not None else {}).items()
        if _folded(name) in names and token.claims.get(name) != value
    }
    if not wanted:
        raise TargetError(f"no claim of the other role's token differs: {forgery}")
    return f"{jws.unsigned(token.head, {**token.claims, **wanted})}.{token.signature}"


def _other_tenant(token: Jws, theirs: Jws | None, request: Request) -> Mapping[str, Any]:
    """The claims of TOKEN as of another tenant, where REQUEST names the one that it was for."""
    named = {unquote(part) for part in request.path.split("/")}
    named |= {value for _, value in (*request.query, *request.headers)}
    found = {
        name: value
        for name, value in token.claims.items()
        if _folded(name) in TENANTS and str(value) in named
    }
    if not found:
        raise TargetError("the request names no tenant that the role's token is for")
    others = theirs.claims if theirs is not None else {}
    changed = {
        name: other if (other := others.get(name, NOBODY)) != value else NOBODY
        for name, value in found.items()
    }
    return {**token.claims, **changed}
