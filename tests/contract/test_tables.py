"""Steps about tables mean the same on every database of a target's."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest

from premortem.agent.steps.hooks import Database
from premortem.agent.steps.tables import Tables
from premortem.agent.steps.world import StepBroken
from premortem.errors import ConfigError

SCHEMA = {
    "sqlite": """
        create table refunds (id varchar(36) primary key, amount numeric(10, 2), paid boolean,
                              made timestamp, day date, note text, details json)
    """,
    "postgres": """
        create schema books;
        create table books.refunds (id uuid primary key, amount numeric(10, 2), paid boolean,
                                    made timestamptz, day date, note text, details jsonb)
    """,
}
ONE = "6f1c2f3a-0000-4000-8000-000000000001"
TWO = "6f1c2f3a-0000-4000-8000-000000000002"
ROW = {
    "id": ONE,
    "amount": "12.50",
    "paid": "true",
    "made": "2026-06-01T12:00:00",
    "day": "2026-06-01",
    "note": "null",
    "details": '{"by": "ann"}',
}


@pytest.fixture
def tables(backend, tmp_path):
    if backend.name == "postgres":
        url = backend.config().url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SCHEMA["postgres"])
        aliases = {"refunds": "books.refunds", "gone": "books.gone"}
    else:
        with sqlite3.connect(tmp_path / "app.db") as connection:
            connection.execute(SCHEMA["sqlite"])
        url, aliases = "sqlite:///${FILE}", {"refunds": "refunds", "gone": "gone"}
    opened = Tables(
        Database(url=url), aliases=aliases, directory=str(tmp_path), environment={"FILE": "app.db"}
    )
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "where",
    [
        {"amount": "12.5"},
        {"amount": 12.5},
        {"paid": "true"},
        {"paid": True},
        {"made": "2026-06-01T12:00:00"},
        {"day": "2026-06-01"},
        {"note": "null"},
        {"note": None},
        {"id": ONE, "amount": "12.500"},
    ],
)
def test_values_compare_by_what_their_columns_mean(tables, where):
    tables.contain("refunds", [ROW, {**ROW, "id": TWO, "amount": "1", "paid": "0", "day": "null",
                                     "made": "2026-01-01T00:00:00", "note": "x"}])  # fmt: skip
    assert tables.count("refunds") == 2
    assert tables.count("refunds", where) == 1


def test_a_row_with_the_same_key_is_replaced(tables):
    tables.contain("refunds", [ROW, {**ROW, "amount": "9"}])
    assert tables.count("refunds", {"amount": "9"}) == tables.count("refunds") == 1


def test_what_was_there_before_can_be_told_from_what_is_new(tables):
    tables.contain("refunds", [ROW])
    before = tables.rows("refunds")
    assert tables.rows("refunds") == before
    tables.contain("refunds", [{**ROW, "details": '{"by": "bob"}'}])
    assert (tables.rows("refunds") - before).total() == 1


def test_statements_take_the_identity(tables, backend):
    name = "books.refunds" if backend.name == "postgres" else "refunds"
    cast = "::uuid" if backend.name == "postgres" else ""
    tables.contain("refunds", [ROW])
    where = f"where id = cast(:id as {'uuid' if cast else 'text'})"
    tables.execute([f"update {name} set amount = 3 {where}"], identity=ONE)
    assert tables.value(f"select amount from {name} {where}", identity=ONE) == 3
    with pytest.raises(StepBroken, match="no row"):
        tables.value(f"select amount from {name} {where}", identity=TWO)


@pytest.mark.parametrize(
    ("where", "said"),
    [({"colour": "red"}, "no column 'colour'"), ({"amount": "much"}, "no value for amount")],
)
def test_what_no_column_holds_is_said(tables, where, said):
    with pytest.raises(StepBroken, match=said):
        tables.count("refunds", where)


def test_a_table_or_statement_that_is_none_is_said(tables):
    with pytest.raises(StepBroken, match="database"):
        tables.count("gone")
    with pytest.raises(StepBroken, match="database"):
        tables.execute(["update nothing set a = 1"], identity="")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "no address"),
        ("sqlite:///missing.db", "no file"),
        ("oracle9://x/y", "supported"),
        ("sqlite:///${MISSING}", "MISSING"),
    ],
)
def test_an_address_that_cannot_be_opened_is_said_at_once(tmp_path, url, said):
    with pytest.raises(ConfigError, match=said):
        Tables(Database(url=url), aliases={}, directory=str(tmp_path), environment={})
