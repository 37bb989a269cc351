"""A failing request as a line for the shell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from shlex import quote
from urllib.parse import quote as percent
from urllib.parse import urlencode, urlsplit

from premortem.config import RoleConfig
from premortem.domain.traffic import Request

BODY_BYTES_MAX = 32 * 1024
"""A larger body does not stand in the line; Linux takes 128 KiB for one argument."""

_CREDENTIALS = frozenset(
    {
        *("authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"),
        *("x-auth-token", "x-access-token", "x-csrf-token", "x-xsrf-token"),
    }
)
_LEFT_OUT = frozenset({"host", "content-length", "connection", "accept-encoding", "expect"})
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_PATH_SAFE = "/~@:!$&'()*+,;=%"
_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"})
"""Methods that need not send a length when they have no body."""


def curl_line(
    request: Request,
    *,
    base_url: str,
    role: str = "",
    roles: Mapping[str, RoleConfig] | None = None,
) -> str:
    """REQUEST, as it went out to BASE_URL, as one curl command for a POSIX shell.

    The credentials of ROLE stand as variables: those that its configuration names, or
    `$NAME_TOKEN` where it signs in. What REQUEST itself holds of credentials is left out.
    """
    config = (roles or {}).get(role)
    words = ["curl", "-sS", "-i"]
    if request.method == "HEAD":
        words.append("--head")
    elif request.method != "GET" or request.body:
        words += ["-X", quote(request.method)]
    words += _address(request, base_url)
    replaced = _CREDENTIALS
    if role:
        lines, names = _credentials(role, config)
        words += lines
        replaced = _CREDENTIALS | names
    for name, value in request.headers:
        if name not in replaced and name not in _LEFT_OUT:
            words += ["-H", quote(f"{name}: {value}" if value else f"{name};")]
    body, source = _body(request)
    line = " ".join(words + body)
    return f"{source} | {line}" if source else line


def variable_of(role: str) -> str:
    """The shell variable that stands for the token of ROLE."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", role).strip("_").upper() or "ROLE"
    return f"ROLE_{name}_TOKEN" if name[0].isdigit() else f"{name}_TOKEN"


def _address(request: Request, base_url: str) -> list[str]:
    parts = urlsplit(base_url.rstrip("/"))
    path = percent(request.path, safe=_PATH_SAFE)
    prefix = parts.path
    if prefix and path != prefix and not path.startswith(prefix + "/"):
        path = prefix + path
    query = "?" + urlencode(request.query, quote_via=percent) if request.query else ""
    words = []
    if re.search(r"/\.\.?(/|$)", path):
        words.append("--path-as-is")
    if re.search(r"[\[\]{}]", path + query):
        words.append("--globoff")
    return [*words, quote(f"{parts.scheme}://{parts.netloc}{path}{query}")]


def _credentials(role: str, config: RoleConfig | None) -> tuple[list[str], set[str]]:
    """Options that present ROLE's credentials, and the header names that they replace."""
    token = f"${{{variable_of(role)}}}"
    if role == "unknown":
        return ["-H", quote("Authorization: Bearer invalid")], {"authorization"}
    if config is None:
        return ["-H", _expanded(f"Authorization: Bearer {token}")], {"authorization"}
    words: list[str] = []
    names: set[str] = set()
    for name, value in config.header.items():
        words += ["-H", _expanded(f"{name}: {_secret(value, token)}")]
        names.add(name.lower())
    if config.basic:
        user, _, password = config.basic.partition(":")
        words += ["-u", _expanded(f"{user}:{_secret(password, token)}")]
    if config.bearer:
        words += ["-H", _expanded(f"Authorization: Bearer {_secret(config.bearer, token)}")]
    if config.cookie:
        name, _, value = config.cookie.partition("=")
        words += ["-b", _expanded(f"{name}={_secret(value, token)}")]
    if config.login is not None:
        words += ["-H", _expanded(f"{config.login.header}: {config.login.prefix}{token}")]
        names.add(config.login.header.lower())
    return words, names


def _secret(text: str, token: str) -> str:
    """TEXT if it names variables; a literal secret does not go into a report."""
    return text if _VARIABLE.search(text) else token


def _expanded(text: str) -> str:
    """TEXT in double quotes: only its `${NAME}` are expanded by the shell (POSIX, 2.2.3)."""
    out, end = "", 0
    for match in _VARIABLE.finditer(text):
        out += _literal(text[end : match.start()]) + match[0]
        end = match.end()
    return f'"{out}{_literal(text[end:])}"'


def _literal(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _body(request: Request) -> tuple[list[str], str]:
    """Options for the body, and a command that must feed it where the line cannot hold it."""
    body = request.body
    if not body and request.method in _NO_BODY:
        return [], ""
    words = [] if request.media_type else ["-H", quote("Content-Type:")]
    if len(body) > BODY_BYTES_MAX:
        return [*words, "--data-binary", "@body.bin"], ""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return [*words, "--data-binary", "@-"], f"printf {quote(_octal(body))}"
    return [*words, "--data-raw", quote(text)], ""


def _octal(body: bytes) -> str:
    """BODY for printf: escapes of POSIX, which `sh` knows, too."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b"\\%" else f"\\{byte:03o}" for byte in body
    )
