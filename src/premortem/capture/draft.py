"""Requests as people write them down: in parts, with variables that may have no value.

A gap stands in a text where such a variable stood. A header, a parameter or a form field with a
gap is left out and counted; so is the name of the host. A request with a gap in its path or its
body cannot be had.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from msgspec import Struct

from premortem.capture.counts import CaptureCounts
from premortem.capture.message import FORM, Part, encoded, multipart, typed, write_query
from premortem.capture.recording import Entry
from premortem.domain.traffic import Pairs, first

GAP = re.compile("\0([^\0]*)\0")
_NUL = "\0"
VARIABLES_DEPTH_MAX = 10
"""Variables whose values name variables."""
FILLED_LENGTH_MAX = 4 * 1024 * 1024
"""Characters of a text after its variables were replaced."""
_ADDRESS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.\-]*)://)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?")
_QUERY_SAFE = "%:/?@!$'()*,;=~-._[]|+"
LANGUAGES = {
    "json": "application/json",
    "xml": "application/xml",
    "html": "text/html",
    "javascript": "application/javascript",
    "text": "text/plain",
}
"""What Postman calls the language of a body -> media type."""


def gap(name: str) -> str:
    """What stands in a text for the value of NAME, which is not known."""
    return f"{_NUL}{name.replace(_NUL, '')}{_NUL}"


def fill(text: str, values: Mapping[str, str], variable: re.Pattern[str]) -> str:
    """TEXT with what VARIABLE finds (its first group that is set is the name) replaced."""
    text = text.replace(_NUL, "")
    room = FILLED_LENGTH_MAX

    def value(found: re.Match[str]) -> str:
        nonlocal room
        new = values.get(_name(found))
        if new is None or len(new) > room:
            return found[0]
        room -= len(new)
        return new.replace(_NUL, "")

    for _ in range(VARIABLES_DEPTH_MAX):
        before, text = text, variable.sub(value, text)
        if text == before:
            break
    return variable.sub(lambda found: gap(found[0]), text)


def _name(found: re.Match[str]) -> str:
    return next((group for group in found.groups() if group is not None), "").strip()


class Draft(Struct, kw_only=True):
    """A request in parts; any text may have gaps."""

    method: str = "GET"
    url: str
    """Absolute, without scheme, or from its path on."""
    query: Pairs = ()
    """Beside what stands in the URL, as they were typed."""
    path_values: Mapping[str, str] = {}
    """Of the `:name` segments of the path."""
    headers: Pairs = ()
    body: str = ""
    media_type: str = ""
    """Of the body, where no header names it."""
    form: Pairs = ()
    parts: tuple[Part, ...] = ()

    def entry(self, *, started_at: float, origin: str = "", counts: CaptureCounts) -> Entry | None:
        """The request without an answer; None when its path or body has a gap.

        ORIGIN is used where the URL names no host, or only a gap.
        """
        found = _ADDRESS.match(self.url.strip())
        scheme, host, path, inside = found.groups() if found else (None, "", "", None)
        if _NUL in host + (scheme or ""):
            _leave_out(host, counts)
            host = ""
        elif host:
            origin = f"{scheme or 'http'}://{host}"
        path = "/".join(self._segment(part) for part in path.split("/")) or "/"
        pairs = [part for part in (inside or "").split("&") if part]
        pairs += [f"{_typed_in(k)}={_typed_in(v)}" for k, v in self.query if k]
        query = "&".join(part for part in pairs if _whole(part, counts))
        headers, body = self._content(counts)
        for text in (path, body, self.method):
            if _NUL in text:
                _leave_out(text, counts)
                counts.dropped["variables without a value"] += 1
                return None
        return Entry(
            method=self.method.strip() or "GET",
            target=f"{path if path.startswith('/') else '/' + path}{'?' if query else ''}{query}",
            origin=origin,
            headers=headers,
            body=encoded(body, first(headers, "content-type") or ""),
            started_at=started_at,
            recorded="request",
        )

    def _segment(self, part: str) -> str:
        if not part.startswith(":") or len(part) < 2:
            return part
        value = self.path_values.get(part[1:], "")
        return quote(value, safe="%:@!$&'()*+,;=-._~" + _NUL) if value else gap(part)

    def _content(self, counts: CaptureCounts) -> tuple[Pairs, str]:
        """Headers in lower case, and the body."""
        headers = tuple(
            (name.strip().lower(), value)
            for name, value in self.headers
            if name.strip() and _whole(name + value, counts)
        )
        body, media_type = self.body, self.media_type
        if self.parts:
            parts = [part for part in self.parts if _whole(part.name + part.value, counts)]
            content_type = first(headers, "content-type") or "multipart/form-data"
            media_type, made = multipart(parts, content_type)
            return typed(headers, media_type), made.decode()
        if self.form:
            body = write_query(tuple(p for p in self.form if _whole("".join(p), counts)))
            media_type = media_type or FORM
        if body and media_type and not first(headers, "content-type"):
            headers = typed(headers, media_type)
        return headers, body


def _typed_in(text: str) -> str:
    """A parameter as it was typed: perhaps encoded already, perhaps not."""
    return quote(text, safe=_QUERY_SAFE + _NUL)


def _whole(text: str, counts: CaptureCounts) -> bool:
    """TEXT has no gap; otherwise it is counted as left out."""
    if _NUL not in text:
        return True
    _leave_out(text, counts)
    return False


def _leave_out(text: str, counts: CaptureCounts) -> None:
    for name in GAP.findall(text):
        counts.leave_out(name)


def signed(draft: Draft, kind: str, given: Mapping[str, str], counts: CaptureCounts) -> None:
    """Add to DRAFT what a collection's auth helper of KIND adds to a request.

    GIVEN: the helper's fields. Helpers that compute a signature are left out and counted.
    """
    if any(name.lower() == "authorization" for name, _ in draft.headers):
        return
    match kind:
        case "" | "none" | "noauth" | "inherit":
            pass
        case "basic":
            user, password = given.get("username", ""), given.get("password", "")
            _add(draft, "Authorization", basic(user, password))
        case "bearer":
            prefix = given.get("prefix") or "Bearer"
            if given.get("token"):
                _add(draft, "Authorization", f"{prefix} {given['token']}")
        case "apikey":
            key, value = given.get("key", ""), given.get("value", "")
            place = (given.get("in") or given.get("addTo") or "header").lower()
            if place.startswith("query"):
                draft.query = (*draft.query, (key, value))
            elif place == "cookie":
                _add(draft, "Cookie", f"{key}={value}")
            elif key:
                _add(draft, key, value)
        case "oauth2" if given.get("accessToken"):
            _add(draft, "Authorization", f"Bearer {given['accessToken']}")
        case _:
            counts.leave_out(f"{kind} signature")


def _add(draft: Draft, name: str, value: str) -> None:
    draft.headers = (*draft.headers, (name, value))


def basic(user: str, password: str) -> str:
    """The credentials of basic authentication (RFC 7617); with a gap where one has a gap."""
    pair = f"{user}:{password}"
    if _NUL in pair:
        return f"Basic {pair}"
    return "Basic " + b64encode(pair.encode()).decode()


def graphql(query: str, variables: str) -> str:
    """The JSON body of a GraphQL request."""
    if _NUL in query + variables:
        return query + variables
    try:
        known = json.loads(variables) if variables.strip() else {}
    except ValueError:
        known = {}
    return json.dumps({"query": query, "variables": known})


def texts(values: Iterable[tuple[str, object]]) -> dict[str, str]:
    """VALUES as texts; what is neither text nor number nor boolean is left out."""
    out = {}
    for name, value in values:
        if isinstance(value, bool):
            out[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            out[name] = str(value)
    return out
