"""How a test class brings a handler to a request that succeeds, so that one thing can be changed.

What a test that stands there does is done again; without one, the handler and a valid request are
made from what the code declares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from premortem.agent.code.literals import csharp_literal
from premortem.agent.knowledge.csharp import CsClass, CsCode, CsMethod, CsParameter, bare_type
from premortem.agent.knowledge.csharp_tree import below, children, parse_csharp, text
from premortem.agent.knowledge.values import valid_value
from premortem.domain.proposal import Dto, DtoField
from premortem.errors import InputError

if TYPE_CHECKING:
    from tree_sitter import Node

_SUBJECTS = ("Handle", "HandleAsync", "Execute", "ExecuteAsync", "Invoke", "Run", "Process")
_NO_WORK = frozenset({"ToString", "Equals", "GetHashCode", "Dispose"})
_ATTRIBUTES = frozenset({"TestMethod", "DataTestMethod"})
WIDTH_MAX = 100
REQUEST = "input"
"""What the request is called where the code has no name for it."""


class Scene(Struct, frozen=True, kw_only=True):
    """All that is known where a test is to be written."""

    code: CsCode
    handler: CsClass
    method: CsMethod
    """The one that does the handler's work."""
    dto: Dto | None = None
    tests: CsClass | None = None
    """The test class, where it stands already."""

    @property
    def request_index(self) -> int:
        """Which of the method's parameters is the request; -1: none."""
        name = self.dto.name if self.dto is not None else ""
        types = [bare_type(p.type) for p in self.method.parameters]
        return types.index(name) if name in types else -1


class Arrangement(Struct, frozen=True, kw_only=True):
    """What stands before the call that a test is about."""

    lines: tuple[str, ...]
    """Statements; what continues one is indented within it."""
    call: str
    """`handler.Handle(input)`."""
    request: str
    """The variable that holds the request: `input`; empty: there is none."""
    stores: tuple[tuple[str, str], ...] = ()
    """Variables that may keep entities, with their types."""
    open_points: tuple[str, ...] = ()
    """What could not be arranged."""
    shown: bool = False
    """A test that stands there does so and succeeds."""


def handled_by(handler: CsClass, verb: str = "") -> CsMethod:
    """The method of HANDLER that does its work; VERB: what the question does.

    Raises InputError when none fits, and says which public ones there are.
    """
    public = [m for m in handler.methods if m.public and m.name not in _NO_WORK]
    verb = verb[:1].upper() + verb[1:]
    wanted = [*_SUBJECTS, *((verb, f"{verb}Async") if verb else ())]
    for name in wanted:
        found = next((m for m in public if m.name == name), None)
        if found is not None:
            return found
    if len(public) == 1:
        return public[0]
    said = ", ".join(m.name for m in public) or "none"
    raise InputError(
        f"{handler.name} ({handler.origin}) has no method to test: looked for "
        f"{', '.join([*_SUBJECTS[:3], *wanted[len(_SUBJECTS) :]])}; its public methods: {said}; "
        f"give the one that is meant one of these names, or name another handler"
    )


def arranged(scene: Scene, changes: Mapping[str, str]) -> Arrangement:
    """How to come to a request that succeeds, but for CHANGES: its properties as C# expressions."""
    for test in sorted(_tests(scene), key=_plainness):
        made = _as_before(scene, test, changes)
        if made is not None:
            return made
    return _from_scratch(scene, changes)


def _tests(scene: Scene) -> Iterator[CsMethod]:
    for method in scene.tests.methods if scene.tests is not None else ():
        if any(a.name in _ATTRIBUTES for a in method.attributes):
            yield method


def _plainness(test: CsMethod) -> tuple[bool, int]:
    """Tests that see a success come first, then the shorter ones."""
    succeeds = re.search(r"Assert\.IsTrue\(|HttpStatusCode\.OK|Success", test.source)
    refuses = re.search(r"Should(?:Throw|Reject|Fail|Return[45])|Assert\.Throws", test.source)
    return (succeeds is None or refuses is not None, len(test.source))


def _as_before(scene: Scene, test: CsMethod, changes: Mapping[str, str]) -> Arrangement | None:
    """The arrangement of TEST, with CHANGES made to its request; None: it has none to take."""
    index = scene.request_index
    for before, call in _calls(test, scene.method.name):
        arguments = [text(a) for a in children(call.child_by_field_name("arguments"), "argument")]
        if any(re.search(r"\bAssert\b", line) for line in before) or len(arguments) <= index:
            continue
        lines = list(before)
        request = arguments[index] if index >= 0 else ""
        if request and not re.fullmatch(r"\w+", request):
            lines.append(f"var {REQUEST} = {request};")
            request = REQUEST
        if request and changes:
            changed = _changed(scene, request, changes)
            if changed is None:
                return None
            lines += changed[0]
            request = changed[1]
        if index >= 0:
            arguments[index] = request
        fields = tuple((f.name, f.type) for f in scene.tests.fields) if scene.tests else ()
        return Arrangement(
            lines=tuple(lines),
            call=f"{text(call.child_by_field_name('function'))}({', '.join(arguments)})",
            request=request,
            stores=(*fields, *_locals(lines)),
            shown=not _plainness(test)[0],
        )
    return None


def _changed(
    scene: Scene, request: str, changes: Mapping[str, str]
) -> tuple[list[str], str] | None:
    """The statements that make CHANGES to REQUEST, and the variable that then holds it."""
    declared = scene.code.named(scene.dto.name) if scene.dto is not None else None
    members = {p.name: p for p in declared.properties} if declared is not None else {}
    if all(members[name].changeable for name in changes if name in members):
        return [f"{request}.{name} = {value};" for name, value in changes.items()], request
    if declared is not None and declared.kind == "record":
        parts = ", ".join(f"{name} = {value}" for name, value in changes.items())
        return [f"var changed = {request} with {{ {parts} }};"], "changed"
    return None


def _calls(test: CsMethod, method: str) -> Iterator[tuple[list[str], Node]]:
    """The statements before each call of METHOD in TEST, and the call."""
    wrapped = f"class T {{\n{test.source}\n}}".encode()
    root = parse_csharp(wrapped, origin=test.name)
    block = next(below(root, "block"), None)
    if block is None:
        return
    before: list[str] = []
    for statement in block.named_children:
        for call in below(statement, "invocation_expression"):
            called = call.child_by_field_name("function")
            if text(called).split(".")[-1] == method:
                yield list(before), call
        before.append(_dedented(statement))


def _dedented(statement: Node) -> str:
    """The source of STATEMENT without the indentation that it stands at."""
    column = statement.start_point[1]
    first, *rest = text(statement).split("\n")
    lines = [line[column:] if not line[:column].strip() else line.lstrip() for line in rest]
    return "\n".join(line.rstrip("\r") for line in (first, *lines))


def _locals(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        found = re.match(r"(?:var|[\w<>.]+) (\w+) = new ([\w.]+)", line)
        if found:
            yield found[1], found[2]


def _from_scratch(scene: Scene, changes: Mapping[str, str]) -> Arrangement:
    lines: list[str] = []
    stores: list[tuple[str, str]] = []
    open_points: list[str] = []
    held = _field_of(scene, scene.handler.name)
    if not held:
        for needed in scene.handler.constructor:
            made = _made(scene.code, needed)
            if made is None:
                open_points.append(f"nothing in the code makes a {needed.type}: pass one in")
                lines.append(f"{needed.type} {needed.name} = null;")
            else:
                lines.append(f"var {needed.name} = {made};")
                stores.append((needed.name, made.removeprefix("new ").removesuffix("()")))
        given = ", ".join(p.name for p in scene.handler.constructor)
        held = "handler"
        lines.append(f"var {held} = new {scene.handler.name}({given});")
    if scene.dto is not None:
        lines += request_lines(scene, scene.dto, changes)
    arguments = [
        REQUEST if i == scene.request_index else f"default({p.type})"
        for i, p in enumerate(scene.method.parameters)
    ]
    fields = tuple((f.name, f.type) for f in scene.tests.fields) if scene.tests else ()
    return Arrangement(
        lines=tuple(lines),
        call=f"{held}.{scene.method.name}({', '.join(arguments)})",
        request=REQUEST if scene.dto is not None else "",
        stores=(*fields, *stores),
        open_points=tuple(open_points),
    )


def _field_of(scene: Scene, kind: str) -> str:
    fields = scene.tests.fields if scene.tests is not None else ()
    return next((f.name for f in fields if bare_type(f.type) == kind), "")


def _made(code: CsCode, needed: CsParameter) -> str | None:
    """`new Ledger()`: how one of NEEDED's type is made without arguments; an interface's by a
    class of the code that has it."""
    wanted = bare_type(needed.type)
    declared = code.named(wanted)
    if declared is not None and declared.kind == "class" and not declared.constructor:
        return f"new {wanted}()"
    fitting = [
        c for c in code.classes
        if c.kind == "class" and not c.constructor and wanted in map(bare_type, c.bases)
    ]  # fmt: skip
    fitting.sort(key=lambda c: not re.search(r"Memory|Fake|Stub|Null", c.name))
    return f"new {fitting[0].name}()" if fitting else None


def request_lines(scene: Scene, dto: Dto, changes: Mapping[str, str]) -> list[str]:
    """The statement that makes a valid request of DTO, but for CHANGES."""
    declared = scene.code.named(dto.name)
    positional = declared is not None and declared.kind == "record" and declared.constructor
    values: dict[str, str] = {}
    for field in dto.fields:
        if field.name in changes:
            values[field.name] = changes[field.name]
        elif positional or any(r.kind == "required" for r in field.rules):
            values[field.name] = _valid(scene.code, field)
    if positional:
        given = ", ".join(f"{name}: {value}" for name, value in values.items())
        return [f"var {REQUEST} = new {dto.name}({given});"]
    return [initialised(f"var {REQUEST} = ", dto.name, values)]


def _valid(code: CsCode, field: DtoField) -> str:
    names = code.enum_values(bare_type(field.declared_type))
    if names:
        return f"{bare_type(field.declared_type)}.{names[0]}"
    value = valid_value(field)
    if value is None and field.type == "object":
        return f"new {field.declared_type.rstrip('?')}()"
    return csharp_literal(value, field.declared_type)


def initialised(start: str, name: str, values: Mapping[str, str], end: str = ";") -> str:
    """`var input = new RefundRequest { RefundAmount = -100 };`, in lines where it is long."""
    parts = [f"{key} = {value}" for key, value in values.items()]
    if not parts:
        return f"{start}new {name}(){end}"
    line = f"{start}new {name} {{ {', '.join(parts)} }}{end}"
    # It will stand twelve columns in, in a method of a class of a namespace.
    if len(line) <= WIDTH_MAX - 12:
        return line
    inner = ",\n".join(f"    {part}" for part in parts)
    return f"{start}new {name}\n{{\n{inner}\n}}{end}"
