"""The one line in which an answer says what went wrong."""

from __future__ import annotations

import html
import re
from typing import Any

import msgspec

from premortem.checks.signature import normalise
from premortem.domain.bodies import is_json
from premortem.domain.traffic import Response

READ_BYTES_MAX = 32 * 1024
"""Of a body that are searched for a message; a page of a debugger says it at its start."""
LINE_CHARS_MAX = 500
DEPTH_MAX = 3
"""Levels of JSON below which nobody writes what went wrong."""

_KINDS = ("type", "exception", "error", "code", "name", "title")
_WORDS = ("message", "detail", "msg", "error_description", "errorMessage", "reason", "description")
_NESTED = ("error", "errors", "detail", "details", "fault", "exception")

_NAME_CHARS = 80
_EXCEPTION = re.compile(
    rf"(?<![\w.])((?:[A-Za-z_]\w{{0,{_NAME_CHARS}}}\.){{0,12}}[A-Z]\w{{0,{_NAME_CHARS}}}"
    r"(?:Error|Exception|Fault|Panic|Warning))\b(?:: *([^\n]*))?"
)
"""Bounded, for the text comes from outside."""
_PANIC = re.compile(r"^(?:panic|fatal error|thread '[^']*' panicked at)[:, ].*$", re.MULTILINE)
_TAG = re.compile(r"<[^>]{0,1000}>")
_PYTHON = "Traceback (most recent call last)"


def message_of(response: Response) -> str:
    """What RESPONSE says went wrong, in one line; empty when it says nothing.

    JSON: its kind and message fields (RFC 9457's and the usual ones). HTML and text: the name
    of an exception, else the title or the first line.
    """
    text = response.body[:READ_BYTES_MAX].decode("utf-8", "replace").strip()
    if not text:
        return ""
    if is_json(response.media_type) or text[0] in '{["':
        try:
            return _line(_of_json(msgspec.json.decode(response.body), DEPTH_MAX))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            pass
    if "html" in response.media_type or text[:200].lstrip().lower().startswith(
        ("<!doctype", "<ht")
    ):
        return _line(_of_html(text))
    return _line(_of_text(text))


def reason_of(response: Response) -> str:
    """Why RESPONSE refuses, the same for every refusal of that kind: its code, if it names one,
    else its message without values. Empty for what is no refusal.
    """
    if not 400 <= response.status < 500:
        return ""
    message = message_of(response)
    kind, colon, _ = message.partition(": ")
    return normalise(kind if colon and " " not in kind else message)


def _of_json(value: Any, left: int) -> str:
    if isinstance(value, str):
        return _of_text(value) if value.strip() else ""
    if left <= 0:
        return ""
    if isinstance(value, list):
        return next((m for item in value[:5] if (m := _of_json(item, left - 1))), "")
    if not isinstance(value, dict):
        return ""
    kind = _first_text(value, _KINDS)
    words = _first_text(value, _WORDS)
    if not words:
        nested = (value[key] for key in _NESTED if isinstance(value.get(key), dict | list))
        words = next((m for item in nested if (m := _of_json(item, left - 1))), "")
    if words and kind and words != kind:
        return f"{kind}: {_of_text(words)}"
    return _of_text(words or kind) if words or kind else ""


def _first_text(value: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        text = value.get(name)
        # RFC 9457: `about:blank` says that there is no kind beyond the status.
        if isinstance(text, str) and text.strip() and text != "about:blank":
            return text.strip()
    return ""


def _of_html(text: str) -> str:
    said = [t for t in (_element(text, "title"), _element(text, "h1")) if t]
    shown = text
    for name in ("script", "style", "head"):
        shown = _without(shown, name)
    shown = _shown(shown)
    for candidate in (*said, shown):
        if found := _exception(candidate):
            return found
    return said[0] if said else _first_line(shown)


def _element(text: str, name: str) -> str:
    """What is shown of the first element NAME; empty when there is none."""
    lower = text.lower()
    start = lower.find(f"<{name}")
    inner = lower.find(">", start)
    end = lower.find(f"</{name}", inner)
    return _shown(text[inner + 1 : end]).strip() if -1 not in (start, inner, end) else ""


def _without(text: str, name: str) -> str:
    """TEXT without the elements NAME. In one pass, for the text comes from outside."""
    lower, kept, at = text.lower(), "", 0
    while (start := lower.find(f"<{name}", at)) >= 0:
        end = lower.find(f"</{name}", start)
        kept += text[at:start]
        if end < 0:
            return kept
        at = end + len(name) + 2
    return kept + text[at:]


def _shown(markup: str) -> str:
    return html.unescape(_TAG.sub(" ", markup))


def _of_text(text: str) -> str:
    start = text.find(_PYTHON)
    if start >= 0:
        # The exception stands behind the frames, in the first line that is not indented.
        lines = text[start:].splitlines()[1:]
        last = [line for line in lines if line[:1] not in (" ", "\t", "")]
        if last:
            return last[0]
    if panic := _PANIC.search(text):
        return panic[0]
    first = _first_line(text)
    if len(text.splitlines()) > 1 and (found := _exception(text)):
        return found
    return first


def _exception(text: str) -> str:
    match = _EXCEPTION.search(text)
    if match is None:
        return ""
    words = " ".join((match[2] or "").split())
    return f"{match[1]}: {words}" if words else match[1]


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _line(text: str) -> str:
    return " ".join(text.split())[:LINE_CHARS_MAX]
