"""What tests there are of a handler or trace before an augmentation and after it.

The base is every test but those that the agent made for this trace before: so the same question
gives the same numbers however often it is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from premortem.agent.emit.augmentation import Augmentation, CoverageRow, CoverageState
from premortem.agent.emit.feature import line_of
from premortem.agent.knowledge.rules import Assertion, infer_assertions_from_dto
from premortem.agent.understanding.words import tokens
from premortem.domain.proposal import Dto
from premortem.pipeline.skills.context import TestContext
from premortem.pipeline.skills.inventory import KnownTest, Names, read_tests
from premortem.pipeline.skills.noted import read_notes


def with_coverage(
    augmentation: Augmentation,
    *,
    root: Path,
    context: TestContext,
    roles: Sequence[str],
    changed: Mapping[str, bytes],
) -> Augmentation:
    """AUGMENTATION with the tests below ROOT before and after it, as far as they are about the
    same handler, or the same trace where no handler is known. CHANGED: its test files as they are
    to be. ROLES: those that are known."""
    handler, trace = context.handler, augmentation.trace_id
    names = Names(handlers=(handler,) if handler else (), roles=tuple(roles))
    tests = read_tests(root, names, changed=changed)
    own = {
        *((one.feature_file, line_of(one.scenario.title)) for one in augmentation.added),
        *((a.path, name) for a in augmentation.artifacts for name in a.names),
    }
    # A test of this question is about its handler, whatever its title says.
    about = [
        replace(test, handlers=(handler,), traces=(*test.traces, trace))
        if (test.path, test.name) in own
        else test
        for test in tests
    ]
    base = [test for test in about if not (test.ours and trace in test.traces)]
    base = [test for test in base if (test.path, test.name) not in own]
    after = [*base, *(test for test in about if (test.path, test.name) in own)]
    noted = read_notes(root).roles_of_others.get(handler, ())
    before_state, after_state = (
        coverage_state(part, context, roles_noted=noted) for part in (base, after)
    )
    return replace(
        augmentation,
        before=before_state,
        after=after_state,
        coverage_rows=tuple(_rows(base, after, context, trace=trace)),
    )


def coverage_state(
    tests: Sequence[KnownTest], context: TestContext, *, roles_noted: Sequence[str] = ()
) -> CoverageState:
    """What TESTS cover of CONTEXT's handler; without one only how many are of its trace, for
    nothing is declared of it. ROLES_NOTED: those that metadata say it is tested with."""
    mine = tests_about(tests, context)
    scenarios = [test for test in mine if test.test_kind == "bdd"]
    units = [test for test in mine if test.test_kind == "unit"]
    known = bool(context.handler)
    roles = dict.fromkeys((*roles_noted, *(r for test in mine for r in test.roles)))
    return CoverageState(
        unit_tests=len(units),
        feature_scenarios=len(scenarios),
        roles_tested=tuple(roles),
        handlers=(min(1, len(units)), 1) if context.handler_at else (0, 0),
        negative_fields=_negative_fields(mine, context.dto),
        role_editions=_role_editions(mine, context, tuple(roles)),
        complete_steps=(sum(t.acts and t.asserts for t in scenarios), known * len(scenarios)),
        real_assertions=(sum(test.asserts for test in mine), known * len(mine)),
    )


def tests_about(tests: Iterable[KnownTest], context: TestContext) -> list[KnownTest]:
    """Those of TESTS that are about CONTEXT's handler; without one, about its trace."""
    handler, trace = context.handler, context.signal.trace_id
    return [t for t in tests if (handler in t.handlers if handler else trace in t.traces)]


def shows_edge(test: KnownTest, assertion: Assertion) -> bool:
    """Whether TEST says that the value of ASSERTION is refused: by its name, or by sending it."""
    name = _letters(test.name)
    if all(_letters(word) in name for word in (assertion.field, str(assertion.condition))):
        return True
    if not test.refuses or not assertion.value:
        return False
    value = json.loads(assertion.value)
    written = "null|None" if value is None else re.escape(json.dumps(value, ensure_ascii=False))
    spoken = r"[\s_]?".join(map(re.escape, tokens(assertion.field)))
    field = rf"(?<!\w)(?:{re.escape(assertion.field)}|{spoken})[\"']?"
    sent = rf"{field}\s*(?:[:=]|of|is)\s*(?:{written})(?:[mMdDfF]\b|(?![\w.]))"
    return re.search(sent, test.text, re.IGNORECASE) is not None


def _negative_fields(mine: Sequence[KnownTest], dto: Dto | None) -> tuple[int, int]:
    """Fields of DTO that a test breaks a rule of, and those that have rules."""
    assertions = infer_assertions_from_dto(dto) if dto is not None else ()
    fields = {assertion.field for assertion in assertions}
    broken = {a.field for a in assertions if any(shows_edge(test, a) for test in mine)}
    return len(broken), len(fields)


def _role_editions(
    mine: Sequence[KnownTest], context: TestContext, roles: Sequence[str]
) -> tuple[int, int]:
    """Pairs of role and edition with a test, and those that there are by declaration."""
    if not context.roles_allowed:
        return 0, 0
    if not context.editions:
        allowed = set(context.roles_allowed)
        return len(allowed & set(roles)), len(allowed)
    pairs = {(role, edition) for edition, there in context.editions for role in there}
    tested = {(role, edition) for t in mine for role in t.roles for edition in t.editions}
    return len(pairs & tested), len(pairs)


def _rows(
    before: Sequence[KnownTest], after: Sequence[KnownTest], context: TestContext, *, trace: str
) -> Iterable[CoverageRow]:
    """The tests by trace, then those about the same by handler, role and edition."""

    def row(by: str, name: str, old: Iterable[KnownTest], new: Iterable[KnownTest]) -> CoverageRow:
        return CoverageRow(by=by, name=name, before=len([*old]), after=len([*new]))  # type: ignore[arg-type]

    if trace:
        parts = ([t for t in part if trace in t.traces] for part in (before, after))
        yield row("trace", trace, *parts)
    old, new = tests_about(before, context), tests_about(after, context)
    if context.handler:
        yield row("handler", context.handler, old, new)
    for role in dict.fromkeys(role for test in new for role in test.roles):
        yield row("role", role, *([t for t in part if role in t.roles] for part in (old, new)))
    for edition in dict.fromkeys(edition for test in new for edition in test.editions):
        parts = ([t for t in part if edition in t.editions] for part in (old, new))
        yield row("edition", edition, *parts)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
