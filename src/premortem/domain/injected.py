"""Texts that are code somewhere, and how it shows that they were run. Values only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from premortem.domain.places import Place

INJECTION = "injection "
"""Begins `breaks` of a case that holds a payload; its kind and ` at PLACE` follow."""

Kind = Literal["arithmetic", "quote", "true and false", "markup", "line break", "path", "address"]
PRODUCT_OF = "31337*1003"
PRODUCT = "31431011"
"""What comes of it; in no payload as such."""
MARK = "premortem"
HEADER = "x-premortem"
HOST = "premortem.invalid"
ELSEWHERE = f"http://{HOST}/"
"""A host that exists nowhere (RFC 2606, 2): nothing can be reached by it."""


class Payload(Struct, frozen=True, kw_only=True):
    """A text; `{value}` in it stands for what was there before."""

    kind: Kind
    text: str


ARITHMETIC = Payload(
    kind="arithmetic",
    text=f"{MARK}{{{{{PRODUCT_OF}}}}} ${{{PRODUCT_OF}}} #{{{PRODUCT_OF}}} <%={PRODUCT_OF}%> "
    f"$(({PRODUCT_OF}))",
)
"""Run by template engines (Jinja, Twig, FreeMarker, Thymeleaf, ERB) and by a shell."""
QUOTE = Payload(kind="quote", text="{value}'\"")
TRUE = Payload(kind="true and false", text="{value}' AND '1'='1")
FALSE = Payload(kind="true and false", text="{value}' AND '1'='2")
ELEMENT = f'<{MARK} a="b">'
MARKUP = Payload(kind="markup", text=f'{ELEMENT}<img src="{ELSEWHERE}">')
"""Whoever shows it as a page fetches the picture: a browser, or what prints it (API7)."""
LINE_BREAK = Payload(kind="line break", text=f"{MARK}\r\n{HEADER}: injected")
PATH = Payload(kind="path", text="../" * 16 + "etc/passwd")
ADDRESS = Payload(kind="address", text=ELSEWHERE)

_FILE = re.compile(r"file|path|dir|folder|template|document|attachment|image|include|page|lang")
_URL = re.compile(r"ur[il]|link|href|webhook|callback|host|endpoint|redirect|feed|avatar|domain")
_LOGIN = re.compile(r"pass|token|secret|user|email|login")

SQL_ERROR = re.compile(
    r"You have an error in your SQL syntax|unterminated quoted string|quoted string not properly "
    r"terminated|syntax error at or near|unrecognized token: |near \\?\"[^\"]{0,40}\": syntax error"
    r"|ORA-0\d{4}|SQLSTATE\[|sqlite3\.OperationalError|psycopg\w*\.errors|pymysql\.err"
    r"|SqlException|MongoServerError|Unclosed quotation mark"
)
FILE_SHOWN = re.compile(r"root:[x*!]?:0:0:")
NOT_FOUND = re.compile(
    r"getaddrinfo|ENOTFOUND|Name or service not known|nodename nor servname|no such host"
    r"|Temporary failure in name resolution|NXDOMAIN|UnknownHostException|Could not resolve host",
    re.IGNORECASE,
)
"""What is said of a host that was looked up."""


def payloads_for(place: Place, value: str, *, closed: bool) -> Iterator[Payload]:
    """The payloads that are worth trying at PLACE, where VALUE stood; CLOSED: few values may."""
    name = (place.tokens[-1] if place.tokens else "").lower()
    if _LOGIN.search(name) and place.part == "body":
        yield QUOTE
        return
    if place.part == "body" and closed:
        return
    yield ARITHMETIC
    yield QUOTE
    if place.part != "path":
        yield MARKUP
        yield LINE_BREAK
    if _FILE.search(name) or place.part == "path":
        yield PATH
    if _URL.search(name) or value.startswith(("http://", "https://")):
        yield ADDRESS
