"""What is known around a signal: operation, handler, object, roles, and the tests there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.emit.files import read, text_of
from premortem.agent.emit.output_tree import OutputTree
from premortem.agent.knowledge.csharp import CsClass, CsMethod, Refusal
from premortem.agent.knowledge.reading import Code
from premortem.agent.understanding.explore import find_operation
from premortem.agent.understanding.index import Index
from premortem.agent.understanding.meaning import open_meaning
from premortem.agent.understanding.understand import understand
from premortem.agent.understanding.words import stem, tokens
from premortem.domain.proposal import Dto, Signal, TestKind
from premortem.domain.scenario import Understanding
from premortem.errors import InputError, NothingLearned
from premortem.pipeline.skills.inventory import Names, read_tests
from premortem.pipeline.skills.material import code, material, trace_of
from premortem.pipeline.skills.noted import files_below, read_notes
from premortem.pipeline.skills.notes import read_note
from premortem.pipeline.skills.python_tests import PyTarget, python_targets
from premortem.pipeline.skills.skill import Room

OFFERED_MAX = 5
"""Handlers that an error names."""
_BY_PEOPLE = frozenset({"prompt", "instruction", "self"})
"""Signals whose handler somebody named here; others may speak of handlers elsewhere."""


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
    """File, and line of its class; empty: the code has none of that name."""
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
    language: Literal["", "csharp", "python"] = ""
    """Of the handler's code."""
    unlearned: str = ""
    """What to do so that scenarios can be planned; empty: something was learned."""


def load_context(room: Room, signal: Signal) -> TestContext:
    """SIGNAL with operation, handler, object, roles and tests; what is not known stays empty.

    Raises InputError where a person names a handler that is not there.
    """
    known = code(room)
    targets = python_targets(room)
    trace_id = trace_of(signal)
    signal = replace(signal, handler=_named_handler(room, signal, known))
    signal, question = read_note(signal, roles=(*room.config.roles, *known.blueprint.roles))
    understanding, problem = _understanding(room, signal, question)
    handler = signal.handler or _handler_in(signal.text, (*_handler_classes(known), *targets))
    plan = known.blueprint.handler(handler)
    taken, target = known.csharp.named(handler), targets.get(handler)
    operations = understanding.operation_ids if understanding is not None else ()
    whole = replace(
        signal,
        handler=handler,
        trace_id=trace_id,
        blueprint_id=signal.blueprint_id or (known.blueprint.id if plan is not None else ""),
    )
    dto = signal.dto or (plan.request if plan is not None else "")
    return TestContext(
        signal=whole,
        question=question,
        understanding=understanding,
        not_understood=problem,
        operation_ids=operations or _operation_of(room, handler),
        handler=handler,
        handler_at=taken.origin if taken is not None else target.path if target else "",
        dto=_dto(known, dto or (target.handler.request if target else "")),
        refusals=_refusals(taken, target),
        refusals_tested=tuple(_refusals_tested(room, known, _refusals(taken, target))),
        roles_allowed=plan.roles_allowed if plan is not None else (),
        roles_tested=read_notes(room.root).roles.get(handler, ()) if handler else (),
        editions=known.blueprint.editions,
        existing=tuple(_existing(room, known, handler, python=target is not None)),
        language="csharp" if taken is not None else "python" if target else "",
        unlearned=_unlearned(room),
    )


def _named_handler(room: Room, signal: Signal, known: Code) -> str:
    """The handler that SIGNAL names, as the code has it. Raises InputError: there is none."""
    name = signal.handler
    if not name:
        return ""
    handlers = _handlers(known, python_targets(room))
    names = dict.fromkeys((*handlers, *(c.name for c in known.csharp.classes)))
    spelled = {one.lower(): one for one in reversed(names)}
    for wanted in (name, f"{name}Handler"):
        if wanted.lower() in spelled:
            return spelled[wanted.lower()]
    if signal.kind not in _BY_PEOPLE or (not names and signal.kind != "self"):
        return name
    where = f"below {room.root}"
    if not handlers:
        raise InputError(
            f"there is no handler {name!r}: no source {where} has one; name the folder of the "
            f"sources with --root"
        )
    lower = {one.lower(): one for one in handlers}
    near = [lower[one] for one in get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    said = f"did you mean {', '.join(near)}?" if near else f"there are {_few(handlers)}"
    raise InputError(f"there is no handler {name!r} {where}; {said}")


def _few(handlers: Iterable[str]) -> str:
    names = list(handlers)
    more = f" and {len(names) - OFFERED_MAX} more" if len(names) > OFFERED_MAX else ""
    return ", ".join(names[:OFFERED_MAX]) + more


def handlers_of(room: Room) -> tuple[str, ...]:
    """The handlers that code and blueprint have, each once."""
    return tuple(_handlers(code(room), python_targets(room)))


def _handlers(known: Code, targets: Iterable[str]) -> dict[str, None]:
    planned = (handler.name for handler in known.blueprint.handlers)
    return dict.fromkeys((*_handler_classes(known), *planned, *targets))


def _handler_classes(known: Code) -> list[str]:
    named = [c.name for c in known.csharp.classes if c.kind == "class"]
    return [name for name in named if name.endswith("Handler")]


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
            index=Index(known.profile, open_meaning()),
            came_with=replace(signal, text=question),
        )
    except (InputError, NothingLearned) as error:
        return None, str(error)
    return found, ""


def _unlearned(room: Room) -> str:
    try:
        material(room)
    except NothingLearned as error:
        return f"{error}, or name an OpenAPI document as `spec` under [target] and learn from it"
    except InputError:
        return ""
    return ""


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
        return dto.language in ("csharp", "python") and rules > 0, rules

    return max(found, key=says, default=None)


def _handler_in(text: str, handlers: Iterable[str]) -> str:
    """The one of HANDLERS whose words TEXT says, the longest first; empty: none."""
    said = {stem(word) for word in tokens(text)}
    fitting: list[tuple[int, str]] = []
    for name in handlers:
        words = {stem(w) for w in tokens(name.removesuffix("Handler"))}
        if words and words <= said:
            fitting.append((len(words), name))
    return max(fitting)[1] if fitting else ""


def _refusals(taken: CsClass | None, target: PyTarget | None) -> tuple[Refusal, ...]:
    """Where the handler's code refuses: C#, else Python."""
    if taken is not None:
        return taken.refusals
    raised = target.handler.raises if target is not None else ()
    return tuple(Refusal(kind="exception", name=name) for name in raised if name != "ValueError")


def _refusals_tested(room: Room, known: Code, refusals: Iterable[Refusal]) -> Iterator[str]:
    tested = "".join(method.source for _, method in _methods(known))
    for path in files_below(room.root, "*test*.py") if refusals else ():
        name = path.relative_to(room.root).as_posix()
        tested += (read(room.root, name) or b"").decode(errors="replace")
    for refusal in refusals:
        if re.search(rf"\b{re.escape(refusal.name)}\b", tested):
            yield refusal.name


def _methods(known: Code, handler: str = "") -> Iterator[tuple[str, CsMethod]]:
    """Test methods, each with its file; of HANDLER's class, if it is named."""
    for found in known.csharp.classes:
        marked = any(a.name == "TestClass" for a in found.attributes)
        if marked and (not handler or found.name.startswith(handler)):
            path = found.origin.rpartition(":")[0]
            yield from ((path, method) for method in found.methods if method.attributes)


def _existing(room: Room, known: Code, handler: str, *, python: bool) -> Iterator[ExistingTest]:
    """Test methods of HANDLER's class, and the scenarios below the root."""
    for test in read_tests(room.root, Names(handlers=(handler,))) if python else ():
        if test.path.endswith(".py") and handler in test.handlers:
            yield ExistingTest(path=test.path, name=test.name)
    for path, method in _methods(known, handler):
        yield ExistingTest(path=path, name=method.name)
    for file in files_below(room.root, "*.feature"):
        name = file.relative_to(room.root).as_posix()
        try:
            feature = parse_feature(text_of(read(room.root, name), file), path=file)
        except InputError:
            continue
        for scenario in feature.scenarios:
            tags = (*feature.tags, *scenario.tags)
            yield ExistingTest(path=name, name=scenario.title, tags=tags)


def test_sources(root: Path) -> list[Path]:
    """Files of C# tests, wherever they lie below ROOT."""
    return files_below(root, "*Tests.cs")


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
    found = files_below(room.root, f"{name}.cs")[:1]
    if found:
        return found[0].relative_to(room.root).as_posix()
    return tree.path(kind, f"{name}.cs")


test_file.__test__ = False  # type: ignore[attr-defined]
