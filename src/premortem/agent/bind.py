"""From a scenario's texts to steps that the engine can carry out.

A scenario binds when every step is one of the catalogue's and names nothing that the target's
configuration does not know: roles, states, paths of the target itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from msgspec import Struct

from premortem.agent.bindings import Bindings
from premortem.agent.catalogue import Argument, CatalogueStep, StepMatch, match, nearest
from premortem.domain.scenario import Keyword, Scenario, Step

_METHOD = re.compile(r"[A-Z]{3,10}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
REPEAT_MAX = 100
"""Most repetitions that one step may ask for."""


class BoundStep(Struct, frozen=True, kw_only=True):
    """A step with what it means, or with why it means nothing."""

    step: Step
    keyword: Keyword
    """Given, When or Then: an And takes over the one before it."""
    entry: CatalogueStep | None = None
    """None: undefined."""
    arguments: tuple[Argument, ...] = ()
    problem: str = ""
    """Why it does not bind; empty: it does."""


def bind(
    scenario: Scenario, *, bindings: Bindings, roles: Collection[str]
) -> tuple[BoundStep, ...]:
    """The steps of SCENARIO, bound; ROLES are those that premortem.toml configures."""
    bound: list[BoundStep] = []
    keyword: Keyword = "Given"
    for step in scenario.steps:
        keyword = keyword if step.keyword == "And" else step.keyword
        bound.append(bind_step(step, keyword=keyword, bindings=bindings, roles=roles))
    return tuple(bound)


def bind_step(
    step: Step, *, keyword: Keyword, bindings: Bindings, roles: Collection[str]
) -> BoundStep:
    """One step, bound on its own."""
    found = match(step.text)
    if found is None:
        hint = nearest(step.text).expression
        problem = f"no step of the catalogue reads like this; the nearest is: {hint}"
        return BoundStep(step=step, keyword=keyword, problem=problem)
    return bind_match(step, found, keyword=keyword, bindings=bindings, roles=roles)


def bind_match(
    step: Step,
    found: StepMatch,
    *,
    keyword: Keyword,
    bindings: Bindings,
    roles: Collection[str],
) -> BoundStep:
    """One step whose expression is known already."""
    problem = _docstring_problem(step, found.entry) or _problem(found, bindings, roles)
    return BoundStep(
        step=step,
        keyword=keyword,
        entry=found.entry,
        arguments=found.arguments,
        problem=problem,
    )


def _docstring_problem(step: Step, entry: CatalogueStep) -> str:
    if entry.docstring and not step.docstring:
        return "it needs a docstring below it"
    if not entry.docstring and step.docstring:
        return f"it takes no docstring; one that does: {nearest(step.text + ' with:').expression}"
    if entry.name == "matches":
        try:
            json.loads(step.docstring)
        except ValueError as error:
            return f"its docstring is not JSON: {error}"
    return ""


def _problem(found: StepMatch, bindings: Bindings, roles: Collection[str]) -> str:
    """What in the arguments the target's configuration does not know; empty: nothing."""
    name, arguments = found.entry.name, [str(a) for a in found.arguments]
    match name:
        case "actor_role":
            return _role_problem(bindings.role(arguments[1]), arguments[1], roles)
        case "send" | "send_body":
            return _request_problem(method=arguments[1], path=arguments[2])
        case "state_set" | "state_check":
            return _state_problem(name, arguments[0], arguments[2], bindings)
        case "save":
            if _NAME.fullmatch(arguments[1]) is None:
                return f"{arguments[1]!r} is no variable name; use letters, digits and _"
        case "repeat":
            if not 1 <= int(arguments[0]) <= REPEAT_MAX:
                return f"repetitions must be between 1 and {REPEAT_MAX}"
    return ""


def _role_problem(role: str, written: str, roles: Collection[str]) -> str:
    if role in roles:
        return ""
    known = ", ".join(sorted(roles)) or "none"
    return f"the role {written!r} is not configured; premortem.toml knows {known}"


def _request_problem(*, method: str, path: str) -> str:
    if _METHOD.fullmatch(method) is None:
        return f"{method!r} is no HTTP method"
    if not path.startswith("/") or path.startswith("//"):
        return f"{path!r} must be a path of the target, starting with one /"
    return ""


def _state_problem(name: str, resource: str, state: str, bindings: Bindings) -> str:
    hook = bindings.hook(resource, state)
    if hook is None:
        return f"there is no [states.{resource}.{state}] in the binding file"
    if name == "state_set" and not hook.requests:
        return f"[states.{resource}.{state}] has no `requests` that would bring it about"
    if name == "state_check" and not hook.read:
        return f"[states.{resource}.{state}] has no `read` that would show it"
    return ""
