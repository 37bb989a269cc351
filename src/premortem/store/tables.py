"""The tables as they are now; `migrations` says how a store came to have them.

Clear columns hold only what listing and filtering need. Everything that can hold captured data
lies in `blocks` (many values, compressed together) or in a `payload` of its own; both are
encrypted. Numbers are handed out by the one writer, so no backend's sequences are needed.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

Number = BigInteger().with_variant(Integer, "sqlite")
"""64 bits; SQLite makes only INTEGER primary keys the row's own number."""


def _key(name: str) -> Column[int]:
    return Column(name, Number, primary_key=True, autoincrement=False)


def _span() -> tuple[Column[int], Column[int], Column[int]]:
    return (
        Column("block", Number, ForeignKey("blocks.id"), nullable=False),
        Column("start", Integer, nullable=False),
        Column("length", Number, nullable=False),
    )


def _piece(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Number, ForeignKey("pieces.id"), nullable=nullable)


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
    Column("derivation", String, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
)

blocks = Table("blocks", metadata, _key("id"), Column("payload", LargeBinary, nullable=False))

pieces = Table(
    "pieces",
    metadata,
    _key("id"),
    Column("kind", String(8), nullable=False),
    Column("digest", LargeBinary(16), nullable=False, unique=True),
    *_span(),
)

exchanges = Table(
    "exchanges",
    metadata,
    _key("seq"),
    Column("id", String(16), nullable=False, unique=True),
    Column("method", String, nullable=False),
    Column("host", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("duration_ms", Double, nullable=False),
    Column("role", String, nullable=False),
    Column("request_bytes", Number, nullable=False),
    Column("response_bytes", Number, nullable=False),
    *_span(),
    _piece("request_body", nullable=True),
    _piece("response_body", nullable=True),
    Index("exchanges_in_order", "started_at", "seq"),
)

profiles = Table(
    "profiles",
    metadata,
    _key("seq"),
    Column("version", String, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("exchanges", Number, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

sequences = Table(
    "sequences",
    metadata,
    _key("seq"),
    Column("id", String(16), nullable=False),
    Column("batch_id", String, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("batch_id", "id"),
)

cases = Table(
    "cases",
    metadata,
    _key("seq"),
    Column("id", String(16), nullable=False),
    Column("sequence", Number, ForeignKey("sequences.seq"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("operation", LargeBinary(16), nullable=False),
    Column("source", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("role", String, nullable=False),
    Column("setup", Boolean, nullable=False),
    _piece("piece"),
    UniqueConstraint("sequence", "position"),
    Index("cases_by_id", "id"),
)

rejections = Table(
    "rejections",
    metadata,
    _key("seq"),
    Column("case_id", String(16), nullable=False),
    Column("rule", String, nullable=False),
    Column("created_at", Double, nullable=False),
    _piece("piece"),
    *_span(),
)

runs = Table(
    "runs",
    metadata,
    _key("seq"),
    Column("id", String, nullable=False, unique=True),
    Column("started_at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

results = Table(
    "results",
    metadata,
    _key("seq"),
    Column("run_id", String, nullable=False),
    Column("sequence_id", String(16), nullable=False),
    Column("position", Integer, nullable=False),
    Column("case_id", String(16), nullable=False),
    Column("outcome", String, nullable=False),
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
    Column("id", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("check", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("first_seen_at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    UniqueConstraint("id", "run_id"),
)

ignored = Table(
    "ignored",
    metadata,
    Column("finding_id", String, primary_key=True),
    Column("at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

scenarios = Table(
    "scenarios",
    metadata,
    _key("seq"),
    Column("id", String, nullable=False, unique=True),
    Column("outcome", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
