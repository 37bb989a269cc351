"""How a store gets the tables of today: numbered steps, each in one transaction, never edited.

To change the tables: change `tables`, add a step here that does the same to a store that has
the old ones. A step names its tables and columns itself, because `tables` moves on. It gets the
store's cipher; a store that is only being made has none yet, and no data either.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    inspect,
    select,
)

from premortem.errors import StoreError
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.migration_facets import to_facets
from premortem.store.migration_paths import to_path_pages
from premortem.store.migration_queue import to_queue
from premortem.store.tables import Name, Text, metadata, schema_version

Step = Callable[[Connection, Cipher | None], None]


def version_of(database: Database) -> int:
    """The store's schema version; 0: an empty one.

    Raises StoreError when it belongs to another program or to a newer Premortem.
    """
    with database.reading() as connection:
        version = _version(connection)
        if version == 0 and inspect(connection).get_table_names():
            raise StoreError(
                f"{database.name} is a database of another program; "
                f"name another one with --store, or `path` or `url` under [store]"
            )
    if version > len(STEPS):
        raise StoreError(
            f"the store {database.name} was written by a newer premortem (its schema is "
            f"{version}, this one knows {len(STEPS)}); update with `pip install -U premortem`"
        )
    return version


def migrate(database: Database, *, now: float, cipher: Cipher | None = None) -> None:
    """Bring the store to the latest version, step by step; NOW in seconds since the epoch.

    A store that is only being made gets the tables of today at once.
    """
    version = version_of(database)
    if version == 0:
        with database.writing() as connection:
            if _version(connection) == 0:
                metadata.create_all(connection)
                rows = [
                    {"version": number, "applied_at": now} for number in range(1, len(STEPS) + 1)
                ]
                connection.execute(schema_version.insert(), rows)
        return
    for number in range(version + 1, len(STEPS) + 1):
        with database.writing() as connection:
            if _version(connection) >= number:
                continue  # another process was faster
            STEPS[number - 1](connection, cipher)
            values = {"version": number, "applied_at": now}
            connection.execute(schema_version.insert().values(values))


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table("schema_version"):
        return 0
    return connection.execute(select(func.max(schema_version.c.version))).scalar() or 0


def _number(name: str, *, to: str = "", nullable: bool = False) -> Column[int]:
    kind = BigInteger().with_variant(Integer, "sqlite")
    if to:
        return Column(name, kind, ForeignKey(to), nullable=nullable)
    return Column(name, kind, nullable=nullable)


def _key(name: str) -> Column[int]:
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column(name, kind, primary_key=True, autoincrement=False)


def _text(name: str, length: int | None = None) -> Column[str]:
    # On PostgreSQL text is compared byte by byte; no store there is older than that.
    kind = String(length).with_variant(String(length, collation="C"), "postgresql")
    return Column(name, kind, nullable=False)


def _double(name: str) -> Column[float]:
    return Column(name, Double, nullable=False)


def _integer(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Integer, nullable=nullable)


def _binary(name: str, length: int | None = None, *, unique: bool | None = None) -> Column[bytes]:
    return Column(name, LargeBinary(length), nullable=False, unique=unique)


def _span() -> tuple[Column[int], Column[int], Column[int]]:
    return (_number("block", to="blocks.id"), _integer("start"), _number("length"))


def _first_tables(connection: Connection, _cipher: Cipher | None) -> None:
    metadata = MetaData()
    Table(
        "schema_version",
        metadata,
        Column("version", Integer, primary_key=True, autoincrement=False),
        _double("applied_at"),
    )
    Table(
        "keyring",
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        _binary("store_id"),
        _text("derivation"),
        _binary("salt"),
        _binary("wrapped"),
        _double("created_at"),
    )
    Table("blocks", metadata, _key("id"), _binary("payload"))
    Table(
        "pieces",
        metadata,
        _key("id"),
        _text("kind", 8),
        _binary("digest", 16, unique=True),
        *_span(),
    )
    _first_traffic(metadata)
    _first_cases(metadata)
    _first_runs(metadata)
    metadata.create_all(connection)


def _first_traffic(metadata: MetaData) -> None:
    Table(
        "exchanges",
        metadata,
        _key("seq"),
        Column("id", Name, nullable=False, unique=True),
        _text("method"),
        _text("host"),
        _integer("status"),
        _double("started_at"),
        _double("duration_ms"),
        _text("role"),
        _number("request_bytes"),
        _number("response_bytes"),
        *_span(),
        _number("request_body", to="pieces.id", nullable=True),
        _number("response_body", to="pieces.id", nullable=True),
        Index("exchanges_in_order", "started_at", "seq"),
    )
    Table(
        "profiles",
        metadata,
        _key("seq"),
        Column("version", Text, nullable=False, unique=True),
        _double("created_at"),
        _number("exchanges"),
        _binary("payload"),
    )


def _first_cases(metadata: MetaData) -> None:
    Table(
        "sequences",
        metadata,
        _key("seq"),
        _text("id", 16),
        _text("batch_id"),
        _double("created_at"),
        UniqueConstraint("batch_id", "id"),
    )
    Table(
        "cases",
        metadata,
        _key("seq"),
        _text("id", 16),
        _number("sequence", to="sequences.seq"),
        _integer("position"),
        _binary("operation", 16),
        _text("source"),
        _text("kind"),
        _text("role"),
        Column("setup", Boolean, nullable=False),
        _number("piece", to="pieces.id"),
        UniqueConstraint("sequence", "position"),
        Index("cases_by_id", "id"),
    )
    Table(
        "rejections",
        metadata,
        _key("seq"),
        _text("case_id", 16),
        _text("rule"),
        _double("created_at"),
        _number("piece", to="pieces.id"),
        *_span(),
    )


def _first_runs(metadata: MetaData) -> None:
    unique_id = Column("id", Text, nullable=False, unique=True)
    Table("runs", metadata, _key("seq"), unique_id, _double("started_at"), _binary("payload"))
    Table(
        "results",
        metadata,
        _key("seq"),
        _text("run_id"),
        _text("sequence_id", 16),
        _integer("position"),
        _text("case_id", 16),
        _text("outcome"),
        _integer("status", nullable=True),
        Column("failed", Boolean, nullable=False),
        _double("intended_at"),
        _double("duration_ms"),
        _number("piece", to="pieces.id"),
        _number("request_body", to="pieces.id", nullable=True),
        _number("response_body", to="pieces.id", nullable=True),
        *_span(),
        Index("results_of_run", "run_id", "seq"),
    )
    Table(
        "findings",
        metadata,
        _key("seq"),
        _text("id"),
        _text("run_id"),
        _text("check"),
        _text("severity"),
        _double("first_seen_at"),
        _binary("payload"),
        UniqueConstraint("id", "run_id"),
    )
    finding_id = Column("finding_id", Text, primary_key=True)
    Table("ignored", metadata, finding_id, _double("at"), _binary("payload"))
    scenario_id = Column("id", Text, nullable=False, unique=True)
    Table(
        "scenarios",
        metadata,
        _key("seq"),
        scenario_id,
        _text("outcome"),
        _double("at"),
        _binary("payload"),
    )


def _to_coverage(connection: Connection, _cipher: Cipher | None) -> None:
    metadata = MetaData()
    Table(
        "coverage",
        metadata,
        _key("seq"),
        _text("run_id"),
        _text("profile"),
        _double("at"),
        _binary("payload"),
        Index("coverage_of_run", "run_id"),
    )
    metadata.create_all(connection)


def _to_judgements(connection: Connection, _cipher: Cipher | None) -> None:
    metadata = MetaData()
    Table(
        "judgements",
        metadata,
        _key("seq"),
        _text("scenario_id"),
        _double("at"),
        _binary("payload"),
        Index("judgements_of_scenario", "scenario_id"),
    )
    metadata.create_all(connection)


def _to_traffic_models(connection: Connection, _cipher: Cipher | None) -> None:
    metadata = MetaData()
    Table(
        "traffic_models",
        metadata,
        _key("seq"),
        Column("profile", Text, nullable=False, unique=True),
        _text("version"),
        _double("created_at"),
        _binary("payload"),
    )
    metadata.create_all(connection)


def _to_trained_models(connection: Connection, _cipher: Cipher | None) -> None:
    metadata = MetaData()
    Table(
        "trained_models",
        metadata,
        _key("seq"),
        Column("model", Text, nullable=False, unique=True),
        _text("profile"),
        _double("created_at"),
        _binary("payload"),
    )
    Table(
        "trained_parts",
        metadata,
        _key("id"),
        _text("model"),
        _text("kind", 8),
        _integer("number"),
        _binary("payload"),
        Index("parts_of_model", "model", "kind", "number"),
    )
    metadata.create_all(connection)


STEPS: tuple[Step, ...] = (
    _first_tables,
    to_facets,
    to_path_pages,
    to_queue,
    _to_coverage,
    _to_judgements,
    _to_traffic_models,
    _to_trained_models,
)
"""Step n leads from version n - 1 to n."""
