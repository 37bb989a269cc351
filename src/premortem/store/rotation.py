"""Changing keys: a new master key around the data key, or a new data key in every block.

The first takes a moment and is enough when people change. After a leak of the master key the
data key counts as known, too, to whoever had a copy of the store: then every block is encrypted
anew. That can be cut off at any moment and goes on where it stood; until it has ended both keys
are there and everything can be read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Column, Connection, Row, Table, bindparam, delete, func, insert, select
from sqlalchemy import update as sql_update

from premortem.config import StoreConfig
from premortem.errors import StoreError
from premortem.store.blocks import place_of
from premortem.store.cipher import Cipher
from premortem.store.coverage import place_of_coverage
from premortem.store.database import Database
from premortem.store.facets import clear_state, set_state, state_of
from premortem.store.judgements import place_of_judgement
from premortem.store.keys import (
    VARIABLE,
    DataKey,
    given_master,
    make_key_file,
    new_secret,
    secrets_of,
    unwrap,
    waiting_file,
    wrap,
)
from premortem.store.path_pages import place_of_paths
from premortem.store.queue_rows import (
    place_of_counts,
    place_of_job,
    place_of_reason,
    place_of_run,
)
from premortem.store.records import place_of_traffic_model
from premortem.store.registry import place_of_part, place_of_trained
from premortem.store.store import opened_database
from premortem.store.tables import (
    blocks,
    controllers,
    counts,
    coverage,
    dead_jobs,
    facets,
    findings,
    ignored,
    job_payloads,
    judgements,
    keyring,
    live_runs,
    path_pages,
    profiles,
    runs,
    scenarios,
    shapes,
    traffic_models,
    trained_models,
    trained_parts,
)

NEW_VARIABLE = "PREMORTEM_NEW_KEY"
AT_ONCE_MAX = 32
"""Values of one transaction: 8 MiB of blocks."""

Place = Callable[[Row[Any]], str]
SEALED: Mapping[Table, Place] = {
    blocks: lambda row: place_of(row.id),
    shapes: lambda row: f"shape {row.id}",
    facets: lambda row: f"facet {row.id}",
    path_pages: lambda row: place_of_paths(row.id),
    profiles: lambda row: f"profile {row.version}",
    traffic_models: lambda row: place_of_traffic_model(row.profile),
    trained_models: lambda row: place_of_trained(row.model),
    trained_parts: lambda row: place_of_part(row.model, row.kind, row.number),
    runs: lambda row: f"run {row.id}",
    findings: lambda row: f"finding {row.id} of {row.run_id}",
    ignored: lambda row: f"ignored {row.finding_id}",
    scenarios: lambda row: f"scenario {row.id}",
    judgements: lambda row: place_of_judgement(row.seq),
    live_runs: lambda row: place_of_run(row.id),
    job_payloads: lambda row: place_of_job(row.id),
    dead_jobs: lambda row: place_of_reason(row.id),
    counts: lambda row: place_of_counts(row.id),
    coverage: lambda row: place_of_coverage(row.run_id, row.profile),
}
"""Every table with a payload, and what binds one to its place."""


class Rotated(Struct, frozen=True, kw_only=True):
    """What a change of keys did."""

    key_source: str
    """Where the key that opens the store from now on is, in words."""
    resumed: bool
    """It went on with a change that had been cut off."""
    reencrypted: int
    """Values encrypted anew, most of them blocks of up to 256 KiB."""


def rotate_key(
    config: StoreConfig,
    directory: Path,
    *,
    data: bool = False,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.time,
    progress: Callable[[int, int], None] | None = None,
) -> Rotated:
    """Give the store a new master key; with DATA also a new data key, and encrypt all anew.

    A master key that is a file is replaced by a new one; in place of one from the environment
    PREMORTEM_NEW_KEY is needed. PROGRESS gets how many values are done, of how many. Raises
    StoreError, among it StoreLocked and WrongKey; the store can be read whenever that happens.
    """
    key_file = directory / config.key_file
    database, key = opened_database(config, directory, environment=environment, clock=clock)
    try:
        resumed = data and len(key.blocks) > 1
        if not resumed:
            key = _new_master(database, key, key_file, environment)
        done = 0
        if data:
            if not resumed:
                key = _new_data_key(database, key, now=clock())
                with database.writing() as connection:
                    # What controllers told each other is told again in a moment.
                    connection.execute(delete(controllers))
            done = _reencrypt(database, Cipher(key, path=database.name), progress)
            _forget_old(database, key)
        database.flush()
    finally:
        database.close()
    return Rotated(key_source=key.source, resumed=resumed, reencrypted=done)


def _new_master(
    database: Database, key: DataKey, key_file: Path, environment: Mapping[str, str]
) -> DataKey:
    in_file = VARIABLE not in environment
    if in_file:
        waiting = waiting_file(key_file)
        waiting.unlink(missing_ok=True)
        make_key_file(waiting)
        new = given_master(waiting.read_text(), variable=f"the key file {key_file}")
    elif NEW_VARIABLE not in environment:
        raise StoreError(
            f"the key comes from {VARIABLE}: put the new one into {NEW_VARIABLE} and give the "
            f"same command again; afterwards it takes the place of the old one"
        )
    else:
        new = given_master(environment[NEW_VARIABLE], variable=NEW_VARIABLE)
    with database.writing() as connection:
        for number, secret in secrets_of(connection, key.master, store=database.name).items():
            wrapped = wrap(new, secret, store_id=key.store_id)
            connection.execute(sql_update(keyring).where(keyring.c.id == number).values(**wrapped))
    if in_file:
        # Cut off before this, the next opening of the store finds the new key beside the old.
        waiting.replace(key_file)
    return unwrap(database, new)


def _new_data_key(database: Database, key: DataKey, *, now: float) -> DataKey:
    secret = new_secret(digests=key.digests, redaction=key.redaction)
    row = {"id": key.number + 1, "store_id": key.store_id, "created_at": now}
    row |= wrap(key.master, secret, store_id=key.store_id)
    with database.writing() as connection:
        connection.execute(insert(keyring).values(row))
    return unwrap(database, key.master)


def _reencrypt(
    database: Database, cipher: Cipher, progress: Callable[[int, int], None] | None
) -> int:
    with database.reading() as connection:
        total = sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in SEALED
        )
    done = 0
    for table, place in SEALED.items():
        while count := _next_part(database, cipher, table, place):
            done += count
            if progress is not None:
                progress(done, total)
    return done


def _next_part(database: Database, cipher: Cipher, table: Table, place: Place) -> int:
    """Encrypt the values after those that are done; how many those were."""
    name = f"rekey {table.name}"[:16]
    with database.writing() as connection:
        order = _number(table)
        rows = _rows(connection, table, order, after=state_of(connection, name))
        if not rows:
            return 0
        keys = list(table.primary_key.columns)
        statement = (
            sql_update(table)
            .where(*(column == bindparam(f"key_{column.name}") for column in keys))
            .values(payload=bindparam("sealed"))
        )
        values = []
        for row in rows:
            plain = cipher.open(row.payload, place=place(row))
            sealed = cipher.seal(plain, place=place(row))
            given = {f"key_{column.name}": row._mapping[column.name] for column in keys}
            values.append(given | {"sealed": sealed})
        connection.execute(statement, values)
        last = rows[-1]._mapping[order.name] if order is not None else 0
        set_state(connection, name, last)
    return len(rows)


def _number(table: Table) -> Column[Any] | None:
    """The column that numbers the rows; None: there are so few that all are done at once."""
    key = next(iter(table.primary_key.columns))
    return key if key.name in ("id", "seq") else None


def _rows(
    connection: Connection, table: Table, order: Column[Any] | None, *, after: int | None
) -> list[Row[Any]]:
    if order is None:
        return [] if after is not None else list(connection.execute(select(table)))
    query = select(table).order_by(order).limit(AT_ONCE_MAX)
    if after is not None:
        query = query.where(order > after)
    return list(connection.execute(query))


def _forget_old(database: Database, key: DataKey) -> None:
    with database.writing() as connection:
        connection.execute(delete(keyring).where(keyring.c.id < key.number))
        for table in SEALED:
            clear_state(connection, f"rekey {table.name}"[:16])
