"""Skills that make scenarios: from questions, operations, roles, and bugs."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.outcomes.role import of_role
from premortem.agent.planning import titles
from premortem.agent.planning.expand import expand_prompt_into_paths
from premortem.agent.planning.expectation import Evidence
from premortem.agent.planning.planner import plan_scenarios
from premortem.agent.understanding.explore import explore, find_operation
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.index import Index
from premortem.agent.understanding.meaning import open_meaning
from premortem.agent.understanding.understand import understand
from premortem.agent.understanding.words import third_person
from premortem.domain.proposal import Gap, Signal
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import OperationProfile
from premortem.errors import InputError
from premortem.pipeline.skills.material import Ask, Material, Proposal, asked, material, proposal
from premortem.pipeline.skills.skill import Room, Skill

RISKS_PLANNED_MAX = 8
ROWS_MAX = 200
"""Of a matrix."""
BUG_SCENARIOS_MAX = 5


class Proposals(Struct, frozen=True, kw_only=True):
    """Scenarios for a question."""

    understanding: Understanding
    proposals: tuple[Proposal, ...]


def generate(room: Room, ask: Ask) -> Proposals:
    """The skill GenerateFeatureScenario."""
    understanding, scenarios = asked(room, ask.signal)
    return Proposals(understanding=understanding, proposals=tuple(map(proposal, scenarios)))


def expand(room: Room, ask: Ask) -> Proposals:
    """The skill ExpandPromptIntoPaths."""
    known = material(room)
    understanding = _understood(known, ask.signal)
    scenarios = expand_prompt_into_paths(
        understanding, profile=known.profile, exchanges=known.exchanges, roles=known.roles
    )
    return Proposals(understanding=understanding, proposals=tuple(map(proposal, scenarios)))


_EDGES = frozenset(
    {
        *("boundary", "missing_value", "wrong_type", "unknown_value", "unit_switch"),
        *("time_edge", "pagination_edge", "injection", "mass_assignment", "over_total"),
    }
)


def propose_edge_case_from_prompt(room: Room, ask: Ask) -> Proposals:
    """The skill ProposeEdgeCaseFromPrompt: GenerateFeatureScenario, where a value is in question.

    Raises InputError when the question is about something else.
    """
    found = generate(room, ask)
    mode = found.understanding.failure_mode
    if mode not in _EDGES:
        raise InputError(
            f"the question is about {mode}, not about the edge of a value; ask "
            f"GenerateFeatureScenario"
        )
    return found


class AboutOperation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operation, by its id or in words."""

    operation: str
    edition: str = ""


class FailureFlows(AboutOperation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operation, and how much of what may go wrong with it is planned."""

    count_max: int = RISKS_PLANNED_MAX
    """Failure modes at most, the likeliest."""


class Failure(Struct, frozen=True, kw_only=True):
    """One way in which an operation may go wrong."""

    question: str
    failure_mode: str
    because: tuple[str, ...]
    score: float
    proposal: Proposal | None = None
    """None: none can be planned, see `reason`."""
    reason: str = ""


class Failures(Struct, frozen=True, kw_only=True):
    """What could go wrong, the likeliest first."""

    operation: str
    failures: tuple[Failure, ...]


def plan_failure_flow_scenarios(room: Room, asked_of: FailureFlows) -> Failures:
    """The skill PlanFailureFlowScenarios."""
    known = material(room)
    operation = find_operation(asked_of.operation, known.profile)
    risks = explore(
        operation, known.profile, roles=known.roles, services=tuple(known.bindings.services)
    )
    found: list[Failure] = []
    for risk in risks[: min(asked_of.count_max, RISKS_PLANNED_MAX)]:
        understood = replace(risk.understanding, edition=asked_of.edition)
        planned, reason = _planned(known, understood)
        found.append(
            Failure(
                question=understood.prompt,
                failure_mode=understood.failure_mode,
                because=risk.because,
                score=round(risk.score, 2),
                proposal=proposal(planned[0]) if planned else None,
                reason=reason,
            )
        )
    return Failures(operation=operation.id, failures=tuple(found))


class RoleAction(Struct, frozen=True, kw_only=True):
    """What a role may do, how that is known, and the scenario that shows it."""

    role: str
    allowed: bool
    status: int
    because: str
    proposal: Proposal | None = None
    reason: str = ""


class RoleActions(Struct, frozen=True, kw_only=True):
    """One operation by every role."""

    operation: str
    edition: str
    roles: tuple[RoleAction, ...]


def simulate_role_actions(room: Room, asked_of: AboutOperation) -> RoleActions:
    """The skill SimulateRoleActions: each configured role, and nobody signed in, does it."""
    known = material(room)
    operation = find_operation(asked_of.operation, known.profile)
    actions = [
        role_action(known, operation, role, edition=asked_of.edition)
        for role in (*known.roles, ANONYMOUS)
    ]
    return RoleActions(operation=operation.id, edition=asked_of.edition, roles=tuple(actions))


def role_action(
    known: Material, operation: OperationProfile, role: str, *, edition: str
) -> RoleAction:
    """What ROLE may do of OPERATION, how that is known, and a scenario that shows it."""
    evidence = Evidence(known.profile, known.exchanges)
    expected = of_role(operation, role, evidence, roles=known.roles)
    who = "somebody who is not signed in" if role == ANONYMOUS else role
    understood = Understanding(
        prompt=f"{who} sends {operation.id}",
        failure_mode="forbidden_role",
        operation_ids=(operation.id,),
        role=role,
        edition=edition,
    )
    planned, reason = _planned(known, understood)
    return RoleAction(
        role=role,
        allowed=not expected.refused,
        status=expected.status,
        because=expected.because,
        proposal=proposal(planned[0]) if planned else None,
        reason=reason,
    )


def full_action(
    known: Material, operation: OperationProfile, role: str, *, edition: str
) -> RoleAction:
    """The same, with the most that the operation allows where ROLE may do it: who may do most is
    tested by that. `CFO approves high-value invoice`."""
    action = role_action(known, operation, role, edition=edition)
    if not action.allowed:
        return action
    doing, *rest = titles.verb(operation).split(" ")
    deed, thing = " ".join([third_person(doing), *rest]), titles.entity(operation)
    understood = Understanding(
        prompt=f"What if {role} {deed} a high-value {thing}?",
        failure_mode="boundary",
        operation_ids=(operation.id,),
        role=role,
        edition=edition,
        values=("maximum",),
    )
    most = [s for s in _planned(known, understood)[0]
            if s.origin.outcome == "accepted" and s.role == role]  # fmt: skip
    if not most:
        return action
    title = f"{role} {deed} high-value {thing}"
    return replace(action, proposal=proposal(replace(most[0], title=title)))


class Matrix(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is combined; empty: all that is known."""

    operation: str
    roles: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """Questions about the input: `the amount is zero`, `twice`."""


class MatrixRow(Struct, frozen=True, kw_only=True):
    """One combination."""

    role: str
    input: str
    """Empty: the usual one."""
    outcome: str
    title: str
    scenario_id: str = ""
    """Empty: none can be planned, see `reason`."""
    reason: str = ""


class ScenarioMatrix(Struct, frozen=True, kw_only=True):
    """Roles by inputs."""

    operation: str
    rows: tuple[MatrixRow, ...]
    proposals: tuple[Proposal, ...]


def generate_scenario_matrix(room: Room, wanted: Matrix) -> ScenarioMatrix:
    """The skill GenerateScenarioMatrix: each role with the usual request, and with each input.

    A role that may not do it at all is not combined with inputs: it is refused for who it is.
    """
    known = material(room)
    operation = find_operation(wanted.operation, known.profile)
    roles = wanted.roles or (*known.roles, ANONYMOUS)
    if len(roles) * (1 + len(wanted.inputs)) > ROWS_MAX:
        raise InputError(f"the matrix would have more than {ROWS_MAX} rows; name fewer of both")
    rows: list[MatrixRow] = []
    proposals: dict[str, Proposal] = {}
    for role in roles:
        action = role_action(known, operation, role, edition="")
        usual = action.proposal
        rows.append(
            _row(role, "", usual, "accepted" if action.allowed else "denied", action.reason)
        )
        if usual is not None:
            proposals[usual.id] = usual
        for text in wanted.inputs if action.allowed else ():
            planned, reason = _with_input(known, operation, role, text)
            made = proposal(planned[0]) if planned else None
            outcome = planned[0].origin.outcome if planned else ""
            rows.append(_row(role, text, made, outcome, reason))
            if made is not None:
                proposals[made.id] = made
    return ScenarioMatrix(
        operation=operation.id, rows=tuple(rows), proposals=tuple(proposals.values())
    )


def _row(role: str, text: str, made: Proposal | None, outcome: str, reason: str) -> MatrixRow:
    return MatrixRow(
        role=role,
        input=text,
        outcome=outcome,
        title=made.title if made is not None else "",
        scenario_id=made.id if made is not None else "",
        reason=reason,
    )


def _with_input(
    known: Material, operation: OperationProfile, role: str, text: str
) -> tuple[list[Scenario], str]:
    signal = Signal(kind="prompt", text=text, operation_id=operation.id)
    try:
        understood = _understood(known, signal)
    except InputError as error:
        return [], str(error)
    ids = dict.fromkeys((operation.id, *understood.operation_ids))
    meant = replace(understood, operation_ids=tuple(ids)[:1], role=role)
    return _planned(known, meant)


class Bug(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a bug."""

    bug_id: str
    """`#4812`."""
    title: str
    symptoms: tuple[str, ...] = ()
    """What was seen, each in a few words: an event's name, an error's message."""
    operation: str = ""
    handler: str = ""
    role: str = ""
    edition: str = ""
    status: int = 0
    trace_id: str = ""


class Impact(Struct, frozen=True, kw_only=True):
    """What a bug says is not defended."""

    gap: Gap
    failure_mode: str
    operations: tuple[str, ...]
    """Where the same may happen, the bug's own first."""
    defended_by: tuple[str, ...]
    """Titles of kept scenarios of that kind for that operation."""
    proposals: tuple[Proposal, ...]


def predict_regression_test_impact(room: Room, bug: Bug) -> Impact:
    """The skill PredictRegressionTestImpact: the scenario that would have caught BUG, first for
    where it was, then for operations that it may come back in."""
    known = material(room)
    signal = Signal(
        kind="bug",
        text=". ".join((bug.title, *bug.symptoms)),
        origin=bug.bug_id,
        handler=bug.handler,
        role=bug.role,
        edition=bug.edition,
        status=bug.status,
        trace_id=bug.trace_id,
        operation_id=bug.operation,
    )
    understood = _understood(known, signal)
    planned, reason = _planned(known, understood)
    if not planned:
        raise InputError(reason)
    kept = [stored.scenario for stored in room.store().scenarios()]
    first = planned[0]
    defended = [
        s.title
        for s in kept
        if s.operation_id == first.operation_id
        and s.origin.failure_mode == first.origin.failure_mode
    ]
    gap = Gap(
        what=f"No scenario covers {bug.bug_id}: {bug.title}",
        kind="bug",
        operation_id=first.operation_id,
        handler=bug.handler,
        role=bug.role,
        edition=bug.edition,
        failure_mode=first.origin.failure_mode,
        signals=(signal,),
        score=0.0 if defended else 1.0,
        impact="it was fixed once, and nothing would tell if it came back",
    )
    return Impact(
        gap=gap,
        failure_mode=understood.failure_mode,
        operations=tuple(dict.fromkeys((first.operation_id, *understood.operation_ids))),
        defended_by=tuple(defended),
        proposals=tuple(proposal(s) for s in planned[:BUG_SCENARIOS_MAX]),
    )


def _understood(known: Material, signal: Signal) -> Understanding:
    return understand(
        signal.text,
        known.profile,
        roles=known.roles,
        editions=tuple(known.bindings.editions),
        index=Index(known.profile, open_meaning()),
        came_with=signal,
    )


def _planned(known: Material, understood: Understanding) -> tuple[list[Scenario], str]:
    """Scenarios for UNDERSTOOD, or none and why."""
    try:
        return plan_scenarios(
            understood,
            profile=known.profile,
            exchanges=known.exchanges,
            roles=known.roles,
            services=tuple(known.bindings.services),
            editions=tuple(known.bindings.editions),
        ), ""
    except InputError as error:
        return [], str(error)


GENERATION_SKILLS = (
    Skill(
        name="GenerateFeatureScenario",
        part="generation",
        does="A question in English becomes scenarios of catalogue steps, the one meant first.",
        asks=Ask,
        perform=generate,
    ),
    Skill(
        name="ExpandPromptIntoPaths",
        part="generation",
        does="A vague question becomes at most five distinct scenarios, from the edge outwards.",
        asks=Ask,
        perform=expand,
    ),
    Skill(
        name="ProposeEdgeCaseFromPrompt",
        part="generation",
        does="A question about a value becomes the scenario of that edge.",
        asks=Ask,
        perform=propose_edge_case_from_prompt,
    ),
    Skill(
        name="PlanFailureFlowScenarios",
        part="generation",
        does="What could go wrong with an operation: every failure mode that fits, each planned.",
        asks=FailureFlows,
        perform=plan_failure_flow_scenarios,
    ),
    Skill(
        name="SimulateRoleActions",
        part="generation",
        does="One operation by every role: who may, how that is known, and a scenario for each.",
        asks=AboutOperation,
        perform=simulate_role_actions,
    ),
    Skill(
        name="GenerateScenarioMatrix",
        part="generation",
        does="Roles by inputs for one operation, each combination with outcome and scenario.",
        asks=Matrix,
        perform=generate_scenario_matrix,
    ),
    Skill(
        name="PredictRegressionTestImpact",
        part="generation",
        does="What a bug's title and symptoms say is not defended, and scenarios for it.",
        asks=Bug,
        perform=predict_regression_test_impact,
    ),
)
