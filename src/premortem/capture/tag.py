"""Who sent an exchange: session, client and role, read off the credentials before redaction."""

from __future__ import annotations

import hmac
import json
import os
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from premortem.capture.message import parse_query
from premortem.capture.names import Kind, Names, parts, word_set
from premortem.capture.recording import NOBODY, Sender
from premortem.capture.redact import CREDENTIAL_HEADERS
from premortem.config import Config, Login, RoleConfig, resolve
from premortem.domain.traffic import Exchange, Request, Response, Tags
from premortem.errors import ConfigError

UNKNOWN = "unknown"
"""The role of credentials that no configured role explains."""
TOKENS_MAX = 100_000
"""Handed-out tokens remembered with their role, the earliest forgotten first."""
LEAVES_MAX = 1000
"""Texts of an answer looked at for tokens."""
OPAQUES_MAX = 10_000
"""Session and client keys remembered."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9\-]*)\s+(\S.*)", re.DOTALL)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_SESSION_WORDS = word_set(
    "session sess sid sessionid sessid auth token jwt login remember identity phpsessid jsessionid "
    "asp aspxauth connect user access refresh"
)
_NOT_SESSION = word_set("csrf xsrf ga gid utm fbp consent")


class Credential(NamedTuple):
    """One thing a request proves itself by."""

    scheme: str
    """`basic`, `bearer`, `cookie`, or a header's name."""
    text: str
    """The token, the value, or `user:password`."""
    user: str = ""
    name: str = ""
    """Of a cookie."""


class _Role(NamedTuple):
    name: str
    config: RoleConfig
    user: str
    """Of `basic`."""
    secrets: frozenset[str]
    """Static credentials that the environment resolves."""


class Tagger:
    """Tags exchanges in stream order: tokens that a recorded login hands out are learned."""

    def __init__(
        self, config: Config, key: bytes, *, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._key = key
        self._session_header = config.capture.session_header.lower()
        self._role_header = config.capture.role_header.lower()
        self._edition_header = config.target.edition_header.lower()
        self._roles = [_role(name, role, environment) for name, role in config.roles.items()]
        self._names = Names()
        self._token_roles: dict[str, str] = {}
        self._opaques: dict[tuple[str, str], str] = {}

    def tag(self, exchange: Exchange, sender: Sender = NOBODY) -> Tags:
        """The tags of EXCHANGE, which must not be redacted yet.

        SENDER: what the recording says of it beside the request. A user's name there stands for
        the credentials that were not recorded.
        """
        request = exchange.request
        found = credentials(request)
        if sender.user and not found:
            found = (Credential(scheme="basic", text=sender.user, user=sender.user),)
        role = self._role(request, found)
        handed_out = self._learn_login(request, exchange.response)
        agent = request.header("user-agent") or ""
        if sender.address:
            agent = f"{sender.address}\0{agent}"
        edition = self._edition_header and request.header(self._edition_header)
        own = self._session_header and request.header(self._session_header)
        session = own or _session_key(found) or handed_out or request.header("cookie") or agent
        return Tags(
            client=self._opaque("client", _session_key(found) or agent),
            session=self._opaque("session", session),
            trace_id=_trace_id(request),
            role=role,
            edition=edition or "",
        )

    def _opaque(self, purpose: str, text: str) -> str:
        """16 hex digits for TEXT; empty for nothing. Keyed, so that nobody can test a guess."""
        if not text:
            return ""
        known = self._opaques.get((purpose, text))
        if known is not None:
            return known
        data = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        if len(self._opaques) >= OPAQUES_MAX:
            self._opaques.clear()
        known = self._opaques[purpose, text] = hmac.digest(self._key, data, sha256).hex()[:16]
        return known

    def _role(self, request: Request, found: tuple[Credential, ...]) -> str:
        if self._role_header:
            value = request.header(self._role_header)
            if value:
                return next((r.name for r in self._roles if r.name.lower() == value.lower()), value)
        if not found:
            return ""
        return self._explained(found) or UNKNOWN

    def _explained(self, found: tuple[Credential, ...]) -> str:
        for credential in found:
            for role in self._roles:
                if credential.text in role.secrets:
                    return role.name
                if credential.user and credential.user == role.user:
                    return role.name
        for credential in found:
            if credential.text in self._token_roles:
                return self._token_roles[credential.text]
        for role in self._roles:
            if role.config.match and any(role.config.match in text for text in _readings(found)):
                return role.name
        return ""

    def _learn_login(self, request: Request, response: Response) -> str:
        """The first token that RESPONSE hands out to a role's login; empty when it is none."""
        if response.status >= 400:
            return ""
        for role in self._roles:
            login = role.config.login
            if login is None or not _is_login(request, login):
                continue
            tokens = list(self._handed_out(response, login))
            for token in tokens:
                if len(self._token_roles) >= TOKENS_MAX:
                    self._token_roles.pop(next(iter(self._token_roles)))
                self._token_roles[token] = role.name
            return tokens[0] if tokens else ""
        return ""

    def _handed_out(self, response: Response, login: Login) -> Iterator[str]:
        try:
            answer = json.loads(response.body) if response.body[:1] in b"{[" else None
        except ValueError:
            answer = None
        named = _at(answer, login.token)
        if isinstance(named, str) and named:
            yield named
        for count, (name, value) in enumerate(_leaves(answer)):
            if count >= LEAVES_MAX:
                break
            if self._names.kind(name) in (Kind.SECRET, Kind.SECRET_TEXT) and value != named:
                yield value
        for name, value in response.headers:
            if name == "set-cookie":
                cookie, _, text = value.partition(";")[0].partition("=")
                if _opens_session(cookie.strip()) and text.strip():
                    yield text.strip()


def credentials(request: Request) -> tuple[Credential, ...]:
    """What REQUEST proves itself by: credential headers first, then session cookies."""
    found: list[Credential] = []
    for name, value in request.headers:
        value = value.strip()
        if name in ("authorization", "proxy-authorization") and value:
            found.append(_authorization(name, value))
        elif name in CREDENTIAL_HEADERS and value and "csrf" not in name and "xsrf" not in name:
            found.append(Credential(scheme=name, text=value))
        elif name == "cookie":
            for pair in value.split(";"):
                cookie, _, text = pair.strip().partition("=")
                if text and _opens_session(cookie):
                    found.append(Credential(scheme="cookie", text=text, name=cookie))
    return tuple(found)


def _authorization(name: str, value: str) -> Credential:
    split = _SCHEME.fullmatch(value)
    if split is None:
        return Credential(scheme=name, text=value)
    scheme, text = split[1].lower(), split[2]
    if scheme == "basic":
        try:
            text = b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
        except ValueError:
            return Credential(scheme=scheme, text=text)
        return Credential(scheme=scheme, text=text, user=text.partition(":")[0])
    return Credential(scheme=scheme, text=text)


@lru_cache(maxsize=10_000)
def _opens_session(cookie: str) -> bool:
    """The cookie's name says that it carries a session, not a preference or a statistic."""
    words = set(parts(cookie))
    return bool(words & _SESSION_WORDS) and not words & _NOT_SESSION


def _session_key(found: tuple[Credential, ...]) -> str:
    """Who it is: a user's name where there is one, so that all their requests are one session."""
    if not found:
        return ""
    return f"{found[0].scheme}\0{found[0].user or found[0].text}"


def _readings(found: tuple[Credential, ...]) -> Iterator[str]:
    """The texts of credentials, and the claims of those that are JSON Web Tokens."""
    for credential in found:
        yield credential.text
        pieces = credential.text.split(".")
        if len(pieces) == 3 and credential.text.startswith("eyJ"):
            try:
                claims = urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4))
            except ValueError:
                continue
            yield claims.decode("utf-8", "replace")


def _trace_id(request: Request) -> str:
    """W3C Trace Context, 3.2.2."""
    found = _TRACEPARENT.match(request.header("traceparent") or "")
    return found[1] if found else ""


def _is_login(request: Request, login: Login) -> bool:
    """REQUEST is the one by which the role signs in: its path, and one of its literal values."""
    method, _, path = login.request.partition(" ")
    path = path.partition("?")[0].rstrip("/")
    if request.method != method.upper() or not path or not request.path.endswith(path):
        return False
    wanted = {v for v in (*login.json.values(), *login.form.values()) if v and "${" not in v}
    if not wanted:
        return True
    if request.media_type == "application/x-www-form-urlencoded":
        return any(v in wanted for _, v in parse_query(request.body.decode("utf-8", "replace")))
    try:
        posted = json.loads(request.body)
    except ValueError:
        return False
    return any(value in wanted for _, value in _leaves(posted))


def _leaves(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """The texts in a JSON value with the names they stand under."""
    if isinstance(value, str):
        yield name, value
    elif depth < 32 and isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, key, depth + 1)
    elif depth < 32 and isinstance(value, list):
        for item in value:
            yield from _leaves(item, name, depth + 1)


def _at(value: Any, pointer: str) -> Any:
    """What the JSON pointer (RFC 6901) names in VALUE, or None."""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _role(name: str, config: RoleConfig, environment: Mapping[str, str]) -> _Role:
    def known(text: str) -> str:
        try:
            return resolve(text, environment=environment)
        except ConfigError:
            return ""  # capture needs no credentials; without them this one is not recognised

    secrets = {known(config.basic), known(config.bearer)}
    secrets |= {value.strip() for value in map(known, config.header.values())}
    secrets |= {_authorization("", value).text for value in list(secrets) if value}
    for pair in known(config.cookie).split(";"):
        secrets.add(pair.partition("=")[2].strip())
    return _Role(
        name=name,
        config=config,
        user=config.basic.partition(":")[0],
        secrets=frozenset(secret for secret in secrets if secret),
    )
