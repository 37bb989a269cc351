"""Redaction: secrets and personal data become tokens before anything is written.

Equal values become equal tokens wherever they stand, in requests and in responses, so what
joins requests survives. Redacting what is redacted changes nothing. Which values are secret is
said by their names (`names.py`) and by their forms (`formats.py`).
"""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from premortem.capture.bodies import Bodies
from premortem.capture.kinds import SECRET, Kind, word_set
from premortem.capture.names import Names
from premortem.capture.own_rules import OwnRules
from premortem.capture.personal import CLASSES
from premortem.capture.values import Values
from premortem.config import RedactConfig
from premortem.domain.traffic import Exchange, Pairs, Request, Response

HEADERS_MAX = 50_000
"""Distinct headers remembered."""

CREDENTIAL_HEADERS = word_set(
    "authorization proxy-authorization x-api-key api-key apikey x-auth-token x-access-token "
    "x-authorization x-amz-security-token x-csrf-token x-xsrf-token x-session-token "
    "authentication x-goog-api-key x-functions-key ocp-apim-subscription-key private-token"
)
"""Headers whose whole value is a credential, after a scheme word."""
_HEADER_KINDS = {"forwarded": Kind.IP, "from": Kind.EMAIL, "geo-position": Kind.POSITION}
_URL_HEADERS = word_set("location content-location origin referer x-original-url x-rewrite-url")
_PLAIN_HEADERS = word_set(
    "accept accept-charset accept-encoding accept-language accept-ranges "
    "access-control-allow-headers access-control-allow-methods access-control-expose-headers "
    "access-control-request-headers age allow alt-svc cache-control content-disposition "
    "content-encoding content-language content-length content-md5 content-range "
    "content-security-policy content-security-policy-report-only content-type date digest etag "
    "expires if-match if-modified-since if-none-match if-range if-unmodified-since last-modified "
    "nel pragma range report-to retry-after sec-ch-ua sec-fetch-dest sec-fetch-mode "
    "sec-fetch-site sec-fetch-user server strict-transport-security te traceparent traceresponse "
    "tracestate vary via www-authenticate x-content-type-options x-correlation-id "
    "x-frame-options x-powered-by x-request-id x-xss-protection"
)
"""Headers that hold identities, hashes and negotiation, never credentials."""


class Redactor:
    """Redacts exchanges with one key; one instance sees a whole recording."""

    def __init__(self, key: bytes, config: RedactConfig | None = None) -> None:
        config = config or RedactConfig()
        own = OwnRules(config)
        off = {kind for name in own.off for kind in CLASSES[name]}
        fields = (lambda name, place: _own_kind(own, name, place)) if own.fields else None
        names = Names(secret=config.fields, allow=config.allow, own=fields, off=off)
        self._own = own
        self._names = names
        self._headers = {name.lower() for name in config.headers}
        self._allow = {name.lower() for name in config.allow}
        self._values = Values(key, names, own)
        self._bodies = Bodies(self._values, names, always=bool(own.patterns))
        self._known: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}

    def exchange(self, exchange: Exchange, counts: Counter[str] | None = None) -> Exchange:
        """EXCHANGE as it may be stored; COUNTS gets the rule of every replacement."""
        hits = self._values.hits
        hits.clear()
        # The answer first: what it names (`device_id`) is known again in the request's path.
        if self._own.allows_path(exchange.request.path):
            response = replace(exchange.response, headers=self._pairs(exchange.response.headers))
        else:
            response = self.response(exchange.response)
        out = replace(exchange, request=self.request(exchange.request), response=response)
        if counts is not None:
            counts.update(hits)
        hits.clear()
        return out

    def request(self, request: Request) -> Request:
        """REQUEST without secrets."""
        values = self._values
        headers = self._pairs(request.headers)
        if self._own.allows_path(request.path):
            return replace(request, headers=headers)
        self._names.enter("body")
        body = self._bodies.body(request.body, _content_type(request.headers))
        self._names.enter("query")
        scope = values.scope(name for name, _ in request.query)
        return Request(
            method=request.method,
            origin=request.origin,
            path=values.path(request.path),
            query=tuple(
                (name, values.pair(name, value, rule="query", scope=scope))
                for name, value in request.query
            ),
            headers=headers,
            body=body,
        )

    def response(self, response: Response) -> Response:
        """RESPONSE without secrets."""
        headers = self._pairs(response.headers)
        self._names.enter("body")
        return Response(
            status=response.status,
            headers=headers,
            body=self._bodies.body(response.body, _content_type(response.headers)),
        )

    def text(self, text: str, counts: Counter[str] | None = None) -> str:
        """Free TEXT without secrets: a message, a file's line."""
        hits = self._values.hits
        hits.clear()
        self._names.enter("body")
        out = self._bodies.document(text)
        if counts is not None:
            counts.update(hits)
        hits.clear()
        return out

    def rule_of(self, name: str, text: str) -> str:
        """Which rule replaces TEXT, found under NAME; `context` where its neighbours decide."""
        hits = self._values.hits
        hits.clear()
        if name in ("cookie", "set-cookie", *CREDENTIAL_HEADERS):
            self._header(name, text)
        else:
            self._values.pair(name, text)
        rule = hits[0] if hits else "context"
        hits.clear()
        return rule

    def _pairs(self, headers: Pairs) -> Pairs:
        self._names.enter("header")
        known = self._known
        hits = self._values.hits
        out = []
        for header in headers:
            found = known.get(header)
            if found is None:
                mark = len(hits)
                value = self._header(*header)
                found = value, tuple(hits[mark:])
                if len(known) >= HEADERS_MAX:
                    known.clear()
                known[header] = found
            elif found[1]:
                hits += found[1]
            out.append((header[0], found[0]))
        return tuple(out)

    def _header(self, name: str, value: str) -> str:
        values = self._values
        if name in self._allow:
            return value
        if name == "cookie":
            return values.cookies(value)
        if name == "set-cookie":
            return values.set_cookie(value)
        if name in CREDENTIAL_HEADERS or name in self._headers:
            return values.credential(value.strip(), "header")
        if name in _PLAIN_HEADERS:
            return value
        kind = _HEADER_KINDS.get(name) or self._names.kind(name)
        if kind in SECRET or (kind is Kind.OPENING and len(value) >= 16):
            return values.credential(value.strip(), "header")
        if name in _URL_HEADERS:
            return values.url(value)
        return values.value(value, kind)


def _own_kind(own: OwnRules, name: str, place: str) -> Kind | None:
    rule = own.field(name, place)
    return None if rule is None else _REPLACED[rule.replace]


_REPLACED = {"token": Kind.SECRET, "keep-format": Kind.OWN, "drop": Kind.DROPPED}


def _content_type(headers: Pairs) -> str:
    for name, value in headers:
        if name == "content-type":
            return value
    return ""
