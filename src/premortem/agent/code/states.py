"""Bringing an entity into a state, in C#: an object whose status says so, kept where it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from premortem.agent.code.arrangement import Arrangement, Scene, initialised
from premortem.agent.code.names import pascal
from premortem.agent.knowledge.csharp import CsClass, CsCode, CsMethod, bare_type
from premortem.agent.knowledge.csharp_tree import below, parse_csharp, text
from premortem.agent.understanding.words import article, tokens

_STORES = re.compile(r"^(?:Add|Save|Store|Put|Insert|Set|Update|Upsert|Register)")
_REPLACES = re.compile(r"\[[^\]]+\]\s*=[^=]|AddOrUpdate|Upsert|Replace")


class Placed(Struct, frozen=True, kw_only=True):
    """Statements that bring something into a state, or why there are none."""

    arranged: tuple[str, ...]
    """What stands before the request is made, changed where it makes the thing itself."""
    lines: tuple[str, ...] = ()
    """What comes after it."""
    open_points: tuple[str, ...] = ()


def placed_in_state(scene: Scene, made: Arrangement, thing: str, state: str) -> Placed:
    """THING (`invoice`) in STATE (`Locked`), where the handler of SCENE will find it."""
    name = pascal(thing)
    entity = scene.code.named(name)
    if entity is None:
        said = f"the code has no class {name} to bring into {state}"
        return Placed(arranged=made.lines, open_points=(said,))
    status = _status(scene.code, entity, state)
    if status is None:
        said = f"{name} ({entity.origin}) has no status or flag for {state}"
        return Placed(arranged=made.lines, open_points=(said,))
    changed = tuple(_with_status(line, name, status) for line in made.lines)
    if sum(a != b for a, b in zip(changed, made.lines, strict=True)) == 1:
        return Placed(arranged=changed)
    return _kept_in_state(scene, made, entity, status)


def _kept_in_state(
    scene: Scene, made: Arrangement, entity: CsClass, status: tuple[str, str]
) -> Placed:
    """ENTITY with STATUS under the id that the request names, put where entities are kept."""
    name, state = entity.name, status[1].split(".")[-1]
    link = _link(scene, entity, made)
    if link is None:
        said = f"the request names no {name} by its id"
        return Placed(arranged=made.lines, open_points=(said,))
    kept = next(_stores(scene.code, entity, made), None)
    if kept is None:
        said = (
            f"no variable here keeps {article(name.lower())} {name}; put one that is {state} there"
        )
        return Placed(arranged=made.lines, open_points=(said,))
    store, keeping = kept
    shown = dict(_shown(scene, entity.name))
    values = {link[0]: link[1], **{k: v for k, v in shown.items() if k != link[0]}}
    values[status[0]] = status[1]
    lines = (initialised(f"{store}.{keeping.name}(", name, values, end=");"),)
    if shown and not _REPLACES.search(keeping.source):
        said = f"{store}.{keeping.name} may not replace the {name} that is there"
        return Placed(arranged=made.lines, lines=lines, open_points=(said,))
    return Placed(arranged=made.lines, lines=lines)


def placed_beside(scene: Scene, made: Arrangement) -> tuple[str, ...]:
    """What the request of MADE names by an id, put where the handler of SCENE will find it, as
    far as the code's declarations tell how."""
    lines: list[str] = []
    for field in scene.dto.fields if scene.dto is not None else ():
        entity = (
            scene.code.named(field.name.removesuffix("Id")) if field.name[-2:] == "Id" else None
        )
        if entity is None or not any(p.name == "Id" for p in entity.properties):
            continue
        for store, keeping in _stores(scene.code, entity, made):
            values = {"Id": f"{made.request}.{field.name}"}
            lines.append(initialised(f"{store}.{keeping.name}(", entity.name, values, end=");"))
            break
    return tuple(lines)


def _with_status(line: str, name: str, status: tuple[str, str]) -> str:
    """The statement LINE with STATUS in the one NAME that it makes; without one as it is."""
    source = f"class T {{ void M() {{\n{line}\n}} }}"
    root = parse_csharp(source.encode(), origin=name)
    found = [
        node
        for node in below(root, "object_creation_expression")
        if bare_type(text(node.child_by_field_name("type"))) == name
    ]
    if len(found) != 1 or root.has_error:
        return line
    data, key = source.encode(), status[0]
    block = found[0].child_by_field_name("initializer")
    for part in below(block, "assignment_expression") if block is not None else ():
        if text(part.child_by_field_name("left")) == key:
            right = part.child_by_field_name("right")
            if right is not None:
                data = data[: right.start_byte] + status[1].encode() + data[right.end_byte :]
            break
    else:
        added = f"{key} = {status[1]}"
        if block is None:
            at, put = found[0].end_byte, f" {{ {added} }}"
        else:
            members = block.named_children
            at = members[-1].end_byte if members else block.start_byte + 1
            put = f", {added}" if members else f" {added} "
        data = data[:at] + put.encode() + data[at:]
    return data.decode().split("\n", 1)[1].rsplit("\n", 1)[0]


def _status(code: CsCode, entity: CsClass, state: str) -> tuple[str, str] | None:
    """The property of ENTITY that says STATE, and the value with which it does."""
    for member in entity.properties:
        if state in code.enum_values(member.type):
            return member.name, f"{bare_type(member.type)}.{state}"
        if member.type == "bool" and member.name in (state, f"Is{state}"):
            return member.name, "true"
    for member in entity.properties:
        last = (tokens(member.name) or [""])[-1]
        if member.type == "string" and last in ("status", "state"):
            return member.name, f'"{state}"'
    return None


def _link(scene: Scene, entity: CsClass, made: Arrangement) -> tuple[str, str] | None:
    """ENTITY's id and the request's expression that names it: (`Id`, `input.InvoiceId`)."""
    ids = [p.name for p in entity.properties if p.name in ("Id", f"{entity.name}Id")]
    if not ids or scene.dto is None or not made.request:
        return None
    field = scene.dto.field(f"{entity.name}Id") or scene.dto.field("Id")
    return (ids[0], f"{made.request}.{field.name}") if field is not None else None


def _stores(code: CsCode, entity: CsClass, made: Arrangement) -> Iterator[tuple[str, CsMethod]]:
    for variable, kind in made.stores:
        declared = code.named(kind)
        for method in declared.methods if declared is not None else ():
            takes = [bare_type(p.type) for p in method.parameters]
            if takes == [entity.name] and _STORES.match(method.name):
                yield variable, method


def _shown(scene: Scene, name: str) -> Iterator[tuple[str, str]]:
    """How the test class itself makes a NAME: property and expression."""
    for method in scene.tests.methods if scene.tests is not None else ():
        root = parse_csharp(f"class T {{\n{method.source}\n}}".encode(), origin=method.name)
        for made in below(root, "object_creation_expression"):
            if bare_type(text(made.child_by_field_name("type"))) != name:
                continue
            for part in below(made, "assignment_expression"):
                left = text(part.child_by_field_name("left"))
                yield left, text(part.child_by_field_name("right"))
            return
