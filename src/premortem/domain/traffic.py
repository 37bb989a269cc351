"""What was captured and what was learned from it: Exchange, Operation, Profile.

Values only: frozen, keyword-only, importing nothing of ours but other values of `domain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from premortem.domain.histogram import Bins
from premortem.domain.places import Place
from premortem.domain.relations import (
    Correlation,
    Echo,
    Effect,
    EventLog,
    Follow,
    Pairing,
    Pool,
    Rule,
    StateMachine,
    View,
    Volatile,
)

Pairs = tuple[tuple[str, str], ...]
"""Ordered name-value pairs. Header names are lower case; query names and values are decoded."""

HEADERS_REMEMBERED_MAX = 1024
"""Header sets whose canonical form is kept, and content types that are read once."""

Recorded = Literal["all", "line", "request"]
"""How much a recording tells of an exchange. `all`: both messages. `line`: an access log's line,
so method, path, query, status and time; bodies and most headers are unknown, not empty.
`request`: no answer was recorded; `response.status` is 0."""

Document = str
"""A JSON Schema (2020-12) as JSON text, self-contained: every `$ref` points into it."""


class Request(Struct, frozen=True, kw_only=True, gc=False):
    """One HTTP request as it was, or as it will be, sent (RFC 9110)."""

    method: str
    """Upper case."""
    origin: str
    """`scheme://host[:port]`, lower case, default ports left out; empty: the target's own."""
    path: str
    """Percent-encoded, starting with `/`, without query."""
    query: Pairs = ()
    headers: Pairs = ()
    """Without hop-by-hop fields, `host` and `content-length`: the sender makes those."""
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """The body's media type without parameters, lower case; empty when none was named."""
        return media_type_of(self.headers)

    def header(self, name: str) -> str | None:
        """The first value of the header NAME (lower case), or None."""
        return first(self.headers, name)

    def canonical_bytes(self) -> bytes:
        """The same bytes for the same request, whatever road it came by; origin left out."""
        line = f"{self.method}\n{self.path}"
        for name, value in self.query:
            line += f"\n?{name}={value}"
        return f"{line}{_sorted_lines(self.headers)}\n\n".encode() + self.body


class Response(Struct, frozen=True, kw_only=True, gc=False):
    """One HTTP response; the body is decoded from its content coding."""

    status: int
    headers: Pairs = ()
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """The body's media type without parameters, lower case; empty when none was named."""
        return media_type_of(self.headers)

    def header(self, name: str) -> str | None:
        """The first value of the header NAME (lower case), or None."""
        return first(self.headers, name)


class Tags(Struct, frozen=True, kw_only=True, gc=False):
    """Who sent an exchange and in what setting, as far as the capture tells; empty: unknown."""

    client: str = ""
    session: str = ""
    """Equal for the exchanges of one client's visit; opaque."""
    trace_id: str = ""
    role: str = ""
    edition: str = ""


class Exchange(Struct, frozen=True, kw_only=True, gc=False):
    """One captured request with its response."""

    request: Request
    response: Response
    started_at: float
    """Seconds since the epoch, UTC."""
    duration_ms: float
    tags: Tags = Tags()
    recorded: Recorded = "all"

    @property
    def id(self) -> str:
        """16 hex digits; the same exchange imported twice has the same id."""
        digest = sha256(self.request.canonical_bytes())
        digest.update(self.request.origin.encode())
        digest.update(f"\n{self.response.status} {self.started_at:.6f}\n".encode())
        digest.update(self.response.body)
        return digest.hexdigest()[:16]


class Operation(Struct, frozen=True, kw_only=True, order=True):
    """What a request does, without its values."""

    method: str
    template: str
    """`/invoices/{invoice_id}/refunds`; parameter names are unique within one template."""
    variant: str = ""
    """What tells it from others of the same method and template, where the body says what is to
    be done: `mutation createUser 1f0c9a` of GraphQL; empty: nothing has to."""

    @property
    def id(self) -> str:
        """`POST /invoices/{invoice_id}/refunds`, and its variant if it has one."""
        name = f"{self.method} {self.template}"
        return f"{name} {self.variant}" if self.variant else name


class Numbers(Struct, frozen=True, kw_only=True):
    """The distribution of a numeric field: 21 quantiles at 0, 5, ... 100 %."""

    quantiles: tuple[float, ...]
    integral: bool
    decimals: int
    """Most digits seen after the point, at most 9."""
    bins: Bins = ()
    """All numbers counted in fixed bins: what merging and drift are measured on."""


class Field(Struct, frozen=True, kw_only=True, gc=False):
    """One value position of an operation's requests or responses and what was seen there."""

    place: Place
    seen: int
    """Messages in which it was present, null included."""
    presence: float
    """`seen` over the messages in which its parent was present; within (0, 1]."""
    types: Mapping[str, int]
    """JSON type name (`integer` apart from `number`) -> count. Path, query, header and form
    values are typed by what they parse as, and sent as text."""
    format: str = ""
    """`uuid`, `date`, `date-time`, `email`, `uri`, `ipv4`, `hex`, `digits`, `token`, or empty."""
    length_min: int = 0
    length_max: int = 0
    """Characters of a string, items of an array."""
    numbers: Numbers | None = None
    values: tuple[tuple[str, int], ...] = ()
    """Most frequent first: (JSON text of the value, count); at most `VALUES_MAX`."""
    distinct: int = 0
    """Distinct values seen, counted up to a limit."""
    enumeration: bool = False
    """The values are few and repeat: a closed set as far as the traffic tells."""
    redacted: bool = False
    """Values here were replaced before storage; nothing realistic can be drawn from them."""


VALUES_MAX = 200
"""Values kept per field: enough for enumerations and for pools to draw from."""


class DeclaredHeader(Struct, frozen=True, kw_only=True):
    """A header that a specification declares of an answer."""

    name: str
    """Lower case."""
    required: bool = False
    schema: Document = ""
    """Of its value; empty: nothing is said."""


class Answer(Struct, frozen=True, kw_only=True):
    """What an operation answers with one status code."""

    status: int
    count: int
    schema: Document = ""
    """Shape of the JSON body; empty when it is not JSON or nothing is known."""
    source: Literal["learned", "spec"] = "learned"
    fields: tuple[Field, ...] = ()
    media_types: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    """`str(place)` of response fields that differ between equal requests in equal state: clocks,
    generated ids, counters. A comparison leaves them out."""
    rules: tuple[Rule, ...] = ()
    """What always held between the fields of this answer."""
    echoes: tuple[Echo, ...] = ()
    """What these answers always repeated of their request."""
    views: tuple[View, ...] = ()
    """What a role never saw whole in them."""
    volatility: tuple[Volatile, ...] = ()
    """The evidence for `volatile`, and for places that it was not enough for."""
    unrecorded: int = 0
    """Of `count`, answers whose headers and body were not recorded (`line`)."""
    declared_types: tuple[str, ...] = ()
    """Media types that the specification declares, lower case, `*` as it is written there."""
    headers: tuple[DeclaredHeader, ...] = ()
    """That the specification declares."""


class Link(Struct, frozen=True, kw_only=True):
    """A response value that later requests reuse."""

    producer: str
    """Operation id."""
    select: Place
    """Where in the producer's response."""
    consumer: str
    place: Place
    """Where in the consumer's request."""
    support: int
    """Requests of the consumer in which the value came from this place."""
    confidence: float
    """`support` over the consumer's requests that had a value there; within (0, 1]. 1 for what is
    only declared."""
    declared: bool = False
    """The specification says so; with `support` 0 it alone does."""


class RecipeStep(Struct, frozen=True, kw_only=True):
    """One recorded exchange that has to be repeated before the recipe's last one can work."""

    exchange_id: str
    operation_id: str
    role: str = ""


class Recipe(Struct, frozen=True, kw_only=True):
    """How production itself brought about the state an operation needs.

    `steps` is a backward slice of one recorded flow, in order; the last step is an exchange
    of the operation itself. One step alone: the operation needs nothing before it.
    """

    operation_id: str
    status: int
    """What the recorded last step was answered with."""
    steps: tuple[RecipeStep, ...]


class OperationProfile(Struct, frozen=True, kw_only=True):
    """What was learned about one operation, merged with what its specification declares."""

    operation: Operation
    count: int
    summary: str = ""
    """From the specification."""
    declared: tuple[int, ...] = ()
    """Statuses the specification declares; -4 stands for `4XX`, 0 for `default`."""
    in_spec: bool = False
    media_types: Mapping[str, int] = {}
    fields: tuple[Field, ...] = ()
    """Of the requests: path, query, header and body places."""
    request_schema: Document = ""
    """Shape of the body (JSON, or a form seen as one flat object)."""
    request_source: Literal["learned", "spec"] = "learned"
    parameter_schemas: Mapping[str, Document] = {}
    """`str(place)` of path, query and header parameters -> schema, from the specification."""
    required: tuple[str, ...] = ()
    """`str(place)` of parameters the specification requires."""
    secured: bool = False
    """The specification asks for credentials, or all traffic that succeeded carried some."""
    answers: tuple[Answer, ...] = ()
    allowed_roles: tuple[str, ...] = ()
    """Who may, where the specification says so (`x-roles`); empty: it says nothing."""
    allowed_editions: tuple[str, ...] = ()
    """Which editions have it, where the specification says so (`x-editions`)."""
    description: str = ""
    """What the specification says of it in prose, beyond the summary."""
    meanings: tuple[tuple[int, str], ...] = ()
    """(status, what the specification says it means): `409`, `Run already has a result`."""
    roles: Mapping[str, Mapping[str, int]] = {}
    """Role -> status (as text) -> count: the role matrix as production shows it."""
    editions: Mapping[str, Mapping[str, int]] = {}
    """Edition -> status (as text) -> count, where the capture tells editions."""
    duration_ms: tuple[float, ...] = ()
    """Quantiles at 50, 90, 95, 99 %."""
    recipes: tuple[Recipe, ...] = ()
    """At most one per status class, the shortest recorded one."""
    exemplars: tuple[str, ...] = ()
    """Ids of recorded exchanges to start from, answered ones first; at most 64."""
    rules: tuple[Rule, ...] = ()
    """What always held between the fields of a request that was answered 2xx."""
    correlations: tuple[Correlation, ...] = ()
    """Strongest first."""
    duration_bins: Bins = ()
    """Durations counted in fixed bins, milliseconds."""
    unrecorded: int = 0
    """Of `count`, requests whose headers and body were not recorded (`line`)."""
    unanswered: int = 0
    """Of `count`, requests of which no answer was recorded (`request`)."""

    @property
    def id(self) -> str:
        """The operation's id."""
        return self.operation.id

    def meaning(self, status: int) -> str:
        """What the specification says STATUS means; empty: nothing."""
        return next((said for code, said in self.meanings if code == status), "")


class Flow(Struct, frozen=True, kw_only=True):
    """Recorded exchanges that share identifiers, in their order: what replay keeps together."""

    exchange_ids: tuple[str, ...]
    started_at: float


class Timing(Struct, frozen=True, kw_only=True):
    """When the traffic came."""

    first_at: float
    last_at: float
    rate_per_second: float
    hours: tuple[int, ...]
    """Exchanges per hour of the day, UTC, shape (24,)."""
    weekdays: tuple[int, ...] = ()
    """Exchanges per day of the week, Monday first, UTC, shape (7,); empty: not learned."""
    gaps_ms: tuple[float, ...] = ()
    """Time between one start and the next, over all traffic: quantiles at 1, 10, 50, 90, 99 %."""
    gap_bins: Bins = ()
    """The same as counts that add up, milliseconds."""


class Profile(Struct, frozen=True, kw_only=True):
    """What was learned from exchanges; a versioned value."""

    version: str
    """12 hex digits of its content."""
    parent: str = ""
    """The profile that it took the place of; of a merged one, the first that went in."""
    parents: tuple[str, ...] = ()
    """Versions that went into a merged one; empty for a learned one."""
    created_at: float
    exchanges: int
    sessions: int
    origins: tuple[str, ...]
    """Most used first."""
    operations: tuple[OperationProfile, ...]
    """Most used first; ties by id."""
    links: tuple[Link, ...] = ()
    """Highest support first."""
    flows: tuple[Flow, ...] = ()
    """By start; every learned exchange is in exactly one, of very much traffic the latest."""
    timing: Timing
    follows: tuple[Follow, ...] = ()
    """Most frequent first."""
    pools: tuple[Pool, ...] = ()
    """Most used first."""
    machines: tuple[StateMachine, ...] = ()
    """By what makes the things, and field."""
    pairings: tuple[Pairing, ...] = ()
    """By what makes the things, and what is done to them."""
    logs: tuple[EventLog, ...] = ()
    """By listing, parameter and what makes the things."""
    effects: tuple[Effect, ...] = ()
    """By text."""
    spec_title: str = ""
    ambiguous: tuple[tuple[str, str, str], ...] = ()
    """(operation id, operation id, why): pairs the templating could not tell apart for sure."""

    def operation(self, operation_id: str) -> OperationProfile | None:
        """The operation with that id, or None."""
        return next((o for o in self.operations if o.id == operation_id), None)


def first(pairs: Pairs, name: str) -> str | None:
    """The first value that NAME has in PAIRS, or None."""
    for key, value in pairs:
        if key == name:
            return value
    return None


@lru_cache(maxsize=HEADERS_REMEMBERED_MAX)
def _sorted_lines(headers: Pairs) -> str:
    # Traffic has few distinct header sets and ids are asked for often.
    return "".join(f"\n{name}:{value}" for name, value in sorted(headers))


def media_type_of(headers: Pairs) -> str:
    """`content-type` without parameters, lower case; empty when there is none (RFC 9110, 8.3)."""
    for name, value in headers:
        if name == "content-type":
            return _without_parameters(value)
    return ""


@lru_cache(maxsize=HEADERS_REMEMBERED_MAX)
def _without_parameters(value: str) -> str:
    return value.split(";", 1)[0].strip().lower()
