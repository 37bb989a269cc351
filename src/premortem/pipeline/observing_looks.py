"""One role's own request, sent as a scenario of access is planned; and what it was answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.ask import those_that_bind
from premortem.agent.planning.planner import ground_of, plan_on, plan_own
from premortem.agent.plans.ground import Ground
from premortem.agent.steps.bind import BoundStep, bind
from premortem.agent.steps.bindings import Bindings, load_bindings
from premortem.agent.steps.engine import ClientFactory, question_index, run_async, run_scenario
from premortem.agent.steps.world import ScenarioClient
from premortem.agent.verdicts.hearing import Hearing, Said, answers_in_question
from premortem.config import Config
from premortem.domain.access import NOBODY, AccessTable, Grant
from premortem.domain.run import SAFE_METHODS, Case, Sent
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import Exchange, Profile, Response
from premortem.errors import InputError
from premortem.pipeline.access import policed
from premortem.run.resting import ACCEPTED, ACCEPTED_REST_S

TRIES_MAX = 2
"""Ways that are tried where the one before could not be gone to its end."""
SAID_BYTES_MAX = 300
"""Of a refusal."""
LOST = "its credentials no longer work, not for what they were good for before"


class Observed(Struct, frozen=True, kw_only=True):
    """What one role was answered."""

    operation_id: str
    role: str
    """`NOBODY`: nobody signed in."""
    edition: str
    status: int
    """0: the request was not sent, or not answered; see `why_not`."""
    grant: Grant | Literal[""] = ""
    """What that shows; empty: neither leave nor denial; see `why_not`."""
    why_not: str = ""
    said: str = ""
    """How a refusal begins."""
    requests: int = 0
    """That it took."""


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
        sleep: Callable[[float], Awaitable[None]],
        again: Callable[[], bool],
    ) -> None:
        """SLEEP: seconds, where what was accepted is not done yet. AGAIN: brings the target back to
        a fresh state; False: there is no way to one."""
        self._bindings: Bindings = load_bindings(config)
        self._roles = tuple(config.roles)
        self._profile, self._exchanges = profile, exchanges
        self._factory, self._clock, self._again = factory, clock, again
        self._sleep = sleep
        self._was_refused = False
        """The target refused what the last request in question stands on; who could not sign in was
        not refused that."""
        self._was_accepted = False
        """Something was, that the last request in question stands on: 202."""
        self._unfinished = False
        """Something was accepted since anybody waited."""
        self._grounds: dict[str, Ground] = {}
        self._passed: dict[str, Scenario] = {}
        """Role -> the last thing that it was let through to."""
        self._proofs: dict[str, Scenario] = {}
        """Role -> something that its credentials let it through to."""

    def look(self, table: AccessTable, operation_id: str, role: str, edition: str) -> Observed:
        """What OPERATION_ID answers to ROLE in EDITION."""
        seen = Observed(operation_id=operation_id, role=role, edition=edition, status=0)
        understood = _meant(seen)
        try:
            planned = plan_on(self._ground(table, edition, understood), understood)
            scenarios = those_that_bind(
                map(_asking, planned), bindings=self._bindings, roles=self._roles
            )
        except InputError as error:
            return replace(seen, why_not=str(error))
        for scenario in (*scenarios[:TRIES_MAX], *self._bare(scenarios)):
            seen = self._one(seen, scenario)
            if seen.status:
                break
        if not seen.status and scenarios and self._was_refused and self._again():
            # What it makes may be there already, and be refused a second time.
            seen = self._one(seen, scenarios[0])
        if seen.status == 401 and role in self._proofs:
            seen = self._if_signed_in(seen, scenarios[0])
        if seen.status in (401, 403) and role != NOBODY:
            return self.own(table, seen)
        return seen

    def _bare(self, scenarios: Sequence[Scenario]) -> Iterator[Scenario]:
        """A list read as it is, where nothing could be put into it before."""
        for scenario in scenarios[:1]:
            method, _, path = scenario.operation_id.partition(" ")
            if method not in SAFE_METHODS or "{" in path:
                return
            bound = bind(scenario, bindings=self._bindings, roles=self._roles)
            asks = question_index(bound)
            if len(bound) != len(scenario.steps):
                return  # a phrase stands for several steps
            given = [b.entry is not None and b.entry.sends for b in bound[:asks]]
            if any(given) and "${" not in scenario.steps[asks].text:
                kept = [i for i, sends in enumerate(given) if not sends and not _keeps(bound[i])]
                steps = (*(scenario.steps[i] for i in kept), *scenario.steps[asks:])
                yield replace(scenario, steps=steps)

    def _one(self, seen: Observed, scenario: Scenario) -> Observed:
        """SEEN with what SCENARIO comes to."""
        status, why_not, requests = self._asked(scenario)
        if self._was_accepted and status in (0, 404):
            # What it stands on was accepted, and not done yet; by now it may be there already.
            self._again()
            status, why_not, more = self._asked(scenario, rest_s=ACCEPTED_REST_S)
            requests += more
        if 200 <= status < 300:
            self._passed[seen.role] = scenario
        said = why_not if status else ""
        why_not = "" if status else why_not
        more = seen.requests + requests
        return replace(seen, status=status, why_not=why_not, said=said, requests=more)

    def let_finish(self) -> None:
        """Wait until what was accepted is done, so that it is not done to a fresh state."""
        if self._unfinished:
            self._unfinished = False
            run_async(self._rest())

    async def _rest(self) -> None:
        await self._sleep(ACCEPTED_REST_S)

    def _if_signed_in(self, seen: Observed, scenario: Scenario) -> Observed:
        """SEEN, a 401, unless the role's credentials have stopped working: what others did may have
        ended them, and then it says nothing about the operation."""
        for fresh in (False, True):
            if fresh and not self._again():
                break
            if fresh:
                seen = self._one(seen, scenario)
            status, _, requests = self._asked(self._proofs[seen.role])
            seen = replace(seen, requests=seen.requests + requests)
            if seen.status != 401 or status != 401:
                return seen
        return replace(seen, status=0, why_not=LOST)

    def trust(self, role: str) -> None:
        """What ROLE was let through to last takes its credentials: nobody else gets it."""
        scenario = self._passed.get(role)
        if scenario is None:
            return
        safe = scenario.operation_id.partition(" ")[0] in SAFE_METHODS
        if safe or role not in self._proofs:
            self._proofs[role] = scenario

    def own(self, table: AccessTable, seen: Observed) -> Observed:
        """SEEN, a denial, or leave where the role is let do it to what it made itself."""
        role, edition = seen.role, seen.edition
        understood = _meant(seen)
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
            ground = ground_of(
                understood,
                profile=policed(self._profile, table, edition),
                exchanges=self._exchanges,
                roles=self._roles,
                services=tuple(self._bindings.services),
                editions=tuple(self._bindings.editions),
            )
            self._grounds[edition] = replace(ground, witnessed=False)
        return self._grounds[edition]

    def _asked(self, scenario: Scenario, *, rest_s: float = 0.0) -> tuple[int, str, int]:
        """The status of the request in question; why there is none, or how it was refused; and the
        requests that it took. REST_S: how long to wait after what was accepted."""
        said: list[Said] = []
        results = run_scenario(
            scenario,
            client_factory=self._factory,
            bindings=self._bindings,
            roles=self._roles,
            clock=self._clock,
            wrap=lambda client, world: Hearing(_Resting(client, self._sleep, rest_s), world, said),
        )
        self._was_accepted = any(_is_accepted(one.sent) for one in said if one.phase == "before")
        self._unfinished |= any(_is_accepted(one.sent) for one in said)
        last = said[-1].sent.response if said else None
        self._was_refused = last is not None and last.status >= 400
        answers = answers_in_question(said)
        if answers:
            refused = answers[-1].status >= 400
            words = answers[-1].body[:SAID_BYTES_MAX].decode("utf-8", "replace") if refused else ""
            return answers[-1].status, " ".join(words.split()), len(said)
        stopped = next((r for r in results if r.status not in ("passed", "skipped")), None)
        why = f"{stopped.step.text}: {stopped.detail}" if stopped is not None else "no answer"
        return 0, why, len(said)


def _keeps(step: BoundStep) -> bool:
    """Whether STEP keeps something of the last answer."""
    return step.entry is not None and step.entry.name in ("save", "save_header")


class _Resting:
    """Sends through INNER, and waits for REST_S after each answer 202."""

    def __init__(
        self, inner: ScenarioClient, sleep: Callable[[float], Awaitable[None]], rest_s: float
    ) -> None:
        self._inner, self._sleep, self._rest_s = inner, sleep, rest_s

    async def send_case(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        """Send CASE as INNER does."""
        sent = await self._inner.send_case(case, answers, intended_at)
        if self._rest_s and _is_accepted(sent):
            await self._sleep(self._rest_s)
        return sent


def _is_accepted(sent: Sent) -> bool:
    return sent.response is not None and sent.response.status == ACCEPTED


def _meant(seen: Observed) -> Understanding:
    """What SEEN asks, as a question."""
    return Understanding(
        prompt="",
        failure_mode="forbidden_role",
        operation_ids=(seen.operation_id,),
        role=seen.role,
        edition=seen.edition,
    )


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
