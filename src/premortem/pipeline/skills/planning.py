"""From a signal to scenarios and test methods: the first four skills of the agent's own road.

LoadTestContext -> IdentifyTestGap -> PlanScenarioTemplates -> GenerateTestScenarios
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.code.code_tests import (
    Provenance,
    SuggestedMethod,
    generate_validator_test,
    suggest_test_method,
)
from premortem.agent.code.question import handler_words
from premortem.agent.emit.enrich import detect_enrichable_feature
from premortem.agent.emit.report_markdown import stated
from premortem.agent.knowledge.values import Condition
from premortem.agent.outcomes.role import of_role
from premortem.agent.planning import titles
from premortem.agent.planning.expectation import Evidence
from premortem.agent.understanding.words import participle, tokens
from premortem.domain.proposal import Gap, Signal, TestKind
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile
from premortem.errors import InputError, NothingLearned
from premortem.pipeline.skills.context import TestContext, is_role_gap, load_context, tree_of
from premortem.pipeline.skills.gaps import gaps_of
from premortem.pipeline.skills.generation import RoleAction, full_action, role_action
from premortem.pipeline.skills.material import Material, Proposal, asked, code, material, proposal
from premortem.pipeline.skills.python_tests import (
    PlacedFunction,
    python_targets,
    suggest_function,
)
from premortem.pipeline.skills.skill import Room, Unfit

SCENARIOS_PER_GAP_MAX = 5
_OVER_HTTP = frozenset({"forbidden_role", "invalid_token", "others_data"})
"""Failure modes that show where the service is asked over HTTP, not in a handler."""
_BY_PEOPLE = frozenset({"prompt", "instruction", "bug", "telemetry"})
"""Signals that ask for something of their own; others are closed with all that is missing."""


class Gaps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is untested, the worst first."""

    context: TestContext
    gaps: tuple[Gap, ...]
    close: Literal["asked", "all"] = "asked"
    """Which are planned for: what the signal asks, or whatever is missing. A signal that asks
    nothing (`coverage`, `self`) means all."""


class Template(Struct, frozen=True, kw_only=True):
    """What kinds of test are to close a gap, and where they go."""

    gap: Gap
    prompt: str
    """The question that leads to the test; empty: a role does what the operation does."""
    test_kinds: tuple[TestKind, ...]
    feature: str = ""
    """The feature file that is added to; empty: a new one."""
    test_class: str = ""


class Templates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plan."""

    context: TestContext
    templates: tuple[Template, ...]
    open_gaps: tuple[Gap, ...] = ()
    """Found, and not planned for."""


class Generated(Struct, frozen=True, kw_only=True):
    """Scenarios and test methods for the gaps."""

    context: TestContext
    gaps: tuple[Gap, ...]
    proposals: tuple[Proposal, ...]
    methods: tuple[SuggestedMethod, ...]
    functions: tuple[PlacedFunction, ...] = ()
    """The same in Python."""
    left_out: tuple[str, ...] = ()
    """What could not be made, each with why."""
    retry_reason: str = ""
    """Why it had to be tried again; empty: it had not."""


def load_test_context(room: Room, signal: Signal) -> TestContext:
    """The skill LoadTestContext."""
    return load_context(room, signal)


def identify_test_gap(room: Room, context: TestContext) -> Gaps:  # noqa: ARG001 - a skill's signature
    """The skill IdentifyTestGap. Raises InputError where a signal asks nothing that is known."""
    gaps = gaps_of(context)
    if not gaps and context.not_understood:
        raise InputError(f"there is nothing to test: {context.not_understood}")
    return Gaps(context=context, gaps=gaps)


def plan_scenario_templates(room: Room, found: Gaps) -> Templates:
    """The skill PlanScenarioTemplates: which kinds of test close which gap."""
    context = found.context
    closing = [gap for gap in found.gaps if _is_to_close(gap, found)]
    written = code(room).csharp.classes
    handled = any(c.name.endswith("Handler") for c in written) or context.language == "python"
    signal = context.signal
    tree = tree_of(room)
    understood = context.understanding
    feature = detect_enrichable_feature(
        room.root / tree.features,
        trace_id=signal.trace_id,
        handler=context.handler,
        entity=understood.entity if understood is not None else "",
    )
    templates = (
        Template(
            gap=gap,
            prompt=question_of(gap, context),
            test_kinds=tuple(_kinds(gap, context, handled=handled, http=bool(written))),
            feature=f"{tree.features}/{feature.path}" if feature is not None else "",
            test_class=_test_class(context),
        )
        for gap in closing
    )
    return Templates(
        context=context,
        templates=tuple(templates),
        open_gaps=tuple(gap for gap in found.gaps if gap not in closing),
    )


def _test_class(context: TestContext) -> str:
    return f"{context.handler}Tests" if context.handler and context.language != "python" else ""


def _is_to_close(gap: Gap, found: Gaps) -> bool:
    signal = found.context.signal
    if found.close == "all":
        return True
    if is_role_gap(signal):
        return gap.kind == "role" and gap.role == signal.role
    return signal.kind not in _BY_PEOPLE or signal in gap.signals


def _kinds(gap: Gap, context: TestContext, *, handled: bool, http: bool) -> list[TestKind]:
    """HANDLED: there is code whose methods can be called; HTTP: C# that can be asked over HTTP."""
    kinds: list[TestKind] = []
    if not context.unlearned and (context.operation_ids or gap.kind == "role"):
        kinds.append("bdd")
    if gap.failure_mode in _OVER_HTTP and gap.kind != "role":
        kinds += ["integration"] if http and context.language != "python" else []
    elif handled and gap.kind not in ("role", "edition"):
        kinds.append("unit")
    return kinds


def question_of(gap: Gap, context: TestContext) -> str:
    """The question that leads to GAP's test; empty where a role is what matters."""
    if gap.kind in ("role", "edition"):
        return ""
    if gap.signals:
        return context.question
    missing = _missing(gap)
    if gap.kind == "unit":
        return _refused(stated(missing.removesuffix(" error")), context.handler)
    field = " ".join(tokens(gap.field))
    thing = " ".join(tokens(context.handler.removesuffix("Handler"))[1:])
    thing = "" if field.startswith(thing) else thing
    return f"What if {thing} {field} is {missing.removesuffix(field).strip()}?".replace("  ", " ")


def _refused(said: str, handler: str) -> str:
    """The question in which HANDLER refuses, for what SAID states; a state is there before."""
    verb, thing = handler_words(handler)
    subject, _, state = said.rpartition(" is ")
    if not (verb and thing and subject and state.endswith("ed")):
        return f"What if {said}?"
    named = "it" if subject == thing else subject
    return f"What if {thing} is {participle(verb)} while {named} is {state}?"


def _missing(gap: Gap) -> str:
    return gap.what.removeprefix("no test for ")


def generate_test_scenarios(room: Room, planned: Templates) -> Generated:
    """The skill GenerateTestScenarios.

    Raises Unfit where a scenario that was made asserts nothing: the next try leaves it out.
    """
    context = planned.context
    proposals: dict[str, Proposal] = {}
    methods: dict[str, SuggestedMethod] = {}
    functions: dict[str, PlacedFunction] = {}
    left_out = [f"scenarios: {context.unlearned}"] if context.unlearned else []
    for template in planned.templates:
        kinds = set(template.test_kinds)
        if "bdd" in kinds:
            try:
                made = _scenarios(room, template, context)
            except (InputError, NothingLearned) as error:
                left_out.append(f"{template.gap.what}: no scenario: {error}")
            else:
                proposals |= {s.id: proposal(s) for s in _asserting(room, made, left_out)}
        if kinds & {"unit", "integration"}:
            try:
                if context.language == "python":
                    made_for = python_targets(room)[context.handler]
                    placed = suggest_function(room, template.prompt, context.signal, made_for)
                    functions[f"{placed.path}::{placed.function.name}"] = placed
                else:
                    method = _method(room, template, context)
                    methods[f"{method.class_name}.{method.name}"] = method
            except InputError as error:
                left_out.append(f"{template.gap.what}: no test method: {error}")
    return Generated(
        context=context,
        gaps=tuple(template.gap for template in planned.templates),
        proposals=tuple(proposals.values()),
        methods=tuple(methods.values()),
        functions=tuple(functions.values()),
        left_out=tuple(left_out),
        retry_reason=room.retry_reason,
    )


def _scenarios(room: Room, template: Template, context: TestContext) -> list[Scenario]:
    gap, signal = template.gap, context.signal
    if template.prompt:
        meant = replace(
            signal,
            text=template.prompt,
            role=gap.role or signal.role,
            edition=gap.edition or signal.edition,
            operation_id=gap.operation_id or signal.operation_id,
        )
        made = asked(room, meant)[1][:SCENARIOS_PER_GAP_MAX]
        return [_as_prevention(scenario, context) for scenario in made]
    actions = _actions(room, gap, context)
    scenarios = [action.proposal.scenario for action in actions if action.proposal is not None]
    if not scenarios:
        raise InputError(next((a.reason for a in actions if a.reason), "no role is known"))
    where = f" in {gap.edition}" if gap.kind == "edition" else ""
    return [replace(s, title=f"{s.title}{where}", trace_id=signal.trace_id) for s in scenarios]


def _as_prevention(scenario: Scenario, context: TestContext) -> Scenario:
    """SCENARIO; of a repetition that was seen to do harm, called after what it is to prevent."""
    understood, signal = context.understanding, context.signal
    harmful = signal.event and scenario.origin.failure_mode == "duplicate"
    if not harmful or understood is None or not understood.entity:
        return scenario
    return replace(scenario, title=f"Duplicate {understood.entity} prevention")


def _actions(room: Room, gap: Gap, context: TestContext) -> list[RoleAction]:
    """What GAP's role does; of an edition, one role that may and one that may not."""
    known = material(room)
    named = gap.operation_id or next(iter(context.operation_ids), "")
    if gap.role and not named:
        return [_own_action(known, gap.role, edition=gap.edition)]
    operation = known.profile.operation(named)
    if operation is None:
        raise InputError(f"the profile has no operation {named!r}; learn again")
    if gap.role:
        return [full_action(known, operation, gap.role, edition=gap.edition)]
    there = dict(context.editions).get(gap.edition) or known.roles
    roles = [role for role in known.roles if role in there]
    every = [role_action(known, operation, role, edition=gap.edition) for role in roles]
    chosen = {action.allowed: action for action in reversed(every)}
    return [chosen[allowed] for allowed in (True, False) if allowed in chosen]


def _own_action(known: Material, role: str, *, edition: str) -> RoleAction:
    """What ROLE may do and the fewest others may: what only it can show."""
    evidence = Evidence(known.profile, known.exchanges)
    best: tuple[int, OperationProfile] | None = None
    for operation in known.profile.operations:
        allowed = {r for r in known.roles
                   if not of_role(operation, r, evidence, roles=known.roles).refused}  # fmt: skip
        changes = operation.operation.method not in SAFE_METHODS
        if role in allowed and changes and (best is None or len(allowed) < best[0]):
            best = len(allowed), operation
    if best is None:
        raise InputError(f"nothing is known that {role} may do; name an operation")
    return full_action(known, best[1], role, edition=edition)


def _asserting(room: Room, made: Sequence[Scenario], left_out: list[str]) -> list[Scenario]:
    """Those of MADE that say what is expected. Raises Unfit at the first try for others."""
    kept = []
    for scenario in made:
        if any(step.keyword == "Then" for step in scenario.steps):
            kept.append(scenario)
        elif not room.tried:
            raise Unfit(f"Missing Then clause: {scenario.title}")
        else:
            left_out.append(f"{scenario.title}: it asserts nothing")
    return kept


def _method(room: Room, template: Template, context: TestContext) -> SuggestedMethod:
    known = code(room)
    signal, dto = context.signal, context.dto
    dto = dto if dto is not None and dto.language == "csharp" else None
    provenance = Provenance(trace_id=signal.trace_id, edition=signal.edition)
    if template.gap.kind == "edge" and dto is not None:
        return generate_validator_test(
            template.gap.field,
            _condition(template.gap),
            dto,
            code=known.csharp,
            validators=known.validators,
            provenance=provenance,
            prompt=template.prompt,
        )

    def suggested(prompt: str) -> SuggestedMethod:
        return suggest_test_method(
            prompt,
            context.handler if context.handler_at else "",
            dto,
            code=known.csharp,
            dtos=known.dtos,
            roles=(*room.config.roles, *known.blueprint.roles),
            operations=known.operations,
            provenance=provenance,
        )

    made = suggested(template.prompt)
    # "Add auth scenario for Guest" says of nothing that is done.
    unsaid = signal.kind == "instruction" or not made.question.verb
    if made.test_kind == "integration" and unsaid and template.gap.operation_id:
        made = suggested(_deed(room, template.gap))
    return replace(made, class_name=made.class_name or template.test_class)


def _deed(room: Room, gap: Gap) -> str:
    """What GAP's role does, as a question."""
    operation = material(room).profile.operation(gap.operation_id)
    if operation is None or not gap.role:
        raise InputError("the question does not say what is done; name it")
    doing, thing = titles.verb(operation), titles.entity(operation)
    return f"What happens if {gap.role} tries to {doing} {thing}?"


def _condition(gap: Gap) -> Condition:
    """What is special about the value that GAP lacks a test of."""
    said = _missing(gap).removesuffix(" ".join(tokens(gap.field)))
    name = "".join(word.capitalize() for word in said.split())
    condition: Condition = msgspec.convert(name, Condition)
    return condition
