"""Every case passes here before it may be sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from premortem.config import TargetConfig
from premortem.domain.bodies import FORM, is_json, read_body
from premortem.domain.conform import Conformance, compiled, typed_form
from premortem.domain.places import Place
from premortem.domain.rejection import Rejection
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.template import parameter_names, split_template
from premortem.domain.tokens import MARK, holds_token
from premortem.domain.traffic import Pairs, Profile, Request

LINK_CONFIDENCE_MIN = 0.8
"""From here on production always got a path parameter from an earlier answer."""

Rule = Literal["syntax", "shape", "links", "safety", "duplicate", "redaction"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, 5.6.2."""
_FIELD_VALUE = re.compile(r"[\x21-\x7e\x80-\xff]([\x09\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?|")
"""RFC 9110, 5.5, as Latin-1."""
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
"""RFC 3986, 3.3."""
HEADERS_KNOWN_MAX = 4096
"""Header lists whose syntax is remembered."""
_SCHEMA_PLACES = ("body:", "query:")


class Rules(Struct, frozen=True, kw_only=True):
    """What is known about one operation's requests."""

    body: Conformance | None
    declared: bool
    """The body's schema is the specification's."""
    parameters: dict[str, Conformance]
    """`str(place)` -> schema of query and header parameters."""
    required: tuple[Place, ...]
    linked: dict[str, str]
    """Path segment index, as bindings write it -> parameter name, where links lead to it."""
    brought_about: frozenset[str]
    """Recorded requests that production itself prepared, under identifiers of its choice."""


class Validator:
    """Validates cases against a profile and the target they would be sent to."""

    def __init__(
        self,
        profile: Profile,
        *,
        target: TargetConfig,
        origins: Collection[str] = (),
        identities: Collection[str] = (),
        credentials: Collection[str] = (),
    ) -> None:
        """ORIGINS: further `scheme://host[:port]` that cases may name beside the target's.

        IDENTITIES: names that configured roles sign in with; generated cases leave those
        accounts as they are. CREDENTIALS: redaction tokens that stand for secrets of configured
        roles, and are replaced by those when a case is sent.
        """
        self._credentials = tuple(credentials)
        self._identities = frozenset(identities)
        self._accounts = frozenset(_account_collections(profile, self._identities))
        self._operations = {o.id: o for o in profile.operations}
        self._target = target
        self._origins = {"", _origin(target.base_url), *origins}
        self._rules: dict[str, Rules] = {}
        self._linked = {
            (link.consumer, link.place.name)
            for link in profile.links
            if link.place.part == "path" and link.confidence >= LINK_CONFIDENCE_MIN
        }
        self._checks: tuple[tuple[Rule, Callable[[Case], str]], ...] = (
            ("syntax", _syntax),
            ("safety", self._safety),
            ("shape", self._shape),
            ("links", self._links),
            ("redaction", self._redaction),
        )

    def validate(self, case: Case, earlier_ids: Collection[str]) -> Rejection | None:
        """Why CASE must not be sent, or None. EARLIER_IDS: ids of the cases accepted before."""
        for rule, check in self._checks:
            reason = check(case)
            if reason:
                return Rejection(case=case, rule=rule, reason=reason)
        if not case.setup and earlier_ids and case.id in earlier_ids:
            return Rejection(case=case, rule="duplicate", reason=f"case {case.id} was there before")
        return None

    def _safety(self, case: Case) -> str:
        if case.request.origin not in self._origins:
            return f"{case.request.origin} is not the target"
        if case.request.method not in SAFE_METHODS and not self._target.disposable:
            return f"{case.request.method} would change a target that is not marked disposable"
        return self._lock_out(case)

    def _lock_out(self, case: Case) -> str:
        """Whether CASE changes an account that a role signs in with: all after it would fail."""
        request = case.request
        if case.origin.source == "replay" or request.method in SAFE_METHODS:
            return ""
        names = map(unquote, request.path.split("/") if self._identities else ())
        mine = self._identities.intersection(names)
        if mine:
            return f"would change the account {min(mine)}, which a configured role signs in with"
        if request.method == "DELETE" and request.path.rstrip("/") in self._accounts:
            return "would delete the accounts that configured roles sign in with"
        return ""

    def _of(self, operation_id: str) -> Rules:
        rules = self._rules.get(operation_id)
        if rules is None:
            rules = self._rules[operation_id] = self._read(operation_id)
        return rules

    def _read(self, operation_id: str) -> Rules:
        operation = self._operations.get(operation_id)
        if operation is None:
            return Rules(
                body=None,
                declared=False,
                parameters={},
                required=(),
                linked={},
                brought_about=frozenset(),
            )
        parameters = {
            place: conformance
            for place, schema in operation.parameter_schemas.items()
            if place.startswith(("query:", "header:"))
            and (conformance := compiled(schema)) is not None
        }
        linked = {
            str(index): name
            for index, segment in enumerate(split_template(operation.operation.template))
            for name in parameter_names(segment)
            if (operation_id, name) in self._linked
        }
        required = (p.partition(":") for p in operation.required)
        return Rules(
            body=compiled(operation.request_schema),
            declared=operation.request_source == "spec",
            parameters=parameters,
            required=tuple(
                Place(part=part, name=name)  # type: ignore[arg-type]
                for part, _, name in required
                if part in ("query", "header")
            ),
            linked=linked,
            brought_about=frozenset(
                recipe.steps[-1].exchange_id for recipe in operation.recipes if recipe.steps[1:]
            ),
        )

    def _shape(self, case: Case) -> str:
        if case.origin.source == "replay":
            return ""
        rules = self._of(case.operation_id)
        realistic = case.intent.kind == "realistic"
        if not realistic and not (
            case.intent.certain and case.intent.breaks.startswith(_SCHEMA_PLACES)
        ):
            return ""
        wrong = next(_violations(rules, case.request), "")
        if realistic:
            return wrong
        return "" if wrong else f"it should break {case.intent.breaks}, but is valid"

    def _links(self, case: Case) -> str:
        if case.origin.source == "replay" or case.setup:
            return ""
        rules = self._of(case.operation_id)
        if not rules.linked or rules.brought_about.intersection(case.origin.parents):
            return ""
        bound = {b.place.name for b in case.bindings if b.place.part == "path"}
        for index, name in rules.linked.items():
            unknown = case.intent.place == Place(part="path", name=name)
            if index not in bound and not unknown:
                return f"path parameter {name} comes from an earlier answer, but nothing binds it"
        return ""

    def _redaction(self, case: Case) -> str:
        if case.intent.kind != "realistic" or case.origin.source == "replay":
            return ""
        request = case.request
        replaced = [b.recorded for b in case.bindings if holds_token(b.recorded)]
        replaced += self._credentials
        if _holds_token(request.path, replaced):
            return "a redaction token stands in the path"
        for part, pairs in (("query", request.query), ("header", request.headers)):
            for name, value in pairs:
                if _holds_token(value, replaced):
                    return f"a redaction token stands in {part}:{name}"
        if _holds_token(request.body.decode("utf-8", "replace"), replaced):
            return "a redaction token stands in the body"
        return ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""


def _violations(rules: Rules, request: Request) -> Iterator[str]:
    """What REQUEST breaks of what is known about its operation, place by place."""
    if rules.required or rules.parameters:
        yield from _parameter_violations(rules, request)
    yield from _body_violations(rules, request)


def _parameter_violations(rules: Rules, request: Request) -> Iterator[str]:
    texts: dict[str, list[str]] = {}
    for part, pairs in (("query", request.query), ("header", request.headers)):
        for name, value in pairs:
            texts.setdefault(f"{part}:{name}", []).append(value)
    for place in rules.required:
        if str(place) not in texts and not _credential(place):
            yield f"{place} is required"
    for name, conformance in rules.parameters.items():
        if name in texts and not conformance.reads_valid(texts[name]):
            yield f"{name} does not satisfy its schema"


def _credential(place: Place) -> bool:
    """Credentials are added when a case is sent."""
    return place.part == "header" and place.name in ("authorization", "cookie", "x-api-key")


def _body_violations(rules: Rules, request: Request) -> Iterator[str]:
    if rules.body is None or not request.body:
        return
    try:
        value: Any = read_body(request)
    except ValueError as error:
        yield f"the body is {error}"
        return
    media_type = request.media_type
    if value is None and not is_json(media_type):
        return
    if media_type == FORM and isinstance(value, dict):
        value = typed_form(value, rules.body.shape)
    if not rules.body.is_valid(value):
        keyword, at = rules.body.errors(value)[0]
        yield f"the body breaks {keyword} at /{'/'.join(at)}"


@lru_cache(maxsize=HEADERS_KNOWN_MAX)
def _header_fault(headers: Pairs) -> str:
    """What is no legal HTTP in HEADERS; most cases of an operation have the same ones."""
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            return f"{name!r} is no header name"
        if not _FIELD_VALUE.fullmatch(value):
            return f"the value of the header {name} holds characters no header may hold"
    return ""


def _syntax(case: Case) -> str:
    request = case.request
    if not _TOKEN.fullmatch(request.method):
        return f"{request.method!r} is no method"
    if not _PATH.fullmatch(request.path):
        return "the path holds characters that must be percent-encoded"
    wrong = _header_fault(request.headers)
    if wrong:
        return wrong
    malformed = case.intent.breaks == "body malformed"
    # What production itself sent is repeated as it was.
    if request.body and is_json(request.media_type) and case.origin.source != "replay":
        try:
            read_body(request)
        except ValueError:
            return "" if malformed else "the body says JSON, but is none"
        return "it should be malformed, but is JSON" if malformed else ""
    return ""


def _holds_token(text: str, replaced: list[str]) -> bool:
    """Whether a token stands in TEXT that no live value will replace."""
    if MARK not in text:
        return False
    for token in replaced:
        text = text.replace(token, "")
    return holds_token(text)


def _account_collections(profile: Profile, identities: Collection[str]) -> Iterator[str]:
    """Paths below which production named IDENTITIES: `/accounts` for `/accounts/{account_id}`."""
    names = {msgspec.json.encode(name).decode() for name in identities}
    for operation in profile.operations:
        for field in operation.fields:
            if field.place.part == "path" and any(text in names for text, _ in field.values):
                before, _, _ = operation.operation.template.partition(f"/{{{field.place.name}}}")
                if "{" not in before:
                    yield before
