"""C# source -> classes, handlers, refusals and data transfer objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from premortem.agent.knowledge.attributes import CsAttribute, attribute_rules
from premortem.agent.knowledge.csharp_tree import (
    below,
    children,
    modifiers,
    number_text,
    parse_csharp,
    string_value,
    text,
)
from premortem.domain.proposal import Dto, DtoField, DtoRule

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES = {
    **dict.fromkeys(("string", "char", "Guid", "Uri", "TimeSpan", "TimeOnly"), "string"),
    **dict.fromkeys(("DateTime", "DateTimeOffset", "DateOnly"), "string"),
    **dict.fromkeys(
        ("int", "long", "short", "byte", "uint", "ulong", "ushort", "sbyte"), "integer"
    ),
    **dict.fromkeys(("decimal", "double", "float"), "number"),
    "bool": "boolean",
}
_FORMATS = {
    "Guid": "uuid",
    "Uri": "uri",
    "DateTime": "date-time",
    "DateTimeOffset": "date-time",
    "DateOnly": "date",
}
VALUE_TYPES = frozenset(_TYPES) - {"string", "Uri"}
"""C# types that cannot be null; enums neither."""
_LISTS = re.compile(r"(?:I?List|IEnumerable|ICollection|IReadOnly\w+|I?(?:Hash)?Set)<|.*\[\]$")
_MAPS = re.compile(r"(?:I?Dictionary|IReadOnlyDictionary)<")
_CLASSES = (
    "class_declaration",
    "record_declaration",
    "struct_declaration",
    "interface_declaration",
    "enum_declaration",
)
ANCESTORS_MAX = 10
_PARTS = ("bases", "attributes", "properties", "fields", "methods", "constants", "refusals")
REFUSALS_MAX = 200
"""Refusals that are read from one method's class."""


class CsParameter(Struct, frozen=True, kw_only=True):
    """A parameter, field or property."""

    name: str
    type: str
    attributes: tuple[CsAttribute, ...] = ()
    settable: bool = True
    """It has a public `set` or `init`, or is a record's parameter."""
    changeable: bool = True
    """It can be set after the object was made."""
    required: bool = False
    """C#'s `required`, or a record's parameter without default."""
    line: int = 0


class Refusal(Struct, frozen=True, kw_only=True):
    """A place where a handler refuses: it throws, or answers with a failure."""

    kind: Literal["exception", "failure"]
    name: str
    """The exception's type or the failure's code."""
    message: str = ""
    """Of a failure, where it stands there as a literal."""
    condition: str = ""
    """The source of the `if` around it."""


class CsMethod(Struct, frozen=True, kw_only=True):
    """A method of a class."""

    name: str
    returns: str
    parameters: tuple[CsParameter, ...] = ()
    attributes: tuple[CsAttribute, ...] = ()
    public: bool = False
    source: str = ""
    line: int = 0

    @property
    def awaited(self) -> bool:
        """Whether it answers with a Task."""
        return bool(re.match(r"(?:\w+\.)*(?:Value)?Task\b", self.returns))

    @property
    def result_type(self) -> str:
        """What it answers with, out of its Task: `Result<Refund>`; nothing: `void`."""
        found = re.match(r"(?:\w+\.)*(?:Value)?Task(?:<(.*)>)?$", self.returns, re.DOTALL)
        return (found[1] or "void") if found else self.returns


class CsClass(Struct, frozen=True, kw_only=True):
    """A class, record, struct, interface or enum."""

    name: str
    kind: str
    """`class`, `record`, `struct`, `interface` or `enum`."""
    origin: str
    """File and line: `RefundRequest.cs:5`."""
    namespace: str = ""
    bases: tuple[str, ...] = ()
    attributes: tuple[CsAttribute, ...] = ()
    properties: tuple[CsParameter, ...] = ()
    fields: tuple[CsParameter, ...] = ()
    methods: tuple[CsMethod, ...] = ()
    constructor: tuple[CsParameter, ...] = ()
    """The parameters of its first constructor."""
    values: tuple[str, ...] = ()
    """Of an enum."""
    constants: tuple[tuple[str, str], ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def method(self, name: str) -> CsMethod | None:
        """The first method NAME."""
        return next((m for m in self.methods if m.name == name), None)


class CsCode(Struct, frozen=True, kw_only=True):
    """Everything that was read of a service's C#."""

    classes: tuple[CsClass, ...]

    def named(self, name: str) -> CsClass | None:
        """The class NAME, without type arguments or a question mark."""
        bare = bare_type(name)
        return next((c for c in self.classes if c.name == bare), None)

    def enum_values(self, name: str) -> tuple[str, ...]:
        """The values of the enum NAME; of anything else none."""
        found = self.named(name)
        return found.values if found is not None and found.kind == "enum" else ()


def bare_type(declared: str) -> str:
    """`Task<Result>?` as `Task`, `Domain.Invoice` as `Invoice`."""
    return re.sub(r"<.*", "", declared, flags=re.DOTALL).rstrip("?").split(".")[-1].strip()


def read_csharp(sources: Mapping[str, bytes]) -> CsCode:
    """The classes of SOURCES: bytes by their name, `src/RefundRequest.cs`. Raises InputError."""
    found: list[CsClass] = []
    for name, source in sorted(sources.items()):
        root = parse_csharp(source, origin=name)
        found += (_class(node, Path(name).name) for node in below(root, *_CLASSES))
    return CsCode(classes=tuple(_together(found)))


def _together(found: Iterable[CsClass]) -> Iterator[CsClass]:
    """Parts of one class as one: `partial` ones, and `Result` with `Result<T>`."""
    whole: dict[tuple[str, str, str], CsClass] = {}
    for part in found:
        key = (part.namespace, part.name, part.kind)
        before = whole.get(key)
        if before is None:
            whole[key] = part
            continue
        joined = {name: (*getattr(before, name), *getattr(part, name)) for name in _PARTS} | {
            "constructor": before.constructor or part.constructor
        }
        whole[key] = msgspec.structs.replace(before, **joined)
    yield from whole.values()


def dtos_in_csharp(code: CsCode) -> tuple[Dto, ...]:
    """The data transfer objects of CODE: classes that only hold values, with their attributes'.

    Classes with public methods, exceptions and controllers are none.
    """
    constants = {
        key: value
        for found in code.classes
        for name, value in found.constants
        for key in (name, f"{found.name}.{name}")
    }
    return tuple(_dto(found, code, constants) for found in code.classes if _holds_values(found))


def _holds_values(found: CsClass) -> bool:
    settable = any(p.settable for p in found.properties)
    acts = any(m.public for m in found.methods if m.name not in ("ToString", "Equals"))
    return found.kind in ("class", "record", "struct") and settable and not acts


def _dto(found: CsClass, code: CsCode, constants: Mapping[str, str]) -> Dto:
    fields: dict[str, DtoField] = {}
    for owner in reversed([found, *ancestors(found, code)]):
        for member in owner.properties:
            if member.settable:
                fields[member.name] = _dto_field(member, owner, code, constants)
    return Dto(
        name=found.name, fields=tuple(fields.values()), language="csharp", origin=found.origin
    )


def ancestors(found: CsClass, code: CsCode) -> Iterator[CsClass]:
    """The classes that FOUND derives from, the nearest first, as far as CODE has them."""
    current = found
    for _ in range(ANCESTORS_MAX):
        bases = [b for b in map(code.named, current.bases) if b is not None]
        parent = next((b for b in bases if b.kind in ("class", "record")), None)
        if parent is None:
            return
        yield parent
        current = parent


def _dto_field(
    member: CsParameter, owner: CsClass, code: CsCode, constants: Mapping[str, str]
) -> DtoField:
    declared = member.type.removesuffix("?")
    inner = re.fullmatch(r"Nullable<(.+)>", declared)
    bare = inner[1] if inner else declared
    file = owner.origin.rsplit(":", 1)[0]
    rules = list(
        attribute_rules(member.attributes, code.enum_values, constants, f"{file}:{member.line}")
    )
    if member.required and not any(r.kind == "required" for r in rules):
        rules.insert(0, DtoRule(kind="required", source=f"{file}:{member.line} required"))
    values = code.enum_values(bare)
    if values:
        rules.append(DtoRule(kind="one_of", value="|".join(values), source=bare))
    if bare_type(bare) in _FORMATS:
        rules.append(DtoRule(kind="format", value=_FORMATS[bare_type(bare)], source=bare))
    return DtoField(
        name=member.name,
        type=json_type(bare, is_enum=bool(values)),
        declared_type=member.type,
        nullable=member.type.endswith("?") or inner is not None,
        rules=tuple(rules),
    )


def json_type(declared: str, *, is_enum: bool = False) -> str:
    """The JSON Schema type of a C# type: `decimal` is a number, `List<int>` an array."""
    if is_enum:
        return "string"
    if _MAPS.match(declared):
        return "object"
    if _LISTS.match(declared):
        return "array"
    return _TYPES.get(bare_type(declared), "object")


def _class(node: Node, file: str) -> CsClass:
    body = node.child_by_field_name("body")
    members = list(body.named_children) if body is not None else []
    kind = node.type.removesuffix("_declaration")
    constructors = [m for m in members if m.type == "constructor_declaration"]
    constructor = constructors[0].child_by_field_name("parameters") if constructors else None
    primary = children(node, "parameter_list")
    properties = [_property(m) for m in members if m.type == "property_declaration"]
    if kind == "record" and primary:
        made = [msgspec.structs.replace(p, changeable=False) for p in _parameters(primary[0])]
        properties = [*made, *properties]
    return CsClass(
        name=text(node.child_by_field_name("name")),
        kind=kind,
        origin=f"{file}:{node.start_point[0] + 1}",
        namespace=_namespace(node),
        bases=tuple(text(b) for base in children(node, "base_list") for b in base.named_children),
        attributes=tuple(_attributes(node)),
        properties=tuple(properties),
        fields=tuple(f for m in members if m.type == "field_declaration" for f in _fields(m)),
        methods=tuple(_method(m) for m in members if m.type == "method_declaration"),
        constructor=tuple(_parameters(constructor or (primary[0] if primary else None))),
        values=tuple(
            text(m.child_by_field_name("name"))
            for m in members
            if m.type == "enum_member_declaration"
        ),
        constants=tuple(c for m in members if m.type == "field_declaration" for c in _constants(m)),
        refusals=tuple(_refusals(body)) if body is not None and kind == "class" else (),
    )


def _namespace(node: Node) -> str:
    """The namespace around NODE, block or file-scoped."""
    current = node.parent
    while current is not None:
        if current.type == "namespace_declaration":
            return text(current.child_by_field_name("name"))
        if current.type == "compilation_unit":
            scoped = children(current, "file_scoped_namespace_declaration")
            return text(scoped[0].child_by_field_name("name")) if scoped else ""
        current = current.parent
    return ""


def _attributes(node: Node) -> Iterator[CsAttribute]:
    for found in (a for part in children(node, "attribute_list") for a in part.named_children):
        if found.type != "attribute":
            continue
        values: list[str] = []
        named: list[tuple[str, str]] = []
        for argument in (
            a for part in children(found, "attribute_argument_list") for a in part.named_children
        ):
            key = argument.child_by_field_name("name")
            value = _literal(argument.named_children[-1])
            if key is not None:
                named.append((text(key), value))
            else:
                values.append(value)
        yield CsAttribute(
            name=text(found.child_by_field_name("name")).split(".")[-1].removesuffix("Attribute"),
            values=tuple(values),
            named=tuple(named),
        )


def _literal(node: Node) -> str:
    said = string_value(node)
    return text(node) if said is None else said


def _property(node: Node) -> CsParameter:
    accessors = node.child_by_field_name("accessors")
    names = {
        text(a.child_by_field_name("name")) for a in children(accessors, "accessor_declaration")
    }
    said = modifiers(node)
    return CsParameter(
        name=text(node.child_by_field_name("name")),
        type=text(node.child_by_field_name("type")),
        attributes=tuple(_attributes(node)),
        settable=bool(names & {"set", "init"}) and "public" in said and "static" not in said,
        changeable="set" in names,
        required="required" in said,
        line=node.start_point[0] + 1,
    )


def _parameters(node: Node | None) -> Iterator[CsParameter]:
    for found in children(node, "parameter"):
        yield CsParameter(
            name=text(found.child_by_field_name("name")),
            type=text(found.child_by_field_name("type")),
            attributes=tuple(_attributes(found)),
            line=found.start_point[0] + 1,
        )


def _fields(node: Node) -> Iterator[CsParameter]:
    for declaration in children(node, "variable_declaration"):
        for found in children(declaration, "variable_declarator"):
            yield CsParameter(
                name=text(found.child_by_field_name("name")),
                type=text(declaration.child_by_field_name("type")),
                attributes=tuple(_attributes(node)),
                line=node.start_point[0] + 1,
            )


def _constants(node: Node) -> Iterator[tuple[str, str]]:
    if "const" not in modifiers(node) and "readonly" not in modifiers(node):
        return
    for found in below(node, "variable_declarator"):
        if len(found.named_children) == 2:
            value = found.named_children[1]
            said = string_value(value)
            number = number_text(text(value)) if said is None else said
            if number is not None:
                yield text(found.child_by_field_name("name")), number


def _method(node: Node) -> CsMethod:
    return CsMethod(
        name=text(node.child_by_field_name("name")),
        returns=text(node.child_by_field_name("returns")),
        parameters=tuple(_parameters(node.child_by_field_name("parameters"))),
        attributes=tuple(_attributes(node)),
        public="public" in modifiers(node),
        source=text(node),
        line=node.start_point[0] + 1,
    )


def _refusals(body: Node) -> Iterable[Refusal]:
    """Where the class throws, or answers with a failure that has a code."""
    found: list[Refusal] = []
    for node in below(body, "throw_statement", "throw_expression", "invocation_expression"):
        if len(found) >= REFUSALS_MAX:
            break
        if node.type == "invocation_expression":
            refusal = _failure(node)
        else:
            made = next(below(node, "object_creation_expression"), None)
            thrown = text(made.child_by_field_name("type")) if made is not None else ""
            refusal = Refusal(kind="exception", name=thrown) if thrown else None
        if refusal is not None:
            found.append(msgspec.structs.replace(refusal, condition=_condition(node)))
    return found


_CODE = re.compile(r"[A-Z][A-Za-z0-9]{2,60}")


def _failure(node: Node) -> Refusal | None:
    """`Result.Failure("DuplicatePayment", "...")`: a call whose first literal is a code."""
    arguments = node.child_by_field_name("arguments")
    said = [string_value(a.named_children[-1]) for a in children(arguments, "argument")]
    called = text(node.child_by_field_name("function")).split(".")[-1]
    if not said or said[0] is None or not _CODE.fullmatch(said[0]):
        return None
    if not re.match(r"(?:Fail|Refus|Reject|Error|Invalid|Conflict|Deny|Denied)", called):
        return None
    message = said[1] if len(said) > 1 and said[1] is not None else ""
    return Refusal(kind="failure", name=said[0], message=message)


def _condition(node: Node) -> str:
    current = node.parent
    while current is not None and current.type != "method_declaration":
        if current.type == "if_statement":
            return text(current.child_by_field_name("condition"))
        current = current.parent
    return ""
