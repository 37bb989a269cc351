"""Step 4: the tables of runs in progress: slices, jobs, counts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from premortem.store.cipher import Cipher


def _number(name: str, *, key: bool = False) -> Column[int]:
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column(name, kind, primary_key=key, nullable=False, autoincrement=False)


def _text(name: str, length: int | None = None, *, key: bool = False) -> Column[str]:
    kind = String(length).with_variant(String(length, collation="C"), "postgresql")
    return Column(name, kind, primary_key=key, nullable=False)


def _integer(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _double(name: str) -> Column[float]:
    return Column(name, Double, nullable=False)


def _binary(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def to_queue(connection: Connection, _cipher: Cipher | None) -> None:
    """Make the tables."""
    metadata = MetaData()
    kind = String().with_variant(String(collation="C"), "postgresql")
    Table(
        "live_runs",
        metadata,
        _number("seq", key=True),
        Column("id", kind, nullable=False, unique=True),
        _text("status", 8),
        _integer("results"),
        _binary("payload"),
    )
    Table(
        "controllers",
        metadata,
        _number("run", key=True),
        _text("name", key=True),
        _double("seen_at"),
        _binary("standing"),
    )
    Table(
        "slices",
        metadata,
        _number("id", key=True),
        _number("run"),
        _integer("number"),
        _number("first"),
        _integer("cases"),
        _double("start_s"),
        _double("end_s"),
        _text("status", 16),
        _text("controller"),
        _double("lease_until"),
        Index("slices_of_run", "run", "status", "number"),
    )
    _jobs(metadata)
    for name in ("job_payloads", "dead_jobs", "counts"):
        Table(name, metadata, _number("id", key=True), _binary("payload"))
    metadata.create_all(connection)


def _jobs(metadata: MetaData) -> None:
    Table(
        "jobs",
        metadata,
        _number("id", key=True),
        _number("run"),
        _integer("number"),
        _number("first"),
        _integer("cases"),
        _double("start_s"),
        _double("end_s"),
        _number("payload_bytes"),
        _text("status", 8),
        _text("worker"),
        _integer("epoch"),
        _integer("attempts"),
        _double("lease_until"),
        _integer("batches"),
        _binary("ended"),
        _binary("skipped"),
        _integer("ended_count"),
        Index("jobs_of_run", "run", "status", "start_s"),
    )
