"""What must hold of answers, in one line: `GET /reports/tax: due == tax - tax_refunded`.

    GET /reports/tax: due == tax - tax_refunded
    after POST /payments/{payment_id}/refunds: GET /payments/{payment_id}: refunded <= amount
    after POST /invoices: GET /audit: count(items) changes by 1

The part before the last `: ` says which answer is looked at, and after which change; the rest is
a comparison of the answer's fields. `a.b` is a field in an object; over a list it is that field of
all items, so `sum(lines.amount)`. `at("/lines/*/net-price")` is for names that are no words.
After a change, `before.x` is what the same reading showed before it, `sent.x` a field of the
change's body, `answer.x` one of its answer; `E changes by N` is `E == (E before) + N`, and
`E stays` is `E changes by 0`. Operators are + - * / == != < <= > >= and, or, not; functions are
sum, count, min, max and abs.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from msgspec import Struct

from premortem.domain.places import parse_place

CHARS_MAX = 500
"""Of one invariant."""
NODES_MAX = 100
"""Of its expression."""
VALUES_MAX = 10_000
"""Values of one list that are calculated with."""
TREES_MAX = 1_000
"""Expressions whose reading is remembered."""
RELATIVE = 1e-9
ABSOLUTE = 1e-6
"""How far two numbers may be apart and be equal."""
ROOTS = ("before", "sent", "answer")
"""Names that stand for other messages than the one that is read."""

_EXAMPLE = "write it like `GET /reports/tax: due == tax - refunded`"
_OPERATION = re.compile(r"(?P<method>[A-Z]+) (?P<path>/[^\s?]*)(?:\?(?P<query>\S+))?")
_CHANGES = re.compile(r"(?P<what>.+?)\s+(?:changes by\s+(?P<by>.+)|stays)\s*")

_ARITHMETIC: Mapping[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_ORDER: Mapping[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS = frozenset({"sum", "count", "min", "max", "abs", "at", "former"})


class Invariant(Struct, frozen=True, kw_only=True):
    """One of them, read."""

    text: str
    """As it was written."""
    read: str
    """Operation id whose answer is looked at."""
    query: tuple[tuple[str, str], ...] = ()
    """What the reading asks for; `{name}` stands for the change's path parameter."""
    after: str = ""
    """Operation id of the change that it is looked at after; empty: whenever it is read."""
    holds: str
    """The expression, in Python's words."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        """The fields of the answer that are looked at, by their names from the outside in."""
        found: dict[tuple[str, ...], None] = {}
        for node in ast.walk(_tree(self.holds)):
            path = _path(node)
            if path and path[0] not in (*_FUNCTIONS, *ROOTS):
                found[path] = None
        return tuple(p for p in found if not any(o != p and o[: len(p)] == p for o in found))

    def check(self, message: Any, **others: Any) -> bool | None:
        """Whether it holds of MESSAGE, an answer's JSON value; OTHERS: by the names of ROOTS.

        None where it cannot be said: a field is not there, or is no number.
        """
        try:
            value = _value(_tree(self.holds).body, message, others)
        except (_Unknown, ZeroDivisionError, OverflowError):
            return None
        return value if isinstance(value, bool) else None


@lru_cache(maxsize=TREES_MAX)
def _tree(holds: str) -> ast.Expression:
    return ast.parse(holds, mode="eval")


class _Unknown(Exception):
    """A field that is not there, or cannot be calculated with."""


def compared(text: str) -> Invariant:
    """TEXT, a comparison of one answer's fields, whatever operation gave it. Raises ValueError as
    `parse_invariant` does."""
    return parse_invariant(f"GET /: {text}")


def parse_invariant(text: str) -> Invariant:
    """TEXT read. Raises ValueError, saying what is wrong and how to write it."""
    if len(text) > CHARS_MAX:
        raise ValueError(f"it is longer than {CHARS_MAX} characters")
    parts = [part.strip() for part in text.split(": ")]
    after = ""
    if parts and parts[0].startswith("after "):
        after = _operation(parts.pop(0).removeprefix("after "))[0]
    if len(parts) != 2:
        raise ValueError(f"it names no operation before a colon; {_EXAMPLE}")
    read, query = _operation(parts[0])
    holds = _spelled(parts[1])
    try:
        tree = _tree(holds)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"`{parts[1]}` is no comparison; {_EXAMPLE}") from None
    _refuse(tree, after=after)
    return Invariant(text=text, read=read, query=query, after=after, holds=holds)


def _operation(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    found = _OPERATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"`{text.strip()}` is no operation, like `GET /invoices/{{invoice_id}}`")
    pairs = [pair.partition("=") for pair in (found["query"] or "").split("&") if pair]
    return f"{found['method']} {found['path']}", tuple((name, value) for name, _, value in pairs)


def _spelled(text: str) -> str:
    """TEXT in Python's words."""
    found = _CHANGES.fullmatch(text)
    if found is None:
        return text
    return f"({found['what']}) == former({found['what']}) + ({found['by'] or '0'})"


def _refuse(tree: ast.Expression, *, after: str) -> None:
    """Raise ValueError for anything but a comparison of fields."""
    nodes = list(ast.walk(tree))
    if len(nodes) > NODES_MAX:
        raise ValueError(f"it has more than {NODES_MAX} parts")
    allowed = (
        *(ast.Expression, ast.Compare, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.USub, ast.Not),
        *(ast.BinOp, ast.Name, ast.Attribute, ast.Constant, ast.Call, ast.Load, ast.Eq, ast.NotEq),
        *_ARITHMETIC,
        *_ORDER,
    )
    for node in nodes:
        if not isinstance(node, allowed):
            word = type(node).__name__.lower()
            _fail(f"it may hold no {word}; it compares fields with + - * / and numbers")
        if isinstance(node, ast.Call):
            _refuse_call(node)
        if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | None):
            _fail(f"{node.value!r} is no number and no text")
        if isinstance(node, ast.Name) and node.id in (*ROOTS, "former") and not after:
            _fail(f"`{node.id}` needs a change: begin with `after POST /...: `")
    if not isinstance(tree.body, ast.Compare | ast.BoolOp | ast.UnaryOp):
        _fail("it compares nothing; it needs one of == != < <= > >=")


def _fail(why: str) -> NoReturn:
    raise ValueError(why)


def _refuse_call(node: ast.Call) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in _FUNCTIONS or node.keywords or len(node.args) != 1:
        known = ", ".join(sorted(_FUNCTIONS - {"former"}))
        raise ValueError(f"there is no function {name or '?'} of one value; there are {known}")
    if name == "at":
        pointer = node.args[0]
        if not isinstance(pointer, ast.Constant) or not str(pointer.value).startswith("/"):
            raise ValueError('at() needs a JSON pointer, like at("/lines/*/net-price")')


def _path(node: ast.AST) -> tuple[str, ...]:
    """`a.b.c` as its names; empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return (node.id, *names) if isinstance(node, ast.Name) else ()


def _value(node: ast.AST, message: Any, others: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() | ast.Attribute():
            return _field(_path(node), message, others)
        case ast.UnaryOp(op=ast.Not()):
            return not _truth(_value(node.operand, message, others))
        case ast.UnaryOp():
            return -_number(_value(node.operand, message, others))
        case ast.BinOp():
            left, right = (_value(side, message, others) for side in (node.left, node.right))
            return _ARITHMETIC[type(node.op)](_number(left), _number(right))
        case ast.BoolOp():
            values = [_truth(_value(part, message, others)) for part in node.values]
            return all(values) if isinstance(node.op, ast.And) else any(values)
        case ast.Compare():
            sides = [_value(part, message, others) for part in (node.left, *node.comparators)]
            pairs = zip(sides, node.ops, sides[1:], strict=False)
            return all(_compared(one, op, other) for one, op, other in pairs)
        case ast.Call():
            return _called(node, message, others)
    raise _Unknown


def _called(node: ast.Call, message: Any, others: Mapping[str, Any]) -> Any:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    argument = node.args[0]
    if name == "at":
        pointer = str(argument.value) if isinstance(argument, ast.Constant) else ""
        return _below(message, parse_place(f"body:{pointer}").tokens)
    if name == "former":
        if others.get("before") is None:
            raise _Unknown
        return _value(argument, others["before"], others)
    value = _value(argument, message, others)
    if name == "abs":
        return abs(_number(value))
    if not isinstance(value, list) or len(value) > VALUES_MAX:
        raise _Unknown
    if name == "count":
        return len(value)
    numbers = [_number(one) for one in value]
    if name == "sum":
        return math.fsum(numbers)
    if not numbers:
        raise _Unknown
    return min(numbers) if name == "min" else max(numbers)


def _field(path: tuple[str, ...], message: Any, others: Mapping[str, Any]) -> Any:
    if path[0] in ROOTS:
        message, path = others.get(path[0]), path[1:]
    if message is None:
        raise _Unknown
    if isinstance(message, list) and path and path[0] == "items" and len(path) >= 1:
        path = ("*", *path[1:])  # an answer that is a list has its items, too
        if len(path) == 1:
            return message
    return _below(message, path)


def _below(value: Any, names: tuple[str, ...]) -> Any:
    """What stands in VALUE under NAMES; over a list, of all of its items."""
    for index, name in enumerate(names):
        if isinstance(value, list):
            rest = names[index + (name == "*") :]
            return [_below(item, rest) for item in value[: VALUES_MAX + 1]]
        if not isinstance(value, dict) or name not in value:
            raise _Unknown
        value = value[name]
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unknown
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unknown
    return value


def _compared(one: Any, op: ast.AST, other: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (one, other))
    close = numbers and math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    if isinstance(op, ast.Eq):
        return bool(close or one == other)
    if isinstance(op, ast.NotEq):
        return not (close or one == other)
    texts = isinstance(one, str) and isinstance(other, str)
    if not numbers and not texts:
        raise _Unknown
    if close:
        return isinstance(op, ast.LtE | ast.GtE)
    return _ORDER[type(op)](one, other)
