"""Exchanges (and a specification) -> Profile, in two passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from premortem.domain.template import Match, Matcher
from premortem.domain.traffic import Exchange, Operation, OperationProfile, Profile, Timing
from premortem.learn.bodies import read_body
from premortem.learn.declared import merge_spec
from premortem.learn.evidence import Names, observe
from premortem.learn.facts import Facts, FactSheet
from premortem.learn.flows import group_flows
from premortem.learn.links import find_links
from premortem.learn.openapi import Spec
from premortem.learn.operations import OperationStats
from premortem.learn.recipes import find_recipes
from premortem.learn.templates import Templates, learn_templates
from premortem.learn.trie import Tree

OPERATIONS_MAX = 5000
"""Operations with statistics of their own; rarer ones that come later are left out."""
SESSIONS_MAX = 1_000_000
ORIGINS_MAX = 1000

Read = Callable[[], Iterator[Exchange]]


def learn_profile(read: Read, *, spec: Spec | None, now: float, parent: str = "") -> Profile:
    """What the exchanges that READ yields (twice, same order: by start) show, merged with SPEC.

    NOW is seconds since the epoch. Memory is bounded by the named maxima of this package plus
    the exchange ids in the flows. The version depends on the content alone.
    """
    declared = Matcher(o.operation for o in spec.operations) if spec is not None else Matcher(())
    templates = _first_pass(read, declared)
    traffic = _Traffic(declared, Matcher(templates.operations))
    for exchange in read():
        traffic.add(exchange)
    facts = traffic.sheet
    flows = group_flows(facts)
    links = find_links(facts)
    recipes = find_recipes(facts, flows)
    operations = tuple(
        replace(stats.profile(), recipes=recipes.get(id_, ()))
        for id_, stats in traffic.operations.items()
    )
    if spec is not None:
        operations = merge_spec(operations, spec)
    profile = Profile(
        version="",
        parent=parent,
        created_at=now,
        exchanges=traffic.count,
        sessions=len(traffic.sessions),
        origins=tuple(origin for origin, _ in traffic.origins.most_common()),
        operations=tuple(sorted(operations, key=_by_use)),
        links=links,
        flows=flows,
        timing=traffic.timing(),
        spec_title=spec.title if spec is not None else "",
        ambiguous=templates.ambiguous,
    )
    return replace(profile, version=content_version(profile))


def content_version(profile: Profile) -> str:
    """12 hex digits of PROFILE's content: the same traffic gives the same version."""
    bare = replace(profile, version="", created_at=0.0, parent="")
    return sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()[:12]


def _by_use(operation: OperationProfile) -> tuple[int, str]:
    return (-operation.count, operation.id)


def _first_pass(read: Read, declared: Matcher) -> Templates:
    """The templates of what no specification declares."""
    tree, names = Tree(), Names()
    for exchange in read():
        if declared.match(exchange.request.method, exchange.request.path) is None:
            observe(exchange, tree, names)
    return learn_templates(tree, names)


class _Traffic:
    """The second pass: everything that needs to know the operation."""

    def __init__(self, declared: Matcher, learned: Matcher) -> None:
        self._declared = declared
        self._learned = learned
        self._matches: dict[tuple[str, str], Match] = {}
        self.operations: dict[str, OperationStats] = {}
        self.sheet = FactSheet()
        self.sessions: set[str] = set()
        self.origins: Counter[str] = Counter()
        self.count = 0
        self._first_at = 0.0
        self._last_at = 0.0
        self._hours = [0] * 24

    def add(self, exchange: Exchange) -> None:
        """Take in one exchange."""
        request = exchange.request
        match = self._match(request.method, request.path)
        operation_id = match.operation.id
        stats = self.operations.get(operation_id)
        if stats is None and len(self.operations) < OPERATIONS_MAX:
            stats = self.operations[operation_id] = OperationStats(match.operation)
        asked, answered = read_body(request), read_body(exchange.response)
        exchange_id = exchange.id
        if stats is not None:
            stats.add(exchange, match, asked, answered, exchange_id)
        self.sheet.add(Facts.of(exchange, exchange_id, match, asked, answered))
        self._count(exchange)

    def _match(self, method: str, path: str) -> Match:
        match = self._declared.match(method, path) or self._learned.match(method, path)
        if match is None:  # the second reading brought a path that the first did not
            match = Match(operation=Operation(method=method, template=path), params={}, segments={})
        return match

    def _count(self, exchange: Exchange) -> None:
        at = exchange.started_at
        self._first_at = min(self._first_at, at) if self.count else at
        self._last_at = max(self._last_at, at) if self.count else at
        self.count += 1
        self._hours[int(at // 3600) % 24] += 1
        if exchange.tags.session and len(self.sessions) < SESSIONS_MAX:
            self.sessions.add(exchange.tags.session)
        origin = exchange.request.origin
        if origin in self.origins or len(self.origins) < ORIGINS_MAX:
            self.origins[origin] += 1

    def timing(self) -> Timing:
        """When it came; the rate over the whole span, 0 when there is none."""
        span = self._last_at - self._first_at
        return Timing(
            first_at=self._first_at,
            last_at=self._last_at,
            rate_per_second=(self.count - 1) / span if span > 0 else 0.0,
            hours=tuple(self._hours),
        )
