"""Faults put into a program's source by rule: mutation analysis.

DeMillo, Lipton, Sayward 1978, Hints on test data selection, IEEE Computer 11(4). Four operators,
chosen for what goes wrong in services: a boundary moved, a guard deleted, a role swapped, a change
of state dropped. A mutant changes one place of one file and nothing else.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

OPERATORS = ("moved boundary", "deleted guard", "swapped role", "dropped commit")
BOUNDS = frozenset({"ge", "gt", "le", "lt", "min_length", "max_length", "max_digits"})
"""Keywords of declared limits."""
GUARDS = ("require", "check", "ensure", "assert")
"""What functions are called that let through or raise."""


@dataclass(frozen=True, kw_only=True, order=True)
class Mutant:
    """One fault: where it is, and the file's text with it."""

    file: str
    """Relative to the package's folder."""
    line: int
    operator: str
    what: str
    text: str

    @property
    def name(self) -> str:
        """`books/payments.py:39 deleted guard`."""
        return f"{self.file}:{self.line} {self.operator}"


Change = Callable[[ast.AST], None]
"""Applied to a copy of the node."""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a mutant can be made; to write its text takes a hundred times as long as to find it."""

    source: str
    file: str
    line: int
    position: int
    """Of its node, as `ast.walk` comes by."""
    operator: str
    what: str
    change: Change

    def mutant(self) -> Mutant:
        mutated = ast.parse(self.source)  # ten times as fast as a deep copy
        self.change(next(n for i, n in enumerate(ast.walk(mutated)) if i == self.position))
        return Mutant(
            file=self.file,
            line=self.line,
            operator=self.operator,
            what=self.what,
            text=ast.unparse(ast.fix_missing_locations(mutated)),
        )


def mutants_of(source: str, *, file: str, roles: frozenset[str]) -> Iterator[Mutant]:
    """All mutants of SOURCE, in the order of its lines. ROLES: members of the class `Role`."""
    return (place.mutant() for place in _places(source, file=file, roles=roles))


def _places(source: str, *, file: str, roles: frozenset[str]) -> list[_Place]:
    found = [
        _Place(
            source=source,
            file=file,
            line=getattr(node, "lineno", 0),
            position=position,
            operator=operator,
            what=what,
            change=change,
        )
        for position, node in enumerate(ast.walk(ast.parse(source)))
        for operator, what, change in _changes(node, roles)
    ]
    return sorted(found, key=lambda p: (p.line, p.position, p.operator, p.what))


def _changes(node: ast.AST, roles: frozenset[str]) -> Iterator[tuple[str, str, Change]]:
    if isinstance(node, ast.Compare):
        yield from _boundaries(node)
    if isinstance(node, ast.keyword) and node.arg in BOUNDS and _is_int(node.value):
        yield "moved boundary", f"{node.arg} + 1", _add_one
    for name, body in ast.iter_fields(node):
        if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
            yield from _statements(body, name)
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Role"
        and node.attr in roles
    ):
        yield from _other_roles(node, roles)


_NEIGHBOUR: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


def _boundaries(node: ast.Compare) -> Iterator[tuple[str, str, Change]]:
    for index, operator in enumerate(node.ops):
        other = _NEIGHBOUR.get(type(operator))
        if other is not None:
            what = f"{type(operator).__name__} -> {other.__name__}"
            yield "moved boundary", what, _compares(index, other)


def _compares(index: int, other: type[ast.cmpop]) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[index] = other()

    return change


def _is_int(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _add_one(node: ast.AST) -> None:
    assert isinstance(node, ast.keyword)
    assert isinstance(node.value, ast.Constant)
    assert isinstance(node.value.value, int)
    node.value = ast.Constant(node.value.value + 1)


def _statements(body: list[ast.stmt], name: str) -> Iterator[tuple[str, str, Change]]:
    for index, statement in enumerate(body):
        if isinstance(statement, ast.If) and _only_raises(statement):
            yield "deleted guard", f"if {ast.unparse(statement.test)}", _dropped(name, index)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            called = statement.value.func
            word = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
            if word.startswith(GUARDS):
                yield "deleted guard", ast.unparse(statement), _dropped(name, index)
            elif isinstance(called, ast.Attribute):
                yield "dropped commit", ast.unparse(statement), _dropped(name, index)
        elif _sets_state(statement):
            yield "dropped commit", ast.unparse(statement), _dropped(name, index)


def _only_raises(statement: ast.If) -> bool:
    return isinstance(statement.body[-1], ast.Raise) and not statement.orelse


def _sets_state(statement: ast.stmt) -> bool:
    """Whether it changes what outlives the function: an attribute or an entry of something."""
    if isinstance(statement, ast.AugAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    else:
        return isinstance(statement, ast.Delete)
    return all(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)


def _dropped(name: str, index: int) -> Change:
    def change(node: ast.AST) -> None:
        getattr(node, name)[index] = ast.Pass()

    return change


def _other_roles(node: ast.Attribute, roles: frozenset[str]) -> Iterator[tuple[str, str, Change]]:
    ordered = sorted(roles)
    other = ordered[(ordered.index(node.attr) + 1) % len(ordered)]

    def change(at: ast.AST) -> None:
        assert isinstance(at, ast.Attribute)
        at.attr = other

    yield "swapped role", f"{node.attr} -> {other}", change


def drawn(package: Path, files: tuple[str, ...], *, count: int, seed: int) -> list[Mutant]:
    """COUNT mutants of FILES of the package at PACKAGE, the operators in equal parts as far as
    there are enough; the same SEED draws the same ones."""
    roles = _members(package)
    pools: dict[str, list[_Place]] = defaultdict(list)
    for file in files:
        for place in _places((package / file).read_text(), file=file, roles=roles):
            pools[place.operator].append(place)
    rng = random.Random(seed)
    for operator in OPERATORS:
        rng.shuffle(pools[operator])
    chosen: list[Mutant] = []
    while len(chosen) < count and any(pools.values()):
        for operator in OPERATORS:
            if pools[operator] and len(chosen) < count:
                chosen.append(pools[operator].pop().mutant())
    return chosen


def _members(package: Path) -> frozenset[str]:
    for node in ast.walk(ast.parse((package / "roles.py").read_text())):
        if isinstance(node, ast.ClassDef) and node.name == "Role":
            return frozenset(
                target.id
                for statement in node.body
                if isinstance(statement, ast.Assign)
                for target in statement.targets
                if isinstance(target, ast.Name)
            )
    raise ValueError(f"{package / 'roles.py'} has no class Role")
