"""Exchanges (and a specification) -> Profile, in two passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from premortem.domain.graphql import variant_of
from premortem.domain.template import Match, Matcher
from premortem.domain.traffic import Exchange, Operation, OperationProfile, Profile, Request
from premortem.learn.bodies import read_body
from premortem.learn.declared import merge_spec
from premortem.learn.declared_links import declared_links, with_declared
from premortem.learn.echoes import settled as settled_echoes
from premortem.learn.effects import find_effects
from premortem.learn.event_logs import Listings
from premortem.learn.evidence import Names, observe
from premortem.learn.facts import FACTS_MAX, Facts, FactSheet
from premortem.learn.flows import group_flows
from premortem.learn.links import find_links
from premortem.learn.looks import Looks
from premortem.learn.machine import Lives
from premortem.learn.openapi import Spec
from premortem.learn.operations import OPERATIONS_MAX, OperationStats
from premortem.learn.order import Clock, Sessions
from premortem.learn.pairings import find_pairings
from premortem.learn.pools import Source, find_pools
from premortem.learn.recipes import find_recipes
from premortem.learn.rows import Budget, Row
from premortem.learn.templates import Templates, learn_templates
from premortem.learn.trie import Tree
from premortem.learn.views import with_views
from premortem.learn.volatile import Evidence, Repeats, find_clocks, find_generated, joined, settled

SESSIONS_MAX = 1_000_000
ORIGINS_MAX = 1000

Read = Callable[[], Iterator[Exchange]]


def learn_profile(read: Read, *, spec: Spec | None, now: float, parent: str = "") -> Profile:
    """What the exchanges that READ yields (twice, same order: by start) show, merged with SPEC.

    NOW is seconds since the epoch. Memory is bounded by the named maxima of this package: what
    is kept of every exchange is kept of the latest FLOWS_MAX only. What was not recorded (see
    `Recorded`) counts neither as there nor as absent. The version depends on the content alone.
    """
    declared = Matcher(o.operation for o in spec.operations) if spec is not None else Matcher(())
    templates, count = _first_pass(read, declared)
    traffic = _Traffic(declared, Matcher(templates.operations), count)
    for exchange in read():
        traffic.add(exchange)
    facts = traffic.sheet
    flows = group_flows(facts)
    links = find_links(facts)
    recipes = find_recipes(facts, flows)
    evidence = traffic.evidence()
    operations = settled_echoes(
        replace(stats.profile(evidence), recipes=recipes.get(id_, ()))
        for id_, stats in traffic.operations.items()
    )
    operations = with_views(operations, traffic.rows())
    if spec is not None:
        operations = merge_spec(operations, spec)
        links = with_declared(links, declared_links(spec))
    profile = Profile(
        version="",
        parent=parent,
        created_at=now,
        exchanges=traffic.count,
        sessions=len(traffic.sessions),
        origins=tuple(origin for origin, _ in traffic.origins.most_common()),
        operations=tuple(sorted(operations, key=by_use)),
        links=links,
        flows=flows,
        timing=traffic.clock.timing(),
        follows=traffic.order.follows(),
        pools=find_pools(traffic.sources()),
        machines=traffic.lives.machines(facts.rows),
        pairings=find_pairings(facts.rows),
        logs=traffic.listings.logs(facts.rows),
        effects=find_effects(facts.rows, traffic.looks),
        spec_title=spec.title if spec is not None else "",
        ambiguous=templates.ambiguous,
    )
    return replace(profile, version=content_version(profile))


def content_version(profile: Profile) -> str:
    """12 hex digits of PROFILE's content: the same traffic gives the same version."""
    bare = replace(profile, version="", created_at=0.0, parent="", parents=())
    return sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()[:12]


def by_use(operation: OperationProfile) -> tuple[int, str]:
    """The order of operations in a profile."""
    return (-operation.count, operation.id)


def _first_pass(read: Read, declared: Matcher) -> tuple[Templates, int]:
    """The templates of what no specification declares, and how many exchanges there are."""
    tree, names = Tree(), Names()
    count = 0
    for exchange in read():
        count += 1
        if declared.match_request(exchange.request) is None:
            observe(exchange, tree, names)
    return learn_templates(tree, names), count


class _Traffic:
    """The second pass: everything that needs to know the operation."""

    def __init__(self, declared: Matcher, learned: Matcher, expected: int) -> None:
        self._declared = declared
        self._learned = learned
        self._budget = Budget()
        self._repeats = Repeats()
        self.operations: dict[str, OperationStats] = {}
        self.sheet = FactSheet(expected)
        self.order = Sessions()
        self.clock = Clock()
        self.lives = Lives(expected)
        self.listings = Listings()
        self.looks = Looks(min(expected, FACTS_MAX))
        self.sessions: set[str] = set()
        self.origins: Counter[str] = Counter()
        self.count = 0

    def add(self, exchange: Exchange) -> None:
        """Take in one exchange."""
        request = exchange.request
        match = self._match(request)
        operation_id = match.operation.id
        stats = self.operations.get(operation_id)
        if stats is None and len(self.operations) < OPERATIONS_MAX:
            stats = self.operations[operation_id] = OperationStats(match.operation, self._budget)
        asked, answered = read_body(request), read_body(exchange.response)
        exchange_id = exchange.id
        if stats is not None:
            stats.add(exchange, match, asked, answered, exchange_id)
        status = exchange.response.status
        self.lives.add(exchange_id, status, answered)
        self.listings.add(exchange_id, operation_id, request, status, answered)
        depth = self.sheet.depth
        if depth == 2:
            self.sheet.add(Facts.of(exchange, exchange_id, match, asked, answered))
            self.looks.add(exchange_id, exchange, match, asked, answered)
        else:
            self.sheet.add(Facts.bare(exchange, exchange_id, operation_id) if depth else None)
        self._repeats.add(exchange, operation_id)
        tags = exchange.tags
        self.order.add(tags.session, tags.role, operation_id, exchange.started_at)
        self.clock.add(exchange.started_at)
        self._count(exchange)

    def _match(self, request: Request) -> Match:
        method, path = request.method, request.path
        match = self._declared.match_request(request) or self._learned.match(method, path)
        if match is None:  # the second reading brought a path that the first did not
            match = Match(operation=Operation(method=method, template=path), params={}, segments={})
        if not match.operation.variant and (variant := variant_of(request)):
            match = replace(match, operation=replace(match.operation, variant=variant))
        return match

    def _count(self, exchange: Exchange) -> None:
        self.count += 1
        if exchange.tags.session and len(self.sessions) < SESSIONS_MAX:
            self.sessions.add(exchange.tags.session)
        origin = exchange.request.origin
        if origin in self.origins or len(self.origins) < ORIGINS_MAX:
            self.origins[origin] += 1

    def evidence(self) -> Evidence:
        """What changes in answers though nothing was changed."""
        rows = self.rows()
        made = find_generated(self.sheet.rows)
        creating = {key for key, evidence in made.items() if settled(evidence)}
        return joined(self._repeats.found(), find_clocks(rows, creating), made)

    def rows(self) -> dict[tuple[str, int], list[Row]]:
        """(operation id, status) -> the answers that were kept."""
        return {
            (id_, status): kept
            for id_, stats in self.operations.items()
            for status, kept in stats.answered_rows()
        }

    def sources(self) -> Iterator[tuple[str, Source]]:
        """Every place with the values it held, by operation."""
        for id_, stats in self.operations.items():
            for place, scalars in stats.sources():
                yield stats.operation.template, (id_, place, scalars)
