"""Skills that find who is untested: roles of a handler or trace, and editions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from premortem.domain.proposal import Gap
from premortem.errors import InputError, NothingLearned
from premortem.pipeline.skills.context import TestContext
from premortem.pipeline.skills.material import code, material
from premortem.pipeline.skills.skill import Room, Skill
from premortem.pipeline.skills.survey import (
    AboutHandler,
    all_tests,
    chosen_handlers,
    known_roles,
    noted,
    question_for,
    surveyed,
)


class RolePath(Struct, frozen=True, kw_only=True):
    """A role and what it may do."""

    role: str
    expected: Literal["allowed", "denied", "unknown"]
    because: str
    prompt: str
    """The question that leads to its test."""


class HandlerRoles(Struct, frozen=True, kw_only=True):
    """Who is tested with a handler, and who is not: those that may first."""

    handler: str
    edition: str
    """Empty: whichever."""
    tested: tuple[str, ...]
    untested: tuple[RolePath, ...]


class RolesAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A handler in an edition."""

    handler: str
    edition: str = ""


def enumerate_untested_roles(room: Room, about: RolesAsked) -> HandlerRoles:
    """The skill EnumerateUntestedRoles: every known role that no test of the handler acts as.

    In an edition only its tests count. Raises InputError for an edition that is not declared.
    """
    found = surveyed(room, handler=about.handler)
    context = found.context
    roles = _roles_in(room, context, about.edition)
    in_edition = [t for t in found.tests if not about.edition or about.edition in t.editions]
    tested = dict.fromkeys(role for test in in_edition for role in test.roles)
    if not about.edition:
        tested |= dict.fromkeys(noted(room).roles.get(context.handler, ()))
    untested = [
        _role_path(room, context, role, edition=about.edition)
        for role in roles
        if role not in tested
    ]
    order = ("allowed", "unknown", "denied")
    return HandlerRoles(
        handler=context.handler,
        edition=about.edition,
        tested=tuple(tested),
        untested=tuple(sorted(untested, key=lambda path: order.index(path.expected))),
    )


def _roles_in(room: Room, context: TestContext, edition: str) -> Sequence[str]:
    editions = dict(context.editions)
    if not edition or not editions:
        return known_roles(room)
    if edition not in editions:
        raise InputError(f"there is no edition {edition!r}; there are {', '.join(editions)}")
    return editions[edition] or known_roles(room)


def _role_path(room: Room, context: TestContext, role: str, *, edition: str) -> RolePath:
    expected: Literal["allowed", "denied", "unknown"] = "unknown"
    because = "neither blueprint nor document say who may"
    if context.roles_allowed:
        expected = "allowed" if role in context.roles_allowed else "denied"
        because = f"the blueprint allows {', '.join(context.roles_allowed)}"
    else:
        declared = _declared(room, context)
        if declared:
            expected = "allowed" if role in declared else "denied"
            because = f"the document allows {', '.join(declared)}"
    gap = Gap(what="", kind="role", handler=context.handler, role=role, edition=edition)
    return RolePath(
        role=role, expected=expected, because=because, prompt=question_for(gap, context)
    )


def _declared(room: Room, context: TestContext) -> tuple[str, ...]:
    try:
        profile = material(room).profile
    except (InputError, NothingLearned):
        return ()
    operation = profile.operation(next(iter(context.operation_ids), ""))
    return operation.allowed_roles if operation is not None else ()


class TraceInEdition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trace, in an edition."""

    trace_id: str
    edition: str = ""


class UncoveredRoles(Struct, frozen=True, kw_only=True):
    """Who is not tested, by handler of a trace."""

    trace_id: str
    edition: str
    handlers: tuple[HandlerRoles, ...]


def detect_uncovered_roles(room: Room, about: TraceInEdition) -> UncoveredRoles:
    """The skill DetectUncoveredRoles: EnumerateUntestedRoles for every handler of a trace.

    Raises InputError when nothing says which handlers those are.
    """
    tagged = [test for test in all_tests(room) if about.trace_id in test.traces]
    note = noted(room).traces.get(about.trace_id)
    named = dict.fromkeys(
        (
            *([note.handler] if note is not None and note.handler else []),
            *(handler for test in tagged for handler in test.handlers),
        )
    )
    if not named:
        raise InputError(
            f"nothing says which handler the trace {about.trace_id!r} is about; ask "
            f"EnumerateUntestedRoles with the handler"
        )
    asked = (RolesAsked(handler=handler, edition=about.edition) for handler in named)
    return UncoveredRoles(
        trace_id=about.trace_id,
        edition=about.edition,
        handlers=tuple(enumerate_untested_roles(room, one) for one in asked),
    )


class EditionTests(Struct, frozen=True, kw_only=True):
    """What tests there are of one edition."""

    edition: str
    roles: tuple[str, ...]
    scenarios: int
    tests: int
    handlers_tested: tuple[str, ...]
    handlers_missing: tuple[str, ...]
    """Somebody there may use them, and no test of the edition does."""
    prompts: tuple[str, ...]
    """The questions that lead to the missing ones."""


class EditionGaps(Struct, frozen=True, kw_only=True):
    """Every edition that is declared."""

    editions: tuple[EditionTests, ...]
    note: str = ""
    """Why there are none."""


def identify_edition_test_gaps(room: Room, about: AboutHandler) -> EditionGaps:
    """The skill IdentifyEditionTestGaps: editions in which a handler is used and not tested."""
    editions = code(room).blueprint.editions
    if not editions:
        note = "no editions are declared; write them under `editions` of a blueprint"
        return EditionGaps(editions=(), note=note)
    handlers = [surveyed(room, handler=h) for h in chosen_handlers(room, about.handler)]
    found = []
    for edition, roles in editions:
        tests = [test for test in all_tests(room) if edition in test.editions]
        used = [one.context for one in handlers if _used(one.context, roles)]
        tested = {handler for test in tests for handler in test.handlers}
        missing = [context for context in used if context.handler not in tested]
        found.append(
            EditionTests(
                edition=edition,
                roles=roles,
                scenarios=sum(test.test_kind == "bdd" for test in tests),
                tests=len(tests),
                handlers_tested=tuple(c.handler for c in used if c.handler in tested),
                handlers_missing=tuple(c.handler for c in missing),
                prompts=tuple(_in_edition(context, edition, roles) for context in missing),
            )
        )
    return EditionGaps(editions=tuple(found))


def _used(context: TestContext, roles: Sequence[str]) -> bool:
    """Whether somebody of ROLES, those of an edition, may use CONTEXT's handler, or may be."""
    allowed = set(context.roles_allowed)
    return not roles or not allowed or bool(allowed & set(roles))


def _in_edition(context: TestContext, edition: str, roles: Sequence[str]) -> str:
    gap = Gap(what="", kind="edition", handler=context.handler, edition=edition)
    may = [role for role in context.roles_allowed or roles if not roles or role in roles]
    return question_for(gap, context, roles=may)


ROLE_GAP_SKILLS = (
    Skill(
        name="DetectUncoveredRoles",
        part="discovery",
        does="Roles that no test of a trace's handlers acts as, in an edition or anywhere.",
        asks=TraceInEdition,
        perform=detect_uncovered_roles,
    ),
    Skill(
        name="EnumerateUntestedRoles",
        part="discovery",
        does="A handler's roles without a test: who may, who may not, and how that is known.",
        asks=RolesAsked,
        perform=enumerate_untested_roles,
    ),
    Skill(
        name="IdentifyEditionTestGaps",
        part="discovery",
        does="Editions, and the handlers that are used there and tested only elsewhere.",
        asks=AboutHandler,
        perform=identify_edition_test_gaps,
    ),
)
