"""What an exported test sends with. Its text is written into the file, so it needs nothing but
the standard library and nothing of ours."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import threading
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

TIMEOUT_S = 30.0


class Answer(NamedTuple):
    """What came back. Header names are lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        """The body as a value."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first value of the header NAME (lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)


def from_environment(text: str) -> str:
    """TEXT with each `${NAME}` replaced by the environment variable of that name."""
    return re.sub(r"\$\{(\w+)\}", lambda match: os.environ[match[1]], text)


class Service:
    """The service at BASE_URL; ROLES: name -> how it signs in."""

    def __init__(self, base_url: str, roles: dict[str, dict[str, Any]]) -> None:
        self._base = urlsplit(base_url.rstrip("/"))
        self._roles = roles
        self._sessions: dict[str, dict[str, str]] = {}
        self._cookies: dict[str, dict[str, str]] = {}

    def send(
        self,
        method: str,
        path: str,
        *,
        role: str = "",
        query: tuple[tuple[str, str], ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> Answer:
        """Send one request with the credentials of ROLE."""
        pairs = [*headers, *self._credentials(role)]
        cookies = self._cookies.setdefault(role, {})
        if cookies:
            pairs.append(("cookie", "; ".join(f"{k}={v}" for k, v in cookies.items())))
        answer = self._exchange(method, path, query, pairs, body)
        for name, value in answer.headers:
            if name == "set-cookie":
                key, _, rest = value.partition(";")[0].partition("=")
                cookies[key.strip()] = rest.strip()
        return answer

    def at_once(self, *calls: dict[str, Any]) -> list[Answer]:
        """Send all CALLS, keywords of `send` each, at the same moment."""
        for call in calls:
            self._credentials(call.get("role", ""))
        answers: list[Answer | None] = [None] * len(calls)
        start = threading.Barrier(len(calls))

        def one(index: int) -> None:
            start.wait(TIMEOUT_S)
            answers[index] = self.send(**calls[index])

        threads = [threading.Thread(target=one, args=(i,)) for i in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * TIMEOUT_S)
        return [answer or Answer(0, [], b"") for answer in answers]

    def forget(self) -> None:
        """Sign in anew from now on: the service was reset and knows no session any more."""
        self._sessions.clear()
        self._cookies.clear()

    def _exchange(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...],
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> Answer:
        secure = self._base.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._base.hostname or "", self._base.port, timeout=TIMEOUT_S)
        prefix = self._base.path
        if prefix and path != prefix and not path.startswith(prefix + "/"):
            path = prefix + path
        target = quote(path, safe="/~@:!$&'()*+,;=%")
        if query:
            target += "?" + urlencode(query, quote_via=quote)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value.encode("utf-8"))
            if body or method not in ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE"):
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            pairs = [(name.lower(), value) for name, value in response.getheaders()]
            return Answer(response.status, pairs, response.read())
        finally:
            connection.close()

    def _credentials(self, role: str) -> list[tuple[str, str]]:
        if not role:
            return []
        if role == "unknown" and role not in self._roles:
            return [("authorization", "Bearer invalid")]
        if role not in self._sessions:
            self._sessions[role] = self._sign_in(role, self._roles[role])
        return list(self._sessions[role].items())

    def _sign_in(self, role: str, how: dict[str, Any]) -> dict[str, str]:
        made = {name.lower(): from_environment(v) for name, v in how.get("header", {}).items()}
        if how.get("basic"):
            coded = base64.b64encode(from_environment(how["basic"]).encode()).decode()
            made["authorization"] = f"Basic {coded}"
        if how.get("bearer"):
            made["authorization"] = "Bearer " + from_environment(how["bearer"])
        if how.get("cookie"):
            made["cookie"] = from_environment(how["cookie"])
        login = how.get("login")
        if login:
            token = self._log_in(role, login)
            if token:
                made[login["header"].lower()] = login["prefix"] + token
        return made

    def _log_in(self, role: str, login: dict[str, Any]) -> str:
        method, _, path = login["request"].partition(" ")
        values = {k: from_environment(v) for k, v in (login["json"] or login["form"]).items()}
        kind, body = "application/json", json.dumps(values).encode()
        if not login["json"]:
            kind, body = "application/x-www-form-urlencoded", urlencode(values).encode()
        headers = [("content-type", kind)] if values else []
        answer = self._exchange(method, path.strip(), (), headers, body if values else b"")
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{role} cannot sign in: {login['request']} gave {answer.status}")
        for name, value in answer.headers:
            if name == "set-cookie":
                key, _, rest = value.partition(";")[0].partition("=")
                self._cookies.setdefault(role, {})[key.strip()] = rest.strip()
        return str(value_of(answer, login["token"])) if login["token"] else ""


def value_of(answer: Answer, pointer: str) -> Any:
    """What stands in the body of ANSWER at POINTER (RFC 6901)."""
    if not pointer and "json" not in (answer.header("content-type") or ""):
        return answer.body.decode("utf-8", "replace")
    value = answer.json()
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def text_of(value: Any) -> str:
    """VALUE as it stands in a path, a query or a header."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def in_path(value: Any) -> str:
    """VALUE as it stands in one segment of a path."""
    return quote(text_of(value), safe=":@!$&'()*+,;=~")


def cookie_of(answer: Answer, name: str) -> str:
    """The value of the cookie NAME that ANSWER sets."""
    for key, value in answer.headers:
        if key == "set-cookie" and value.startswith(name + "="):
            return value.partition(";")[0].partition("=")[2]
    raise LookupError(f"the answer sets no cookie {name}")


def header_of(answer: Answer, name: str) -> str:
    """The header NAME of ANSWER."""
    value = answer.header(name)
    if value is None:
        raise LookupError(f"the answer has no header {name}")
    return value


def last_segment(address: str) -> str:
    """What ADDRESS names: `7` of `https://host/invoices/7`."""
    segments = [s for s in urlsplit(address).path.split("/") if s]
    return unquote(segments[-1]) if segments else ""


def json_body(value: Any) -> bytes:
    """VALUE as the body of a request."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
