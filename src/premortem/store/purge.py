"""Taking exchanges out for good, with what was made of them.

With an exchange go: its bodies, where no other exchange, case or result has the same; every
profile learned from it, because its values cannot be told apart in there; cases, rejections and
results that name it as a parent or whose values were drawn with such a profile, and so jobs of a
run that has not ended (they are dead then, their cases left); findings and
scenarios that name it as a parent. `strict` (always so when single exchanges or sessions are
named: a person's right to erasure) takes findings and scenarios of such profiles, too. What
stays: run summaries, which hold counts; people's words on findings and scenarios; files that
were written.

Every transaction leaves a whole store. Cut off, the next purge ends what was begun: derived
values go before the exchanges they are found by, and what is left to tidy is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import Struct
from sqlalchemy import Table, delete, func, select

from premortem.domain.run import Case, Finding
from premortem.domain.traffic import Profile
from premortem.store.blocks import BlockReader
from premortem.store.cases import read_cases
from premortem.store.cipher import Cipher
from premortem.store.compact import mark, sweep
from premortem.store.database import Database
from premortem.store.exchanges import PAGE_MAX, Traffic, number_of
from premortem.store.facets import bucket_of, next_epoch, tally
from premortem.store.job_table import drop_jobs, open_job
from premortem.store.narrowing import among_numbers
from premortem.store.path_pages import drop_paths
from premortem.store.query import StoredScenario, TrafficFilter
from premortem.store.registry import drop_models_of
from premortem.store.tables import (
    cases,
    exchanges,
    findings,
    job_payloads,
    profiles,
    rejections,
    results,
    scenarios,
    sequences,
    traffic_models,
)

AT_ONCE_MAX = 2_000
"""Rows deleted in one transaction."""
JOBS_READ_MAX = 16
"""Jobs read at a time: some 20 MB of cases."""
PURGED = "what its cases were made of was purged"
"""Why a job is dead."""

Progress = Callable[[str, int], None]
"""What is being done, and how many values are done."""


class Doomed(Struct, frozen=True, kw_only=True):
    """What a purge takes, or would take."""

    exchanges: int
    profiles: tuple[str, ...]
    """Versions."""
    cases: int
    rejections: int
    results: int
    findings: int
    scenarios: int
    jobs: int = 0
    """Of runs that have not ended."""
    findings_kept: int
    """Findings whose values may come from a profile that goes; `strict` takes them, too."""


class Purged(Struct, frozen=True, kw_only=True):
    """What a purge did."""

    took: Doomed
    bodies: int
    """Bodies and packed cases that nothing refers to any more."""
    bytes_before: int
    """Of the store on disk."""
    bytes_after: int


class Wanted(Struct, frozen=True, kw_only=True):
    """Which exchanges go; one of the three."""

    before: float | None = None
    """Started before; seconds since the epoch."""
    session: str = ""
    """Of this session, as `traffic` shows it. Reads all exchanges."""
    ids: tuple[str, ...] = ()
    """Whole ids."""


class _Found(Struct, kw_only=True):
    """What goes, by number."""

    exchanges: set[int]
    profiles: dict[int, str] = {}
    sequences: set[int] = set()
    rejections: set[int] = set()
    results: set[int] = set()
    findings: set[int] = set()
    scenarios: set[int] = set()
    jobs: set[int] = set()
    findings_kept: int = 0
    cases: int = 0

    def doomed(self) -> Doomed:
        return Doomed(
            exchanges=len(self.exchanges),
            profiles=tuple(self.profiles.values()),
            cases=self.cases,
            rejections=len(self.rejections),
            results=len(self.results),
            findings=len(self.findings),
            scenarios=len(self.scenarios),
            jobs=len(self.jobs),
            findings_kept=self.findings_kept,
        )


class Purging:
    """Finds and takes out."""

    def __init__(
        self, database: Database, cipher: Cipher, reader: BlockReader, traffic: Traffic
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._reader = reader
        self._traffic = traffic

    def preview(self, wanted: Wanted, *, strict: bool = False, derived: bool = True) -> Doomed:
        """What `purge` would take."""
        return self._find(wanted, strict=strict, derived=derived).doomed()

    def purge(
        self,
        wanted: Wanted,
        *,
        strict: bool = False,
        derived: bool = True,
        progress: Progress | None = None,
    ) -> Purged:
        """Take out what is WANTED; without DERIVED the exchanges alone."""
        say = progress or (lambda _what, _count: None)
        before = self._database.bytes()
        say("looking", 0)
        found = self._find(wanted, strict=strict, derived=derived)
        self._drop_jobs(found.jobs)
        for table, numbers in (
            (findings, found.findings),
            (scenarios, found.scenarios),
            (results, found.results),
            (rejections, found.rejections),
            (profiles, found.profiles),
            (traffic_models, self._models_of(found.profiles.values())),
        ):
            self._delete(table, numbers)
        with self._database.writing() as connection:
            drop_models_of(connection, found.profiles.values())
        self._delete_sequences(found.sequences)
        done = 0
        for part in _parts(self._in_order(found.exchanges)):
            self._delete_exchanges(part)
            done += len(part)
            say("removing", done)
        bodies = sweep(self._database, self._cipher, progress=say)
        say("shrinking", 0)
        self._database.shrink()
        after = self._database.bytes()
        return Purged(took=found.doomed(), bodies=bodies, bytes_before=before, bytes_after=after)

    def _find(self, wanted: Wanted, *, strict: bool, derived: bool) -> _Found:
        found = _Found(exchanges=self._numbers(wanted))
        if derived and found.exchanges:
            strict = strict or wanted.before is None
            self._find_profiles(found)
            self._find_cases(found)
            self._find_jobs(found)
            self._find_findings(found, strict=strict)
            self._find_scenarios(found, strict=strict)
        return found

    def _numbers(self, wanted: Wanted) -> set[int]:
        if wanted.before is not None:
            with self._database.reading() as connection:
                query = select(exchanges.c.id).where(exchanges.c.started_at < wanted.before)
                return set(connection.execute(query).scalars())
        if wanted.session:
            pages = self._traffic.pages(self._traffic.narrowed(TrafficFilter()))
            return {
                row.id for page in pages for row, head in page if head.session == wanted.session
            }
        given = {number_of(exchange_id) for exchange_id in wanted.ids}
        with self._database.reading() as connection:
            query = select(exchanges.c.id).where(among_numbers(exchanges.c.id, given))
            return set(connection.execute(query).scalars()) if given else set()

    def _is_doomed(self, found: _Found, parents: Iterable[str]) -> bool:
        return any(_number(parent) in found.exchanges for parent in parents)

    def _models_of(self, versions: Iterable[str]) -> list[int]:
        """Traffic models go with their profiles: their values come from the same requests."""
        with self._database.reading() as connection:
            query = select(traffic_models.c.seq, traffic_models.c.profile)
            known = set(versions)
            return [row.seq for row in connection.execute(query) if row.profile in known]

    def _find_profiles(self, found: _Found) -> None:
        with self._database.reading() as connection:
            rows = connection.execute(select(profiles.c.seq, profiles.c.version)).all()
        for seq, version in rows:
            with self._database.reading() as connection:
                query = select(profiles.c.payload).where(profiles.c.seq == seq)
                payload = connection.execute(query).scalar_one()
            profile = self._cipher.open_value(payload, Profile, place=f"profile {version}")
            if self._is_doomed(found, _exchanges_of(profile)):
                found.profiles = found.profiles | {seq: version}

    def _goes(self, found: _Found, case: Case) -> bool:
        origin = case.origin
        drawn = origin.source != "replay" and origin.profile_version in found.profiles.values()
        return drawn or self._is_doomed(found, origin.parents)

    def _find_cases(self, found: _Found) -> None:
        found.sequences = {
            row.sequence for row, case in self._cases_of(cases) if self._goes(found, case)
        }
        with self._database.reading() as connection:
            for part in _parts(sorted(found.sequences)):
                query = select(func.count()).where(among_numbers(cases.c.sequence, part))
                found.cases += connection.execute(query).scalar_one()
        found.rejections = {
            row.seq for row, case in self._cases_of(rejections) if self._goes(found, case)
        }
        # One answer of a sequence tells of the others, so its results go together.
        doomed = {
            (row.run_id, row.sequence_id)
            for row, case in self._cases_of(results)
            if self._goes(found, case)
        }
        with self._database.reading() as connection:
            columns = (results.c.seq, results.c.run_id, results.c.sequence_id)
            for seq, run_id, sequence_id in connection.execute(select(*columns)):
                if (run_id, sequence_id) in doomed:
                    found.results.add(seq)

    def _cases_of(self, table: Table) -> Iterator[tuple[Any, Case]]:
        after = 0
        while True:
            query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(PAGE_MAX)
            with self._database.reading() as connection:
                rows = connection.execute(query).all()
                numbers = [row.piece for row in rows]
                read = read_cases(connection, self._reader, self._cipher, numbers)
            for row in rows:
                yield row, read[row.piece]
            if len(rows) < PAGE_MAX:
                return
            after = rows[-1].seq

    def _find_jobs(self, found: _Found) -> None:
        after = -1
        while True:
            query = select(job_payloads).where(job_payloads.c.id > after)
            with self._database.reading() as connection:
                page = query.order_by(job_payloads.c.id).limit(JOBS_READ_MAX)
                rows = connection.execute(page).all()
            for row in rows:
                sequences_ = open_job(self._cipher, row.id, row.payload).sequences
                if any(self._goes(found, case) for part in sequences_ for case in part.cases):
                    found.jobs.add(row.id)
            if len(rows) < JOBS_READ_MAX:
                return
            after = rows[-1].id

    def _drop_jobs(self, numbers: Collection[int]) -> None:
        for part in _parts(sorted(numbers)):
            with self._database.writing() as connection:
                drop_jobs(connection, self._cipher, part, reason=PURGED)

    def _find_findings(self, found: _Found, *, strict: bool) -> None:
        with self._database.reading() as connection:
            rows = connection.execute(select(findings)).all()
        for row in rows:
            place = f"finding {row.id} of {row.run_id}"
            finding = self._cipher.open_value(row.payload, Finding, place=place)
            parents = [p for case in finding.sequence.cases for p in case.origin.parents]
            if self._is_doomed(found, parents):
                found.findings.add(row.seq)
            elif any(self._goes(found, case) for case in finding.sequence.cases):
                if strict:
                    found.findings.add(row.seq)
                else:
                    found.findings_kept += 1

    def _find_scenarios(self, found: _Found, *, strict: bool) -> None:
        with self._database.reading() as connection:
            rows = connection.execute(select(scenarios)).all()
        for row in rows:
            stored = self._cipher.open_value(
                row.payload, StoredScenario, place=f"scenario {row.id}"
            )
            origin = stored.scenario.origin
            drawn = strict and origin.profile_version in found.profiles.values()
            if drawn or self._is_doomed(found, origin.parents):
                found.scenarios.add(row.seq)

    def _delete(self, table: Table, numbers: Collection[int]) -> None:
        for part in _parts(sorted(numbers)):
            with self._database.writing() as connection:
                among = among_numbers(table.c.seq, part)
                if "block" in table.c:
                    mark(connection, select(table.c.block).where(among))
                connection.execute(delete(table).where(among))

    def _delete_sequences(self, numbers: Collection[int]) -> None:
        for part in _parts(sorted(numbers)):
            with self._database.writing() as connection:
                connection.execute(delete(cases).where(among_numbers(cases.c.sequence, part)))
                connection.execute(delete(sequences).where(among_numbers(sequences.c.seq, part)))

    def _in_order(self, numbers: Collection[int]) -> list[int]:
        # In the order of import: what is deleted together lies on few pages of paths.
        seqs: dict[int, int] = {}
        for part in _parts(sorted(numbers)):
            query = select(exchanges.c.id, exchanges.c.seq)
            with self._database.reading() as connection:
                rows = connection.execute(query.where(among_numbers(exchanges.c.id, part)))
                seqs |= {row.id: row.seq for row in rows}
        return sorted(seqs, key=seqs.__getitem__)

    def _delete_exchanges(self, part: list[int]) -> None:
        among = among_numbers(exchanges.c.id, part)
        with self._database.writing() as connection:
            columns = (exchanges.c.seq, exchanges.c.started_at, exchanges.c.facet)
            gone: dict[tuple[int, int], int] = {}
            seqs: list[int] = []
            for seq, started_at, facet in connection.execute(select(*columns).where(among)):
                seqs.append(seq)
                place = bucket_of(started_at), facet
                gone[place] = gone.get(place, 0) - 1
            mark(connection, select(exchanges.c.block).where(among))
            tally(connection, gone.items())
            drop_paths(connection, self._cipher, seqs)
            connection.execute(delete(exchanges).where(among))
            next_epoch(connection)


def _number(parent: str) -> int | None:
    try:
        return number_of(parent)
    except ValueError:
        return None


def _exchanges_of(profile: Profile) -> Iterator[str]:
    for flow in profile.flows:
        yield from flow.exchange_ids
    for operation in profile.operations:
        yield from operation.exemplars
        for recipe in operation.recipes:
            yield from (step.exchange_id for step in recipe.steps)


def _parts(values: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(values)
    while part := list(islice(rest, AT_ONCE_MAX)):
        yield part
