"""Who may do what: everything that documents, code, specification, traffic and runs say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.knowledge.access_openapi import access_in_openapi
from premortem.agent.knowledge.access_placing import placed, shape
from premortem.agent.knowledge.access_sources import AccessFound, read_access
from premortem.agent.knowledge.access_traffic import access_in_traffic, shown_by, shown_in
from premortem.agent.knowledge.openapi_dto import is_openapi, operations_in_openapi
from premortem.agent.steps.bindings import ANY, load_bindings
from premortem.config import Config
from premortem.domain.access import (
    ANYONE,
    NOBODY,
    AccessRule,
    AccessTable,
    Contradiction,
    contradictions,
    folded,
    licensed,
    listed,
    merged,
)
from premortem.domain.access_matrix import AccessMatrix, matrix_of
from premortem.domain.coverage import CellCount
from premortem.domain.denial import grant_shown, shows_denial
from premortem.domain.traffic import Operation, OperationProfile, Profile
from premortem.errors import NothingLearned
from premortem.pipeline.covering import UNKNOWN_ROLE, recorded_latest
from premortem.store import Store

OBSERVATION = "roles"
"""The run under whose name the store keeps what roles were answered when it was looked at."""


class Access(Struct, frozen=True, kw_only=True):
    """What is known of access."""

    table: AccessTable
    contradictions: tuple[Contradiction, ...]
    matrix: AccessMatrix
    handlers: tuple[tuple[str, str], ...] = ()
    """Handler -> the operation that it performs, as code and documents have it."""
    sources: tuple[str, ...] = ()
    """Files and traffic that said something."""
    skipped: tuple[str, ...] = ()
    """What could not be read, each with why."""


def access_of(
    config: Config,
    store: Store | None,
    *,
    folder: Path,
    further: Iterable[AccessRule] = (),
) -> Access:
    """Who may do what, by the files of FOLDER, the specification of CONFIG's target, and what
    STORE knows: its latest profile, recorded requests and runs. Without a profile by files alone.
    FURTHER: rules that came otherwise.
    """
    profile = learned(store)
    found = read_access(folder)
    spec = _specification(config, found)
    rules = [*further, *found.rules, *spec.rules]
    if profile is not None:
        if not any(rule.source == "openapi" for rule in rules):
            rules += _of_profile(profile)
        rules += _of_traffic(config, profile, store)
    cells = _sent(profile, store)
    rules += rules_of_runs(cells)
    bindings = load_bindings(config)
    handlers = dict((*spec.handlers, *found.handlers))
    operations = profile.operations if profile is not None else _declared(rules, handlers)
    table = merged(
        placed(rules, operations, handlers),
        roles=(*config.roles, *found.roles),
        editions=(
            *found.editions,
            *_editions(profile),
            *(e for e in bindings.editions if e != ANY),
        ),
        aliases=bindings.roles,
    )
    table = _ordered(table, found)
    return Access(
        table=table,
        contradictions=contradictions(table),
        matrix=matrix_of(
            table,
            _tried(cells),
            operations=[o.id for o in operations],
            unasked=cells.unasked,
        ),
        handlers=tuple(handlers.items()),
        sources=tuple(dict.fromkeys(r.document or r.source for r in table.rules)),
        skipped=found.skipped,
    )


def _declared(
    rules: Iterable[AccessRule], handlers: Mapping[str, str]
) -> tuple[OperationProfile, ...]:
    """The operations that a specification names, where nothing was learned."""
    ids = [r.operation_id for r in rules if r.source == "openapi"]
    named = (id_.split(" ", 1) for id_ in dict.fromkeys([*ids, *handlers.values()]))
    # `/api/[controller]` of code is `/api/Invoice`, and `/api/invoice` in the document.
    once = {shape(method, path): (method, path) for method, path in reversed(list(named))}
    return tuple(
        OperationProfile(operation=Operation(method=method, template=path), count=0)
        for method, path in reversed(once.values())
    )


def learned(store: Store | None) -> Profile | None:
    """The latest profile of STORE, or None."""
    try:
        return store.profile() if store is not None else None
    except NothingLearned:
        return None


def _specification(config: Config, found: AccessFound) -> AccessFound:
    """What the specification of CONFIG's target says, where FOUND has not read it already."""
    path = config.path(config.target.spec)
    if not config.target.spec or not path.is_file() or path.name in _names(found):
        return AccessFound(rules=())
    data = path.read_bytes()
    if not is_openapi(data):
        return AccessFound(rules=())
    named = operations_in_openapi(data, origin=path.name)
    return AccessFound(
        rules=access_in_openapi(data, origin=path.name),
        handlers=tuple((o.name, f"{o.method} {o.path}") for o in named),
    )


def _names(found: AccessFound) -> frozenset[str]:
    return frozenset(Path(rule.document).name for rule in found.rules if rule.source == "openapi")


def _of_profile(profile: Profile) -> Iterator[AccessRule]:
    """What the specification said that PROFILE was learned with."""
    for operation in profile.operations:
        if not operation.in_spec:
            continue
        rule = AccessRule(
            operation_id=operation.id,
            grant="allowed",
            source="openapi",
            document=f"profile {profile.version}",
        )
        if operation.allowed_roles:
            said = f"roles: [{', '.join(operation.allowed_roles)}]"
            yield from listed(replace(rule, said=said), operation.allowed_roles)
        elif operation.secured:
            yield replace(rule, role=NOBODY, grant="denied", said="security")
        if operation.allowed_editions:
            said = f"editions: [{', '.join(operation.allowed_editions)}]"
            yield from licensed(replace(rule, said=said), operation.allowed_editions)


def _of_traffic(config: Config, profile: Profile, store: Store | None) -> tuple[AccessRule, ...]:
    document = f"traffic of profile {profile.version}"
    header = config.target.edition_header
    if header and store is not None:
        shown = shown_by(recorded_latest(profile, store), profile, edition_header=header)
    else:
        shown = shown_in(profile)
    return access_in_traffic(shown, document=document)


def _editions(profile: Profile | None) -> Iterator[str]:
    for operation in profile.operations if profile is not None else ():
        yield from operation.allowed_editions
        yield from operation.editions


def _ordered(table: AccessTable, found: AccessFound) -> AccessTable:
    """TABLE without roles that are none: what signs in as nobody, or as anybody."""
    none = {NOBODY, ANYONE, "", "unknown"}
    roles = tuple(role for role in table.roles if role not in none)
    known = {folded(edition) for edition in found.editions}
    first = [edition for edition in table.editions if folded(edition) in known]
    rest = [edition for edition in table.editions if folded(edition) not in known]
    return replace(table, roles=roles, editions=tuple(e for e in (*first, *rest) if e))


class Sent(Struct, frozen=True, kw_only=True):
    """What of the store's coverage concerns roles."""

    observed: tuple[CellCount, ...] = ()
    """Of the observation: one request each."""
    of_runs: tuple[CellCount, ...] = ()
    unasked: Mapping[tuple[str, str, str], str] = {}
    """What the observation could not learn."""


def _sent(profile: Profile | None, store: Store | None) -> Sent:
    if profile is None or store is None:
        return Sent()
    every = store.coverage.of_profile(profile.version)
    looked = store.coverage.of_run(OBSERVATION)
    observed = looked.cells if looked is not None else ()
    unasked = looked.unasked if looked is not None else ()
    return Sent(
        observed=tuple(c for c in observed if not c.cell.place),
        of_runs=tuple(
            c
            for c in (every.cells if every is not None else ())
            if not c.cell.place and c.cell.role != UNKNOWN_ROLE
        ),
        unasked={
            (one.cell.operation_id, one.cell.role or NOBODY, one.cell.edition): one.why
            for one in unasked
        },
    )


def _tried(sent: Sent) -> Mapping[tuple[str, str, str], int]:
    tried: dict[tuple[str, str, str], int] = {}
    for count in sent.of_runs:
        key = (count.cell.operation_id, count.cell.role or NOBODY, count.cell.edition)
        tried[key] = tried.get(key, 0) + count.hits
    return tried


def rules_of_runs(sent: Sent) -> Iterator[AccessRule]:
    """What our own requests were answered: the observation's whatever it was; of other runs what
    was let through, for refusals there have many reasons."""
    yield from observed_rules(sent.observed)
    looked = {count.cell for count in sent.observed}
    refused = {c.cell: c for c in sent.of_runs if shows_denial(c.last_status)}
    for count in sent.of_runs:
        if count.status_class != "2xx" or count.cell in looked:
            continue
        later = refused.get(count.cell)
        # The latest run that tried it let nobody of the role through: what did was mended.
        mended = later is not None and later.last_run != count.last_run
        if later is None or not (mended and later.last_at > count.last_at):
            yield _run_rule(count, allowed=True, document="runs")


def observed_rules(cells: Iterable[CellCount]) -> Iterator[AccessRule]:
    """The access rules of an observation: CELLS of one request each.

    Those of 404 among them were held against what others were let through to.
    """
    given = tuple(cells)
    stopped: dict[tuple[str, str], set[str]] = {}
    for count in given:
        if shows_denial(count.last_status):
            where = (count.cell.operation_id, count.cell.edition)
            stopped.setdefault(where, set()).add(count.cell.role)
    for count in given:
        operation_id = count.cell.operation_id
        who = stopped.get((operation_id, count.cell.edition), set())
        grant = grant_shown(
            count.last_status, operation_id, gated=bool(who), by_role=bool(who - {""})
        )
        if grant:
            yield _run_rule(count, allowed=grant == "allowed", document=OBSERVATION)


def _run_rule(count: CellCount, *, allowed: bool, document: str) -> AccessRule:
    return AccessRule(
        operation_id=count.cell.operation_id,
        role=count.cell.role or NOBODY,
        edition=count.cell.edition,
        grant="allowed" if allowed else "denied",
        source="run",
        document=document,
        said=f"answered {count.last_status}"
        + (f" in run {count.last_run}" if count.last_run else ""),
        support=count.hits,
        run_id=count.last_run,
    )


def policed(profile: Profile, table: AccessTable, edition: str = "") -> Profile:
    """PROFILE with what TABLE declares of EDITION in place of what traffic shows otherwise: what
    scenarios of access are planned from."""
    return replace(
        profile, operations=tuple(_policed(o, table, edition) for o in profile.operations)
    )


def _policed(operation: OperationProfile, table: AccessTable, edition: str) -> OperationProfile:
    decided = {
        role: found.declared.grant
        for role in (*table.roles, NOBODY)
        if (found := table.decide(operation.id, role, edition)) is not None and found.declared
    }
    signed_in = [role for role in decided if role != NOBODY]
    allowed = tuple(role for role in signed_in if decided[role] == "allowed")
    roles = {
        role: statuses
        for role, statuses in operation.roles.items()
        if decided.get(role or NOBODY) in (None, _shown(statuses))
    }
    changed = replace(operation, roles=roles)
    if NOBODY in decided:
        changed = replace(changed, secured=decided[NOBODY] == "denied")
    return replace(changed, allowed_roles=allowed) if allowed else changed


def _shown(statuses: Mapping[str, int]) -> str:
    return "allowed" if any(status[0] == "2" for status in statuses) else "denied"
