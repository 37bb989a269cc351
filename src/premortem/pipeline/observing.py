"""Each role's own request, sent: what the target really lets whom do.

A cell of the matrix is observed as a scenario of access is planned: production's way to the state
as production went it, then the request as the role in question, in the edition in question. Only
on targets that are disposable, no faster than their `rate_per_second_max`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from itertools import groupby

from msgspec.structs import replace

from premortem.agent.steps.bindings import load_bindings
from premortem.agent.steps.connection import client_factory
from premortem.config import Config
from premortem.domain.access import NOBODY, AccessTable
from premortem.domain.coverage import Cell, CellCount, RunCoverage, StatusClass, Unasked
from premortem.domain.run import SAFE_METHODS
from premortem.domain.traffic import Profile
from premortem.errors import InputError, UnsafeTarget
from premortem.pipeline.access import OBSERVATION
from premortem.pipeline.accounts import account_cases, fresh_state
from premortem.pipeline.judging import read_exchanges
from premortem.pipeline.observing_doubts import Doubts, Trust
from premortem.pipeline.observing_looks import Observed, Watching
from premortem.pipeline.observing_visits import Visits
from premortem.send.auth import Credentials
from premortem.send.line import open_line
from premortem.send.patience import Patience
from premortem.send.target import can_reset
from premortem.store import Store

CELLS_MAX = 20_000
"""Of one observation."""
WHY_CHARACTERS_MAX = 400
"""Of the reason why a cell is not known."""


def observe(
    table: AccessTable,
    *,
    config: Config,
    store: Store,
    operations: Collection[str] = (),
    roles: Collection[str] = (),
    editions: Collection[str] = (),
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Iterator[Observed]:
    """Send every operation as every role in every edition, and keep what it was answered in STORE.

    OPERATIONS, ROLES, EDITIONS: only these; empty: all that TABLE and the profile know. What was
    observed before and is not looked at now stays. SLEEP, seconds: where the target refuses for the
    rate. Raises NothingLearned without a profile, UnsafeTarget where data may not be changed,
    TargetDown, ConfigError.
    """
    target = config.target
    if not target.disposable:
        raise UnsafeTarget(target=target.base_url, method="POST", operation_id="--observe")
    profile = store.profile()
    exchanges = read_exchanges(profile, store)
    accounts = account_cases(profile, exchanges, config=config, redaction_key=store.redaction_key)
    key = store.redaction_key
    # Logins are limited on many services: a role signs in once, not for each cell.
    shared = Credentials(config.roles, redaction_key=key, environment=os.environ)
    patience = Patience(sleep=sleep)
    factory = client_factory(
        config, environment=os.environ, redaction_key=key, shared=shared, patience=patience
    )
    wanted = _wanted(table, profile, config, operations, roles, editions)
    with open_line(config, redaction_key=key, patience=patience) as line:
        line.wait_ready()
        freshen = fresh_state(line, accounts)
        freshen()

        def again() -> bool:
            watching.let_finish()
            shared.forget()
            freshen()
            return can_reset(target)

        watching = Watching(
            config=config,
            profile=profile,
            exchanges=exchanges,
            factory=factory,
            clock=clock,
            sleep=sleep,
            again=again,
        )
        visits = Visits(config, profile, load_bindings(config), line)

        def look(asked: Observed) -> Observed:
            one = watching.look(table, asked.operation_id, asked.role, asked.edition)
            operation = profile.operation(asked.operation_id)
            if one.status or operation is None:
                return one
            status = visits.ask(operation, asked.role, asked.edition)
            return replace(one, status=status, why_not="", requests=2) if status else one

        doubts = Doubts(
            table=table, profile=profile, watching=watching, look=look, again=again, clock=clock
        )
        seen: list[Observed] = []
        for one in _settled(wanted, look, doubts, again):
            yield one
            seen.append(one)
        _keep(store, profile, seen, at=clock())


def _settled(
    wanted: Iterable[Observed],
    look: Callable[[Observed], Observed],
    doubts: Doubts,
    again: Callable[[], bool],
) -> Iterator[Observed]:
    """What each of WANTED was answered, and what it shows; those of one operation come together."""
    trust = Trust()
    harm = 0
    for (_, operation_id), group in groupby(wanted, lambda one: (one.edition, one.operation_id)):
        if _harm(operation_id) != harm:
            # What the kind before it did must not decide what this one finds.
            harm = _harm(operation_id)
            again()
        yield from trust.told(doubts.settled([look(one) for one in group]))
    yield from trust.rest()


def _harm(operation_id: str) -> int:
    """What the operation may do to what others look at: nothing, change it, take it away."""
    method = operation_id.partition(" ")[0]
    return 0 if method in SAFE_METHODS else 2 if method == "DELETE" else 1


def _wanted(
    table: AccessTable,
    profile: Profile,
    config: Config,
    operations: Collection[str],
    roles: Collection[str],
    editions: Collection[str],
) -> list[Observed]:
    """Each cell, not looked at yet, by edition and operation, those first that do no harm; roles
    that cannot sign in are left out."""
    bindings = load_bindings(config)
    switchable = [e for e in table.editions if bindings.edition(e) is not None]
    fixed = [edition for edition in editions if edition not in switchable]
    if fixed:
        raise InputError(
            f"nothing says how to switch to the edition {fixed[0]}; add [editions] to the binding "
            f"file, or `edition_header` to [target]"
        )
    in_ = [e for e in switchable if not editions or e in editions] or [""]
    who = [r for r in (*table.roles, NOBODY) if r in config.roles or r == NOBODY]
    cells = [
        Observed(operation_id=operation.id, role=role, edition=edition, status=0)
        for edition in in_
        for operation in sorted(profile.operations, key=lambda o: _harm(o.id))
        if not operations or operation.id in operations
        for role in who
        if not roles or role in roles
    ]
    if len(cells) > CELLS_MAX:
        raise InputError(
            f"that is {len(cells):,} requests in question, more than {CELLS_MAX:,}; name "
            f"operations, roles or editions"
        )
    return cells


def _keep(store: Store, profile: Profile, seen: Iterable[Observed], *, at: float) -> None:
    before = store.coverage.of_run(OBSERVATION)
    fitting = before is not None and before.profile_version == profile.version
    counts = {c.cell: c for c in (before.cells if before is not None and fitting else ())}
    unasked = {one.cell: one for one in (before.unasked if before is not None and fitting else ())}
    for one in seen:
        role = "" if one.role == NOBODY else one.role
        cell = Cell(operation_id=one.operation_id, role=role, edition=one.edition)
        counts.pop(cell, None)
        unasked.pop(cell, None)
        if not one.grant:
            unasked[cell] = Unasked(cell=cell, why=one.why_not[:WHY_CHARACTERS_MAX])
            continue
        counts[cell] = CellCount(
            cell=cell,
            status_class=_status_class(one.status),
            hits=1,
            last_status=one.status,
            last_at=at,
        )
    store.coverage.save(
        RunCoverage(
            run_id=OBSERVATION,
            profile_version=profile.version,
            at=at,
            cells=tuple(counts[cell] for cell in sorted(counts)),
            unasked=tuple(unasked[cell] for cell in sorted(unasked)),
            cases=len(counts),
            read=len(counts),
        )
    )


def _status_class(status: int) -> StatusClass:
    classes: tuple[StatusClass, ...] = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
    return classes[status // 100] if 0 <= status // 100 < len(classes) else "none"
