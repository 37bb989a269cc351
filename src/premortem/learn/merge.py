"""Several profiles as one: two services' captures, or two weeks of one.

Counts add; quantiles come from the added histograms; sets are united; rules that one side
contradicts are dropped. The captures must not overlap: what is in both counts twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from premortem.domain.histogram import added, quantiles
from premortem.domain.traffic import (
    Answer,
    Flow,
    OperationProfile,
    Profile,
    Recipe,
    Timing,
)
from premortem.learn import order
from premortem.learn.effects import merge_effects
from premortem.learn.event_logs import merge_logs
from premortem.learn.facts import FLOWS_MAX
from premortem.learn.machine import merge_machines
from premortem.learn.merge_fields import Side, merge_fields, merge_schemas
from premortem.learn.merge_relations import (
    merge_correlations,
    merge_echoes,
    merge_follows,
    merge_links,
    merge_pools,
    merge_rules,
    merge_views,
    merge_volatility,
)
from premortem.learn.operations import DURATION_SHARES, EXEMPLARS_MAX, OPERATIONS_MAX
from premortem.learn.pairings import merge_pairings
from premortem.learn.profile import by_use, content_version
from premortem.learn.recipes import RECIPES_MAX
from premortem.learn.renaming import agreed, doubtful
from premortem.learn.shapes import ANSWER_VALUES_MAX
from premortem.learn.volatile import settled

AMBIGUOUS_MAX = 200


def merge_profiles(first: Profile, *others: Profile, now: float) -> Profile:
    """FIRST and OTHERS as one profile; NOW is seconds since the epoch.

    `merge(a, b)` is close to what the exchanges of both would have taught: counts, statuses,
    roles, presence and hours are equal; quantiles are off by at most an eighth; closed sets may
    be missed where one side had too many values to keep; links, recipes and rules that need
    messages of both are not found. The order of the arguments changes the order of equals only.
    Flows keep the latest exchanges. With one profile alone it is that one's copy.
    """
    merged = first
    for other in others:
        merged = _two(merged, other)
    parents = tuple(dict.fromkeys(v for p in (first, *others) for v in (p.parents or (p.version,))))
    merged = replace(merged, version="", parent=first.version, parents=parents, created_at=now)
    return replace(merged, version=content_version(merged))


def overlap(a: Profile, b: Profile) -> int:
    """Exchanges that both were learned from, as far as their flows tell."""
    known = {id_ for flow in a.flows for id_ in flow.exchange_ids}
    return sum(id_ in known for flow in b.flows for id_ in flow.exchange_ids)


def _two(a: Profile, b: Profile) -> Profile:
    doubts = doubtful(a, b)
    a, b = agreed(a, b)
    mine = {o.id: o for o in a.operations}
    theirs = {o.id: o for o in b.operations}
    operations = [
        _operation(mine[id_], theirs[id_])
        if id_ in mine and id_ in theirs
        else mine.get(id_) or theirs[id_]
        for id_ in dict.fromkeys((*mine, *theirs))
    ]
    operations.sort(key=by_use)
    ambiguous = dict.fromkeys((*a.ambiguous, *b.ambiguous, *doubts))
    return Profile(
        version="",
        created_at=0.0,
        exchanges=a.exchanges + b.exchanges,
        sessions=a.sessions + b.sessions,
        origins=tuple(dict.fromkeys((*a.origins, *b.origins))),
        operations=tuple(operations[:OPERATIONS_MAX]),
        links=merge_links(a, b),
        flows=_flows(a, b),
        timing=_timing(a, b),
        follows=merge_follows(a.follows, b.follows),
        pools=merge_pools(a.pools, b.pools),
        machines=merge_machines(a.machines, b.machines),
        pairings=merge_pairings(a.pairings, b.pairings),
        logs=merge_logs(a.logs, b.logs),
        effects=merge_effects(a.effects, b.effects),
        spec_title=a.spec_title or b.spec_title,
        ambiguous=tuple(ambiguous)[:AMBIGUOUS_MAX],
    )


def _flows(a: Profile, b: Profile) -> tuple[Flow, ...]:
    """Those of both, each exchange in one; the latest where there are more than FLOWS_MAX."""
    ordered = sorted((*a.flows, *b.flows), key=lambda f: (f.started_at, f.exchange_ids))
    kept: list[Flow] = []
    seen: set[str] = set()
    for flow in reversed(ordered):
        fresh = tuple(id_ for id_ in flow.exchange_ids if id_ not in seen)
        if fresh and len(seen) + len(fresh) <= FLOWS_MAX:
            seen.update(fresh)
            kept.append(replace(flow, exchange_ids=fresh))
    return tuple(reversed(kept))


def _timing(a: Profile, b: Profile) -> Timing:
    """Of both; a capture without exchanges has no first and no last moment."""
    known = [p for p in (a, b) if p.exchanges]
    if len(known) < 2:
        return (known or [a])[0].timing
    one, other = a.timing, b.timing
    return order.timing(
        min(one.first_at, other.first_at),
        max(one.last_at, other.last_at),
        a.exchanges + b.exchanges,
        _summed(one.hours, other.hours),
        _summed(one.weekdays, other.weekdays),
        added((one.gap_bins, other.gap_bins)),
    )


def _summed(a: Sequence[int], b: Sequence[int]) -> list[int]:
    if not a or not b:
        return list(a or b)
    return [x + y for x, y in zip(a, b, strict=True)]


def _operation(a: OperationProfile, b: OperationProfile) -> OperationProfile:
    one, other = _requests(a), _requests(b)
    fields = merge_fields(one, other)
    # what a specification declares holds as the later one says it
    spec = b if b.in_spec else a
    declared = spec.request_schema if spec.in_spec and spec.request_source == "spec" else ""
    bins = added((a.duration_bins, b.duration_bins))
    longer = a if a.count >= b.count else b
    answers = _answers(a, b)
    correlations = merge_correlations(a.correlations, b.correlations, one, other)
    return replace(
        spec,
        count=a.count + b.count,
        summary=spec.summary or a.summary or b.summary,
        media_types=_counted((a.media_types, b.media_types)),
        fields=fields,
        request_schema=declared
        or merge_schemas(fields, a.request_schema, b.request_schema, answer=False),
        request_source="spec" if declared else "learned",
        secured=_secured(a, b),
        answers=answers,
        roles=_matrix(a.roles, b.roles),
        editions=_matrix(a.editions, b.editions),
        duration_ms=tuple(round(q, 3) for q in quantiles(bins, DURATION_SHARES))
        if bins
        else longer.duration_ms,
        duration_bins=bins,
        recipes=_recipes(a, b),
        exemplars=_alternating(a.exemplars, b.exemplars)[:EXEMPLARS_MAX],
        rules=merge_rules(a.rules, b.rules, one, other),
        correlations=correlations,
        unrecorded=a.unrecorded + b.unrecorded,
        unanswered=a.unanswered + b.unanswered,
    )


def _requests(operation: OperationProfile) -> Side:
    return Side(
        operation.fields, count=operation.count, whole=operation.count - operation.unrecorded
    )


def _secured(a: OperationProfile, b: OperationProfile) -> bool:
    """All that succeeded carried credentials; who was never called has no say."""
    if a.in_spec or b.in_spec:
        return b.secured if b.in_spec else a.secured
    known = [o for o in (a, b) if any(x.count and x.status // 100 == 2 for x in o.answers)]
    return bool(known) and all(o.secured for o in known)


def _counted(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in several:
        for key, count in one.items():
            counts[key] += count
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _matrix(
    a: Mapping[str, Mapping[str, int]], b: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Role or edition -> status -> count, of both."""
    return {
        key: dict(sorted(_counted((a.get(key, {}), b.get(key, {}))).items()))
        for key in sorted({*a, *b})
    }


def _alternating(a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
    """One of A, one of B, and so on: the first ones of each, which were answered, come first."""
    turns = max(len(a), len(b))
    mixed = (one for turn in range(turns) for one in (*a[turn : turn + 1], *b[turn : turn + 1]))
    return tuple(dict.fromkeys(mixed))


def _recipes(a: OperationProfile, b: OperationProfile) -> tuple[Recipe, ...]:
    """One per status and way, the ones of A before those of B; 2xx first."""
    ways: dict[tuple[int, tuple[str, ...]], Recipe] = {}
    for recipe in (*a.recipes, *b.recipes):
        way = tuple(step.operation_id for step in recipe.steps)
        ways.setdefault((recipe.status, way), recipe)
    ranked = sorted(ways.values(), key=lambda r: (r.status // 100 != 2, len(r.steps)))
    shortest: dict[int, int] = {}
    kept = []
    for recipe in ranked:
        # of what succeeded the shortest way is enough; refusals have several reasons
        if recipe.status // 100 == 2 and recipe.status in shortest:
            continue
        shortest[recipe.status] = len(recipe.steps)
        kept.append(recipe)
    return tuple(kept[:RECIPES_MAX])


def _answers(a: OperationProfile, b: OperationProfile) -> tuple[Answer, ...]:
    mine = {answer.status: answer for answer in a.answers}
    theirs = {answer.status: answer for answer in b.answers}
    return tuple(
        _answer(mine[status], theirs[status])
        if status in mine and status in theirs
        else mine.get(status) or theirs[status]
        for status in sorted({*mine, *theirs})
    )


def _answer(a: Answer, b: Answer) -> Answer:
    one, other = (Side(x.fields, count=x.count, whole=x.count - x.unrecorded) for x in (a, b))
    fields = merge_fields(one, other, values_max=ANSWER_VALUES_MAX)
    spec = b if b.source == "spec" else a
    declared = spec.schema if spec.source == "spec" else ""
    volatility = merge_volatility(a.volatility, b.volatility)
    return Answer(
        status=a.status,
        count=a.count + b.count,
        schema=declared or merge_schemas(fields, a.schema, b.schema, answer=True),
        source="spec" if declared else "learned",
        fields=fields,
        media_types=tuple(dict.fromkeys((*a.media_types, *b.media_types))),
        volatile=settled(volatility) if volatility else tuple(sorted({*a.volatile, *b.volatile})),
        rules=merge_rules(a.rules, b.rules, one, other),
        echoes=merge_echoes((a.echoes, one), (b.echoes, other)),
        views=merge_views(a, b, one, other),
        volatility=volatility,
        unrecorded=a.unrecorded + b.unrecorded,
        declared_types=spec.declared_types or a.declared_types,
        headers=spec.headers or a.headers,
    )
