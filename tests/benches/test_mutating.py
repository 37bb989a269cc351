"""Mutants change one place, by one operator, and the same seed draws the same ones."""

from __future__ import annotations

import ast

import pytest

from benches.mutants.mutating import OPERATORS, drawn, mutants_of
from benches.mutants.program import FILES, PROGRAM

SOURCE = """
def pay(book, actor, cents):
    if actor.role not in (Role.CFO, Role.CASHIER):
        raise Refused
    require_version(book)
    if cents > book.open:
        raise Refused
    book.paid += cents
    book.entries.append(cents)
    left = book.open - book.paid
    return left
"""
ROLES = frozenset({"CFO", "CASHIER", "GUEST"})


def named(operator: str) -> list[str]:
    return [
        mutant.what
        for mutant in mutants_of(SOURCE, file="pay.py", roles=ROLES)
        if mutant.operator == operator
    ]


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("moved boundary", ["Gt -> GtE"]),
        (
            "deleted guard",
            [
                "if actor.role not in (Role.CFO, Role.CASHIER)",
                "require_version(book)",
                "if cents > book.open",
            ],
        ),
        ("swapped role", ["CFO -> GUEST", "CASHIER -> CFO"]),
        ("dropped commit", ["book.paid += cents", "book.entries.append(cents)"]),
    ],
)
def test_an_operator_finds_its_places(operator, expected):
    assert sorted(named(operator)) == sorted(expected)


def test_a_mutant_differs_in_one_place_and_still_compiles():
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in mutants_of(SOURCE, file="pay.py", roles=ROLES):
        compile(mutant.text, mutant.file, "exec")
        assert mutant.text.splitlines() != plain


def test_a_local_value_is_no_state():
    assert not [what for what in named("dropped commit") if "left" in what]


def test_a_seed_draws_the_same_two_hundred_of_the_ledger():
    first = drawn(PROGRAM, FILES, count=200, seed=1)
    assert first == drawn(PROGRAM, FILES, count=200, seed=1)
    assert first != drawn(PROGRAM, FILES, count=200, seed=2)
    assert len({(m.file, m.text) for m in first}) == 200
    assert {m.operator for m in first} == set(OPERATORS)
