from __future__ import annotations

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from premortem.store import tables
from premortem.store.migrations import STEPS, migrate, version_of
from premortem.store.sqlite import Database


def described(engine) -> dict[str, object]:
    inspector = inspect(engine)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(name)],
            inspector.get_pk_constraint(name)["constrained_columns"],
            sorted(str(key["constrained_columns"]) for key in inspector.get_foreign_keys(name)),
            sorted(str(key["column_names"]) for key in inspector.get_unique_constraints(name)),
            sorted(str(index["column_names"]) for index in inspector.get_indexes(name)),
        )
        for name in inspector.get_table_names()
    }


@pytest.fixture
def database(tmp_path):
    opened = Database(tmp_path / "store.db", lock_wait_s=1)
    yield opened
    opened.close()


def test_the_steps_lead_to_the_tables_of_today(database):
    migrate(database, now=5.0)
    today = create_engine("sqlite://")
    tables.metadata.create_all(today)
    assert described(database.engine) == described(today)


def test_a_store_that_is_up_to_date_stays_as_it_is(database):
    assert version_of(database) == 0
    migrate(database, now=5.0)
    migrate(database, now=6.0)
    assert version_of(database) == len(STEPS)
    with database.reading() as connection:
        rows = connection.execute(tables.schema_version.select()).all()
    assert [(row.version, row.applied_at) for row in rows] == [(1, 5.0)]


def test_the_tables_can_be_made_on_postgresql(database):
    for table in tables.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=postgresql.dialect()))
