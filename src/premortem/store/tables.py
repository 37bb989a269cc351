"""The tables as they are now; `migrations` says how a store came to have them.

Everything that can hold captured data lies in `blocks` (many values, compressed together) or in
a `payload` of its own; both are encrypted. What stands in the clear of an exchange is when it
started, how long it took, how large it was, and which exchanges are alike: `facet` is equal for
equal method, host, role, status and shape of path, `first_value` and `last_value` for the same
value in a path. What those are, the file does not tell. Paths lie once more, encrypted, in
`path_pages`. Numbers are handed out by the one writer, so no backend's sequences are needed; that
writer keeps the references, and `integrity` checks them.

Of a run that goes on, its slices and jobs stand in the clear: numbers, times and who holds them.
What a job sends (`job_payloads`, gone once it is done), why one is dead (`dead_jobs`) and what was
counted (`counts`) are encrypted. Their numbers are made of the run's and a second one (see
`queue_rows`), so several controllers can write them at the same time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    event,
)

metadata = MetaData()

Number = BigInteger().with_variant(Integer, "sqlite")
"""64 bits; SQLite makes only INTEGER primary keys the row's own number."""
Text = String().with_variant(String(collation="C"), "postgresql")
"""Compared byte by byte on both, so that the start of an id is a range of an index."""
Name = String(16).with_variant(String(16, collation="C"), "postgresql")
Kind = String(8).with_variant(String(8, collation="C"), "postgresql")


def _key(name: str) -> Column[int]:
    return Column(name, Number, primary_key=True, autoincrement=False)


def _span() -> tuple[Column[int], Column[int], Column[int]]:
    return (
        Column("block", Number, nullable=False),
        Column("start", Integer, nullable=False),
        Column("length", Number, nullable=False),
    )


def _piece(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Number, nullable=nullable)


def find_by_value(exchanges: Table) -> None:
    """Have EXCHANGES found in order under each value that their paths may have, once it is made.

    In words that both databases know: SQLAlchemy's own would load the dialects of both.
    """

    def make(_exchanges: Table, connection: Connection, **_: Any) -> None:
        for name in ("first_value", "last_value"):
            connection.exec_driver_sql(
                f"CREATE INDEX exchanges_by_{name} ON exchanges ({name}, started_at, seq, facet) "
                f"WHERE {name} IS NOT NULL"
            )

    event.listen(exchanges, "after_create", make)


schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", Double, nullable=False),
)

keyring = Table(
    "keyring",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("store_id", LargeBinary, nullable=False),
    Column("derivation", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
)

state = Table(
    "state",
    metadata,
    Column("name", Name, primary_key=True),
    Column("value", Number, nullable=False),
)

blocks = Table("blocks", metadata, _key("id"), Column("payload", LargeBinary, nullable=False))

pieces = Table(
    "pieces",
    metadata,
    _key("id"),
    Column("kind", Kind, nullable=False),
    Column("digest", LargeBinary(16), nullable=False, unique=True),
    *_span(),
)

shapes = Table("shapes", metadata, _key("id"), Column("payload", LargeBinary, nullable=False))

facets = Table("facets", metadata, _key("id"), Column("payload", LargeBinary, nullable=False))

tallies = Table(
    "tallies",
    metadata,
    Column("bucket", Number, primary_key=True, autoincrement=False),
    Column("facet", Number, primary_key=True, autoincrement=False),
    Column("count", Number, nullable=False),
    sqlite_with_rowid=False,
)

exchanges = Table(
    "exchanges",
    metadata,
    _key("seq"),
    Column("id", Number, nullable=False, unique=True),
    Column("facet", Number, nullable=False),
    Column("first_value", Number, nullable=True),
    Column("last_value", Number, nullable=True),
    Column("started_at", Double, nullable=False),
    Column("duration_ms", Double, nullable=False),
    Column("request_bytes", Number, nullable=False),
    Column("response_bytes", Number, nullable=False),
    *_span(),
    _piece("request_body", nullable=True),
    _piece("response_body", nullable=True),
    Index("exchanges_in_order", "started_at", "seq", "facet"),
)
find_by_value(exchanges)

path_pages = Table(
    "path_pages",
    metadata,
    _key("id"),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("first_seq", Number, nullable=False),
    Column("last_seq", Number, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("path_pages_in_order", "low", "high", "rows"),
)

profiles = Table(
    "profiles",
    metadata,
    _key("seq"),
    Column("version", Text, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("exchanges", Number, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

sequences = Table(
    "sequences",
    metadata,
    _key("seq"),
    Column("id", Name, nullable=False),
    Column("batch_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("batch_id", "id"),
)

cases = Table(
    "cases",
    metadata,
    _key("seq"),
    Column("id", Name, nullable=False),
    Column("sequence", Number, nullable=False),
    Column("position", Integer, nullable=False),
    Column("operation", LargeBinary(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("setup", Boolean, nullable=False),
    _piece("piece"),
    UniqueConstraint("sequence", "position"),
    Index("cases_by_id", "id"),
)

rejections = Table(
    "rejections",
    metadata,
    _key("seq"),
    Column("case_id", Name, nullable=False),
    Column("rule", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    _piece("piece"),
    *_span(),
)

runs = Table(
    "runs",
    metadata,
    _key("seq"),
    Column("id", Text, nullable=False, unique=True),
    Column("started_at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

results = Table(
    "results",
    metadata,
    _key("seq"),
    Column("run_id", Text, nullable=False),
    Column("sequence_id", Name, nullable=False),
    Column("position", Integer, nullable=False),
    Column("case_id", Name, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, nullable=True),
    Column("failed", Boolean, nullable=False),
    Column("intended_at", Double, nullable=False),
    Column("duration_ms", Double, nullable=False),
    _piece("piece"),
    _piece("request_body", nullable=True),
    _piece("response_body", nullable=True),
    *_span(),
    Index("results_of_run", "run_id", "seq"),
)

findings = Table(
    "findings",
    metadata,
    _key("seq"),
    Column("id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("check", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("first_seen_at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    UniqueConstraint("id", "run_id"),
)

ignored = Table(
    "ignored",
    metadata,
    Column("finding_id", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

scenarios = Table(
    "scenarios",
    metadata,
    _key("seq"),
    Column("id", Text, nullable=False, unique=True),
    Column("outcome", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

judgements = Table(
    "judgements",
    metadata,
    _key("seq"),
    Column("scenario_id", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("judgements_of_scenario", "scenario_id"),
)

live_runs = Table(
    "live_runs",
    metadata,
    _key("seq"),
    Column("id", Text, nullable=False, unique=True),
    Column("status", Kind, nullable=False),
    Column("results", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

controllers = Table(
    "controllers",
    metadata,
    Column("run", Number, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("seen_at", Double, nullable=False),
    Column("standing", LargeBinary, nullable=False),
)

slices = Table(
    "slices",
    metadata,
    _key("id"),
    Column("run", Number, nullable=False),
    Column("number", Integer, nullable=False),
    Column("first", Number, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("start_s", Double, nullable=False),
    Column("end_s", Double, nullable=False),
    Column("status", Name, nullable=False),
    Column("controller", Text, nullable=False),
    Column("lease_until", Double, nullable=False),
    Index("slices_of_run", "run", "status", "number"),
)

jobs = Table(
    "jobs",
    metadata,
    _key("id"),
    Column("run", Number, nullable=False),
    Column("number", Integer, nullable=False),
    Column("first", Number, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("start_s", Double, nullable=False),
    Column("end_s", Double, nullable=False),
    Column("payload_bytes", Number, nullable=False),
    Column("status", Kind, nullable=False),
    Column("worker", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("batches", Integer, nullable=False),
    Column("ended", LargeBinary, nullable=False),
    Column("skipped", LargeBinary, nullable=False),
    Column("ended_count", Integer, nullable=False),
    Index("jobs_of_run", "run", "status", "start_s"),
)

job_payloads = Table(
    "job_payloads", metadata, _key("id"), Column("payload", LargeBinary, nullable=False)
)

dead_jobs = Table("dead_jobs", metadata, _key("id"), Column("payload", LargeBinary, nullable=False))

counts = Table("counts", metadata, _key("id"), Column("payload", LargeBinary, nullable=False))

traffic_models = Table(
    "traffic_models",
    metadata,
    _key("seq"),
    Column("profile", Text, nullable=False, unique=True),
    Column("version", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

trained_models = Table(
    "trained_models",
    metadata,
    _key("seq"),
    Column("model", Text, nullable=False, unique=True),
    Column("profile", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

trained_parts = Table(
    "trained_parts",
    metadata,
    _key("id"),
    Column("model", Text, nullable=False),
    Column("kind", Kind, nullable=False),
    Column("number", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("parts_of_model", "model", "kind", "number"),
)

coverage = Table(
    "coverage",
    metadata,
    _key("seq"),
    Column("run_id", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("coverage_of_run", "run_id"),
)
