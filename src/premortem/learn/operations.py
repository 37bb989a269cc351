"""What one operation's traffic looks like, gathered exchange by exchange."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from premortem.domain.graphql import query_of
from premortem.domain.histogram import as_bins, bin_of
from premortem.domain.places import Part, Place
from premortem.domain.run import SAFE_METHODS
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
from premortem.learn.correlations import find_correlations
from premortem.learn.echoes import find_echoes
from premortem.learn.graphql import QUERIES_MAX, typed
from premortem.learn.rows import Budget, Row, Rows, read_row
from premortem.learn.rules import find_rules
from premortem.learn.shapes import ANSWER_DISTINCT_MAX, ANSWER_VALUES_MAX, Shape
from premortem.learn.values import Sampled, Scalars
from premortem.learn.volatile import Evidence, settled

EXEMPLARS_MAX = 64
EXEMPLARS_REFUSED_MAX = 16
"""Of them, exchanges that were not answered with 2xx."""
OPERATIONS_MAX = 5000
"""Operations with statistics of their own; rarer ones that come later are left out."""
DURATION_SHARES = (0.5, 0.9, 0.95, 0.99)
PARAMETERS_MAX = 300
"""Distinct query and header names per operation."""
STATUSES_MAX = 40
ROLES_MAX = 100
"""Roles, and editions, of one operation."""

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

    def __init__(self, budget: Budget) -> None:
        self.count = 0
        self.unrecorded = 0
        self.bodies = 0
        """Answers whose body was JSON."""
        self.media_types: Counter[str] = Counter()
        self.shape = Shape(distinct_max=ANSWER_DISTINCT_MAX)
        self.rows = Rows(budget)

    def add(self, exchange: Exchange, body: Body, match: Match, request: Body) -> None:
        """Take in one answer; MATCH and REQUEST: what its request was read as."""
        self.count += 1
        if exchange.recorded == "line":
            self.unrecorded += 1
            return
        media_type = exchange.response.media_type
        if media_type:
            self.media_types[media_type] += 1
        if body.kind == "json":
            self.bodies += 1
            self.shape.add(body.value)
            if exchange.response.status // 100 == 2 and self.rows.wanted:
                began = exchange.started_at
                ended = began + exchange.duration_ms / 1000
                ahead_s = _ahead_s(exchange, ended)
                row = read_row(body, began=began, ended=ended, ahead_s=ahead_s)
                row.asked = _row(exchange, match, request).cells
                row.role = exchange.tags.role
                self.rows.add(row)

    def answer(self, status: int, evidence: Evidence, operation_id: str) -> Answer:
        """The Answer as learned."""
        known = self.count - self.unrecorded
        fields = self.shape.fields(parents=known, values_max=ANSWER_VALUES_MAX)
        changing = evidence.get((operation_id, status), ())
        return Answer(
            status=status,
            count=self.count,
            schema=self.shape.document(answer=True) if self.bodies else "",
            fields=tuple(fields),
            media_types=tuple(name for name, _ in self.media_types.most_common()),
            volatile=settled(changing),
            volatility=changing,
            rules=find_rules(self.rows.kept, status=status),
            echoes=find_echoes(self.rows.kept),
            unrecorded=self.unrecorded,
        )


def _ahead_s(exchange: Exchange, ended: float) -> float:
    """How far the service's clock is ahead of the recorder's, as its `date` header tells."""
    date = exchange.response.header("date")
    if date is None:
        return 0.0
    try:
        read = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp() - ended


class OperationStats:
    """Everything counted about one operation."""

    def __init__(self, operation: Operation, budget: Budget) -> None:
        self.operation = operation
        self.count = 0
        self._unrecorded = 0
        self._unanswered = 0
        self._budget = budget
        self._rows = Rows(budget)
        self.media_types: Counter[str] = Counter()
        self._parameters: dict[tuple[Part, str], Scalars] = {}
        self._present: Counter[tuple[Part, str]] = Counter()
        self._queries: dict[str, None] = {}
        """Documents of GraphQL."""
        self._body = Shape()
        self._answers: dict[int, AnswerStats] = {}
        self._roles: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._editions: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._durations = Sampled()
        self._duration_bins: Counter[int] = Counter()
        self._unknown: dict[int, str] = {}
        self._answered: dict[int, str] = {}
        self._refused: dict[int, str] = {}
        self._succeeded = 0
        self._succeeded_with_credentials = 0

    def add(self, exchange: Exchange, match: Match, request: Body, answer: Body, id_: str) -> None:
        """Take in one exchange of this operation; ID_ is the exchange's."""
        self.count += 1
        sent = exchange.request
        if self.operation.variant and len(self._queries) < QUERIES_MAX:
            self._queries.setdefault(query_of(sent)[0])
        if sent.media_type and sent.body:
            self.media_types[sent.media_type] += 1
        self._add_parameters(exchange, match)
        if exchange.recorded == "line":
            self._unrecorded += 1
        elif request.kind in ("json", "form", "multipart"):
            self._body.add(request.value, texts=request.kind != "json")
        status = exchange.response.status
        if (status // 100 == 2 or not status) and self._rows.wanted:
            self._rows.add(_row(exchange, match, request))
        self._keep(exchange, id_)
        if not status:
            self._unanswered += 1
            return
        if status not in self._answers and len(self._answers) >= STATUSES_MAX:
            status = min(self._answers, key=lambda known: abs(known - status))
        if status not in self._answers:
            self._answers[status] = AnswerStats(self._budget)
        self._answers[status].add(exchange, answer, match, request)
        _tally(self._roles, exchange.tags.role, exchange.response.status)
        if exchange.tags.edition:
            _tally(self._editions, exchange.tags.edition, exchange.response.status)
        self._durations.add(exchange.duration_ms)
        self._duration_bins[bin_of(exchange.duration_ms)] += 1

    def _add_parameters(self, exchange: Exchange, match: Match) -> None:
        pairs: list[tuple[Part, str, str]] = [("path", n, text) for n, text in match.params.items()]
        pairs += [("query", name, text) for name, text in exchange.request.query]
        if exchange.recorded != "line":
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
        status = exchange.response.status
        succeeded = status // 100 == 2
        credentials = exchange.tags.role or exchange.request.header("authorization")
        if succeeded and (exchange.recorded != "line" or credentials):
            self._succeeded += 1
            self._succeeded_with_credentials += bool(credentials)
        if exchange.recorded == "line" and exchange.request.method not in SAFE_METHODS:
            return  # its body is not known: nothing to start from
        kept = self._answered if succeeded else self._refused if status else self._unknown
        if len(kept) < (EXEMPLARS_REFUSED_MAX if kept is self._refused else EXEMPLARS_MAX):
            request = exchange.request
            kept.setdefault(hash((request.path, request.query, request.body)), id_)

    def exemplars(self) -> tuple[str, ...]:
        """Ids to start from: answered ones, those of which no answer is known, refused ones."""
        refused = list(self._refused.values())
        started = [*self._answered.values(), *self._unknown.values()]
        return (*started[: EXEMPLARS_MAX - len(refused)], *refused)

    def sources(self) -> Iterator[tuple[Place, Scalars]]:
        """What was seen at every place of requests, and of answers with 2xx."""
        for (part, name), scalars in self._parameters.items():
            if part != "header":
                yield Place(part=part, name=name), scalars
        yield from self._body.sources()
        for status, answers in self._answers.items():
            if status // 100 == 2:
                yield from answers.shape.sources()

    def answered_rows(self) -> Iterator[tuple[int, list[Row]]]:
        """Status -> the answers that were kept."""
        for status, answers in self._answers.items():
            if answers.rows.kept:
                yield status, answers.rows.kept

    def fields(self) -> Iterator[Field]:
        """The request's Fields: path, query and header by name, then the body."""
        order = ("path", "query", "header")
        whole = self.count - self._unrecorded
        for key in sorted(self._parameters, key=lambda k: (order.index(k[0]), k[1])):
            part, name = key
            seen = self._present[key]
            yield self._parameters[key].field(
                Place(part=part, name=name),
                seen=seen,
                presence=seen / (whole if part == "header" else self.count),
                values_max=VALUES_MAX,
            )
        yield from self._body.fields(parents=whole, values_max=VALUES_MAX)

    @property
    def statuses(self) -> tuple[int, ...]:
        """Seen, ascending."""
        return tuple(sorted(self._answers))

    def profile(self, evidence: Evidence) -> OperationProfile:
        """All of it as a value, but for recipes, which need the flows.

        EVIDENCE: what changes in answers though nothing was changed.
        """
        rules = find_rules(self._rows.kept)
        answers = ((status, self._answers[status]) for status in self.statuses)
        profile = OperationProfile(
            operation=self.operation,
            count=self.count,
            media_types=dict(self.media_types.most_common()),
            fields=tuple(self.fields()),
            request_schema=self._body.document(answer=False) if self._body.seen else "",
            secured=0 < self._succeeded == self._succeeded_with_credentials,
            answers=tuple(a.answer(status, evidence, self.operation.id) for status, a in answers),
            roles=_sorted(self._roles),
            editions=_sorted(self._editions),
            duration_ms=_quantiles(self._durations.kept),
            duration_bins=as_bins(self._duration_bins),
            exemplars=self.exemplars(),
            rules=rules,
            correlations=find_correlations(self._rows.kept, rules),
            unrecorded=self._unrecorded,
            unanswered=self._unanswered,
        )
        return typed(profile, tuple(self._queries))


def _tally(matrix: defaultdict[str, Counter[str]], key: str, status: int) -> None:
    if key in matrix or len(matrix) < ROLES_MAX:
        matrix[key][str(status)] += 1


def _sorted(matrix: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {key: dict(sorted(counts.items())) for key, counts in sorted(matrix.items())}


def _row(exchange: Exchange, match: Match, body: Body) -> Row:
    named = [(f"path:{name}", text) for name, text in match.params.items()]
    named += [(f"query:{name}", text) for name, text in exchange.request.query]
    whole = exchange.recorded != "line"
    return read_row(body, named=named, whole=whole, session=exchange.tags.session)


def _quantiles(durations: list[float]) -> tuple[float, ...]:
    """At 50, 90, 95 and 99 %, nearest rank."""
    if not durations:
        return ()
    ordered = sorted(durations)
    last = len(ordered) - 1
    return tuple(round(ordered[round(last * share)], 3) for share in DURATION_SHARES)
