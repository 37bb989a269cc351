"""The store: everything Premortem knows, encrypted, in one file or one database."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, func, select

from premortem.config import StoreConfig
from premortem.domain.rejection import Rejection
from premortem.domain.run import Case, Finding, Ignored, Result, RunSummary, Sequence, Turn
from premortem.domain.scenario import Scenario, ScenarioVerdict
from premortem.domain.traffic import Exchange, Profile
from premortem.domain.traffic_model import TrafficModel
from premortem.errors import InputError, StoreError
from premortem.store import tables
from premortem.store.batch import BODY
from premortem.store.blocks import BlockReader
from premortem.store.cases import Cases
from premortem.store.cipher import Cipher
from premortem.store.coverage import Coverages
from premortem.store.database import Database
from premortem.store.exchanges import Adding, Traffic, id_of, numbers_of
from premortem.store.integrity import check
from premortem.store.judgements import Judgements
from premortem.store.keys import DataKey, data_key
from premortem.store.listing import Listing
from premortem.store.migrations import migrate, version_of
from premortem.store.purge import Doomed, Progress, Purged, Purging, Wanted
from premortem.store.query import (
    Added,
    Counted,
    StoredScenario,
    StoreStats,
    TrafficFilter,
    TrafficRow,
)
from premortem.store.queue import Queue
from premortem.store.records import LATEST, Records
from premortem.store.registry import Registry
from premortem.store.results import RESULTS_FULL_MAX, Results
from premortem.store.sqlite import SqliteDatabase

ROWS_LISTED = 100
"""Rows of a list, unless the caller says otherwise."""
EVERYTHING = TrafficFilter()
COUNTED = (
    "exchanges",
    "blocks",
    "profiles",
    "cases",
    "rejections",
    "runs",
    "results",
    "findings",
    "scenarios",
)
"""Tables whose rows `stats` counts."""


def open_store(
    config: StoreConfig,
    directory: Path,
    *,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.time,
    redaction_key: bytes = b"",
) -> Store:
    """The store that CONFIG names, relative to DIRECTORY; made, with its key, at the first use.

    REDACTION_KEY: what a store that is made now gets, so that its tokens join with another's.

    Raises StoreError when the file is no store, is damaged or written by a newer version;
    WrongKey when the key does not fit or is gone; StoreLocked when it has to be made or
    migrated while another process writes.
    """
    database, key = opened_database(
        config, directory, environment=environment, clock=clock, redaction_key=redaction_key
    )
    return Store(database, key, clock=clock)


def opened_database(
    config: StoreConfig,
    directory: Path,
    *,
    environment: Mapping[str, str],
    clock: Callable[[], float],
    redaction_key: bytes = b"",
) -> tuple[Database, DataKey]:
    """What a Store is made of, with the tables of today; see `open_store`."""
    database = database_of(config, directory, environment=environment)
    try:
        if version_of(database) == 0:
            migrate(database, now=clock())
        key = data_key(
            database,
            key_file=directory / config.key_file,
            environment=environment,
            now=clock(),
            redaction=redaction_key,
        )
        # Only who can read a store may change its tables.
        migrate(database, now=clock(), cipher=Cipher(key, path=database.name))
    except BaseException:
        database.close()
        raise
    return database, key


def database_of(
    config: StoreConfig, directory: Path, *, environment: Mapping[str, str]
) -> Database:
    """The database that CONFIG names: the server at `url`, else the file at `path`."""
    if config.url:
        # Only here: the driver is an extra.
        from premortem.store.postgres import PostgresDatabase, address_of

        url = address_of(config.url, environment=environment)
        return PostgresDatabase(url, lock_wait_s=config.lock_wait_s)
    return SqliteDatabase(directory / config.path, lock_wait_s=config.lock_wait_s)


class Store:
    """All values by kind. One process writes at a time; reading never waits for it.

    Every method raises StoreError, or one of its kinds, when the file fails: StoreLocked while
    another process keeps writing, DiskFull when there is no room; what was stored is intact.
    """

    def __init__(self, database: Database, key: DataKey, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._key = key
        self._cipher = Cipher(key, path=database.name)
        database.guard = self._guard
        reader = BlockReader(self._cipher)
        self._traffic = Traffic(database, self._cipher, reader)
        self._adding = Adding(database, self._cipher)
        self._listing = Listing(database, self._traffic)
        self._cases = Cases(database, self._cipher, reader, clock)
        self._results = Results(database, self._cipher, reader)
        self._records = Records(database, self._cipher)
        self._coverage = Coverages(database, self._cipher)
        self._judgements = Judgements(database, self._cipher)
        self._registry = Registry(database, self._cipher)
        self._queue = Queue(database, self._cipher, self._results)
        self._purging = Purging(database, self._cipher, reader, self._traffic)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @property
    def path(self) -> str:
        """Where the store lies: a path, or an address without the password."""
        return self._database.name

    @property
    def redaction_key(self) -> bytes:
        """32 bytes, this store's own, for the tokens of redacted values."""
        return self._cipher.redaction_key

    def _guard(self, connection: Connection) -> None:
        # Who has had the store open since before its keys changed would write what nobody reads.
        newest = connection.execute(select(func.max(tables.keyring.c.id))).scalar()
        if newest != self._key.number:
            raise StoreError(
                f"the keys of the store {self.path} were changed meanwhile; "
                f"give the same command again"
            )

    # Exchanges

    def add_exchanges(self, exchanges: Iterable[Exchange]) -> Added:
        """Store the exchanges that are not there yet, in transactions of up to 1000.

        What EXCHANGES yielded before it raised is stored.
        """
        return self._adding.add(exchanges)

    def exchange(self, exchange_id: str) -> Exchange:
        """The exchange with that id, or whose id alone starts so. Raises InputError."""
        column = tables.exchanges.c.id
        among = numbers_of(exchange_id)
        ids: list[str] = []
        if among is not None:
            with self._database.reading() as connection:
                query = select(column).where(column.between(*among)).limit(2)
                ids = [id_of(number) for number in connection.execute(query).scalars()]
        if len(ids) > 1:
            raise InputError(
                f"more than one exchange starts with {exchange_id!r}; give more of its id"
            )
        if not ids:
            raise InputError(f"no exchange {exchange_id!r}; list them with `premortem traffic`")
        return self._traffic.by_id(ids)[ids[0]]

    def exchanges(
        self, *, where: TrafficFilter = EVERYTHING, limit: int | None = None
    ) -> Iterator[Exchange]:
        """Those that match, by start, then order of import; a few pages are in memory.

        Exchanges that are added meanwhile are left out.
        """
        return self._traffic.matching(where, limit=limit)

    def exchanges_by_id(self, ids: Collection[str]) -> dict[str, Exchange]:
        """Those of IDS that are there, in the order of IDS; all in memory."""
        return self._traffic.by_id(ids)

    def times(self, limit: int) -> list[float]:
        """Starts of the latest LIMIT exchanges, ascending, in seconds since the epoch."""
        return self._traffic.times(limit)

    def traffic(
        self, where: TrafficFilter = EVERYTHING, limit: int = ROWS_LISTED, offset: int = 0
    ) -> list[TrafficRow]:
        """A page of a list of exchanges, in the order of `exchanges`."""
        return self._listing.rows(where, limit=limit, offset=offset)

    def traffic_count(self, where: TrafficFilter = EVERYTHING) -> int:
        """How many exchanges match. Reads their paths where only these can tell: see
        `traffic_counted`, which never takes long."""
        return self._listing.exact_count(where)

    def traffic_counted(self, where: TrafficFilter = EVERYTHING) -> Counted:
        """How many exchanges match; from a sample where thousands of paths had to be read."""
        return self._listing.count(where)

    # Profiles

    def save_profile(self, profile: Profile) -> None:
        """Keep PROFILE; from now on it is the latest one."""
        self._records.save_profile(profile)

    def profile(self, version: str = LATEST) -> Profile:
        """A profile by its version, the start of one, or `latest`.

        Raises NothingLearned when there is none at all, InputError for an unknown version.
        """
        return self._records.profile(version)

    def profiles(self) -> list[tuple[str, float, int]]:
        """(version, created_at, exchanges) of all, newest first."""
        return self._records.profiles()

    def save_traffic_model(self, model: TrafficModel) -> None:
        """Keep MODEL, in place of an earlier one of its profile."""
        self._records.save_traffic_model(model)

    def traffic_model(self, profile_version: str) -> TrafficModel | None:
        """The traffic model of that profile; None: none was trained."""
        return self._records.traffic_model(profile_version)

    @property
    def registry(self) -> Registry:
        """Trained language models."""
        return self._registry

    # Cases

    def save_sequences(self, batch_id: str, sequences: Iterable[Sequence]) -> int:
        """Add the sequences that the batch does not hold yet; how many those were."""
        return self._cases.save(batch_id, sequences)

    def cases(
        self,
        limit: int = ROWS_LISTED,
        operation: str = "",
        source: str = "",
        *,
        batch_id: str = "",
        setup: bool = False,
    ) -> list[Case]:
        """Saved cases, newest first; with SETUP also those that only prepare others.

        OPERATION is a whole operation id.
        """
        return self._cases.listed(
            limit=limit, operation=operation, source=source, batch_id=batch_id, setup=setup
        )

    def case(self, case_id: str) -> Sequence:
        """The sequence that ends in the case with that id, or the start of one.

        Raises InputError when no case, or more than one, has it.
        """
        return self._cases.ending_in(case_id)

    def sequence(self, batch_id: str, sequence_id: str) -> Sequence | None:
        """A saved sequence of a batch; None: it is not there."""
        return self._cases.sequence(batch_id, sequence_id)

    def save_rejections(self, rejections: Iterable[Rejection]) -> None:
        """Keep what failed validation; the newest 10,000 of all are kept."""
        self._cases.save_rejections(rejections)

    def rejections(self, limit: int = ROWS_LISTED) -> list[Rejection]:
        """Newest first."""
        return self._cases.rejections(limit=limit)

    # Runs

    def save_run(self, run: RunSummary) -> None:
        """Keep RUN, in place of an earlier word on the same one."""
        self._records.save_run(run)

    def run(self, run_id: str = LATEST) -> RunSummary:
        """A run by its id, the start of one, or `latest`.

        Raises NothingLearned when there is none at all, InputError for an unknown id.
        """
        return self._records.run(run_id)

    def runs(self) -> list[RunSummary]:
        """Newest first."""
        return self._records.runs()

    def save_results(self, run_id: str, results: Iterable[Result]) -> int:
        """Keep results in full, up to RESULTS_FULL_MAX of one run; how many were kept."""
        return self._results.save(run_id, results)

    def results(
        self,
        run_id: str = LATEST,
        limit: int = RESULTS_FULL_MAX,
        *,
        failed: bool | None = None,
    ) -> list[Result]:
        """Stored results in the order they came; FAILED: only those with, or without, verdicts."""
        return self._results.of_run(self._records.run_id(run_id), limit=limit, failed=failed)

    @property
    def queue(self) -> Queue:
        """Runs in progress: their slices, jobs and counts."""
        return self._queue

    @property
    def coverage(self) -> Coverages:
        """What runs covered."""
        return self._coverage

    # Findings

    def save_findings(self, findings: Iterable[Finding]) -> None:
        """Keep what runs found; a finding known from before keeps its `first_seen_at` and its
        history; one that was fixed came back."""
        self._records.save_findings(findings)

    def turn_finding(self, finding_id: str, turn: Turn) -> None:
        """Keep that a finding's state changed. Raises InputError."""
        self._records.turn_finding(finding_id, turn)

    def findings(self, run_id: str | None = None) -> list[Finding]:
        """Those of one run (or `latest`) as saved; without a run the newest word on each."""
        return self._records.findings(run_id and self._records.run_id(run_id))

    def finding(self, finding_id: str) -> Finding:
        """The newest word on a finding by its id or the start of it. Raises InputError."""
        return self._records.finding(finding_id)

    def ignore(self, word: Ignored) -> None:
        """Keep a person's word on a finding, in place of an earlier one."""
        self._records.ignore(word)

    def ignored(self) -> dict[str, Ignored]:
        """Finding id -> the word on it, expired ones included."""
        return self._records.ignored()

    def unignore(self, finding_id: str) -> bool:
        """Take the word back; whether there was one."""
        return self._records.unignore(finding_id)

    # Scenarios

    def save_scenario(self, scenario: Scenario, verdict: ScenarioVerdict, at: float) -> None:
        """Keep SCENARIO with its latest verdict; AT in seconds since the epoch."""
        self._records.save_scenario(scenario, verdict, at)

    def scenarios(self) -> list[StoredScenario]:
        """Newest first."""
        return self._records.scenarios()

    @property
    def judgements(self) -> Judgements:
        """What people decided about scenarios."""
        return self._judgements

    # Taking out

    def purge_preview(self, wanted: Wanted, *, strict: bool = False) -> Doomed:
        """What `purge` would take out; changes nothing."""
        return self._purging.preview(wanted, strict=strict)

    def purge(
        self,
        wanted: Wanted,
        *,
        strict: bool = False,
        derived: bool = True,
        progress: Progress | None = None,
    ) -> Purged:
        """Take exchanges and what was made of them out for good, and shrink the store.

        What goes and what stays: see `store.purge`. Without DERIVED the exchanges alone go.
        """
        return self._purging.purge(wanted, strict=strict, derived=derived, progress=progress)

    # The store itself

    def stats(self) -> StoreStats:
        """How much there is."""
        with self._database.reading() as connection:
            counts = {
                name: connection.execute(
                    select(func.count()).select_from(tables.metadata.tables[name])
                ).scalar_one()
                for name in COUNTED
            }
            bodies = select(func.count()).where(tables.pieces.c.kind == BODY)
            return StoreStats(
                path=str(self.path),
                bytes=self._database.bytes(),
                schema_version=version_of(self._database),
                key_source=self._key.source,
                bodies=connection.execute(bodies).scalar_one(),
                **counts,
            )

    def integrity(self) -> int:
        """Check the file, every reference and every block; how many blocks those were.

        Reads all of it. Raises StoreError naming the first of the problems.
        """
        return check(self._database, self._cipher)
