"""What a run covered: cells and answers from its results, the rest from the target itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from collections.abc import Sequence as Answers
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

import msgspec

from premortem.agent.steps.engine import ClientFactory
from premortem.agent.steps.world import IN_SESSION, ScenarioClient
from premortem.analyse.coverage_map import CoverageMap, coverage_map
from premortem.checks.check import is_foreign
from premortem.config import Config
from premortem.domain.bodies import general, read_body
from premortem.domain.coverage import Cell, CodeTotal, RunCoverage, Seen, SeenKind
from premortem.domain.jobs import Count
from premortem.domain.places import Place, body_place
from premortem.domain.run import Case, Origin, Result, RunSummary, Sent, Sequence
from premortem.domain.template import Matcher, split_template
from premortem.domain.traffic import Exchange, Profile, Request, Response
from premortem.domain.value_class import SEEN_MAX, Coverage, cells_of
from premortem.errors import InputError
from premortem.observe import Reach
from premortem.store import Store
from premortem.store.records import LATEST

FIELDS_MAX = 1000
"""Values of one answer whose places are looked at."""
ITEMS_MAX = 4
"""Items of one array, of which most are alike."""
PRODUCTION_MAX = 20_000
"""Recorded exchanges that say which cells production covers: the latest of a profile."""
AUTHORIZATION = "authorization"
UNKNOWN_ROLE = "*"
"""Of cases that were counted only: which role sent them is not known."""


class Covering:
    """Takes in what comes of a run's cases."""

    def __init__(self, profile: Profile, *, edition_header: str = "", run_id: str = "") -> None:
        self.run_id = run_id
        self._profile = profile
        self._operations = {operation.id: operation for operation in profile.operations}
        self._edition_header = edition_header.lower()
        self.coverage = Coverage()
        self._seen: Counter[tuple[SeenKind, str, str]] = Counter()
        self._read: Counter[tuple[str, int]] = Counter()

    def forget(self) -> None:
        """Begin anew."""
        self.coverage = Coverage()
        self._seen.clear()
        self._read.clear()

    def take(self, results: Iterable[Result], sequence: Callable[[str], Sequence | None]) -> None:
        """Count RESULTS in. SEQUENCE: the one with that id, as far as it is still at hand."""
        for result in results:
            self.add(result, sequence(result.sequence_id) if result.case.bindings else None)

    def add(self, result: Result, sequence: Sequence | None = None) -> None:
        """Count one in; the links that it exercised, where its SEQUENCE is given."""
        case, response = result.case, result.sent.response
        status = response.status if response is not None else 0
        self._read[case.operation_id, status] += 1
        operation = self._operations.get(case.operation_id)
        if operation is not None:
            edition = edition_of(case.request, self._edition_header)
            cells = (
                (Cell(operation_id=operation.id, role=UNKNOWN_ROLE, edition=edition),)
                if _says_nothing_of_its_role(case)
                else cells_of(case, operation, edition=edition)
            )
            self.coverage.add(cells, status, self.run_id, result.sent.intended_at)
        if response is not None:
            try:
                body = read_body(response)
            except ValueError:
                return
            if isinstance(body, dict | list):
                for tokens in set(islice(_fields(body), FIELDS_MAX)):
                    name = f"{status} {body_place(*tokens)}"
                    self._note("field", case.operation_id, name)
        if sequence is not None:
            for name in _links(case, sequence):
                self._note("link", case.operation_id, name)

    def _note(self, kind: SeenKind, operation_id: str, name: str) -> None:
        key = (kind, operation_id, name)
        if key in self._seen or len(self._seen) < SEEN_MAX:
            self._seen[key] += 1

    def finished(
        self,
        counts: Iterable[Count],
        *,
        at: float,
        seen: Iterable[Seen] = (),
        code: tuple[CodeTotal, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> RunCoverage:
        """All of it. COUNTS: of the whole run, by operation and status; what of it was not read
        counts for its operation as such, of an unknown role. SEEN, CODE: of the target itself.
        AT: seconds since the epoch at which the run began."""
        cases = 0
        for count in counts:
            cases += count.count
            unread = count.count - self._read[count.operation_id, count.status]
            if unread > 0:
                cell = Cell(operation_id=count.operation_id, role=UNKNOWN_ROLE)
                self.coverage.add([cell], count.status, self.run_id, at, times=unread)
        mine = (
            Seen(kind=kind, operation_id=operation_id, name=name, hits=hits)
            for (kind, operation_id, name), hits in self._seen.items()
        )
        read = self._read.total()
        return RunCoverage(
            run_id=self.run_id,
            profile_version=self._profile.version,
            at=at,
            cells=self.coverage.counts(),
            seen=tuple(sorted((*mine, *seen))),
            code=code,
            cases=max(cases, read),
            read=read,
            notes=notes,
        )


class Overheard:
    """Sends cases of scenarios by another client, and counts in what comes of them."""

    def __init__(self, inner: ScenarioClient, covering: Covering, matcher: Matcher) -> None:
        self._inner, self._covering, self._matcher = inner, covering, matcher

    async def send_case(
        self, case: Case, answers: Answers[Response | None], intended_at: float
    ) -> Sent:
        """CASE sent as the inner client does it."""
        sent = await self._inner.send_case(case, answers, intended_at)
        match = self._matcher.match(case.request.method, case.request.path)
        if match is not None:
            # A step names a path, so its operation is to be looked up.
            known = msgspec.structs.replace(case, operation_id=match.operation.id)
            self._covering.add(Result(case=known, sequence_id="", position=0, sent=sent))
        return sent


def overheard(factory: ClientFactory, covering: Covering, profile: Profile) -> ClientFactory:
    """FACTORY, with what its clients send counted in COVERING."""
    matcher = Matcher(operation.operation for operation in profile.operations)

    @asynccontextmanager
    async def opened() -> AsyncIterator[ScenarioClient]:
        async with factory() as client:
            yield Overheard(client, covering, matcher)

    return opened


def edition_of(request: Request, header: str) -> str:
    """Which edition REQUEST is for, by the HEADER that tells it; empty: it does not say."""
    return request.header(header) or "" if header else ""


def _says_nothing_of_its_role(case: Case) -> bool:
    """Whether what came of CASE tells nothing of what its role may do: it went to another method or
    address, or nobody is named for the credentials that it carries. Counted for nobody, a session
    that a scenario opened would say that anybody may do this."""
    carries = case.origin.operator == IN_SESSION or (
        not case.role and case.request.header(AUTHORIZATION) is not None
    )
    return carries or is_foreign(case)


def _fields(value: Any, tokens: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places of an answer's values, array items as `*`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, (*tokens, str(key)))
    elif isinstance(value, list):
        for inner in value[:ITEMS_MAX]:
            yield from _fields(inner, (*tokens, "*"))
    else:
        yield tokens


def _links(case: Case, sequence: Sequence) -> Iterator[str]:
    template = case.operation_id.partition(" ")[2]
    for binding in case.bindings:
        if binding.step < len(sequence.cases):
            producer = sequence.cases[binding.step].operation_id
            place = _named(binding.place, template)
            yield f"{producer} {general(binding.select)} -> {general(place)}"


def _named(place: Place, template: str) -> Place:
    """PLACE with the parameter's name where a binding has the index of its segment."""
    if place.part != "path" or not place.name.isdigit():
        return place
    segments = split_template(template)
    index = int(place.name)
    name = segments[index].strip("{}") if index < len(segments) else place.name
    return Place(part="path", name=name)


def run_coverage(
    covering: Covering, summary: RunSummary, store: Store, reach: Reach, *, stored: bool
) -> RunCoverage:
    """What the run SUMMARY covered: its results that COVERING took in, or with STORED those that
    the store has of it (other controllers', and those from before it was broken off); what REACH
    saw of the target."""
    if stored:
        covering.forget()
        covering.take(store.results(summary.id), lambda _: None)
    seen, code, notes = reach.settled()
    return covering.finished(
        store.queue.counts(summary.id, by=("operation_id", "status"), latency=False),
        at=summary.started_at,
        seen=seen,
        code=code,
        notes=notes,
    )


def production_coverage(
    profile: Profile, exchanges: Iterable[Exchange], *, edition_header: str = ""
) -> Coverage:
    """The cells that recorded EXCHANGES of PROFILE cover, by their roles and editions: how often
    production itself uses each. Exchanges of which only a line was recorded are left out."""
    matcher = Matcher(operation.operation for operation in profile.operations)
    operations = {operation.id: operation for operation in profile.operations}
    coverage = Coverage()
    for exchange in exchanges:
        request, tags = exchange.request, exchange.tags
        match = matcher.match(request.method, request.path)
        if match is None or exchange.recorded == "line":
            continue
        case = Case(
            request=request,
            operation_id=match.operation.id,
            origin=Origin(source="replay"),
            role=tags.role,
        )
        edition = tags.edition or edition_of(request, edition_header)
        cells = cells_of(case, operations[match.operation.id], edition=edition)
        coverage.add(cells, exchange.response.status, "", exchange.started_at)
    return coverage


def recorded_latest(profile: Profile, store: Store) -> Iterator[Exchange]:
    """The latest PRODUCTION_MAX exchanges that PROFILE was learned from."""
    ids = [id_ for flow in profile.flows for id_ in flow.exchange_ids][-PRODUCTION_MAX:]
    yield from store.exchanges_by_id(ids).values()


def coverage_of(
    config: Config,
    store: Store,
    *,
    run_id: str = "",
    profile: str = LATEST,
    everything: bool = False,
) -> CoverageMap:
    """What one run covered, or all runs with PROFILE, or with EVERYTHING those of other profiles
    too, as far as they share operations with it.

    Raises NothingLearned without a profile or a run, InputError for an unknown one.
    """
    if run_id:
        summary = store.run(run_id)
        learned = store.profile(summary.profile_version)
        covered = store.coverage.of_run(summary.id)
        if covered is None:
            raise InputError(
                f"what run {summary.id} covered is not known: it is older than coverage, or was "
                f"added up with others; see `premortem coverage` for all of them"
            )
    else:
        learned = store.profile(profile)
        stored = store.coverage
        covered = stored.of_all() if everything else stored.of_profile(learned.version)
    production = production_coverage(
        learned, recorded_latest(learned, store), edition_header=config.target.edition_header
    )
    return coverage_map(learned, covered, production)
