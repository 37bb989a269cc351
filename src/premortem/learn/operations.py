"""What one operation's traffic looks like, gathered exchange by exchange."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from premortem.domain.places import Part, Place
from premortem.domain.template import Match
from premortem.domain.traffic import (
    VALUES_MAX,
    Answer,
    Exchange,
    Field,
    Operation,
    OperationProfile,
)
from premortem.learn.bodies import Body
from premortem.learn.shapes import ANSWER_DISTINCT_MAX, ANSWER_VALUES_MAX, Shape
from premortem.learn.values import Sampled, Scalars

EXEMPLARS_MAX = 64
EXEMPLARS_REFUSED_MAX = 16
"""Of them, exchanges that were not answered with 2xx."""
PARAMETERS_MAX = 300
"""Distinct query and header names per operation."""
STATUSES_MAX = 40
ROLES_MAX = 100

HEADERS_LEFT_OUT = frozenset(
    {
        *("accept-encoding", "authorization", "connection", "content-length", "content-type"),
        *("cookie", "date", "expect", "forwarded", "host", "if-modified-since", "keep-alive"),
        *("proxy-authorization", "referer", "te", "transfer-encoding", "upgrade", "user-agent"),
        *("via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"),
    }
)
"""Request headers that the transport or the credentials make, not the caller's intent."""


class AnswerStats:
    """What was answered with one status."""

    def __init__(self) -> None:
        self.count = 0
        self.bodies = 0
        """Answers whose body was JSON."""
        self.media_types: Counter[str] = Counter()
        self.shape = Shape(distinct_max=ANSWER_DISTINCT_MAX)

    def add(self, media_type: str, body: Body) -> None:
        """Take in one answer."""
        self.count += 1
        if media_type:
            self.media_types[media_type] += 1
        if body.kind == "json":
            self.bodies += 1
            self.shape.add(body.value)

    def answer(self, status: int) -> Answer:
        """The Answer as learned."""
        fields = self.shape.fields(parents=self.count, values_max=ANSWER_VALUES_MAX)
        return Answer(
            status=status,
            count=self.count,
            schema=self.shape.document(answer=True) if self.bodies else "",
            fields=tuple(fields),
            media_types=tuple(name for name, _ in self.media_types.most_common()),
        )


class OperationStats:
    """Everything counted about one operation."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.count = 0
        self.media_types: Counter[str] = Counter()
        self._parameters: dict[tuple[Part, str], Scalars] = {}
        self._present: Counter[tuple[Part, str]] = Counter()
        self._body = Shape()
        self._answers: dict[int, AnswerStats] = {}
        self._roles: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._durations = Sampled()
        self._answered: dict[int, str] = {}
        self._refused: dict[int, str] = {}
        self._succeeded = 0
        self._succeeded_with_credentials = 0

    def add(self, exchange: Exchange, match: Match, request: Body, answer: Body, id_: str) -> None:
        """Take in one exchange of this operation; ID_ is the exchange's."""
        self.count += 1
        sent = exchange.request
        if sent.media_type and sent.body:
            self.media_types[sent.media_type] += 1
        self._add_parameters(exchange, match)
        if request.kind in ("json", "form", "multipart"):
            self._body.add(request.value, texts=request.kind != "json")
        status = exchange.response.status
        if status not in self._answers and len(self._answers) >= STATUSES_MAX:
            status = min(self._answers, key=lambda known: abs(known - status))
        self._answers.setdefault(status, AnswerStats()).add(exchange.response.media_type, answer)
        role = exchange.tags.role
        if role in self._roles or len(self._roles) < ROLES_MAX:
            self._roles[role][str(exchange.response.status)] += 1
        self._durations.add(exchange.duration_ms)
        self._keep(exchange, id_)

    def _add_parameters(self, exchange: Exchange, match: Match) -> None:
        pairs: list[tuple[Part, str, str]] = [("path", n, text) for n, text in match.params.items()]
        pairs += [("query", name, text) for name, text in exchange.request.query]
        pairs += [
            ("header", name, text)
            for name, text in exchange.request.headers
            if name not in HEADERS_LEFT_OUT
        ]
        present: set[tuple[Part, str]] = set()
        for part, name, text in pairs:
            key = (part, name)
            scalars = self._parameters.get(key)
            if scalars is None:
                if len(self._parameters) >= PARAMETERS_MAX:
                    continue
                scalars = self._parameters[key] = Scalars()
            scalars.add_text(text)
            present.add(key)
        self._present.update(present)

    def _keep(self, exchange: Exchange, id_: str) -> None:
        """Remember the exchange to start from, unless the same request is known already."""
        succeeded = exchange.response.status // 100 == 2
        if succeeded:
            self._succeeded += 1
            credentials = exchange.tags.role or exchange.request.header("authorization")
            self._succeeded_with_credentials += bool(credentials)
        kept = self._answered if succeeded else self._refused
        if len(kept) < (EXEMPLARS_MAX if succeeded else EXEMPLARS_REFUSED_MAX):
            request = exchange.request
            kept.setdefault(hash((request.path, request.query, request.body)), id_)

    def exemplars(self) -> tuple[str, ...]:
        """Ids to start from, answered ones first."""
        refused = list(self._refused.values())
        answered = list(self._answered.values())[: EXEMPLARS_MAX - len(refused)]
        return (*answered, *refused)

    def fields(self) -> Iterator[Field]:
        """The request's Fields: path, query and header by name, then the body."""
        order = ("path", "query", "header")
        for key in sorted(self._parameters, key=lambda k: (order.index(k[0]), k[1])):
            part, name = key
            seen = self._present[key]
            yield self._parameters[key].field(
                Place(part=part, name=name),
                seen=seen,
                presence=seen / self.count,
                values_max=VALUES_MAX,
            )
        yield from self._body.fields(parents=self.count, values_max=VALUES_MAX)

    @property
    def statuses(self) -> tuple[int, ...]:
        """Seen, ascending."""
        return tuple(sorted(self._answers))

    def profile(self) -> OperationProfile:
        """All of it as a value, but for recipes, which need the flows."""
        roles: Mapping[str, Mapping[str, int]] = {
            role: dict(sorted(counts.items())) for role, counts in sorted(self._roles.items())
        }
        return OperationProfile(
            operation=self.operation,
            count=self.count,
            media_types=dict(self.media_types.most_common()),
            fields=tuple(self.fields()),
            request_schema=self._body.document(answer=False) if self._body.seen else "",
            secured=0 < self._succeeded == self._succeeded_with_credentials,
            answers=tuple(self._answers[status].answer(status) for status in self.statuses),
            roles=roles,
            duration_ms=_quantiles(self._durations.kept),
            exemplars=self.exemplars(),
        )


def _quantiles(durations: list[float]) -> tuple[float, ...]:
    """At 50, 90, 95 and 99 %, nearest rank."""
    if not durations:
        return ()
    ordered = sorted(durations)
    last = len(ordered) - 1
    return tuple(round(ordered[round(last * share)], 3) for share in (0.5, 0.9, 0.95, 0.99))
