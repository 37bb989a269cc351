"""Credentials of roles: made from the configuration and the environment, never from traffic."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import msgspec

from premortem.config import Login, RoleConfig, resolve
from premortem.domain.pseudonyms import replacements
from premortem.domain.run import Sent
from premortem.domain.tokens import MARK, make_email_token, make_token
from premortem.domain.traffic import Pairs, Request
from premortem.errors import ConfigError, TargetError
from premortem.send.bind import FORM, at, text_of
from premortem.send.connect import basic
from premortem.send.cookies import Jar
from premortem.send.transport import Transport

UNKNOWN = "unknown"
"""Role of requests that carried credentials nobody could place."""
INVALID: Pairs = (("authorization", "Bearer invalid"),)
"""What an unknown role sends: it was refused in production and shall be again."""
RESTORE_LENGTH_MIN = 5
"""Tokens of shorter ones tell too little apart: at five, one stranger in 1,296 is mistaken."""
RENEW_PAUSE_S = 10.0
"""A new login that did not help is not tried again for this long."""

_User = tuple[str, int]
"""Role, and which of its users."""
_LOGOUT = re.compile(
    r"/(?:(?:log|sign)[-_]?(?:out|off)|(?:end|revoke)[-_]?(?:session|token)s?|revoke)\b"
)
_SESSIONS = re.compile(r"/(?:sessions?|(?:access|auth|refresh)?[-_]?tokens?|login|me)\b")
_ADDRESS = re.compile(r"[^@\s:]+@[^@\s:]+\.[^@\s:]+")
_WHOLE = r"(?<![^\W_]){}(?![^\W_])"
"""Not inside of a longer word or number."""
_CODINGS: tuple[Callable[[str], str], ...] = (str, quote)
_TOKEN = re.compile(rf"(?<![a-z0-9]){MARK}[a-z0-9]+")


class Credentials:
    """The credentials of all configured roles. Nothing of them is written anywhere.

    Environment variables are read when a role is first used. Raises ConfigError for a missing
    variable or an unknown role, TargetError when a login does not give a token.
    """

    def __init__(
        self,
        roles: Mapping[str, RoleConfig],
        *,
        redaction_key: bytes = b"",
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._roles = roles
        self.environment = environment
        self._fixed: dict[str, Pairs] = {}
        self._signed_in: dict[_User, SignedIn] = {}
        self._whole: dict[_User, Pairs] = {}
        """Both together, of the users that need nothing more."""
        self._locks: dict[_User, asyncio.Lock] = {}
        self._useless_until: dict[_User, float] = {}
        self.logins = 0
        """Login requests sent."""
        self._real = _real_values(roles, redaction_key, environment) if redaction_key else {}
        self._shaped = _shaped_values(self._real.values(), redaction_key)
        """What was redacted in its own form: e-mail address, phone, national number, name."""
        self._signs = tuple({_sign(shaped) for shaped in self._shaped})
        """Parts of those that no percent-encoding changes: a quick look."""

    def held(self, role: str, user: int = 0) -> Pairs | None:
        """The headers that ROLE's USER sends; None when `headers` has to make them.

        Without the cookies that its login set: those are in `jar`.
        """
        return self._whole.get((role, user)) if role else ()

    def jar(self, role: str, user: int = 0) -> Jar | None:
        """The cookies that the login of ROLE's USER set; None when there are none."""
        session = self._signed_in.get((role, user))
        return session.jar if session is not None and session.jar else None

    async def headers(self, role: str, sender: Transport, user: int = 0) -> Pairs:
        """The headers that ROLE's USER sends; signs in when it has to. Empty role: none.

        Users of a role differ in their sessions alone: each signs in for itself.
        """
        if not role:
            return ()
        fixed, key = self._fixed.get(role), (role, user)
        if fixed is None:
            if role == UNKNOWN and role not in self._roles:
                self._whole[key] = INVALID
                return INVALID
            fixed = self._fixed[role] = self._made(role)
        login = self._roles[role].login
        if login is None:
            self._whole[key] = fixed
            return fixed
        session = self._signed_in.get(key)
        if session is None:
            async with self._locks.setdefault(key, asyncio.Lock()):
                session = self._signed_in.get(key)
                if session is None:
                    session = await self._sign_in(role, login, sender)
                    self._signed_in[key] = session
        whole = self._whole[key] = fixed + session.headers
        return whole

    async def apart(self, role: str, sender: Transport) -> SignedIn:
        """A session of ROLE's that nothing else uses: for what ends its session.

        A role that does not sign in has one session only.
        """
        await self.headers(role, sender)
        login = self._roles[role].login if role in self._roles else None
        if login is None:
            return SignedIn(self._whole.get((role, 0), INVALID), Jar(sender.address))
        session = await self._sign_in(role, login, sender)
        return SignedIn(self._fixed[role] + session.headers, session.jar)

    def renew(self, role: str, used: Pairs, *, now: float, user: int = 0) -> bool:
        """USED was refused: whether another try with other credentials can make sense.

        NOW: seconds. A role without a login has nothing else to offer. Of many requests refused
        at once, only the first makes the user sign in again.
        """
        configured, key = self._roles.get(role), (role, user)
        if configured is None or configured.login is None:
            return False
        if now < self._useless_until.get(key, 0.0):
            return False
        session = self._signed_in.get(key)
        if session is not None and session.sent_in(used):
            del self._signed_in[key]
            self._whole.pop(key, None)
        return True

    def useless(self, role: str, *, now: float, user: int = 0) -> None:
        """Signing in anew did not help ROLE's USER: it is refused for another reason."""
        self._useless_until[role, user] = now + RENEW_PAUSE_S

    def forget(self) -> None:
        """Drop all tokens: the target was reset and knows none of them."""
        for key in self._signed_in:
            self._whole.pop(key, None)
        self._signed_in.clear()
        self._useless_until.clear()

    @property
    def tokens(self) -> frozenset[str]:
        """Redaction tokens that `restore` would replace."""
        return frozenset(self._real) | frozenset(self._shaped)

    def restore(self, request: Request) -> Request:
        """REQUEST with the tokens that stand for configured credentials replaced by those."""
        if not self._real:
            return request
        changes: dict[str, Any] = {}
        if self._holds(request.path):
            changes["path"] = self._restored(request.path, lambda value: quote(value, safe=""))
        if any(self._holds(value) for _, value in request.query):
            changes["query"] = tuple((k, self._restored(v)) for k, v in request.query)
        if any(self._holds(value) for _, value in request.headers):
            changes["headers"] = tuple((k, self._restored(v)) for k, v in request.headers)
        body = request.body
        if MARK.encode() in body or (self._shaped and self._holds(body.decode("latin-1"))):
            encode: Callable[[str], str] = str
            if request.media_type == FORM:
                encode = quote_plus
            elif "json" in request.media_type:
                encode = _json_text
            text = request.body.decode("utf-8", "surrogateescape")
            changes["body"] = self._restored(text, encode).encode("utf-8", "surrogateescape")
        return msgspec.structs.replace(request, **changes) if changes else request

    def _holds(self, text: str) -> bool:
        """A replacement may stand in TEXT."""
        return MARK in text or any(map(text.__contains__, self._signs))

    def _restored(self, text: str, encode: Callable[[str], str] = str) -> str:
        def value(match: re.Match[str]) -> str:
            real = self._real.get(match.group())
            return match.group() if real is None else encode(real)

        text = _TOKEN.sub(value, text)
        for shaped, real in self._shaped.items():
            for code in _CODINGS if encode is str else (encode, *_CODINGS):
                coded = code(shaped)
                if coded in text:
                    new = quote(real) if code is quote else encode(real)
                    text = re.sub(_WHOLE.format(re.escape(coded)), new.replace("\\", r"\\"), text)
                    break
        return text

    def _made(self, role: str) -> Pairs:
        configured = self._roles.get(role)
        if configured is None:
            known = ", ".join(sorted(self._roles)) or "none"
            raise ConfigError(
                f"the role {role!r} has no [roles.{role}] in premortem.toml (there: {known}); "
                f"add it, or leave its cases out"
            )
        headers = [(n.lower(), self._value(v)) for n, v in configured.header.items()]
        if configured.basic:
            headers.append(("authorization", basic(self._value(configured.basic))))
        if configured.bearer:
            headers.append(("authorization", "Bearer " + self._value(configured.bearer)))
        if configured.cookie:
            headers.append(("cookie", self._value(configured.cookie)))
        return tuple(headers)

    def _value(self, text: str) -> str:
        return resolve(text, environment=self.environment)

    async def _sign_in(self, role: str, login: Login, sender: Transport) -> SignedIn:
        request = login_request(role, login, self.environment)
        self.logins += 1
        sent = await sender.send(request)
        jar = Jar(sender.address)
        if sent.response is not None:
            path = sender.address.path(request.path)
            jar.take(sent.response, path=path, now=sender.now())
        token = _token(role, login, sent, cookies=bool(jar))
        headers = ((login.header.lower(), login.prefix + token),) if token else ()
        return SignedIn(headers, jar)


class SignedIn:
    """What a login gave."""

    __slots__ = ("headers", "jar")

    def __init__(self, headers: Pairs, jar: Jar) -> None:
        self.headers = headers
        self.jar = jar

    def sent_in(self, used: Pairs) -> bool:
        """Whether a request with the headers USED went out in this session."""
        if self.headers:
            return set(self.headers) <= set(used)
        return any(name == "cookie" and self.jar.stands_in(value) for name, value in used)


def ends_session(request: Request) -> bool:
    """Whether REQUEST, by its name, ends the session that it is sent with."""
    path = request.path.lower()
    return _LOGOUT.search(path) is not None or (
        request.method == "DELETE" and _SESSIONS.search(path) is not None
    )


def login_request(role: str, login: Login, environment: Mapping[str, str]) -> Request:
    """The request that signs ROLE in. Raises ConfigError."""
    method, path = request_line(login.request, key=f"`request` under [roles.{role}.login]")
    if login.json and login.form:
        raise ConfigError(f"[roles.{role}.login]: `json` and `form` exclude each other")
    values = {k: resolve(v, environment=environment) for k, v in (login.json or login.form).items()}
    media_type, body = "application/json", b""
    if login.json:
        body = msgspec.json.encode(values)
    elif login.form:
        media_type, body = FORM, urlencode(values).encode()
    headers = (("content-type", media_type),) if body else ()
    return Request(method=method, origin="", path=path, headers=headers, body=body)


def request_line(text: str, *, key: str) -> tuple[str, str]:
    """Method and path of `POST /login`. Raises ConfigError, which names KEY."""
    method, _, path = text.strip().partition(" ")
    path = path.strip()
    if not method.isalpha() or not path.startswith("/"):
        raise ConfigError(f"{key} = {text!r}: write it like `POST /login`")
    return method.upper(), path


def _token(role: str, login: Login, sent: Sent, *, cookies: bool) -> str:
    """The token in the answer; empty when the login is one by COOKIES. Raises TargetError."""
    answer = sent.response
    if answer is None:
        detail = sent.fault.detail if sent.fault else ""
        raise TargetError(f"role {role!r} cannot sign in: {login.request} failed ({detail})")
    if not 200 <= answer.status < 300:
        raise TargetError(
            f"role {role!r} cannot sign in: {login.request} answered {answer.status}; mend "
            f"[roles.{role}.login] or the values it takes from the environment"
        )
    if not login.token:
        if cookies:
            return ""
        raise TargetError(
            f"role {role!r} cannot sign in: the answer to {login.request} sets no cookie, and "
            f"`token` under [roles.{role}.login] names none in its body; mend it"
        )
    value: Any = None
    try:
        tokens = [t.replace("~1", "/").replace("~0", "~") for t in login.token.split("/")[1:]]
        value = at(msgspec.json.decode(answer.body), tokens)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise TargetError(
            f"role {role!r} cannot sign in: the answer to {login.request} has no text at "
            f"{login.token}; mend `token` under [roles.{role}.login]"
        )
    return text_of(value)


def _real_values(
    roles: Mapping[str, RoleConfig], key: bytes, environment: Mapping[str, str]
) -> dict[str, str]:
    """Token -> credential, for every credential of ROLES that the environment has now."""
    texts: list[str] = []
    for role in roles.values():
        texts += [*role.header.values(), role.basic, role.bearer, role.cookie]
        if role.login is not None:
            texts += [*role.login.json.values(), *role.login.form.values()]
    real: dict[str, str] = {}
    for text in texts:
        try:
            value = resolve(text, environment=environment)
        except ConfigError:
            continue  # said when the role is used
        for part in {value, *value.partition(":")[::2], value.partition(" ")[2]}:
            if len(part) >= RESTORE_LENGTH_MIN:
                real[make_token(key, part)] = part
    return real


def _sign(shaped: str) -> str:
    words: list[str] = re.findall(r"[A-Za-z0-9]+", shaped)
    return max(words or [shaped], key=len)


def _shaped_values(values: Iterable[str], key: bytes) -> dict[str, str]:
    """Replacement that keeps its value's form -> that value."""
    shaped: dict[str, str] = {}
    for value in values:
        if _ADDRESS.fullmatch(value):
            shaped[make_email_token(key, value)] = value
        else:
            shaped |= dict.fromkeys(replacements(key, value), value)
    longest_first = sorted(shaped, key=len, reverse=True)  # a full name before its parts
    return {token: shaped[token] for token in longest_first}


def _json_text(value: str) -> str:
    return msgspec.json.encode(value).decode()[1:-1]
