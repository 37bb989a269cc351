"""What the fields of access logs are called, and what they mean, whoever writes them.

Names are compared without case and punctuation, nested ones joined: nginx's `request_method`,
Traefik's `RequestMethod` and Caddy's `request.method` are one. Sources: nginx
ngx_http_core_module and ngx_http_log_module, Apache mod_log_config, Caddy's JSON encoder, Traefik's
access log fields, Envoy's command operators, AWS ALB and API Gateway, Google's HttpRequest,
Elastic Common Schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

Meaning = Literal[
    "line", "method", "target", "query", "status", "started", "ended", "duration", "user",
    "address", "host", "scheme", "port",
]  # fmt: skip

_NAMES: dict[Meaning, str] = {
    "line": "request requestline httprequestline",
    "method": (
        "requestmethod method httpmethod verb httprequestmethod httprequestrequestmethod csmethod"
    ),
    "target": (
        "requesturi xenvoyoriginalpath requestpath urloriginal requesturl httprequestrequesturl "
        "originalurl requesttarget uri url path urlpath csuristem"
    ),
    "query": "args querystring urlquery query requestquery csuriquery",
    "status": (
        "status statuscode downstreamstatus responsestatus responsestatuscode responsecode "
        "httpresponsestatuscode httprequeststatus httpstatus httpstatuscode elbstatuscode code "
        "scstatus"
    ),
    "started": "startutc starttime eventstart requestcreationtime startlocal start",
    "ended": (
        "msec timeiso8601 ts time timestamp timelocal date datetime requesttime eventend "
        "requesttimeepoch"
    ),
    "duration": (
        "requesttime duration requestduration responsetime responselatency latency elapsed "
        "elapsedtime eventduration took totaltime httprequestlatency timetaken processingtime "
        "upstreamresponsetime targetprocessingtime originduration"
    ),
    "user": (
        "remoteuser clientusername username user userid authuser requestuser requestremoteuser"
    ),
    "address": (
        "httpxforwardedfor xforwardedfor requestclientip clientip realip remoteaddr remoteip "
        "requestremoteip clienthost clientaddr clientaddress client sourceip remotehost "
        "httprequestremoteip downstreamremoteaddress ip"
    ),
    "host": "httphost requesthost requestaddr authority urldomain domainname vhost host servername",
    "scheme": "scheme requestscheme urlscheme httpxforwardedproto xforwardedproto",
    "port": "serverport urlport",
}
"""Meaning -> names, the most telling first. `requesttime` is a duration in nginx's logs and a
date in API Gateway's: its value tells."""
MEANINGS: Mapping[Meaning, tuple[str, ...]] = {
    meaning: tuple(names.split()) for meaning, names in _NAMES.items()
}
_UNITS_S = {
    "ns": 1e-9, "nanos": 1e-9, "nanoseconds": 1e-9,
    "us": 1e-6, "micros": 1e-6, "microseconds": 1e-6,
    "ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "milliseconds": 1e-3,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0,
}  # fmt: skip
_SECONDS = ("requesttime", "upstreamresponsetime", "targetprocessingtime")
_NANOSECONDS = ("eventduration", "originduration")
_HEADERS: Mapping[str, str] = {
    name: header
    for header, names in {
        "user-agent": "useragent agent useragentoriginal httprequestuseragent requestuseragent",
        "referer": "referer referrer httprequestreferer httprequestreferrer requestreferer",
        "traceparent": "traceparent",
    }.items()
    for name in names.split()
}
_ANSWER_HEADERS = {
    "responsecontenttype": "content-type",
    "contenttype": "content-type",
    "upstreamhttpcontenttype": "content-type",
}
_PREFIXES = (
    (re.compile(r"http_([a-z0-9_]+)", re.IGNORECASE), 0),
    (re.compile(r"request[._]headers?[._](.+)", re.IGNORECASE), 0),
    (re.compile(r"request_([A-Z].*)"), 0),
    (re.compile(r"sent_http_([a-z0-9_]+)", re.IGNORECASE), 1),
    (re.compile(r"(?:resp|response)[._]?headers?[._](.+)", re.IGNORECASE), 1),
    (re.compile(r"downstream_([A-Z].*)"), 1),
)
"""nginx, Caddy and others, Traefik; 0 of the request, 1 of the answer."""
_NOT_HEADERS = frozenset(("x-forwarded-for", "host", "x-forwarded-proto", "content-length"))
_PUNCTUATION = re.compile(r"[^a-z0-9]+")


class Plan(Struct, frozen=True, kw_only=True):
    """Which field of a log holds what."""

    fields: Mapping[Meaning, tuple[str, ...]]
    """Meaning -> names as they stand there, the most telling first."""
    headers: tuple[tuple[str, str], ...]
    """(header in lower case, name)."""
    answer_headers: tuple[tuple[str, str], ...]
    units_s: Mapping[str, float]
    """Names of durations whose unit the name tells -> seconds."""
    secure: bool
    """There is a field that only requests over TLS have."""

    @property
    def usable(self) -> bool:
        """A request can be made out."""
        held = self.fields
        return "line" in held or ("method" in held and "target" in held)


def plan(names: Iterable[str]) -> Plan:
    """What the fields called NAMES (nested: joined by points) mean."""
    by_plain: dict[str, str] = {}
    headers: dict[str, str] = {}
    answer_headers: dict[str, str] = {}
    units_s: dict[str, float] = {}
    secure = False
    for name in names:
        plain = _PUNCTUATION.sub("", name.lower())
        secure = secure or plain.startswith(("requesttls", "tlsversion", "sslprotocol"))
        for base, unit in _timed(plain):
            by_plain.setdefault(base, name)
            units_s[name] = unit
        by_plain.setdefault(plain, name)
        for place, (pattern, side) in enumerate(_PREFIXES):
            found = pattern.fullmatch(name)
            if found and not (place == 0 and plain.startswith("httprequest")):
                header = found[1].lower().replace("_", "-")
                if header not in _NOT_HEADERS:
                    (answer_headers if side else headers).setdefault(header, name)
                break
        else:
            if plain in _HEADERS:
                headers.setdefault(_HEADERS[plain], name)
            elif plain in _ANSWER_HEADERS:
                answer_headers.setdefault(_ANSWER_HEADERS[plain], name)
    known_units = dict.fromkeys(_SECONDS, 1.0) | dict.fromkeys(_NANOSECONDS, 1e-9)
    if "originduration" in by_plain or "downstreamstatus" in by_plain:
        known_units["duration"] = 1e-9  # Traefik's
    for plain, unit in known_units.items():
        if plain in by_plain:
            units_s.setdefault(by_plain[plain], unit)
    return Plan(
        fields={
            meaning: held
            for meaning, known in MEANINGS.items()
            if (held := tuple(by_plain[name] for name in known if name in by_plain))
        },
        headers=tuple(headers.items()),
        answer_headers=tuple(answer_headers.items()),
        units_s=units_s,
        secure=secure,
    )


def _timed(plain: str) -> list[tuple[str, float]]:
    """(name without its unit, unit) where PLAIN is a duration's name and ends in a unit."""
    return [
        (plain.removesuffix(suffix), unit)
        for suffix, unit in _UNITS_S.items()
        if plain.endswith(suffix) and plain.removesuffix(suffix) in MEANINGS["duration"]
    ]


_SPELLED = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|µs|μs|us|ns|s)")
_SPELLED_S = {"h": 3600.0, "m": 60.0, "µs": 1e-6, "μs": 1e-6, "us": 1e-6} | {
    "ms": 1e-3,
    "ns": 1e-9,
    "s": 1.0,
}


def duration_s(value: object, unit_s: float | None) -> float | None:
    """VALUE as seconds; None for none.

    UNIT_S: what the field's name says. Without it `12ms` or `1m2.5s` says so itself, a number
    with a point is seconds, and a whole one milliseconds.
    """
    if isinstance(value, str):
        text = value.rpartition(",")[2].rpartition(":")[2].strip()  # nginx: one for each upstream
        try:
            number = float(text)
        except ValueError:
            parts = _SPELLED.findall(text)
            if not parts or "".join(map("".join, parts)) != text:
                return None
            return sum(float(digits) * _SPELLED_S[unit] for digits, unit in parts)
        whole = "." not in text
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number, whole = float(value), isinstance(value, int)
    else:
        return None
    if not 0 <= number < 1e18:
        return None
    return number * (unit_s if unit_s is not None else 1e-3 if whole else 1.0)
