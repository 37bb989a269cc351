"""Skills that look into tests: paths, edges, fixed bugs, and whether anything is asserted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from premortem.agent.code.question import handler_words
from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.emit.files import read, text_of
from premortem.agent.knowledge.csharp import bare_type
from premortem.agent.knowledge.rules import Assertion, infer_assertions_from_dto
from premortem.agent.understanding.failure_modes import modes_in
from premortem.agent.understanding.words import stems, third_person, tokens
from premortem.domain.proposal import Gap, Signal
from premortem.errors import InputError, NothingLearned
from premortem.pipeline.skills.code import AboutDto, dto_of
from premortem.pipeline.skills.context import TestContext
from premortem.pipeline.skills.coverage_delta import shows_edge
from premortem.pipeline.skills.inventory import KnownTest
from premortem.pipeline.skills.material import asked, code
from premortem.pipeline.skills.python_tests import python_targets
from premortem.pipeline.skills.skill import Room, Skill
from premortem.pipeline.skills.survey import Shown, all_tests, shown, surveyed

_STATE = re.compile(r"\b\w*(?:Status|State)\.([A-Z]\w+)")
_BECOMES = re.compile(r"\b(?:Status|State)\s*=\s*\w+\.([A-Z]\w+)")
_RANGES = frozenset({"Zero", "Negative", "TooHigh", "TooLow", "TooLong", "TooShort", "TooPrecise"})
_NULLS = frozenset({"Null", "Missing", "Empty"})
_NO_CONTENT = frozenset(
    stem
    for word in (
        *("bug", "issue", "ticket", "defect", "missing", "test", "tests", "no", "for", "the"),
        *("a", "an", "is", "was", "are", "were", "be", "been", "after", "before", "when", "while"),
        *("allowed", "possible", "can", "could", "it", "of", "in", "on", "to", "with", "and", "by"),
        *("still", "twice", "again", "not", "type", "error", "does", "did", "do", "type", "s"),
    )
    for stem in stems(word)
)
"""Words of a bug's title that do not say what it is about."""
_VAGUE = frozenset(
    stems("it the this that works work working is are be should ok fine done passes")
)
"""Words of which alone no Then that can be checked is made."""


class AboutPaths(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A handler."""

    handler: str


class FeaturePath(Struct, frozen=True, kw_only=True):
    """One way through a handler."""

    what: str
    kind: Literal["success", "refusal", "state"]
    shown_by: tuple[Shown, ...]
    """Scenarios; empty: no feature file has it."""


class FeaturePaths(Struct, frozen=True, kw_only=True):
    """The ways through a handler, and which of them feature files tell."""

    handler: str
    features: tuple[str, ...]
    paths: tuple[FeaturePath, ...]
    missing: tuple[str, ...]


def check_missing_feature_paths(room: Room, about: AboutPaths) -> FeaturePaths:
    """The skill CheckMissingFeaturePaths: success, each refusal and each state in the handler's
    code, and the scenarios that speak of them. Raises InputError for a handler that is not there.
    """
    found = surveyed(room, handler=about.handler)
    scenarios = [test for test in found.tests if test.test_kind == "bdd"]
    succeeding = [t for t in scenarios if t.asserts and not t.refuses]
    paths = [FeaturePath(what="it succeeds", kind="success", shown_by=shown(succeeding))]
    for name in dict.fromkeys(refusal.name for refusal in found.context.refusals):
        words = tokens(name.removesuffix("Exception").removesuffix("Error"))
        speaking = (t for t in scenarios if name in t.text or _says(t, words))
        paths.append(
            FeaturePath(
                what=f"refused: {' '.join(words)}", kind="refusal", shown_by=shown(speaking)
            )
        )
    told = {stem for path in paths for stem in stems(path.what)}
    for state, what in _states(room, found.context):
        if not set(stems(state)) <= told:
            speaking = (t for t in scenarios if _says(t, tokens(state)))
            paths.append(FeaturePath(what=what, kind="state", shown_by=shown(speaking)))
    return FeaturePaths(
        handler=found.context.handler,
        features=tuple(dict.fromkeys(test.path for test in scenarios)),
        paths=tuple(paths),
        missing=tuple(path.what for path in paths if not path.shown_by),
    )


def _states(room: Room, context: TestContext) -> Iterator[tuple[str, str]]:
    """States that the handler's code asks for or leads to, each once, with what is to be shown."""
    taken = code(room).csharp.named(context.handler)
    source = "\n".join(method.source for method in taken.methods) if taken is not None else ""
    conditions = " ".join(refusal.condition for refusal in context.refusals)
    for state in dict.fromkeys(_STATE.findall(conditions)):
        yield state, f"while it is {' '.join(tokens(state))}"
    for state in dict.fromkeys(_BECOMES.findall(source)):
        yield state, f"it becomes {' '.join(tokens(state))}"


def _says(test: KnownTest, words: Sequence[str]) -> bool:
    """Whether TEST's title and text say all WORDS."""
    return bool(words) and set(stems(" ".join(words))) <= set(stems(test.said))


class Edge(Struct, frozen=True, kw_only=True):
    """A value that must be refused, and the tests that show it."""

    field: str
    condition: str
    kind: Literal["range", "null", "invalid"]
    says: str
    """`Amount = 0`."""
    expects: str
    tested_by: tuple[Shown, ...]


class EdgeCoverage(Struct, frozen=True, kw_only=True):
    """An object's rules, and whether each has a negative test."""

    dto: str
    complete: bool
    edges: tuple[Edge, ...]
    untested: tuple[str, ...]
    """What must be refused and no test shows: `Amount = 0`."""
    next_actions: tuple[str, ...]


def validate_edge_coverage(room: Room, about: AboutDto) -> EdgeCoverage:
    """The skill ValidateEdgeCoverage: range, null and invalid values of every field with a rule.

    Raises InputError for an object that is not there.
    """
    dto = dto_of(room, about)
    tests = _tests_with(room, dto.name)
    edges = [_edge(assertion, tests) for assertion in infer_assertions_from_dto(dto)]
    untested = [edge for edge in edges if not edge.tested_by]
    return EdgeCoverage(
        dto=dto.name,
        complete=not untested,
        edges=tuple(edges),
        untested=tuple(edge.says for edge in untested),
        next_actions=tuple(
            f"trigger GenerateValidatorTest(field={edge.field}, condition={edge.condition})"
            for edge in untested
        ),
    )


def _edge(assertion: Assertion, tests: Iterable[KnownTest]) -> Edge:
    condition = str(assertion.condition)
    return Edge(
        field=assertion.field,
        condition=condition,
        kind="range" if condition in _RANGES else "null" if condition in _NULLS else "invalid",
        says=assertion.says,
        expects=assertion.expects,
        tested_by=shown(test for test in tests if shows_edge(test, assertion)),
    )


def _tests_with(room: Room, dto: str) -> list[KnownTest]:
    """Tests that make the object DTO, and those of handlers that take it."""
    takers = {
        owner.name
        for owner in code(room).csharp.classes
        for method in owner.methods
        if method.public and dto in (bare_type(p.type) for p in method.parameters)
    }
    targets = python_targets(room).values()
    takers |= {target.handler.name for target in targets if target.handler.request == dto}
    takers |= {plan.name for plan in code(room).blueprint.handlers if plan.request == dto}
    return [t for t in all_tests(room) if dto in t.text or takers & set(t.handlers)]


class BugFix(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bug that was fixed, as its report has it."""

    bug_id: str
    """`#4871`."""
    title: str = ""
    symptoms: tuple[str, ...] = ()
    handler: str = ""
    role: str = ""
    edition: str = ""
    trace_id: str = ""


class BugCompared(Struct, frozen=True, kw_only=True):
    """Whether a test would tell if the bug came back."""

    bug_id: str
    covered: bool
    conditions: tuple[str, ...]
    """What was read of it: how it goes wrong, and what it is about."""
    named_by: tuple[Shown, ...]
    """Tests that name the bug."""
    shown_by: tuple[Shown, ...]
    """Tests of the same way to go wrong with the same thing."""
    gap: Gap | None = None
    """None: it is covered."""
    next_actions: tuple[str, ...] = ()


def compare_bug_fix_to_test_set(room: Room, bug: BugFix) -> BugCompared:
    """The skill CompareBugFixToTestSet. Raises InputError when the bug is not described and no
    test names it."""
    name = _naming(bug.bug_id)
    tests = all_tests(room)
    naming = [t for t in tests if name.search(" ".join((t.name, t.text, *t.tags)))]
    text = ". ".join(part for part in (bug.title, *bug.symptoms) if part)
    if not text and not naming:
        raise InputError(
            f"no test names the bug {bug.bug_id}; say what it is about: "
            f'--set title="Refund allowed after approval"'
        )
    modes = modes_in(text)
    about = [stem for stem in dict.fromkeys(stems(text)) if stem not in _NO_CONTENT]
    showing = [test for test in tests if _shows(test, bug, modes, about)]
    covered = bool(naming or showing)
    gap = Gap(
        what=f"No test covers {bug.bug_id}: {bug.title}",
        kind="bug",
        handler=bug.handler,
        role=bug.role,
        edition=bug.edition,
        failure_mode=next(iter(modes), ""),
        signals=(Signal(kind="bug", text=text, origin=bug.bug_id, trace_id=bug.trace_id),),
        score=1.0,
        impact="it was fixed once, and nothing would tell if it came back",
    )
    return BugCompared(
        bug_id=bug.bug_id,
        covered=covered,
        conditions=(*modes, *about),
        named_by=shown(naming),
        shown_by=shown(showing),
        gap=None if covered else gap,
        next_actions=() if covered else (f'trigger GenerateFeatureScenario(prompt="{text}")',),
    )


def _naming(bug_id: str) -> re.Pattern[str]:
    """What names the bug in a test: `#4871`, `bug_4871`, `PAY-12`."""
    number = re.fullmatch(r"#?(\d+)", bug_id.strip())
    if number is None:
        return re.compile(rf"(?<!\w){re.escape(bug_id.strip())}(?!\w)", re.IGNORECASE)
    return re.compile(rf"(?:#|bug[\s:_#-]*|issue[\s:_#-]*){number[1]}(?!\d)", re.IGNORECASE)


def _shows(test: KnownTest, bug: BugFix, modes: Sequence[str], about: Sequence[str]) -> bool:
    """Whether TEST is of the same way to go wrong, about the same thing, by the same role."""
    if not about or not test.asserts:
        return False
    if bug.role and bug.role not in test.roles:
        return False
    if bug.edition and bug.edition not in test.editions:
        return False
    said = set(stems(test.said))
    return set(about) <= said and (not modes or bool(set(modes) & set(modes_in(test.said))))


class AboutTests(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tests; any of them, or all."""

    path: str = ""
    """A file below the root."""
    handler: str = ""


class Unasserted(Struct, frozen=True, kw_only=True):
    """A test that shows nothing, or not what it is about."""

    path: str
    line: int
    name: str
    problem: str
    suggestions: tuple[str, ...]
    """Lines that it could end with."""


class MissingAssertions(Struct, frozen=True, kw_only=True):
    """All of them."""

    tests: int
    """That were looked at."""
    missing: tuple[Unasserted, ...]


def suggest_missing_assertions(room: Room, about: AboutTests) -> MissingAssertions:
    """The skill SuggestMissingAssertions: scenarios without When or Then, tests that assert
    nothing. Raises InputError for a file that is not there or cannot be read."""
    if about.path:
        _readable(room, about.path)
    tests = [
        test
        for test in all_tests(room)
        if about.path in ("", test.path) and (not about.handler or about.handler in test.handlers)
    ]
    missing = [
        Unasserted(
            path=test.path,
            line=test.line,
            name=test.name,
            problem=problem,
            suggestions=_suggested(room, test),
        )
        for test in tests
        if (problem := _problem(test))
    ]
    return MissingAssertions(tests=len(tests), missing=tuple(missing))


def _readable(room: Room, path: str) -> None:
    text = text_of(read(room.root, path), room.root / path)
    if not text.strip():
        raise InputError(f"{room.root / path} is not there or empty; name a test file")
    if path.endswith(".feature"):
        parse_feature(text, path=room.root / path)


def _problem(test: KnownTest) -> str:
    if not test.asserts:
        return "it has no Then" if test.test_kind == "bdd" else "it asserts nothing"
    if test.test_kind == "bdd" and not test.acts:
        return "it has no When"
    last = test.text.rpartition("\n")[2]
    if test.test_kind == "bdd" and set(stems(last)) <= _VAGUE:
        return f"its Then says nothing that can be checked: {last!r}"
    return ""


def _suggested(room: Room, test: KnownTest) -> tuple[str, ...]:
    """How TEST could end: as a scenario planned for its title does, else by convention."""
    if test.test_kind != "bdd":
        return _in_code(test)
    if test.asserts and not test.acts:
        verb, thing = handler_words(next(iter(test.handlers), ""))
        return (f"When somebody {third_person(verb)} the {thing}",) if verb and thing else ()
    try:
        signal = Signal(kind="prompt", text=f"What if {test.name}?")
        for scenario in asked(room, signal)[1][:1]:
            thens = [i for i, step in enumerate(scenario.steps) if step.keyword == "Then"]
            if thens:
                return tuple(f"{s.keyword} {s.text}" for s in scenario.steps[thens[0] :])
    except (InputError, NothingLearned):
        pass
    if test.refuses:
        return ("Then the response status is 409", "And nothing changed")
    return ("Then the response status is 200",)


def _in_code(test: KnownTest) -> tuple[str, ...]:
    if test.path.endswith(".cs"):
        if test.test_kind == "integration":
            status = "BadRequest" if test.refuses else "OK"
            return (f"Assert.AreEqual(HttpStatusCode.{status}, response.StatusCode);",)
        return (f"Assert.Is{'False' if test.refuses else 'True'}(result.IsSuccess);",)
    return ("with pytest.raises(ValueError): ...",) if test.refuses else ("assert result == ...",)


THOROUGHNESS_SKILLS = (
    Skill(
        name="CheckMissingFeaturePaths",
        part="discovery",
        does="A handler's success, refusals and states, and the scenarios that speak of each.",
        asks=AboutPaths,
        perform=check_missing_feature_paths,
    ),
    Skill(
        name="ValidateEdgeCoverage",
        part="discovery",
        does="Range, null and invalid values that an object refuses, each with its tests.",
        asks=AboutDto,
        perform=validate_edge_coverage,
    ),
    Skill(
        name="CompareBugFixToTestSet",
        part="discovery",
        does="Whether a test names a fixed bug or shows its conditions.",
        asks=BugFix,
        perform=compare_bug_fix_to_test_set,
    ),
    Skill(
        name="SuggestMissingAssertions",
        part="discovery",
        does="Tests that assert nothing, scenarios without When or Then, and how to end them.",
        asks=AboutTests,
        perform=suggest_missing_assertions,
    ),
)
