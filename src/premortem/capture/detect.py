"""Which format a file has, told by what is in it, never by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from premortem.capture.access_log import LineParser
from premortem.capture.goreplay import META
from premortem.capture.message import Unusable
from premortem.capture.recording import DEFAULTS, ReadOptions
from premortem.capture.stream import BrokenStream, pieces

HEAD_BYTES = 256 * 1024
"""At the beginning of a file, looked at."""
LINES_LOOKED_AT = 50
DEPTH_LOOKED_AT = 1000

_NETSTRING = re.compile(rb"\d{1,12}:")
_CURL = re.compile(rb"(?:^|\n)[ \t]*(?:\$[ \t]+)?(?:[A-Z_]+=\S*[ \t]+)*curl(?:\.exe)?[ \t]", re.I)
_YAML_CASSETTE = re.compile(rb"^(?:http_)?interactions:", re.MULTILINE)
_YAML_INSOMNIA = re.compile(rb"^type:[ ]*[\"']?collection\.insomnia\.rest/5", re.MULTILINE)
_TOKEN = re.compile(rb'"((?:[^"\\]++|\\.)*+)"(\s*+:)?|[{}\[\]]', re.DOTALL)
_KEYS = (
    ("har", (b"log",)),
    ("cassette", (b"interactions",)),
    ("cassette", (b"http_interactions",)),
    ("insomnia", (b"__export_format",)),
    ("insomnia", (b"resources", b"_type")),
    ("postman", (b"info", b"item")),
    ("postman", (b"collection",)),
)
"""Format, and names at the top of its JSON object."""
_SURE = b"log"
"""The first of `_KEYS` needs no other name: what comes after it need not be read."""


def detect(path: Path, options: ReadOptions = DEFAULTS) -> str:
    """The name of the format that the file at PATH has; empty when it has none of the known ones.

    Raises InputError when it cannot be read.
    """
    head = _head(path)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return ""
    if _NETSTRING.match(head) and b"7:version" in head:
        return "mitmproxy"
    if META.match(text):
        return "goreplay"
    if _YAML_CASSETTE.search(text):
        return "cassette"
    if _YAML_INSOMNIA.search(text):
        return "insomnia"
    if text.startswith(b"{"):
        if _is_log(text, options):
            return "log"
        keys = set(_top_keys(text))
        return next((name for name, wanted in _KEYS if keys.issuperset(wanted)), "")
    if _CURL.match(text) or (_CURL.search(text) and text.startswith(b"#")):
        return "curl"
    return "log" if _is_log(text, options) else ""


def _head(path: Path) -> bytes:
    head = bytearray()
    try:
        for piece in pieces(path):
            head += piece
            if len(head) >= HEAD_BYTES:
                break
    except BrokenStream:
        pass  # what came before it is told by what it is
    return bytes(head[:HEAD_BYTES])


def _is_log(text: bytes, options: ReadOptions) -> bool:
    """One of the first lines is a request of an access log."""
    parser = LineParser(options)
    for line in text.split(b"\n")[:LINES_LOOKED_AT]:
        try:
            if line.strip() and parser.entry(line.removesuffix(b"\r")) is not None:
                return True
        except Unusable:
            continue
    return False


def _top_keys(text: bytes) -> Iterator[bytes]:
    """The names in the first object of a JSON text that may be cut off."""
    depth = 0
    for found in _TOKEN.finditer(text):
        if found[1] is not None:
            if found[2] and depth == 1:
                yield found[1]
                if found[1] == _SURE:
                    return
        elif found[0] in (b"{", b"["):
            depth += 1
        else:
            depth -= 1
            if not depth:
                return
