"""Each role's own request, sent: what the target really lets whom do.

A cell of the matrix is observed as a scenario of access is planned: production's way to the state
as production went it, then the request as the role in question, in the edition in question. Only
on targets that are disposable, no faster than their `rate_per_second_max`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.ask import those_that_bind
from premortem.agent.planning.planner import ground_of, plan_on, plan_own
from premortem.agent.plans.ground import Ground
from premortem.agent.steps.bindings import Bindings, load_bindings
from premortem.agent.steps.connection import client_factory
from premortem.agent.steps.engine import ClientFactory, run_scenario
from premortem.agent.verdicts.hearing import Hearing, Said, answers_in_question
from premortem.config import Config
from premortem.domain.access import NOBODY, AccessTable
from premortem.domain.coverage import Cell, CellCount, RunCoverage, StatusClass
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import InputError, UnsafeTarget
from premortem.pipeline.access import OBSERVATION, policed
from premortem.pipeline.accounts import account_cases, fresh_state
from premortem.pipeline.judging import read_exchanges
from premortem.pipeline.observing_visits import Visits
from premortem.send.auth import Credentials
from premortem.send.line import open_line
from premortem.send.target import can_reset
from premortem.store import Store

CELLS_MAX = 20_000
"""Of one observation."""
TRIES_MAX = 2
"""Ways that are tried where the one before could not be gone to its end."""


class Observed(Struct, frozen=True, kw_only=True):
    """What one role was answered."""

    operation_id: str
    role: str
    """`NOBODY`: nobody signed in."""
    edition: str
    status: int
    """0: the request was not sent, or not answered; see `why_not`."""
    why_not: str = ""
    requests: int = 0
    """That it took."""


def observe(
    table: AccessTable,
    *,
    config: Config,
    store: Store,
    operations: Collection[str] = (),
    roles: Collection[str] = (),
    editions: Collection[str] = (),
    clock: Callable[[], float] = time.time,
) -> Iterator[Observed]:
    """Send every operation as every role in every edition, and keep what it was answered in STORE.

    OPERATIONS, ROLES, EDITIONS: only these; empty: all that TABLE and the profile know. What was
    observed before and is not looked at now stays. Raises NothingLearned without a profile,
    UnsafeTarget where data may not be changed, TargetDown, ConfigError.
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
    factory = client_factory(config, environment=os.environ, redaction_key=key, shared=shared)
    with open_line(config, redaction_key=store.redaction_key) as line:
        line.wait_ready()
        freshen = fresh_state(line, accounts)
        freshen()

        def again() -> bool:
            """A fresh state once more, where there is a way to one."""
            shared.forget()
            freshen()
            return can_reset(target)

        watching = Watching(
            config=config,
            profile=profile,
            exchanges=exchanges,
            factory=factory,
            clock=clock,
            again=again,
        )
        visits = Visits(config, profile, load_bindings(config), line)
        wanted = _wanted(table, profile, config, operations, roles, editions)
        seen: list[Observed] = []
        for edition, role, operation_id in wanted:
            one = watching.look(table, operation_id, role, edition)
            operation = profile.operation(operation_id)
            if not one.status and operation is not None:
                status = visits.ask(operation, role, edition)
                one = replace(one, status=status, why_not="", requests=2) if status else one
            seen.append(one)
            yield one
        _keep(store, profile, seen, at=clock())


def _wanted(
    table: AccessTable,
    profile: Profile,
    config: Config,
    operations: Collection[str],
    roles: Collection[str],
    editions: Collection[str],
) -> list[tuple[str, str, str]]:
    """Edition, role and operation of each cell; roles that cannot sign in are left out."""
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
        (edition, role, operation.id)
        for edition in in_
        for operation in profile.operations
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


class Watching:
    """Looks at one cell after the other."""

    def __init__(
        self,
        *,
        config: Config,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        factory: ClientFactory,
        clock: Callable[[], float],
        again: Callable[[], bool],
    ) -> None:
        """AGAIN: brings the target back to a fresh state; False: there is no way to one."""
        self._bindings: Bindings = load_bindings(config)
        self._roles = tuple(config.roles)
        self._profile, self._exchanges = profile, exchanges
        self._factory, self._clock, self._again = factory, clock, again
        self._was_refused = False
        """The target refused what the last request in question stands on; who could not sign in was
        not refused that."""
        self._grounds: dict[str, Ground] = {}

    def look(self, table: AccessTable, operation_id: str, role: str, edition: str) -> Observed:
        """What OPERATION_ID answers to ROLE in EDITION."""
        seen = Observed(operation_id=operation_id, role=role, edition=edition, status=0)
        understood = Understanding(
            prompt="",
            failure_mode="forbidden_role",
            operation_ids=(operation_id,),
            role=role,
            edition=edition,
        )
        try:
            planned = plan_on(self._ground(table, edition, understood), understood)
            scenarios = those_that_bind(
                map(_asking, planned), bindings=self._bindings, roles=self._roles
            )
        except InputError as error:
            return replace(seen, why_not=str(error))
        for scenario in scenarios[:TRIES_MAX]:
            status, why_not, requests = self._asked(scenario)
            seen = replace(seen, status=status, why_not=why_not, requests=seen.requests + requests)
            if status:
                break
        if not seen.status and scenarios and self._was_refused and self._again():
            # What it makes may be there already, and be refused a second time.
            status, why_not, requests = self._asked(scenarios[0])
            seen = replace(seen, status=status, why_not=why_not, requests=seen.requests + requests)
        if seen.status in (401, 403) and role != NOBODY:
            return self._with_its_own(table, seen, understood)
        return seen

    def _with_its_own(
        self, table: AccessTable, seen: Observed, understood: Understanding
    ) -> Observed:
        """SEEN, a denial, or leave where the role is let do it to what it made itself."""
        role, edition = seen.role, seen.edition
        may = [o.id for o in self._profile.operations if _is_let(table, o.id, role, edition)]
        if seen.operation_id not in may:
            return seen
        try:
            planned = plan_own(self._ground(table, edition, understood), understood, may)
            scenarios = those_that_bind(
                map(_asking, planned), bindings=self._bindings, roles=self._roles
            )
        except InputError:
            return seen
        status, _, requests = self._asked(scenarios[0])
        more = seen.requests + requests
        return replace(seen, status=status if 200 <= status < 300 else seen.status, requests=more)

    def _ground(self, table: AccessTable, edition: str, understood: Understanding) -> Ground:
        if edition not in self._grounds:
            self._grounds[edition] = ground_of(
                understood,
                profile=policed(self._profile, table, edition),
                exchanges=self._exchanges,
                roles=self._roles,
                services=tuple(self._bindings.services),
                editions=tuple(self._bindings.editions),
            )
        return self._grounds[edition]

    def _asked(self, scenario: Scenario) -> tuple[int, str, int]:
        """The status of the request in question, why there is none, and the requests it took."""
        said: list[Said] = []
        results = run_scenario(
            scenario,
            client_factory=self._factory,
            bindings=self._bindings,
            roles=self._roles,
            clock=self._clock,
            wrap=lambda client, world: Hearing(client, world, said),
        )
        last = said[-1].sent.response if said else None
        self._was_refused = last is not None and last.status >= 400
        answers = answers_in_question(said)
        if answers:
            return answers[-1].status, "", len(said)
        stopped = next((r for r in results if r.status not in ("passed", "skipped")), None)
        why = f"{stopped.step.text}: {stopped.detail}" if stopped is not None else "no answer"
        return 0, why, len(said)


def _is_let(table: AccessTable, operation_id: str, role: str, edition: str) -> bool:
    """Whether nobody says that ROLE may not."""
    decision = table.decide(operation_id, role, edition)
    declared = decision.declared if decision is not None else None
    return declared is None or declared.grant == "allowed"


def _asking(scenario: Scenario) -> Scenario:
    """SCENARIO up to its request in question, with the one check that a scenario needs."""
    steps = scenario.steps
    last = max((i for i, step in enumerate(steps) if step.keyword == "When"), default=len(steps))
    checks = [i for i, s in enumerate(steps) if i > last and s.keyword == "Then"][:1]
    return replace(scenario, steps=(*steps[: last + 1], *(steps[i] for i in checks)))


def _keep(store: Store, profile: Profile, seen: Iterable[Observed], *, at: float) -> None:
    before = store.coverage.of_run(OBSERVATION)
    fitting = before is not None and before.profile_version == profile.version
    counts = {c.cell: c for c in (before.cells if before is not None and fitting else ())}
    for one in seen:
        if not one.status:
            continue
        role = "" if one.role == NOBODY else one.role
        cell = Cell(operation_id=one.operation_id, role=role, edition=one.edition)
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
            cases=len(counts),
            read=len(counts),
        )
    )


def _status_class(status: int) -> StatusClass:
    classes: tuple[StatusClass, ...] = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
    return classes[status // 100] if 0 <= status // 100 < len(classes) else "none"
