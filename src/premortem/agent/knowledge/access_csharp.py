"""Who may do what by ASP.NET's attributes and by its routes without controllers.

`[Authorize(Roles = "CFO")]`, `[AllowAnonymous]`, `[Authorize(Policy = "...")]` with the policies'
`RequireRole`, `MapPost(...).RequireAuthorization(...)`. Several `[Authorize]` have to hold at once,
those of the class too; `[AllowAnonymous]` takes them all back.

Source: Microsoft.AspNetCore.Authorization; the extra `csharp`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from premortem.agent.knowledge.attributes import CsAttribute
from premortem.agent.knowledge.csharp import CsClass, CsCode, CsMethod, read_csharp
from premortem.agent.knowledge.csharp_tree import below, children, parse_csharp, string_value, text
from premortem.domain.access import ANYONE, NOBODY, AccessRule, listed, open_to_all

if TYPE_CHECKING:
    from tree_sitter import Node

MARKS = (b"Authorize", b"AllowAnonymous", b"RequireAuthorization")
"""A source without any of these says nothing of access."""
_VERBS = {f"Http{verb.title()}": verb for verb in ("GET", "POST", "PUT", "PATCH", "DELETE")}
_MAPPED = re.compile(r"\bMap(Get|Post|Put|Patch|Delete)$")
_SUFFIX = re.compile(r"Async$")
_CONSTRAINT = re.compile(r"\{\**(\w+)[^{}]*\}")
_ROLES_SAID = re.compile(r'Roles\s*=\s*"([^"]*)"')
_REQUIRED = re.compile(r"\bRequireRole\s*\(([^()]*)\)")
_LITERAL = re.compile(r'"([^"]*)"')
_DECLARED = re.compile(r"(\w+)\s*=(?!=)\s*([^;]+);")
UNKNOWN = "\0"
"""A constant that is there, and whose value cannot be worked out."""
COMPOSED_DEPTH_MAX = 4
"""Constants of constants of constants."""
Policies = Mapping[str, tuple[str, ...]]


def access_in_csharp(sources: Mapping[str, bytes]) -> tuple[AccessRule, ...]:
    """The access rules of SOURCES: bytes by their name. Raises InputError as `read_csharp` does."""
    if not any(mark in data for data in sources.values() for mark in MARKS):
        return ()
    code = read_csharp(sources)
    trees = {name: parse_csharp(data, origin=name) for name, data in sorted(sources.items())}
    policies = {key: roles for tree in trees.values() for key, roles in _policies(tree)}
    constants = _constants(code) | _composed(trees.values(), _constants(code))
    found = [
        rule
        for controller in code.classes
        if _is_controller(controller)
        for rule in _controller(controller, policies, constants)
    ]
    for name, tree in trees.items():
        found += _mapped(tree, Path(name).name, policies)
    return tuple(found)


def _is_controller(found: CsClass) -> bool:
    marked = any(a.name in ("ApiController", "Controller") for a in found.attributes)
    return found.kind == "class" and (marked or found.name.endswith("Controller"))


def _constants(code: CsCode) -> dict[str, str]:
    return {
        key: value
        for found in code.classes
        for name, value in found.constants
        for key in (name, f"{found.name}.{name}")
    }


def _composed(trees: Iterable[Node], known: Mapping[str, str]) -> dict[str, str]:
    """Constants put together of KNOWN ones: `Both = Cfo + "," + Fm`. What cannot be worked out is
    `UNKNOWN`: to take its name for a role would be a guess about what is written there."""
    open_ = {
        (owner, name): value
        for tree in trees
        for declared in below(tree, "field_declaration")
        if re.search(r"\b(?:const|readonly)\b", text(declared))
        for owner in [_class_of(declared)]
        for name, value in _DECLARED.findall(text(declared))
        if f"{owner}.{name}" not in known
    }
    found: dict[str, str] = {}
    for _ in range(COMPOSED_DEPTH_MAX):
        for (owner, name), value in open_.items():
            own = {k.partition(".")[2]: v for k, v in found.items() if k.startswith(f"{owner}.")}
            said = _evaluated(value, {**known, **found, **own})
            if said is not None:
                found[f"{owner}.{name}"] = said
    return {f"{owner}.{name}": UNKNOWN for owner, name in open_} | found


def _class_of(node: Node) -> str:
    current = node.parent
    while current is not None and current.type not in ("class_declaration", "struct_declaration"):
        current = current.parent
    return text(current.child_by_field_name("name")) if current is not None else ""


def _controller(
    controller: CsClass, policies: Policies, constants: Mapping[str, str]
) -> Iterator[AccessRule]:
    file = controller.origin.rpartition(":")[0]
    for method in controller.methods:
        attributes = (*controller.attributes, *method.attributes)
        said = [a for a in attributes if a.name in ("Authorize", "AllowAnonymous")]
        if not method.public or not said:
            continue
        for operation_id in _routes(controller, method):
            rule = AccessRule(
                operation_id=operation_id,
                handler=f"{controller.name}.{method.name}",
                grant="allowed",
                source="csharp",
                document=file,
                line=method.line,
                said=" ".join(f"[{_shown(a)}]" for a in said),
            )
            if any(a.name == "AllowAnonymous" for a in said):
                yield from open_to_all(rule)
            else:
                yield from _authorized(rule, said, policies, constants)


def _shown(attribute: CsAttribute) -> str:
    values = [*map(repr, attribute.values), *(f"{k} = {v!r}" for k, v in attribute.named)]
    return f"{attribute.name}({', '.join(values)})" if values else attribute.name


def _authorized(
    rule: AccessRule,
    attributes: Sequence[CsAttribute],
    policies: Policies,
    constants: Mapping[str, str],
) -> Iterator[AccessRule]:
    """Who passes all of ATTRIBUTES; where one asks for what is not known, only that nobody
    unknown does."""
    lists: list[tuple[str, ...]] = []
    known = True
    for attribute in attributes:
        roles = attribute.get("Roles")
        policy = attribute.get("Policy") or (attribute.values[0] if attribute.values else "")
        if roles:
            names = _role_names(roles, constants)
            known = known and names is not None
            lists.append(names or ())
        if policy:
            name = constants.get(policy, policy)
            known = known and name in policies
            lists.append(policies.get(name, ()))
    yield from _meeting(rule, lists, known=known)


def _meeting(
    rule: AccessRule, lists: Sequence[tuple[str, ...]], *, known: bool
) -> Iterator[AccessRule]:
    """The rules of who stands in all LISTS; of none: whoever is signed in."""
    if not known:
        yield replace(rule, role=NOBODY, grant="denied")
    elif not lists:
        yield from listed(rule, [ANYONE])
    else:
        yield from listed(rule, [r for r in lists[0] if all(r in other for other in lists[1:])])


def _role_names(said: str, constants: Mapping[str, str]) -> tuple[str, ...] | None:
    """The roles of an argument: `A,B`, `Roles.A`, `Roles.A + "," + Roles.B`; None: not known."""
    if re.fullmatch(r"[\w\s,.\-]*", said) and said not in constants and "." not in said:
        return tuple(name.strip() for name in said.split(",") if name.strip())
    whole = _evaluated(said, constants, guess=True)
    if whole is None:
        return None
    return tuple(name.strip() for name in whole.split(",") if name.strip())


def _evaluated(expression: str, constants: Mapping[str, str], *, guess: bool = False) -> str | None:
    """What a sum of literals and CONSTANTS says; GUESS: names of none by their last word."""
    whole = ""
    for piece in expression.split("+"):
        bare = piece.strip()
        literal = _LITERAL.fullmatch(bare)
        value = literal[1] if literal else constants.get(bare)
        if bare.startswith('$"'):
            value = _interpolated(bare, constants)
        if value is None and (guess or bare.startswith("nameof(")):
            value = _named(bare)
        if value is None or value == UNKNOWN:
            return None
        whole += value
    return whole


def _interpolated(expression: str, constants: Mapping[str, str]) -> str | None:
    """`$"{Cfo},{Fm}"` with what CONSTANTS say; None where one of them says nothing."""
    names = [name.strip() for name in re.findall(r"\{([^{}]*)\}", expression)]
    values = {name: constants.get(name, UNKNOWN) for name in names}
    if UNKNOWN in values.values() or not expression.endswith('"'):
        return None
    return re.sub(r"\{([^{}]*)\}", lambda m: values[m[1].strip()], expression[2:-1])


def _named(expression: str) -> str | None:
    """`nameof(Role.CFO)` and `Roles.CFO` by their last word."""
    found = re.fullmatch(r"(?:nameof\()?(?:\w+\.)*(\w+)\)?", expression)
    return found[1] if found else None


def _routes(controller: CsClass, method: CsMethod) -> Iterator[str]:
    """The operations that METHOD performs: `POST /api/Invoice/approve`."""
    bases = [a.values[0] for a in controller.attributes if a.name == "Route" and a.values] or [""]
    own = [a.values[0] for a in method.attributes if a.name == "Route" and a.values]
    short = controller.name.removesuffix("Controller")
    for attribute in method.attributes:
        verb = _VERBS.get(attribute.name)
        if verb is None:
            continue
        parts = [attribute.values[0]] if attribute.values else own or [""]
        for base in bases:
            for part in parts:
                yield f"{verb} {_path(base, part, short, method.name)}"


def _path(base: str, part: str, controller: str, action: str) -> str:
    whole = part if part.startswith(("/", "~/")) else f"{base}/{part}"
    whole = whole.removeprefix("~").replace("[controller]", controller)
    whole = whole.replace("[action]", _SUFFIX.sub("", action))
    return "/" + _CONSTRAINT.sub(r"{\1}", whole).strip("/")


def _policies(tree: Node) -> Iterator[tuple[str, tuple[str, ...]]]:
    """`AddPolicy("CanApprove", p => p.RequireRole("CFO"))`: name and roles."""
    for call in below(tree, "invocation_expression"):
        if not text(call.child_by_field_name("function")).endswith("AddPolicy"):
            continue
        arguments = children(call.child_by_field_name("arguments"), "argument")
        name = string_value(arguments[0].named_children[-1]) if len(arguments) > 1 else None
        required = _REQUIRED.findall(text(arguments[1])) if name is not None else []
        if name is not None and required:
            yield name, _common(_LITERAL.findall(each) for each in required)


def _common(lists: Iterable[list[str]]) -> tuple[str, ...]:
    first, *rest = lists
    return tuple(name for name in first if all(name in other for other in rest))


def _mapped(tree: Node, file: str, policies: Policies) -> Iterator[AccessRule]:
    """Routes without controllers: `app.MapPost("/x", ...).RequireAuthorization("CanApprove")`."""
    for call in below(tree, "invocation_expression"):
        function = call.child_by_field_name("function")
        verb = _MAPPED.search(text(function)) if function is not None else None
        arguments = children(call.child_by_field_name("arguments"), "argument")
        path = string_value(arguments[0].named_children[-1]) if arguments else None
        if verb is None or path is None or "(" in text(function):
            continue
        chained, route = _chained(call), _path("", path, "", "")
        rule = AccessRule(
            operation_id=f"{verb[1].upper()} {route}",
            grant="allowed",
            source="csharp",
            document=file,
            line=call.start_point[0] + 1,
            said=" ".join(chained.split())[:120],
        )
        if "AllowAnonymous" in chained:
            yield from open_to_all(rule)
        elif "RequireAuthorization" in chained:
            yield from _required(rule, chained, policies)


def _chained(call: Node) -> str:
    """What is called on CALL's result, as text."""
    current = call
    while current.parent is not None and current.parent.type in (
        "member_access_expression",
        "invocation_expression",
    ):
        current = current.parent
    return text(current)[len(text(call)) :]


def _required(rule: AccessRule, chained: str, policies: Policies) -> Iterator[AccessRule]:
    said = _ROLES_SAID.findall(chained)
    lists = [tuple(n.strip() for n in roles.split(",") if n.strip()) for roles in said]
    lists += [tuple(_LITERAL.findall(each)) for each in _REQUIRED.findall(chained)]
    bare = _REQUIRED.sub("", _ROLES_SAID.sub("", chained))
    named = re.findall(r'RequireAuthorization\s*\(\s*"([^"]+)"', bare)
    known = all(name in policies for name in named)
    lists += [policies[name] for name in named if name in policies]
    yield from _meeting(rule, lists, known=known)
