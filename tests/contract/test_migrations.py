"""The steps lead to the same tables on both backends."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import inspect

from premortem.store import tables
from premortem.store.migrations import STEPS, migrate, version_of
from premortem.store.store import database_of


def described(engine) -> dict[str, object]:
    inspector = inspect(engine)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(name)],
            inspector.get_pk_constraint(name)["constrained_columns"],
            inspector.get_foreign_keys(name),
            sorted(str(key["column_names"]) for key in inspector.get_unique_constraints(name)),
            sorted(str(index["column_names"]) for index in inspector.get_indexes(name)),
        )
        for name in inspector.get_table_names()
    }


@pytest.fixture
def databases(backend, tmp_path: Path):
    made = [
        database_of(backend.config(path=f"{name}.db"), tmp_path, environment={}) for name in "ab"
    ]
    yield made
    for database in made:
        database.close()


def test_the_steps_lead_to_the_tables_of_today(databases):
    stepped, today = databases
    migrate(stepped, now=5.0)
    migrate(stepped, now=6.0)
    assert version_of(stepped) == len(STEPS)
    with today.writing() as connection:
        tables.metadata.create_all(connection)
    assert described(stepped.engine) == described(today.engine)
