"""Skills that find what is untested: by trace, handler, role and edition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.emit.report_markdown import self_check, self_evaluation, stated
from premortem.agent.understanding.explore import Risk, explore
from premortem.agent.understanding.failure_modes import modes_in
from premortem.domain.proposal import Gap, Signal
from premortem.errors import InputError, NothingLearned
from premortem.pipeline.skills.context import TestContext
from premortem.pipeline.skills.coverage_delta import coverage_state
from premortem.pipeline.skills.gaps import gaps_of
from premortem.pipeline.skills.material import material
from premortem.pipeline.skills.role_gaps import ROLE_GAP_SKILLS
from premortem.pipeline.skills.skill import Room, Skill
from premortem.pipeline.skills.survey import (
    AboutHandler,
    Shown,
    all_tests,
    chosen_handlers,
    noted,
    question_for,
    shown,
    surveyed,
)
from premortem.pipeline.skills.thoroughness import THOROUGHNESS_SKILLS

TRACES_MAX = 500
"""That are told of at once."""


class AboutTrace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trace."""

    trace_id: str = ""
    """Empty: every one that a test or the metadata name."""


class TraceCoverage(Struct, frozen=True, kw_only=True):
    """What tests there are for one trace."""

    trace_id: str
    handler: str
    unit_tests: int
    integration_tests: int
    feature_scenarios: int
    roles_tested: tuple[str, ...]
    editions_tested: tuple[str, ...]
    coverage: float
    """Percent of what is declared of its handler; without one, of its own tests."""
    tests: tuple[Shown, ...]


class TracesCovered(Struct, frozen=True, kw_only=True):
    """Traces, the least covered first."""

    traces: tuple[TraceCoverage, ...]


def scan_coverage_by_trace(room: Room, about: AboutTrace) -> TracesCovered:
    """The skill ScanCoverageByTrace. A trace that nothing names has no tests."""
    if about.trace_id:
        return TracesCovered(traces=(_trace(room, about.trace_id),))
    named = dict.fromkeys(trace for test in all_tests(room) for trace in test.traces)
    traces = dict.fromkeys((*named, *noted(room).traces))
    found = [_trace(room, trace) for trace in list(traces)[:TRACES_MAX]]
    return TracesCovered(traces=tuple(sorted(found, key=lambda one: one.coverage)))


def _trace(room: Room, trace_id: str) -> TraceCoverage:
    about = surveyed(room, trace_id=trace_id)
    tagged = [test for test in all_tests(room) if trace_id in test.traces]
    kinds = [test.test_kind for test in tagged]
    roles = noted(room).roles.get(about.context.handler, ())
    state = coverage_state(about.tests, about.context, roles_noted=roles)
    return TraceCoverage(
        trace_id=trace_id,
        handler=about.context.handler,
        unit_tests=kinds.count("unit"),
        integration_tests=kinds.count("integration"),
        feature_scenarios=kinds.count("bdd"),
        roles_tested=tuple(dict.fromkeys(role for test in tagged for role in test.roles)),
        editions_tested=tuple(dict.fromkeys(e for test in tagged for e in test.editions)),
        coverage=round(state.coverage, 1),
        tests=shown(tagged),
    )


class Missing(Struct, frozen=True, kw_only=True):
    """A scenario that nobody wrote."""

    kind: str
    """What it is about: a role, an edition, an edge, a refusal (`unit`), a way to go wrong
    (`scenario`)."""
    what: str
    prompt: str
    """The question that leads to it."""
    because: str
    failure_mode: str = ""
    role: str = ""
    edition: str = ""
    field: str = ""
    gap_id: str = ""


class HandlerMissing(Struct, frozen=True, kw_only=True):
    """What one handler lacks, the worst first."""

    handler: str
    operation: str
    tests: int
    missing: tuple[Missing, ...]


class MissingScenarios(Struct, frozen=True, kw_only=True):
    """Handlers, those that lack most first."""

    handlers: tuple[HandlerMissing, ...]


def fetch_missing_scenarios_by_handler(room: Room, about: AboutHandler) -> MissingScenarios:
    """The skill FetchMissingScenariosByHandler: what code, blueprint and document declare of a
    handler, and no test shows; then the ways to go wrong that fit its operation."""
    found = [_missing_of(room, handler) for handler in chosen_handlers(room, about.handler)]
    return MissingScenarios(handlers=tuple(sorted(found, key=lambda one: -len(one.missing))))


def _missing_of(room: Room, handler: str) -> HandlerMissing:
    about = surveyed(room, handler=handler)
    context = about.context
    missing = [
        Missing(
            kind=gap.kind,
            what=gap.what,
            prompt=question_for(gap, context, roles=context.roles_allowed),
            because=gap.impact,
            failure_mode=gap.failure_mode,
            role=gap.role,
            edition=gap.edition,
            field=gap.field,
            gap_id=gap.id,
        )
        for gap in gaps_of(context)
    ]
    tested = {mode for test in about.tests for mode in modes_in(test.said)}
    covered = tested | {one.failure_mode for one in missing}
    for risk in _risks(room, context):
        asked = risk.understanding
        if asked.failure_mode not in covered:
            missing.append(
                Missing(
                    kind="scenario",
                    what=f"no scenario for {asked.failure_mode.replace('_', ' ')}",
                    prompt=asked.prompt,
                    because="; ".join(risk.because),
                    failure_mode=asked.failure_mode,
                    role=asked.role,
                    field=asked.field,
                )
            )
    return HandlerMissing(
        handler=context.handler,
        operation=next(iter(context.operation_ids), ""),
        tests=len(about.tests),
        missing=tuple(missing),
    )


def _risks(room: Room, context: TestContext) -> list[Risk]:
    """What could go wrong with the operation behind CONTEXT, where something was learned."""
    try:
        known = material(room)
    except (InputError, NothingLearned):
        return []
    operation = known.profile.operation(next(iter(context.operation_ids), ""))
    if operation is None:
        return []
    services = tuple(known.bindings.services)
    return explore(operation, known.profile, roles=known.roles, services=services)


class TraceDeclared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trace with what is declared of it, as far as the asker knows: the rest is looked up."""

    trace_id: str
    handler: str = ""
    blueprint_id: str = ""
    roles_allowed: tuple[str, ...] = ()
    tested_roles: tuple[str, ...] = ()


class Completeness(Struct, frozen=True, kw_only=True):
    """What is declared of a trace's handler, and what of it is tested."""

    trace_id: str
    blueprint_id: str
    handler: str
    roles_allowed: tuple[str, ...]
    tested_roles: tuple[str, ...]
    tests: tuple[Shown, ...]
    gaps: tuple[Gap, ...]
    markdown: str
    """The same for people."""
    metadata: dict[str, Any]
    """`self_check_result`, what is missing by kind, and `next_actions`."""


def scan_trace_test_completeness(room: Room, about: TraceDeclared) -> Completeness:
    """The skill ScanTraceTestCompleteness. Raises InputError when nothing says which handler the
    trace is about."""
    found = surveyed(room, handler=about.handler, trace_id=about.trace_id)
    context = found.context
    if not context.handler:
        raise InputError(
            f"nothing says which handler the trace {about.trace_id!r} is about; name it: "
            f"--set handler=CreateInvoiceHandler"
        )
    context = _with(context, about)
    gaps = gaps_of(context)
    return Completeness(
        trace_id=about.trace_id,
        blueprint_id=about.blueprint_id or context.signal.blueprint_id,
        handler=context.handler,
        roles_allowed=context.roles_allowed,
        tested_roles=context.roles_tested,
        tests=shown(found.tests),
        gaps=gaps,
        markdown=self_evaluation(
            gaps, about=context.handler, trace_id=about.trace_id, planned=tuple(_planned(gaps))
        ),
        metadata=self_check(gaps),
    )


def _with(context: TestContext, about: TraceDeclared) -> TestContext:
    """CONTEXT with what the asker knows better."""
    signal: Signal = replace(
        context.signal, blueprint_id=about.blueprint_id or context.signal.blueprint_id
    )
    tested = dict.fromkeys((*context.roles_tested, *about.tested_roles))
    return replace(
        context,
        signal=signal,
        roles_allowed=about.roles_allowed or context.roles_allowed,
        roles_tested=tuple(tested),
    )


def _planned(gaps: Sequence[Gap]) -> Iterator[str]:
    """What would close GAPS, a line each."""
    for gap in gaps:
        if gap.kind == "role":
            yield f".feature addition for {gap.role} path"
        elif gap.kind == "edition":
            yield f".feature for {gap.edition}"
        elif gap.kind == "edge":
            yield f"Validator test: {gap.impact.partition(' -> ')[0]}"
        else:
            missing = gap.what.removeprefix("no test for ").removesuffix(" error")
            yield f"Unit test: {stated(missing)}"


DISCOVERY_SKILLS = (
    Skill(
        name="ScanCoverageByTrace",
        part="discovery",
        does="The tests there are for a trace, or for every one, and how much they cover.",
        asks=AboutTrace,
        perform=scan_coverage_by_trace,
    ),
    Skill(
        name="FetchMissingScenariosByHandler",
        part="discovery",
        does="What a handler lacks, each with the question that leads to the scenario.",
        asks=AboutHandler,
        perform=fetch_missing_scenarios_by_handler,
    ),
    Skill(
        name="ScanTraceTestCompleteness",
        part="discovery",
        does="What is declared of a trace's handler against what is tested, and what to do next.",
        asks=TraceDeclared,
        perform=scan_trace_test_completeness,
    ),
    *ROLE_GAP_SKILLS,
    *THOROUGHNESS_SKILLS,
)
