"""Methods into C# test classes: what stood there stays, byte for byte.

The class is found by its syntax tree; the method goes before its closing brace, indented as the
class's own members are, with the file's line breaks. A method that is there by its name is not
added again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from premortem.agent.emit.files import Change
from premortem.agent.knowledge.csharp_tree import below, children, first_error, parse_csharp, text
from premortem.domain.proposal import TestKind
from premortem.errors import InputError

if TYPE_CHECKING:
    from tree_sitter import Node

_BOM = b"\xef\xbb\xbf"
INDENT = "    "
_MEMBERS = (
    "field_declaration",
    "property_declaration",
    "constructor_declaration",
    "method_declaration",
    "class_declaration",
)


def append_test_method(
    source: bytes | None,
    class_name: str,
    method: str,
    *,
    path: str,
    usings: Sequence[str] = (),
    namespace: str = "",
    test_kind: TestKind = "unit",
) -> Change:
    """SOURCE with METHOD in its class CLASS_NAME; without a source, a new file with that class.

    METHOD starts at column 0. USINGS: namespaces it needs; those that are missing are added after
    the last one. NAMESPACE is a new file's. Raises InputError when SOURCE does not parse or has
    no such class; METHOD not being one method is a mistake of ours.
    """
    name = _method_name(method)
    check = _checker(class_name, name, path)
    before = source
    if source is None or not source.strip():
        after = _new_file(class_name, method, usings, namespace).encode()
        names: tuple[str, ...] = (name,)
    else:
        after = _with_method(source, class_name, method, name, path, usings)
        names = (name,) if after != source else ()
    return Change(
        path=path,
        before=before,
        after=after,
        kind="csharp",
        test_kind=test_kind,
        names=names,
        check=check,
    )


def _names(node: Node) -> list[str]:
    return [
        text(m.child_by_field_name("name"))
        for m in children(node.child_by_field_name("body"), "method_declaration")
    ]


def _method_name(method: str) -> str:
    root = parse_csharp(f"class T {{\n{method}\n}}".encode(), origin="the method")
    found = [text(m.child_by_field_name("name")) for m in below(root, "method_declaration")]
    if len(found) != 1 or root.has_error:
        raise ValueError(f"not one C# method: {method[:200]}")
    return found[0]


def _class(root: Node, name: str, path: str) -> Node:
    """The class NAME. Raises InputError: it is not there, or does not parse."""
    found = {text(n.child_by_field_name("name")): n for n in below(root, "class_declaration")}
    if name not in found:
        line = first_error(root)
        if line:
            raise InputError(
                f"{path}:{line} does not parse as C#, so nothing was added; mend it there"
            )
        said = ", ".join(found) or "no class"
        raise InputError(f"{path} has no class {name}; it has {said}: name the one that is meant")
    line = first_error(found[name])
    if line:
        raise InputError(
            f"{path}:{line} does not parse as C#, so nothing was added to {name}; mend it there"
        )
    return found[name]


def _with_method(
    source: bytes, class_name: str, method: str, name: str, path: str, usings: Sequence[str]
) -> bytes:
    bare = source.removeprefix(_BOM)
    root = parse_csharp(bare, origin=path)
    target = _class(root, class_name, path)
    body = target.child_by_field_name("body")
    if body is None:
        raise InputError(f"{path} declares {class_name} without a body; give it braces first")
    if name in _names(target):
        return source
    newline = b"\r\n" if b"\r\n" in bare else b"\n"
    inserts = [_insert_method(bare, body, method, newline)]
    using = _insert_usings(bare, root, usings, newline)
    if using is not None:
        inserts.append(using)
    made = bare
    for at, added in sorted(inserts, reverse=True):
        made = made[:at] + added + made[at:]
    return source[: len(source) - len(bare)] + made


def _insert_method(source: bytes, body: Node, method: str, newline: bytes) -> tuple[int, bytes]:
    """Where METHOD goes and as what: behind the last thing in BODY, comments counted."""
    members = body.named_children
    first = next(below(body, *_MEMBERS), None)
    indent = _indent(source, body) + INDENT if first is None else _indent(source, first)
    closing = body.end_byte - 1
    last = closing
    while last > body.start_byte + 1 and source[last - 1 : last].isspace():
        last -= 1
    lines = [f"{indent}{line}" if line else "" for line in method.strip("\n").split("\n")]
    block = newline.join(line.encode() for line in lines)
    # Directives such as `#endif` end with their line: nothing may follow on it.
    blank = newline * 2 if members else newline
    if b"\n" in source[last:closing]:
        return last, blank + block
    return closing, blank + block + newline + _indent(source, body).encode()


def _indent(source: bytes, node: Node) -> str:
    """The white space that the line of NODE begins with."""
    start = source.rfind(b"\n", 0, node.start_byte) + 1
    found = re.match(rb"[ \t]*", source[start:])
    return found[0].decode() if found else ""


def _insert_usings(
    source: bytes, root: Node, usings: Sequence[str], newline: bytes
) -> tuple[int, bytes] | None:
    there = list(below(root, "using_directive"))
    known = {re.sub(r"^(?:global\s+)?using\s+|;$", "", text(u)).strip() for u in there}
    around = {text(n.child_by_field_name("name")) for n in below(
        root, "namespace_declaration", "file_scoped_namespace_declaration"
    )}  # fmt: skip
    missing = [u for u in dict.fromkeys(usings) if u not in known | around]
    if not missing:
        return None
    if not there:
        return 0, b"".join(f"using {u};".encode() + newline for u in missing)
    indent = _indent(source, there[-1])
    added = b"".join(newline + f"{indent}using {u};".encode() for u in missing)
    return there[-1].end_byte, added


def _new_file(class_name: str, method: str, usings: Sequence[str], namespace: str) -> str:
    needed = ["Microsoft.VisualStudio.TestTools.UnitTesting", *usings]
    needed = [u for u in dict.fromkeys(needed) if u and u != namespace]
    system = sorted(u for u in needed if u.split(".")[0] == "System")
    others = sorted(u for u in needed if u.split(".")[0] != "System")
    deep = INDENT * 2 if namespace else INDENT
    code = "\n".join(f"{deep}{line}" if line else "" for line in method.strip("\n").split("\n"))
    outer = INDENT if namespace else ""
    declared = (
        f"{outer}[TestClass]\n{outer}public class {class_name}\n{outer}{{\n{code}\n{outer}}}\n"
    )
    head = "".join(f"using {u};\n" for u in (*system, *others))
    if namespace:
        return f"{head}\nnamespace {namespace}\n{{\n{declared}}}\n"
    return f"{head}\n{declared}"


def _checker(class_name: str, name: str, path: str) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        root = parse_csharp(data.removeprefix(_BOM), origin=path)
        if name not in _names(_class(root, class_name, path)):
            raise InputError(f"{path} would not have {name} after writing; nothing was written")

    return check
