"""Python source -> data transfer objects: pydantic models, dataclasses, attrs classes, TypedDicts.

Nothing is imported or executed. Source: the `ast` of CPython, pydantic's `Field`, annotated-types,
attrs' validators.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from premortem.agent.knowledge.values import EMPTY_TOO
from premortem.domain.proposal import Dto, DtoField, DtoRule
from premortem.errors import InputError

SOURCE_BYTES_MAX = 2 * 1024 * 1024
_TYPES = {
    "int": "integer",
    "float": "number",
    "Decimal": "number",
    "str": "string",
    "bool": "boolean",
    "datetime": "string",
    "date": "string",
    "UUID": "string",
    "bytes": "string",
    **dict.fromkeys(("list", "List", "tuple", "set", "Sequence", "Iterable"), "array"),
    **dict.fromkeys(("dict", "Dict", "Mapping"), "object"),
    "EmailStr": "string",
    "AnyUrl": "string",
    "HttpUrl": "string",
    **dict.fromkeys(("PositiveInt", "NonNegativeInt", "conint"), "integer"),
    **dict.fromkeys(("PositiveFloat", "NonNegativeFloat", "confloat", "condecimal"), "number"),
    "constr": "string",
}
_FORMATS = {
    "datetime": "date-time",
    "date": "date",
    "UUID": "uuid",
    "EmailStr": "email",
    "AnyUrl": "uri",
    "HttpUrl": "uri",
}
_NAMED_BOUNDS = {
    "PositiveInt": ("greater_than", "0"),
    "PositiveFloat": ("greater_than", "0"),
    "NonNegativeInt": ("minimum", "0"),
    "NonNegativeFloat": ("minimum", "0"),
}
_KEYWORDS = {
    **dict.fromkeys(("gt",), "greater_than"),
    **dict.fromkeys(("ge",), "minimum"),
    **dict.fromkeys(("lt",), "less_than"),
    **dict.fromkeys(("le",), "maximum"),
    **dict.fromkeys(("min_length", "min_len"), "min_length"),
    **dict.fromkeys(("max_length", "max_len"), "max_length"),
    **dict.fromkeys(("pattern", "regex"), "pattern"),
}
_ATTRS = {"gt": "greater_than", "ge": "minimum", "lt": "less_than", "le": "maximum"}
_ATTRS |= {"min_len": "min_length", "max_len": "max_length", "matches_re": "pattern"}
Kind = Literal["pydantic", "dataclass", "attrs", "typed_dict"]


class PyClass(Struct, frozen=True, kw_only=True):
    """A class that holds values, and how one is made."""

    dto: Dto
    kind: Kind


class _Read(Struct, frozen=True, kw_only=True):
    type: str
    declared: str
    nullable: bool
    rules: tuple[DtoRule, ...]


def classes_in_python(source: bytes, *, origin: str) -> tuple[PyClass, ...]:
    """The classes of SOURCE that hold values, with their fields' rules.

    ORIGIN names the file. Raises InputError when it cannot be parsed.
    """
    tree = parsed_python(source, origin=origin)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    enums = {c.name: _enum_values(c) for c in classes if _bases(c) & {"Enum", "StrEnum", "IntEnum"}}
    aliases = _aliases(tree)
    kinds: dict[str, Kind] = {}
    found: dict[str, PyClass] = {}
    for node in classes:
        kind = _kind(node, kinds)
        if kind is None:
            continue
        kinds[node.name] = kind
        inherited = [f for b in node.bases for f in _inherited(b, found)]
        own = list(_fields(node, kind, origin, enums, aliases))
        names = {f.name for f in own}
        fields = (*(f for f in inherited if f.name not in names), *own)
        dto = Dto(
            name=node.name, fields=fields, language="python", origin=f"{origin}:{node.lineno}"
        )
        found[node.name] = PyClass(dto=dto, kind=kind)
    return tuple(found.values())


def dtos_in_python(source: bytes, *, origin: str) -> tuple[Dto, ...]:
    """`classes_in_python`, without how they are made."""
    return tuple(found.dto for found in classes_in_python(source, origin=origin))


def parsed_python(source: bytes, *, origin: str) -> ast.Module:
    """The tree of SOURCE. Raises InputError: it is too large, or no Python."""
    if len(source) > SOURCE_BYTES_MAX:
        raise InputError(f"{origin} has {len(source)} bytes; at most {SOURCE_BYTES_MAX} are read")
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        raise InputError(f"{origin}:{line} cannot be read as Python: {error}; mend it") from None


def _inherited(base: ast.expr, found: Mapping[str, PyClass]) -> tuple[DtoField, ...]:
    known = found.get(_name(base))
    return known.dto.fields if known is not None else ()


def _kind(node: ast.ClassDef, known: Mapping[str, Kind]) -> Kind | None:
    bases = _bases(node)
    if bases & {"BaseModel", "BaseSettings", "SQLModel"}:
        return "pydantic"
    if "TypedDict" in bases:
        return "typed_dict"
    inherited = next((known[b] for b in bases if b in known), None)
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        full = ast.unparse(called)
        if full in (
            "attr.s",
            "attrs.define",
            "attrs.frozen",
            "attr.define",
            "define",
            "attr.dataclass",
        ):
            return "attrs"
        if full == "frozen" or full.startswith("attrs."):
            return "attrs"
        if full.split(".")[-1] == "dataclass":
            return "dataclass"
    return inherited


def _bases(node: ast.ClassDef) -> set[str]:
    return {_name(base) for base in node.bases}


def _name(node: ast.expr) -> str:
    """`Decimal` of `decimal.Decimal`, `list` of `list[int]`."""
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _enum_values(node: ast.ClassDef) -> str:
    values = [
        str(part.value.value)
        for part in node.body
        if isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant)
    ]
    return "|".join(values)


def _aliases(tree: ast.Module) -> dict[str, ast.expr]:
    """`Amount = Annotated[Decimal, Field(gt=0)]` at the top of a module."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _fields(
    node: ast.ClassDef,
    kind: Kind,
    origin: str,
    enums: Mapping[str, str],
    aliases: Mapping[str, ast.expr],
) -> Iterator[DtoField]:
    for part in node.body:
        if not isinstance(part, ast.AnnAssign) or not isinstance(part.target, ast.Name):
            continue
        if _name(part.annotation) == "ClassVar" or part.target.id.startswith("_"):
            continue
        place = f"{origin}:{part.lineno}"
        read = _annotation(part.annotation, place, enums, aliases)
        rules = [*read.rules]
        required = part.value is None
        if isinstance(part.value, ast.Call) and _name(part.value.func) in (
            "Field", "field", "ib", "attrib",
        ):  # fmt: skip
            rules += _call_rules(part.value, place)
            required = not _has_default(part.value, kind)
        if required:
            rules = _with_required(rules, place)
        yield DtoField(
            name=part.target.id,
            type=read.type,
            declared_type=read.declared,
            nullable=read.nullable,
            rules=tuple(rules),
        )


def _with_required(rules: Sequence[DtoRule], place: str) -> list[DtoRule]:
    """RULES with one that the field be there; a text of one character at least is not empty."""
    empty = any(r.kind == "min_length" and r.value == "1" for r in rules)
    kept = [r for r in rules if not (r.kind == "min_length" and r.value == "1")]
    value = EMPTY_TOO if empty else ""
    return [DtoRule(kind="required", value=value, source=place), *kept]


def _annotation(
    node: ast.expr, place: str, enums: Mapping[str, str], aliases: Mapping[str, ast.expr]
) -> _Read:
    declared = ast.unparse(node)
    node = aliases.get(_name(node), node) if isinstance(node, ast.Name) else node
    rules: list[DtoRule] = []
    nullable = False
    if isinstance(node, ast.Subscript) and _name(node.value) == "Annotated":
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for extra in parts[1:]:
            if isinstance(extra, ast.Call):
                rules += _call_rules(extra, place)
        node = parts[0]
    if isinstance(node, ast.Subscript) and _name(node.value) == "Optional":
        node, nullable = node.slice, True
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        none_right = isinstance(node.right, ast.Constant) and node.right.value is None
        nullable = nullable or none_right
        node = node.left if none_right else node.right
    if isinstance(node, ast.Subscript) and _name(node.value) == "Annotated":
        inner = _annotation(node, place, enums, aliases)
        return _Read(
            type=inner.type, declared=declared, nullable=nullable, rules=(*inner.rules, *rules)
        )
    return _plain(node, place, enums, rules, declared=declared, nullable=nullable)


def _plain(
    node: ast.expr,
    place: str,
    enums: Mapping[str, str],
    rules: Sequence[DtoRule],
    *,
    declared: str,
    nullable: bool,
) -> _Read:
    called = node.func if isinstance(node, ast.Call) else node
    name = _name(called)
    made = list(rules)
    if isinstance(node, ast.Call):
        made += _call_rules(node, place)
    kind = _TYPES.get(name, "object")
    if name in _NAMED_BOUNDS:
        which, value = _NAMED_BOUNDS[name]
        made.append(DtoRule(kind=which, value=value, source=f"{place} {name}"))  # type: ignore[arg-type]
    if name in _FORMATS:
        made.append(DtoRule(kind="format", value=_FORMATS[name], source=f"{place} {name}"))
    if enums.get(name):
        kind = "string"
        made.append(DtoRule(kind="one_of", value=enums[name], source=f"{place} {name}"))
    if name == "Literal" and isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        values = [str(p.value) for p in parts if isinstance(p, ast.Constant)]
        kind = "string"
        made.append(DtoRule(kind="one_of", value="|".join(values), source=f"{place} Literal"))
    return _Read(type=kind, declared=declared, nullable=nullable, rules=tuple(made))


def _call_rules(call: ast.Call, place: str) -> Iterator[DtoRule]:
    """The rules that `Field(gt=0)`, `Gt(0)` or attrs' `field(validator=[...])` state."""
    name = _name(call.func)
    alone = {"Gt": "greater_than", "Ge": "minimum", "Lt": "less_than", "Le": "maximum"}
    alone |= {"MinLen": "min_length", "MaxLen": "max_length"}
    if name in alone and call.args:
        yield from _rule(alone[name], call.args[0], f"{place} {name}")
    for keyword in call.keywords:
        if keyword.arg in _KEYWORDS:
            yield from _rule(_KEYWORDS[keyword.arg], keyword.value, f"{place} {name}")
        elif keyword.arg == "validator":
            nested = [n for n in ast.walk(keyword.value) if isinstance(n, ast.Call)]
            for found in nested:
                yield from _validator_rules(found, place)


def _validator_rules(call: ast.Call, place: str) -> Iterator[DtoRule]:
    name = _name(call.func)
    if name in _ATTRS and call.args:
        yield from _rule(_ATTRS[name], call.args[0], f"{place} {name}")
    elif name == "in_" and call.args and isinstance(call.args[0], ast.List | ast.Tuple | ast.Set):
        values = [str(e.value) for e in call.args[0].elts if isinstance(e, ast.Constant)]
        yield DtoRule(kind="one_of", value="|".join(values), source=f"{place} in_")


def _rule(kind: str, value: ast.expr, source: str) -> Iterator[DtoRule]:
    text = _constant(value)
    if text is not None:
        yield DtoRule(kind=kind, value=text, source=source)  # type: ignore[arg-type]


def _constant(node: ast.expr) -> str | None:
    """A literal, negative or wrapped in `Decimal("0.01")`; others are not evaluated."""
    if isinstance(node, ast.Call) and _name(node.func) in ("Decimal", "float", "int") and node.args:
        return _constant(node.args[0])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant(node.operand)
        return f"-{inner}" if inner is not None else None
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
        return str(node.value)
    return None


def _has_default(call: ast.Call, kind: Kind) -> bool:
    named = {k.arg: k.value for k in call.keywords}
    if named.keys() & {"default_factory", "factory"}:
        return True
    given = named.get("default") or (call.args[0] if call.args and kind == "pydantic" else None)
    return given is not None and not (isinstance(given, ast.Constant) and given.value is ...)
