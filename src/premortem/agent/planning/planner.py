"""From what was understood to scenarios: production's own way to the state, then the question.

Planned from profile, specification and role matrix. The first scenario is the one meant; the
others are what the same question may also mean. One function per failure mode: `agent.plans`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from premortem.agent.planning.draft import CannotWrite, DoesNotApply
from premortem.agent.planning.expectation import Evidence
from premortem.agent.planning.reach import Reached, reach
from premortem.agent.planning.sendable import Sendable
from premortem.agent.plans.credentials import invalid_token
from premortem.agent.plans.dependencies import dependency_failure
from premortem.agent.plans.given import with_given
from premortem.agent.plans.ground import Ground, Plan
from premortem.agent.plans.in_words import plans_in_words
from premortem.agent.plans.injections import injection
from premortem.agent.plans.moments import time_edge
from premortem.agent.plans.overposting import mass_assignment
from premortem.agent.plans.owners import others_data
from premortem.agent.plans.pages import pagination_edge
from premortem.agent.plans.races import concurrent_change
from premortem.agent.plans.references import unknown_reference
from premortem.agent.plans.repeats import duplicate, retry_after_timeout
from premortem.agent.plans.roles import forbidden_role
from premortem.agent.plans.states import forbidden_transition, wrong_order
from premortem.agent.plans.supplies import supplied
from premortem.agent.plans.totals import over_total
from premortem.agent.plans.units import unit_switch
from premortem.agent.plans.values import boundary, missing_value, unknown_value, wrong_type
from premortem.agent.plans.versions import stale_change
from premortem.agent.understanding.failure_modes import mode_named
from premortem.domain.proposal import FailureModeName
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import InputError
from premortem.generate.order_kit import Kit
from premortem.generate.starts import Starts

SCENARIOS_MAX = 5
"""Scenarios planned for one question."""
REASONS_MAX = 3
"""Reasons that one message gives why nothing was planned."""
_NEXT_OF_KIN: Mapping[str, tuple[FailureModeName, ...]] = {
    "retry_after_timeout": ("duplicate",),
    "wrong_order": ("forbidden_transition", "unknown_reference"),
    "forbidden_transition": ("wrong_order",),
    "over_total": ("boundary",),
    "unit_switch": ("unknown_value",),
    "pagination_edge": ("boundary",),
    "others_data": ("forbidden_role",),
}
"""Failure mode -> those that ask nearly the same, where the mode itself cannot be planned."""

PLANS: Mapping[FailureModeName, Plan] = {
    "duplicate": duplicate,
    "retry_after_timeout": retry_after_timeout,
    "concurrent_change": concurrent_change,
    "stale_change": stale_change,
    "over_total": over_total,
    "wrong_order": wrong_order,
    "forbidden_transition": forbidden_transition,
    "unknown_reference": unknown_reference,
    "others_data": others_data,
    "dependency_failure": dependency_failure,
    "forbidden_role": forbidden_role,
    "boundary": boundary,
    "missing_value": missing_value,
    "wrong_type": wrong_type,
    "unknown_value": unknown_value,
    "unit_switch": unit_switch,
    "pagination_edge": pagination_edge,
    "time_edge": time_edge,
    "injection": injection,
    "mass_assignment": mass_assignment,
    "invalid_token": invalid_token,
}
"""How each failure mode is planned."""


class Inapplicable(InputError):
    """A failure mode makes no sense of an operation, which lacks what the mode is about."""


def plan_scenarios(
    understood: Understanding,
    *,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    roles: Collection[str],
    services: Collection[str] = (),
    editions: Collection[str] = (),
) -> list[Scenario]:
    """At most SCENARIOS_MAX distinct scenarios for UNDERSTOOD, the one meant first.

    ROLES: those that are configured. SERVICES: those behind the target that can be made to fail,
    EDITIONS: those that can be switched to; `*`: any. Raises InputError when none can be planned,
    with why; Inapplicable where no traffic could change that.
    """
    ground = ground_of(
        understood,
        profile=profile,
        exchanges=exchanges,
        roles=roles,
        services=services,
        editions=editions,
    )
    reasons: list[CannotWrite] = []
    planned = _planned(ground, reasons)
    fits = not any(isinstance(reason, DoesNotApply) for reason in reasons[:1])
    for mode in _instead(understood, fits=fits):
        if not planned:
            # What was asked is not what this is about: it is named by what it does.
            meant = replace(understood, failure_mode=mode, prompt="", values=(), further_modes=())
            planned = _planned(replace(ground, understood=meant), reasons)
    if not planned:
        raise _why_not(understood, reasons)
    return named_apart(list(planned.values())[:SCENARIOS_MAX])


def _why_not(understood: Understanding, reasons: Sequence[CannotWrite]) -> InputError:
    """What is missing, and what to do about it where something can be done."""
    said = "; ".join(str(reason) for reason in reasons[:REASONS_MAX])
    mode = understood.failure_mode
    if reasons and isinstance(reasons[0], DoesNotApply):
        return Inapplicable(f"{mode} does not apply: {said}")
    if not said:
        needs = mode_named(mode).needs if mode in PLANS else "a known failure mode"
        return Inapplicable(f"no scenario can be planned: {mode} needs {needs}")
    return InputError(
        f"no scenario can be planned: {said}; capture traffic in which the operation is used and "
        f"learn again"
    )


def plan_on(ground: Ground, understood: Understanding) -> list[Scenario]:
    """The scenarios of UNDERSTOOD alone, on a GROUND that was laid for others of the same profile.

    Raises InputError when none can be planned, with why.
    """
    reasons: list[CannotWrite] = []
    planned = _planned(replace(ground, understood=understood), reasons)
    if not planned:
        raise _why_not(understood, reasons)
    return named_apart(list(planned.values())[:SCENARIOS_MAX])


def plan_own(ground: Ground, understood: Understanding, may: Collection[str]) -> list[Scenario]:
    """The same of the role in question, with the thing that it is about made by that role itself:
    what it may do to its own. MAY: ids of the operations that it is let do.

    Raises InputError when another has to make it, or none is named.
    """
    (operation_id,), role = understood.operation_ids[:1], understood.role
    operation = ground.profile.operation(operation_id)
    reached = (
        reach(operation, ground.profile, ground.exchanges, roles=ground.roles)
        if operation is not None
        else "there is no such operation"
    )
    if isinstance(reached, str) or operation is None:
        raise InputError(f"{operation_id}: {reached}")
    cases = list(reached.cases)
    makers = {b.step for b in cases[-1].bindings if b.place.part == "path"}
    if not makers or any(cases[at].operation_id not in may for at in makers):
        raise InputError(f"{operation_id}: {role} makes no such thing")
    for at in makers:
        cases[at] = replace(cases[at], role=role)
    try:
        whole = _supplied(ground, replace(reached, cases=tuple(cases)))
        own = replace(ground, understood=understood)
        return list(forbidden_role(own, operation, whole))
    except CannotWrite as error:
        raise InputError(f"{operation_id}: {error}") from None


def _planned(ground: Ground, reasons: list[CannotWrite]) -> dict[str, Scenario]:
    """Scenarios of the failure mode meant, the operation meant first; why not goes to REASONS."""
    understood = ground.understood
    plan = PLANS.get(understood.failure_mode)  # type: ignore[call-overload]
    planned: dict[str, Scenario] = {}
    for operation_id in understood.operation_ids:
        operation = ground.profile.operation(operation_id)
        if operation is None or plan is None:
            continue
        unnamed = understood.failure_mode == "unknown_reference"
        reached = reach(
            operation, ground.profile, ground.exchanges, roles=ground.roles, unnamed=unnamed
        )
        if isinstance(reached, str):
            reasons.append(CannotWrite(f"{operation_id}: {reached}"))
            continue
        for one in (*plans_in_words(ground, operation), plan):
            try:
                given = with_given(reached, operation, understood.given)
                for scenario in one(ground, operation, _supplied(ground, given)):
                    planned.setdefault(scenario.id, scenario)
            except CannotWrite as error:
                reasons.append(type(error)(f"{operation_id}: {error}"))
    return planned


def _instead(understood: Understanding, *, fits: bool) -> Iterator[FailureModeName]:
    """What else the question may ask, the likeliest first; FITS: what it asks makes sense."""
    kin = _NEXT_OF_KIN.get(understood.failure_mode, ()) if fits else ()
    for mode in dict.fromkeys((*kin, *understood.further_modes)):
        if mode != "forbidden_role" or understood.role:
            yield mode  # type: ignore[misc]


def _supplied(ground: Ground, reached: Reached) -> Reached:
    """REACHED with ids that the service gave out taken from live answers."""
    cases = supplied(reached.cases, ground.exchanges, ground.kit.starts.replayer)
    return reached if cases == reached.cases else replace(reached, cases=cases)


def named_apart(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """SCENARIOS with titles that tell them apart within their feature: the second `... (2)`."""
    seen: Counter[tuple[str, str]] = Counter()
    apart: list[Scenario] = []
    for scenario in scenarios:
        key = (scenario.feature, scenario.title)
        seen[key] += 1
        title = f"{scenario.title} ({seen[key]})" if seen[key] > 1 else scenario.title
        apart.append(replace(scenario, title=title))
    return apart


def ground_of(
    understood: Understanding,
    *,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    roles: Collection[str],
    services: Collection[str] = (),
    editions: Collection[str] = (),
) -> Ground:
    """What plans of UNDERSTOOD stand on."""
    sendable = Sendable(exchanges, profile)
    return Ground(
        understood=understood,
        profile=profile,
        exchanges=sendable,
        evidence=Evidence(profile, exchanges),
        roles=tuple(roles),
        services=tuple(services),
        editions=tuple(editions),
        kit=Kit(profile, exchanges, 0, starts=Starts(profile, sendable)),
    )
