"""Requests as bytes (RFC 9112, 3). Header blocks are built once and used again."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from premortem.domain.traffic import Pairs, Request
from premortem.errors import TargetError
from premortem.send.cookies import joined
from premortem.send.origin import Address

BLOCKS_MAX = 2048
"""Header blocks kept, and request lines; traffic has few distinct ones, credentials included."""
USER_AGENT = "premortem"
LENGTH_ALWAYS = frozenset({"POST", "PUT", "PATCH"})
"""They name a length even when it is 0 (RFC 9110, 8.6)."""
LEFT_OUT = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
        "expect",
    }
)
"""Hop-by-hop fields and those that this module makes."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(r"[\x00\r\n]")
_CLEAN_PATH = re.compile(r"/[!$%&'()*+,\-./0-9:;=@A-Z_a-z~]*")
PATH_SAFE = "%/:@!$&'()*+,;=~"


class Unwritable(Exception):
    """The request cannot be written as HTTP."""


class Writer:
    """Writes requests to one target.

    PROXY_FORM: the request line names the whole URL, as a plaintext proxy wants it.
    """

    def __init__(self, target: Address, *, proxy_form: bool, proxy_credentials: str = "") -> None:
        self._target = target
        self._start = target.origin if proxy_form else ""
        self._proxy_credentials = proxy_credentials
        self._blocks: dict[tuple[Pairs, Pairs], bytes] = {}
        self._lines: dict[tuple[str, str, Pairs], bytes] = {}

    def write(self, request: Request, credentials: Pairs) -> bytes:
        """The bytes of REQUEST. Raises Unwritable, and TargetError for another host's request."""
        block = self.block(request, credentials)
        body, method = request.body, request.method
        line = self.line(method, request.path, request.query)
        if not body and method not in LENGTH_ALWAYS:
            return b"%b%b\r\n" % (line, block)
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (line, block, len(body), body)

    def block(self, request: Request, credentials: Pairs) -> bytes:
        """The header lines of REQUEST but its length. Raises as `write` does."""
        if request.origin and request.origin != self._target.origin:
            raise TargetError(
                f"{request.method} {request.path} is meant for {request.origin}; only "
                f"{self._target.origin} is sent to: mend `base_url` under [target] or leave the "
                f"origin out"
            )
        key = (request.headers, credentials)
        block = self._blocks.get(key)
        if block is None:
            if len(self._blocks) >= BLOCKS_MAX:
                self._blocks.clear()
            block = self._blocks[key] = self._block(request.headers, credentials)
        return block

    def line(self, method: str, path: str, query: Pairs) -> bytes:
        """The request line, with its end. Raises Unwritable."""
        target = (method, path, query)
        line = self._lines.get(target)
        if line is None:
            if len(self._lines) >= BLOCKS_MAX:
                self._lines.clear()
            line = self._lines[target] = self._line(method, path, query)
        return line

    def _line(self, method: str, path: str, query: Pairs) -> bytes:
        if not _TOKEN.fullmatch(method):
            raise Unwritable(f"{method!r} is no method")
        if not _CLEAN_PATH.fullmatch(path):
            path = quote(path if path.startswith("/") else "/" + path, safe=PATH_SAFE)
        path = self._target.path(path)
        asked = "?" + urlencode(query, quote_via=quote) if query else ""
        return f"{method} {self._start}{path}{asked} HTTP/1.1\r\n".encode()

    def _block(self, headers: Pairs, credentials: Pairs) -> bytes:
        replaced = {name.lower() for name, _ in credentials} - {"cookie"}
        cookies = [value for name, value in (*headers, *credentials) if name.lower() == "cookie"]
        lines = [("host", self._target.authority)]
        for name, value in (*headers, *credentials):
            lower = name.lower()
            own = (name, value) in credentials
            if lower in LEFT_OUT or lower == "cookie" or (lower in replaced and not own):
                continue
            lines.append((lower, value))
        if cookies:
            lines.append(("cookie", joined(*cookies) if len(cookies) > 1 else cookies[0]))
        present = {name for name, _ in lines}
        if "accept-encoding" not in present:
            lines.append(("accept-encoding", "identity"))
        if "user-agent" not in present:
            lines.append(("user-agent", USER_AGENT))
        if self._proxy_credentials:
            lines.append(("proxy-authorization", self._proxy_credentials))
        for name, value in lines:
            if not _TOKEN.fullmatch(name):
                raise Unwritable(f"{name!r} is no header name")
            if _FORBIDDEN.search(value):
                raise Unwritable(f"the value of header {name} holds a line break")
        return "".join(f"{name}: {value}\r\n" for name, value in lines).encode(
            "utf-8", "surrogatepass"
        )


class Form:
    """Writes requests that differ from one another in path, query and body alone."""

    __slots__ = ("_always", "_block", "_heads", "_method", "_writer")

    def __init__(self, writer: Writer, like: Request) -> None:
        """LIKE: one of them. Raises Unwritable and TargetError."""
        self._writer = writer
        self._method = like.method
        self._always = like.method in LENGTH_ALWAYS
        self._block = writer.block(like, ())
        self._heads: dict[str, bytes] = {}
        """Path -> request line and header lines, for requests without query."""

    def written(self, path: str, query: Pairs, body: bytes) -> bytes:
        """The bytes of one. Raises Unwritable."""
        head = self._heads.get(path) if not query else None
        if head is None:
            head = self._writer.line(self._method, path, query) + self._block
            if not query and len(self._heads) < BLOCKS_MAX:
                self._heads[path] = head
        if body or self._always:
            return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)
        return head + b"\r\n"
