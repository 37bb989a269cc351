"""curl commands, one a line or over several: what browsers copy and what notes are full of.

Source: curl(1), version 8. Options that say nothing about the request are passed over. Nothing
is read from files that a command names, and nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus

from msgspec import Struct

from premortem.capture.counts import CaptureCounts
from premortem.capture.draft import Draft, basic
from premortem.capture.message import FORM, Part, Unusable
from premortem.capture.names import word_set
from premortem.capture.recording import (
    DEFAULTS,
    Entry,
    Progress,
    ReadOptions,
    Undated,
    not_a,
    whole,
)
from premortem.capture.shell import commands, from_windows

GIVE = "curl commands as text, such as a browser copies"
FILE_BYTES_MAX = 64 * 1024 * 1024
URLS_MAX = 100
"""Addresses of one command."""
_FILE = "contents of a file"
_STARTS = ("curl", "curl.exe")
_PREFIXES = ("$", ">", "time", "sudo")
_SHORT = {
    "X": "request", "H": "header", "d": "data", "F": "form", "u": "user", "b": "cookie",
    "A": "user-agent", "e": "referer", "G": "get", "I": "head", "T": "upload-file",
}  # fmt: skip
_SHORT_WITH_VALUE = frozenset("XHdFubAeTocKmnwxyYzCDEPQrtUh")
"""Single letters that take a value; `-h` may."""
_LONG_WITHOUT_VALUE = word_set(
    "get head compressed insecure location location-trusted silent show-error verbose include "
    "fail fail-early fail-with-body globoff http1.0 http1.1 http2 http2-prior-knowledge http3 "
    "http3-only ipv4 ipv6 junk-session-cookies no-buffer no-keepalive progress-bar raw "
    "remote-name remote-name-all remote-time path-as-is parallel tcp-nodelay tlsv1 tlsv1.0 "
    "tlsv1.1 tlsv1.2 tlsv1.3 ssl-reqd basic digest ntlm negotiate anyauth post301 post302 "
    "post303 next disable no-progress-meter create-dirs crlf tr-encoding compressed-ssh "
    "no-alpn no-sessionid list-only append netrc netrc-optional tcp-fastopen styled-output "
    "proxytunnel proxy-insecure proxy-basic ssl ignore-content-length xattr false-start "
    "remote-header-name content-disposition trace-time trace-ids"
)


class _Call(Struct, kw_only=True):
    """What the options of one command add up to."""

    urls: list[str] = []
    method: str = ""
    headers: list[tuple[str, str]] = []
    data: list[str] = []
    parts: list[Part] = []
    cookies: list[str] = []
    user: str = ""
    get: bool = False
    head: bool = False
    json: bool = False
    upload: bool = False
    missing: list[str] = []
    """What cannot be had from the command."""


def read_curl(
    path: Path,
    *,
    counts: CaptureCounts,
    progress: Progress | None = None,
    options: ReadOptions = DEFAULTS,
) -> Iterator[tuple[int, Entry]]:
    """The requests of the curl commands in the file at PATH; numbered by their lines, from 1.

    Raises InputError when there are none.
    """
    data = whole(path, bytes_max=FILE_BYTES_MAX, progress=progress)
    text = from_windows(data.decode("utf-8-sig", "replace"))
    dates = Undated(path)
    seen = False
    for command in commands(text):
        words = list(command.words)
        while words and (words[0] in _PREFIXES or re.fullmatch(r"\w+=.*", words[0], re.DOTALL)):
            words.pop(0)
        if not words or words[0].rpartition("/")[2] not in _STARTS:
            continue
        seen = True
        try:
            call = parse(words[1:], command.fault)
        except Unusable as error:
            counts.read += 1
            counts.skip(command.line, str(error))
            continue
        for name in call.missing:
            counts.leave_out(name)
        for url in call.urls[:URLS_MAX]:
            counts.read += 1
            draft = _draft(call, url)
            entry = draft.entry(started_at=dates.at(), origin=options.origin, counts=counts)
            if entry is not None:
                yield command.line, entry
    if not seen:
        reason = "no line begins with curl" if data.strip() else "it is empty"
        raise not_a(path, "a list of curl commands", reason, give=GIVE)


def parse(words: list[str], fault: str = "") -> _Call:
    """The command whose arguments are WORDS. Raises Unusable, with FAULT if there is one."""
    if fault:
        raise Unusable(fault)
    call = _Call()
    rest = iter(words)
    only_urls = False
    for word in rest:
        if only_urls or not word.startswith("-") or word == "-":
            call.urls.append(word)
        elif word == "--":
            only_urls = True
        elif word == "--next" or word == "-:":
            raise Unusable("it makes several requests with --next; write a command for each")
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in _LONG_WITHOUT_VALUE or name.startswith("no-"):
                _flag(call, name)
            else:
                _option(call, name, value if equals else _value(word, rest))
        else:
            _letters(call, word[1:], rest)
    if not call.urls:
        raise Unusable("it names no URL")
    return call


def _value(word: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise Unusable(f"{word} needs a value")
    return value


def _letters(call: _Call, letters: str, rest: Iterator[str]) -> None:
    """Single-letter options, several in one word: `-sSXPOST`."""
    for place, letter in enumerate(letters):
        if letter in _SHORT_WITH_VALUE:
            value = letters[place + 1 :] or _value(f"-{letter}", rest)
            _option(call, _SHORT.get(letter, ""), value)
            return
        _flag(call, _SHORT.get(letter, ""))


def _flag(call: _Call, name: str) -> None:
    if name == "get":
        call.get = True
    elif name == "head":
        call.head = True
    elif name in ("digest", "ntlm", "negotiate", "anyauth"):
        call.missing.append(f"{name} signature")


def _option(call: _Call, name: str, value: str) -> None:
    """Take note of the option NAME with VALUE; unknown ones say nothing about the request."""
    handler = _OPTIONS.get(name)
    if handler is not None:
        handler(call, value)


def _header(call: _Call, value: str) -> None:
    if value.startswith("@"):
        call.missing.append(_FILE)
        return
    name, colon, content = value.partition(":")
    if colon and content.strip():  # `Name:` takes a header of curl's own away
        call.headers.append((name.strip(), content.strip()))
    elif value.endswith(";"):
        call.headers.append((value[:-1].strip(), ""))


def _data(call: _Call, value: str) -> None:
    if value.startswith("@"):
        call.missing.append(_FILE)
    else:
        call.data.append(value)


def _urlencoded(call: _Call, value: str) -> None:
    name, equals, content = value.partition("=")
    if not equals:
        name, at, content = value.partition("@")
        if at:
            call.missing.append(_FILE)
            return
        name, content = "", value
    coded = quote_plus(content, safe="\0")
    call.data.append(f"{name}={coded}" if name else coded)


def _json(call: _Call, value: str) -> None:
    call.json = True
    _data(call, value)


def _form(call: _Call, value: str) -> None:
    name, _, content = value.partition("=")
    if content[:1] in ("@", "<"):
        call.missing.append(_FILE)
        return
    content_type = ""
    found = re.search(r";\s*type=([^;]+)", content)
    if found:
        content_type = found[1].strip()
        content = content[: found.start()] + content[found.end() :]
    if len(content) >= 2 and content[0] == content[-1] == '"':
        content = content[1:-1]
    call.parts.append(Part(name=name, value=content, content_type=content_type))


def _form_string(call: _Call, value: str) -> None:
    name, _, content = value.partition("=")
    call.parts.append(Part(name=name, value=content))


def _cookie(call: _Call, value: str) -> None:
    if "=" in value:
        call.cookies.append(value)
    else:
        call.missing.append(_FILE)


def _upload(call: _Call, _value: str) -> None:
    call.upload = True
    call.missing.append(_FILE)


def _set(name: str) -> Callable[[_Call, str], None]:
    return lambda call, value: setattr(call, name, value)


def _add_header(name: str, prefix: str = "") -> Callable[[_Call, str], None]:
    return lambda call, value: call.headers.append((name, prefix + value))


_OPTIONS: dict[str, Callable[[_Call, str], None]] = {
    "request": _set("method"),
    "user": _set("user"),
    "url": lambda call, value: call.urls.append(value),
    "header": _header,
    "data": _data,
    "data-ascii": _data,
    "data-binary": _data,
    "data-raw": lambda call, value: call.data.append(value),
    "data-urlencode": _urlencoded,
    "json": _json,
    "form": _form,
    "form-string": _form_string,
    "cookie": _cookie,
    "user-agent": _add_header("User-Agent"),
    "referer": _add_header("Referer"),
    "oauth2-bearer": _add_header("Authorization", "Bearer "),
    "upload-file": _upload,
}


def _draft(call: _Call, url: str) -> Draft:
    """The request that CALL makes of URL."""
    headers = list(call.headers)
    known = {name.lower() for name, _ in headers}

    def default(name: str, value: str) -> None:
        if name.lower() not in known:
            headers.append((name, value))

    if call.user and "authorization" not in known:
        user, colon, password = call.user.partition(":")
        default("Authorization", basic(user, password if colon else ""))
    if call.cookies:
        default("Cookie", "; ".join(call.cookies))
    body = "".join(call.data) if call.json else "&".join(call.data)
    method = call.method or _method(call)
    if call.get and body:
        url, body = _with_query(url, body), ""
    if call.json:
        default("Content-Type", "application/json")
        default("Accept", "application/json")
    elif call.data and not call.get:
        default("Content-Type", FORM)
    return Draft(
        method=method,
        url=url,
        headers=tuple(headers),
        body=body,
        parts=() if body else tuple(call.parts),
    )


def _method(call: _Call) -> str:
    if call.head:
        return "HEAD"
    if call.upload:
        return "PUT"
    return "POST" if (call.data or call.parts) and not call.get else "GET"


def _with_query(url: str, query: str) -> str:
    address, hash_mark, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{query}{hash_mark}{fragment}"
