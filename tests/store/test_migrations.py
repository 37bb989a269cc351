from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from premortem.config import StoreConfig
from premortem.store import TrafficFilter, open_store, tables
from premortem.store.migrations import STEPS, migrate, version_of
from premortem.store.sqlite import SqliteDatabase
from tests.store.values import a_finding, a_profile, a_rejection, a_result, a_sequence, an_exchange

REDACTION_KEY = "4fe8be35060674be5649c9b5872aabf3ab5e289ae198a45775e8f5bfe3b53bcd"


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
    opened = SqliteDatabase(tmp_path / "store.db", lock_wait_s=1)
    yield opened
    opened.close()


def test_the_steps_lead_to_the_tables_of_today(database):
    for step in STEPS:
        with database.writing() as connection:
            step(connection, None)
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
    assert [(row.version, row.applied_at) for row in rows] == [
        (n + 1, 5.0) for n in range(len(STEPS))
    ]


def test_the_tables_can_be_made_on_postgresql(database):
    for table in tables.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_a_store_of_the_first_version_is_taken_over_with_all_it_holds(tmp_path):
    # Made by the first version from these same values.
    path = tmp_path / "store.db"
    path.write_bytes(gzip.decompress(Path(__file__).with_name("version1.db.gz").read_bytes()))
    key = {"PREMORTEM_KEY": base64.b64encode(bytes(range(32))).decode()}
    given = [an_exchange(n, answer=f"answer {n} ".encode() * 30) for n in range(40)]
    for _ in range(2):
        with open_store(StoreConfig(path="store.db"), tmp_path, environment=key) as store:
            assert list(store.exchanges()) == given
            assert store.traffic_count(TrafficFilter(path="/invoices/7/*", role="Cashier")) == 1
            assert store.traffic_count(TrafficFilter(path="*/7*")) == 1
            assert store.add_exchanges(given).added == 0
            assert store.profile() == a_profile()
            assert store.case(a_sequence(1).cases[-1].id) == a_sequence(1)
            assert store.rejections() == [a_rejection(1)]
            assert store.results("run") == [a_result(1)]
            assert store.findings() == [a_finding(1)]
            assert store.stats().schema_version == len(STEPS)
            assert store.redaction_key.hex() == REDACTION_KEY
            assert store.integrity() > 0
