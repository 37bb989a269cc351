"""What skills of the part discovery share: a handler or trace, the tests there are of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from premortem.agent.code.question import handler_words
from premortem.agent.understanding.words import article, third_person
from premortem.domain.proposal import Gap, Signal, TestKind
from premortem.errors import InputError
from premortem.pipeline.skills.context import TestContext, handlers_of, load_context
from premortem.pipeline.skills.coverage_delta import tests_about
from premortem.pipeline.skills.inventory import KnownTest, Names, read_tests
from premortem.pipeline.skills.material import code
from premortem.pipeline.skills.noted import Noted, read_notes
from premortem.pipeline.skills.planning import question_of
from premortem.pipeline.skills.skill import Room

HANDLERS_MAX = 200
"""That are looked at together."""


class AboutHandler(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A handler."""

    handler: str = ""
    """Empty: every one that there is."""


class Shown(Struct, frozen=True, kw_only=True):
    """A test, as it is found."""

    path: str
    name: str
    test_kind: TestKind


class Surveyed(Struct, frozen=True, kw_only=True):
    """A handler, or a trace, with its tests."""

    context: TestContext
    tests: tuple[KnownTest, ...]
    """About it."""


def known_roles(room: Room) -> tuple[str, ...]:
    """Those of configuration and blueprint."""
    return tuple(dict.fromkeys((*room.config.roles, *code(room).blueprint.roles)))


def all_tests(room: Room) -> tuple[KnownTest, ...]:
    """Every test below the room's root, read once for each performance."""
    if "tests" not in room.memo:
        names = Names(handlers=handlers_of(room), roles=known_roles(room))
        room.memo["tests"] = read_tests(room.root, names)
    tests: tuple[KnownTest, ...] = room.memo["tests"]
    return tests


def noted(room: Room) -> Noted:
    """What metadata say, read once for each performance."""
    if "noted" not in room.memo:
        room.memo["noted"] = read_notes(room.root)
    notes: Noted = room.memo["noted"]
    return notes


def surveyed(room: Room, *, handler: str = "", trace_id: str = "") -> Surveyed:
    """HANDLER, else what TRACE_ID is about. Raises InputError for a handler that is not there."""
    named = handler or (handler_of_trace(room, trace_id) if trace_id else "")
    # What metadata name may be gone; what somebody asks for has to be there.
    signal = Signal(kind="self" if handler else "coverage", handler=named, trace_id=trace_id)
    context = load_context(room, signal)
    return Surveyed(context=context, tests=tuple(tests_about(all_tests(room), context)))


def handler_of_trace(room: Room, trace_id: str) -> str:
    """The handler that metadata, else the trace's tests, say it is about; empty: none."""
    note = noted(room).traces.get(trace_id)
    if note is not None and note.handler:
        return note.handler
    tagged = (test for test in all_tests(room) if trace_id in test.traces)
    return next((handler for test in tagged for handler in test.handlers), "")


def chosen_handlers(room: Room, handler: str) -> tuple[str, ...]:
    """HANDLER, or all there are. Raises InputError when there are none."""
    if handler:
        return (handler,)
    found = handlers_of(room)
    if not found:
        raise InputError(
            f"there are no handlers below {room.root}; name the folder of the sources with --root"
        )
    return found[:HANDLERS_MAX]


def shown(tests: Iterable[KnownTest]) -> tuple[Shown, ...]:
    """TESTS by where they are."""
    return tuple(Shown(path=t.path, name=t.name, test_kind=t.test_kind) for t in tests)


def question_for(gap: Gap, context: TestContext, *, roles: Sequence[str] = ()) -> str:
    """The question that leads to a test for GAP. ROLES: who may do it, where that is known."""
    asked = question_of(gap, context)
    if asked:
        return asked
    verb, thing = handler_words(context.handler)
    thing = thing or "it"
    role = gap.role or next(iter(roles), "somebody")
    where = f" in {gap.edition}" if gap.edition else ""
    return f"What if {role} {third_person(verb or 'use')} {article(thing)} {thing}{where}?"
