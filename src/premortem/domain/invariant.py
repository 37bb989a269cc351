"""What must hold of answers, in one line: `GET /reports/tax: due == tax - tax_refunded`.

    GET /reports/tax: due == tax - tax_refunded
    after POST /payments/{payment_id}/refunds: GET /payments/{payment_id}: refunded <= amount
    after POST /invoices: GET /audit: count(items) changes by 1
    after POST /transfers: GET /accounts/{account_id=sent.to}: balance changes by sent.amount
    after refused POST /transfers: GET /accounts/{account_id=sent.to}: everything stays

The part before the last `: ` says which answer is looked at, and after which change; the rest is
a comparison of the answer's fields. `a.b` is a field in an object; over a list it is that field of
all items, so `sum(lines.amount)`. `at("/lines/*/net-price")` is for names that are no words.
After a change, `before.x` is what the same reading showed before it, `sent.x` a field of the
change's body, `answer.x` one of its answer; `E changes by N` is `E == (E before) + N`, and
`E stays` is `E changes by 0`. `everything stays` is about the whole answer. `after refused` is
about changes that are answered 4xx, `after` about those that are answered 2xx. Which thing is read
is told by what the change's path begins with, or in the place of the parameter: `{id=sent.to}` is
a field of the change's body, `{id=payment_id}` its path parameter. Operators are + - * / == != <
<= > >= and, or, not; functions are sum, count, min, max and abs.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
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
PREFIX = "invariant "
"""Begins `breaks` of a reading that invariants are held against; their texts follow."""
BETWEEN = "\n"
"""Stands between those."""
ROOTS = ("before", "sent", "answer")
"""Names that stand for other messages than the one that is read."""

_EXAMPLE = "write it like `GET /reports/tax: due == tax - refunded`"
_OPERATION = re.compile(r"(?P<method>[A-Z]+) (?P<path>/[^\s?]*)(?:\?(?P<query>\S+))?")
_PARAMETER = re.compile(r"\{([^{}=]+)=([^{}=]+)\}")
_PLACE = re.compile(r"(sent\.)?[^\s{}.]+(\.[^\s{}.]+)*")
EVERYTHING = "everything"
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
    """What the reading asks for; `{name}` stands for the change's path parameter, `{sent.x}` for a
    field of its body."""
    where: tuple[tuple[str, str], ...] = ()
    """(path parameter of the reading, the same of the change)."""
    after: str = ""
    """Operation id of the change that it is looked at after; empty: whenever it is read."""
    refused: bool = False
    """It is looked at after changes that were refused."""
    holds: str
    """The expression, in Python's words; empty: the whole answer stays as it was."""
    what: str = ""
    by: str = ""
    """Of `E changes by N`: E and N; empty: it is another expression."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        """The fields of the answer that are looked at, by their names from the outside in."""
        found: dict[tuple[str, ...], None] = {}
        for node in ast.walk(_tree(self.holds)) if self.holds else ():
            path = _path(node)
            if path and path[0] not in (*_FUNCTIONS, *ROOTS):
                found[path] = None
        return tuple(p for p in found if not any(o != p and o[: len(p)] == p for o in found))

    def check(self, message: Any, **others: Any) -> bool | None:
        """Whether it holds of MESSAGE, an answer's JSON value; OTHERS: by the names of ROOTS.

        None where it cannot be said: a field is not there, or is no number.
        """
        if not self.holds:
            return None
        value = _worked_out(self.holds, message, others)
        return value if isinstance(value, bool) else None

    def changed(
        self, message: Any, before: Any, changes: Sequence[Mapping[str, Any]]
    ) -> tuple[float, float, float] | None:
        """What E was in BEFORE, what it is to be behind all CHANGES (`sent` and `answer` of each),
        and what it is in MESSAGE. None where that cannot be said, or it is no `E changes by N`."""
        if not self.what:
            return None
        was = _worked_out(self.what, before, {})
        now = _worked_out(self.what, message, {})
        by = [_worked_out(self.by, message, {"before": before, **change}) for change in changes]
        try:
            return _number(was), math.fsum([_number(was), *map(_number, by)]), _number(now)
        except _Unknown:
            return None


@lru_cache(maxsize=TREES_MAX)
def _tree(holds: str) -> ast.Expression:
    return ast.parse(holds, mode="eval")


class _Unknown(Exception):
    """A field that is not there, or cannot be calculated with."""


def _worked_out(text: str, message: Any, others: Mapping[str, Any]) -> Any:
    """What TEXT, in Python's words, comes to; None where that cannot be said."""
    try:
        return _value(_tree(text).body, message, others)
    except (_Unknown, ZeroDivisionError, OverflowError):
        return None


def same_number(one: float, other: float) -> bool:
    """Whether the two are equal but for what floats cannot hold."""
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def compared(text: str) -> Invariant:
    """TEXT, a comparison of one answer's fields, whatever operation gave it. Raises ValueError as
    `parse_invariant` does."""
    return parse_invariant(f"GET /: {text}")


def parse_invariant(text: str) -> Invariant:
    """TEXT read. Raises ValueError, saying what is wrong and how to write it."""
    if len(text) > CHARS_MAX:
        raise ValueError(f"it is longer than {CHARS_MAX} characters")
    parts = [part.strip() for part in text.split(": ")]
    after, refused = "", False
    if parts and parts[0].startswith("after "):
        change = parts.pop(0).removeprefix("after ").strip()
        refused = change.startswith("refused ")
        after = _operation(change.removeprefix("refused "))[0]
    if len(parts) != 2:
        raise ValueError(f"it names no operation before a colon; {_EXAMPLE}")
    read, query, where = _reading(parts[0], after=after)
    what, by = _halves(parts[1])
    holds = f"({what}) == former({what}) + ({by})" if what else parts[1]
    if what == EVERYTHING and by == "0":
        if not after:
            raise ValueError("`everything stays` needs a change: begin with `after POST /...: `")
        holds = what = by = ""
    else:
        _refuse(_read(holds, parts[1]), after=after)
    return Invariant(
        text=text,
        read=read,
        query=query,
        where=where,
        after=after,
        refused=refused,
        holds=holds,
        what=what,
        by=by,
    )


def _read(holds: str, written: str) -> ast.Expression:
    try:
        return _tree(holds)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"`{written}` is no comparison; {_EXAMPLE}") from None


def _reading(
    text: str, *, after: str
) -> tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Operation id, query, and where the path's parameters stand in the change."""
    where = tuple((found[1], found[2]) for found in _PARAMETER.finditer(text))
    for name, place in where:
        if not after:
            raise ValueError(f"`{{{name}={place}}}` needs a change: begin with `after POST /...: `")
        if not _PLACE.fullmatch(place):
            raise ValueError(
                f"`{place}` is neither a path parameter of the change nor one of its fields, like "
                "`sent.to`"
            )
    read, query = _operation(_PARAMETER.sub(r"{\1}", text))
    return read, query, where


def _operation(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    found = _OPERATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"`{text.strip()}` is no operation, like `GET /invoices/{{invoice_id}}`")
    pairs = [pair.partition("=") for pair in (found["query"] or "").split("&") if pair]
    return f"{found['method']} {found['path']}", tuple((name, value) for name, _, value in pairs)


def _halves(text: str) -> tuple[str, str]:
    """E and N of `E changes by N`; empty where TEXT is none."""
    found = _CHANGES.fullmatch(text)
    return (found["what"], found["by"] or "0") if found is not None else ("", "")


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
    close = numbers and same_number(one, other)
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
