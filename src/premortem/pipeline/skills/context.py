"""What is known around a signal: operation, handler, object, roles, and the tests there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.emit.files import read, text_of
from premortem.agent.emit.output_tree import OutputTree
from premortem.agent.understanding.explore import find_operation
from premortem.agent.knowledge.csharp import CsClass, CsMethod, Refusal
from premortem.agent.knowledge.reading import Code
from premortem.agent.understanding.understand import understand
from premortem.agent.understanding.words import stem, tokens
from premortem.domain.proposal import Dto, Signal, TestKind
from premortem.domain.scenario import Understanding
from premortem.errors import InputError, NothingLearned
from premortem.pipeline.skills.material import code, material, trace_of
from premortem.pipeline.skills.notes import read_note
from premortem.pipeline.skills.skill import Room

FILES_MAX = 2_000
"""Test files that are looked at."""
METADATA = "test-metadata.yaml"
_SKIPPED = frozenset({"bin", "obj", "node_modules", "__pycache__", "venv", ".venv", "dist"})


class ExistingTest(Struct, frozen=True, kw_only=True):
    """A test that is there."""

    path: str
    name: str
    """A scenario's title, or a method's name."""
    tags: tuple[str, ...] = ()


class TestContext(Struct, frozen=True, kw_only=True):
    """A signal with all that is known of it."""

    __test__ = False

    signal: Signal
    """With trace and handler, where it did not bring them."""
    question: str = ""
    """What its text asks."""
    understanding: Understanding | None = None
    """None: nothing was learned of a service, or the signal says nothing that fits it."""
    not_understood: str = ""
    """Why there is no understanding."""
    operation_ids: tuple[str, ...] = ()
    """Best first."""
    handler: str = ""
    handler_at: str = ""
    """File and line of its class; empty: the code has none of that name."""
    dto: Dto | None = None
    refusals: tuple[Refusal, ...] = ()
    """Where the handler's own code refuses."""
    refusals_tested: tuple[str, ...] = ()
    """Names of those that a test method mentions."""
    roles_allowed: tuple[str, ...] = ()
    roles_tested: tuple[str, ...] = ()
    editions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Each with the roles there are in it."""
    existing: tuple[ExistingTest, ...] = ()
    """Tests of the handler, and the scenarios there are."""


def load_context(room: Room, signal: Signal) -> TestContext:
    """SIGNAL with operation, handler, object, roles and tests; what is not known stays empty."""
    known = code(room)
    trace_id = trace_of(signal)
    signal, question = read_note(signal, roles=(*room.config.roles, *known.blueprint.roles))
    understanding, problem = _understanding(room, signal, question)
    handler = signal.handler or _handler_in(signal.text, known)
    plan = known.blueprint.handler(handler)
    taken = known.csharp.named(handler)
    operations = understanding.operation_ids if understanding is not None else ()
    whole = replace(
        signal,
        handler=handler,
        trace_id=trace_id,
        blueprint_id=signal.blueprint_id or (known.blueprint.id if plan is not None else ""),
    )
    return TestContext(
        signal=whole,
        question=question,
        understanding=understanding,
        not_understood=problem,
        operation_ids=operations or _operation_of(room, handler),
        handler=handler,
        handler_at=taken.origin if taken is not None else "",
        dto=_dto(known, signal.dto or (plan.request if plan is not None else "")),
        refusals=taken.refusals if taken is not None else (),
        refusals_tested=tuple(_refusals_tested(known, taken)),
        roles_allowed=plan.roles_allowed if plan is not None else (),
        roles_tested=tuple(dict.fromkeys(_roles_tested(room, handler))),
        editions=known.blueprint.editions,
        existing=tuple(_existing(room, known, handler)),
    )


def _understanding(room: Room, signal: Signal, question: str) -> tuple[Understanding | None, str]:
    if not question:
        return None, "it has no text"
    if is_role_gap(signal):
        return None, f"it says of {signal.role} that nothing tests it"
    try:
        known = material(room)
        found = understand(
            question,
            known.profile,
            roles=known.roles,
            editions=tuple(known.bindings.editions),
            came_with=replace(signal, text=question),
        )
    except (InputError, NothingLearned) as error:
        return None, str(error)
    return found, ""


def is_role_gap(signal: Signal) -> bool:
    """Whether SIGNAL says that a role is untested, and asks for nothing else."""
    return bool(signal.role) and signal.kind in ("coverage", "role")


def _operation_of(room: Room, handler: str) -> tuple[str, ...]:
    """The operation that HANDLER's name speaks of, where something was learned."""
    words = tokens(handler.removesuffix("Handler"))
    try:
        return (find_operation(" ".join(words), material(room).profile).id,) if words else ()
    except (InputError, NothingLearned):
        return ()


def _dto(known: Code, name: str) -> Dto | None:
    """The object NAME as the handlers' code has it, else as the source that says most of it."""
    found = [dto for dto in known.dtos if dto.name == name]

    def says(dto: Dto) -> tuple[bool, int]:
        rules = sum(len(field.rules) for field in dto.fields)
        return dto.language == "csharp" and rules > 0, rules

    return max(found, key=says, default=None)


def _handler_in(text: str, known: Code) -> str:
    """The handler whose words TEXT says, the longest first; empty: none."""
    said = {stem(word) for word in tokens(text)}
    fitting: list[tuple[int, str]] = []
    for name in (c.name for c in known.csharp.classes):
        words = {stem(w) for w in tokens(name.removesuffix("Handler"))}
        if name.endswith("Handler") and words and words <= said:
            fitting.append((len(words), name))
    return max(fitting)[1] if fitting else ""


def _refusals_tested(known: Code, handler: CsClass | None) -> Iterator[str]:
    tested = "".join(method.source for _, method in _methods(known))
    for refusal in handler.refusals if handler is not None else ():
        if re.search(rf"\b{re.escape(refusal.name)}\b", tested):
            yield refusal.name


def _methods(known: Code, handler: str = "") -> Iterator[tuple[str, CsMethod]]:
    """Test methods, each with its file; of HANDLER's class, if it is named."""
    for found in known.csharp.classes:
        marked = any(a.name == "TestClass" for a in found.attributes)
        if marked and (not handler or found.name.startswith(handler)):
            path = found.origin.rpartition(":")[0]
            yield from ((path, method) for method in found.methods if method.attributes)


def _roles_tested(room: Room, handler: str) -> Iterator[str]:
    """Roles that METADATA says HANDLER was tested with."""
    for path in _files(room.root, METADATA):
        try:
            documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, yaml.YAMLError):
            continue  # whoever patches it says so
        for test in _entries(documents):
            if handler and test.get("handler") == handler:
                roles = test.get("roles_tested") or test.get("role") or []
                yield from map(str, roles if isinstance(roles, list) else [roles])


def _entries(documents: Sequence[object]) -> Iterator[dict[str, object]]:
    for found in documents:
        if isinstance(found, dict):
            yield found
            lists = (v for v in found.values() if isinstance(v, list))
            yield from (entry for v in lists for entry in v if isinstance(entry, dict))


def _existing(room: Room, known: Code, handler: str) -> Iterator[ExistingTest]:
    """Test methods of HANDLER's class, and the scenarios below the root."""
    for path, method in _methods(known, handler):
        yield ExistingTest(path=path, name=method.name)
    for file in _files(room.root, "*.feature"):
        name = file.relative_to(room.root).as_posix()
        try:
            feature = parse_feature(text_of(read(room.root, name), file), path=file)
        except InputError:
            continue
        for scenario in feature.scenarios:
            tags = (*feature.tags, *scenario.tags)
            yield ExistingTest(path=name, name=scenario.title, tags=tags)


def _files(root: Path, pattern: str) -> list[Path]:
    """Files below ROOT, in order, without those that builds and environments leave."""
    found = [
        path
        for path in root.rglob(pattern)
        if path.is_file()
        and not any(
            part in _SKIPPED or part.startswith(".") for part in path.relative_to(root).parts[:-1]
        )
    ]
    return sorted(found)[:FILES_MAX]


def test_sources(root: Path) -> list[Path]:
    """Files of C# tests, wherever they lie below ROOT."""
    return _files(root, "*Tests.cs")


test_sources.__test__ = False  # type: ignore[attr-defined]


def tree_of(room: Room, service: str = "") -> OutputTree:
    """The output tree of SERVICE; unnamed, of the one service whose tests lie below the root."""
    folder = OutputTree().folder
    ends = (".Specs", ".UnitTests", ".IntegrationTests")
    names = {
        path.name.removesuffix(end)
        for end in ends
        for path in (room.root / folder).glob(f"*{end}")
        if path.is_dir()
    }
    return OutputTree(service=service or (names.pop() if len(names) == 1 else ""))


def test_file(room: Room, name: str, *, kind: TestKind, tree: OutputTree) -> str:
    """Where the test class NAME stands below the root, else where it goes."""
    found = _files(room.root, f"{name}.cs")[:1]
    if found:
        return found[0].relative_to(room.root).as_posix()
    return tree.path(kind, f"{name}.cs")


test_file.__test__ = False  # type: ignore[attr-defined]
