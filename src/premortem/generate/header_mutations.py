"""Mutations of headers, credentials and roles: what a request carries beside its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from msgspec.structs import replace

from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Case, Intent
from premortem.domain.traffic import OperationProfile
from premortem.generate.head_mutations import Mutation
from premortem.generate.replay import CREDENTIAL_HEADERS

CREDENTIALS: tuple[tuple[str, str], ...] = (
    ("auth empty", "Bearer "),
    ("auth scheme alone", "Bearer"),
    ("auth scheme unknown", "Premortem abc"),
    ("auth basic", "Basic cHJlbW9ydGVtOnByZW1vcnRlbQ=="),
    # An unsigned token (RFC 7519, 6.1; RFC 8725, 3.1): {"alg":"none"}, {"sub":"1","admin":true}.
    ("auth unsigned", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwiYWRtaW4iOnRydWV9."),
    ("auth cut short", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIi"),
    ("auth very long", "Bearer " + "a" * 4000),
    ("auth twice", "Bearer a, Bearer b"),
)
"""Values of `authorization` that nobody was given."""
OVERRIDES = ("x-http-method-override", "x-method-override", "x-http-method")
ODD: tuple[tuple[str, str], ...] = (
    ("accept", "text/csv;q=0.1"),
    ("accept-language", "xx-YY"),
    ("if-modified-since", "Sat, 29 Oct 2050 19:43:31 GMT"),
    ("if-none-match", '"a", W/"b"'),
    ("prefer", "return=minimal"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-proto", "gopher"),
    ("forwarded", 'for="_hidden";host=example.com'),
    ("origin", "https://example.com"),
    ("cookie", "session=; =x; a"),
)
"""Headers that any service may be sent, and is to bear."""
MEDIA_TYPES = (
    "multipart/form-data",  # without its boundary (RFC 7578, 4.1)
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-99",
    "application/json-patch+json",
    "application/xml",
    "text/plain",
)
"""What a body may be said to be; a service refuses what it does not take, and fails at none."""


def header_mutations(operation: OperationProfile, base: Case) -> Iterator[Mutation]:
    """Credentials that nobody was given; the operation's own headers dropped, doubled and renamed;
    headers that any service may be sent."""
    if operation.secured and base.role:
        seen = any("401" in statuses for statuses in operation.roles.values())
        certain = seen or (operation.in_spec and bool({401, 403, -4} & set(operation.declared)))
        for breaks, value in CREDENTIALS:
            yield partial(_credentials, breaks=breaks, value=value, certain=certain)
    for name in _own(operation, base):
        yield partial(_dropped, name=name)
        yield partial(_twice, name=name)
        yield partial(_renamed, name=name)
    for header, value in ODD:
        yield partial(_with, header=header, value=value)
    if operation.operation.method not in SAFE_METHODS:
        for media_type in MEDIA_TYPES:
            yield partial(_with, header="content-type", value=media_type)
        yield _bodiless
    if operation.operation.method == "POST":
        for header in OVERRIDES:
            yield partial(_with, header=header, value="GET")


def role_mutations(
    operation: OperationProfile, base: Case, roles: Iterable[str]
) -> Iterator[Mutation]:
    """The same as others of ROLES: to be refused where the specification lets them not, else to
    be answered somehow where production never saw them."""
    if not operation.secured:
        return
    for role in roles:
        if role == base.role or role in operation.roles:
            continue
        refused = bool(operation.allowed_roles) and role not in operation.allowed_roles
        yield partial(
            _as,
            role=role,
            intent=Intent(
                kind="adversarial",
                breaks=f"role {role}" if refused else f"as {role}",
                expects="refusal" if refused else "answer",
            ),
        )


def _as(base: Case, *, role: str, intent: Intent) -> Case:
    return replace(base, role=role, intent=intent)


def _own(operation: OperationProfile, base: Case) -> list[str]:
    """Headers that are the operation's own, as far as its traffic or document tells."""
    own = {f.place.name for f in operation.fields if f.place.part == "header"}
    own |= {p.partition(":")[2].lower() for p in operation.parameter_schemas if p[:7] == "header:"}
    required = {p.partition(":")[2].lower() for p in operation.required if p[:7] == "header:"}
    named = dict.fromkeys(name for name, _ in base.request.headers)
    return [n for n in named if n in own | {"content-type"} and n not in required]


def _credentials(base: Case, *, breaks: str, value: str, certain: bool) -> Case:
    intent = Intent(kind="adversarial", breaks=breaks, expects="refusal", certain=certain)
    headers = tuple(pair for pair in base.request.headers if pair[0] not in CREDENTIAL_HEADERS)
    request = replace(base.request, headers=(*headers, ("authorization", value.strip())))
    return replace(base, request=request, role="", intent=intent)


def _dropped(base: Case, *, name: str) -> Case | None:
    if base.request.header(name) is None:
        return None
    headers = tuple(pair for pair in base.request.headers if pair[0] != name)
    return _changed(base, headers, _odd(name, "dropped"))


def _twice(base: Case, *, name: str) -> Case | None:
    old = base.request.header(name)
    if old is None:
        return None
    headers = (*base.request.headers, (name, old))
    return _changed(base, headers, _odd(name, "duplicated"))


def _renamed(base: Case, *, name: str) -> Case | None:
    if base.request.header(name) is None:
        return None
    headers = tuple((f"x-{n}" if n == name else n, v) for n, v in base.request.headers)
    return _changed(base, headers, _odd(name, "renamed"))


def _bodiless(base: Case) -> Case | None:
    if not base.request.body:
        return None
    intent = Intent(kind="adversarial", breaks="body left out", expects="answer")
    kept = tuple(b for b in base.bindings if b.place.part != "body")
    return replace(base, request=replace(base.request, body=b""), intent=intent, bindings=kept)


def _with(base: Case, *, header: str, value: str) -> Case:
    others = tuple(pair for pair in base.request.headers if pair[0] != header)
    return _changed(base, (*others, (header, value)), _odd(header, value[:40]))


def _odd(name: str, what: str) -> Intent:
    place = Place(part="header", name=name)
    return Intent(kind="adversarial", breaks=f"{place} {what}", place=place, expects="answer")


def _changed(base: Case, headers: tuple[tuple[str, str], ...], intent: Intent) -> Case:
    kept = tuple(b for b in base.bindings if b.place != intent.place)
    return replace(
        base, request=replace(base.request, headers=headers), intent=intent, bindings=kept
    )
