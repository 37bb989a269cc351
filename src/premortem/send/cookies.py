"""The cookies that answers set, kept and sent back (RFC 6265, 5).

All of a jar's requests go to one host, so that of a cookie's domain only one question is left:
whether that host may set it. Public suffixes are not told apart: nothing goes to another host.
"""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz
from ipaddress import ip_address

from msgspec import Struct

from premortem.domain.traffic import Response
from premortem.send.origin import Address

COOKIES_MAX = 50
"""Of one jar (RFC 6265, 6.1, asks for as many per domain); the oldest goes."""
COOKIE_CHARS_MAX = 4096
"""Of name and value together; a longer one is not kept."""


class Cookie(Struct, frozen=True, kw_only=True):
    """One cookie as it is kept."""

    name: str
    value: str
    path: str
    secure: bool = False
    expires_at: float = 0.0
    """Seconds since the epoch; 0: with the visit."""


class Jar:
    """Cookies of one visit to TARGET."""

    __slots__ = ("_cookies", "_host", "_secure")

    def __init__(self, target: Address) -> None:
        self._host = target.host.lower()
        # As browsers have it: the loopback is as good as TLS.
        self._secure = target.scheme == "https" or _is_loopback(self._host)
        self._cookies: dict[tuple[str, str], Cookie] = {}
        """By name and path, the oldest first."""

    def __bool__(self) -> bool:
        return bool(self._cookies)

    def copy(self) -> Jar:
        """Another one with the same cookies."""
        made = Jar.__new__(Jar)
        made._host, made._secure = self._host, self._secure
        made._cookies = dict(self._cookies)
        return made

    def take(self, answer: Response, *, path: str, now: float) -> None:
        """Keep what ANSWER sets, to a request for PATH (as sent, prefix included) at NOW."""
        for name, value in answer.headers:
            if name == "set-cookie":
                self._set(value, path=path, now=now)

    def header(self, path: str, *, now: float, without: str = "") -> str:
        """The `cookie` header of a request for PATH; empty: none. WITHOUT: leave this name out.

        Longer paths come first, then older cookies (RFC 6265, 5.4).
        """
        fitting = [
            cookie
            for cookie in self._cookies.values()
            if (not cookie.expires_at or cookie.expires_at > now)
            and (self._secure or not cookie.secure)
            and cookie.name != without
            and _path_matches(path, cookie.path)
        ]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)

    def stands_in(self, header: str) -> bool:
        """Whether any of its cookies is in a `cookie` header."""
        pairs = {pair.strip() for pair in header.split(";")}
        return any(f"{c.name}={c.value}" in pairs for c in self._cookies.values())

    def _set(self, text: str, *, path: str, now: float) -> None:
        pair, _, rest = text.partition(";")
        name, equals, value = pair.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not equals or not name or len(name) + len(value) > COOKIE_CHARS_MAX:
            return
        attributes = _attributes(rest)
        domain = attributes.get("domain", "").lstrip(".").lower()
        if domain and not _domain_matches(self._host, domain):
            return
        secure = "secure" in attributes
        if secure and not self._secure:
            return  # RFC 6265bis, 5.7: from where it could not be sent back
        own_path = attributes.get("path", "")
        kept_path = own_path if own_path.startswith("/") else _default_path(path)
        expires_at = _expires_at(attributes, now)
        key = (name, kept_path)
        if expires_at and expires_at <= now:
            self._cookies.pop(key, None)
            return
        # One that is set anew keeps its age (5.3, step 11).
        if key not in self._cookies and len(self._cookies) >= COOKIES_MAX:
            del self._cookies[next(iter(self._cookies))]
        self._cookies[key] = Cookie(
            name=name, value=value, path=kept_path, secure=secure, expires_at=expires_at
        )


def _attributes(text: str) -> dict[str, str]:
    """Lower-case name -> value; of several alike the last counts (5.3)."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        found[name.strip(" \t").lower()] = value.strip(" \t")
    return found


def _expires_at(attributes: dict[str, str], now: float) -> float:
    """Max-Age before Expires (5.3, step 3); what is no number or date counts as absent."""
    age = attributes.get("max-age", "")
    digits = age.removeprefix("-")
    if digits.isascii() and digits.isdecimal():
        return now + min(float(age), 1e10) if float(age) > 0 else now
    try:
        fields = parsedate_tz(attributes.get("expires", ""))
        # A date before 1970 is long past, too, and 0 would mean none.
        return 0.0 if fields is None else max(float(mktime_tz(fields)), 1.0)
    except (ValueError, OverflowError):
        return 0.0


def _default_path(path: str) -> str:
    """The directory of the request's path (5.1.4)."""
    return path[: path.rfind("/")] or "/" if path.startswith("/") else "/"


def _path_matches(path: str, cookie_path: str) -> bool:
    """RFC 6265, 5.1.4."""
    if not path.startswith(cookie_path):
        return False
    return len(path) == len(cookie_path) or cookie_path[-1] == "/" or path[len(cookie_path)] == "/"


def _domain_matches(host: str, domain: str) -> bool:
    """RFC 6265, 5.1.3; an address has no parent domains."""
    return host == domain or (host.endswith("." + domain) and not _is_address(host))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and ip_address(host).is_loopback


def joined(*headers: str) -> str:
    """Several `cookie` headers as one; of cookies with one name the last header's counts."""
    pairs: dict[str, str] = {}
    loose: list[str] = []
    for header in headers:
        names: dict[str, str] = {}
        for text in header.split(";"):
            pair = text.strip(" \t")
            name, equals, _ = pair.partition("=")
            if not equals:
                loose += [pair] if pair else []
            else:
                # Within one header a name may stand twice, from two paths.
                names[name] = f"{names[name]}; {pair}" if name in names else pair
        pairs |= names
    return "; ".join([*pairs.values(), *loose])
