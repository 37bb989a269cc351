"""The queue of jobs: 1, 4 and 16 simulated workers on PostgreSQL and SQLite, beside a floor.

    python benches/bench_queue.py [--jobs 64] [--rounds 3] [--backend postgres|sqlite|both]
                                  [--workers 1 4 16]

A simulated worker takes a job of 500 cases (one second at 500/s), reports it in four batches, and
takes the next. `direct`: every worker is a process with a connection of its own and a transaction
for each batch, as many controllers would be. `batched`: one controller stores the batches of all
workers in one transaction, as one controller is. The floor does the same statements on rows of
the same sizes through the driver alone, nothing sealed, merged or checked, in the same run.
PostgreSQL is started by the bench and writes as in production (fsync on).

At the end: a run of a million requests, and how long questions about it take.
Goals: at least 0.25 x floor in transactions per second; every question < 2 s.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np

from premortem.config import StoreConfig
from premortem.domain.jobs import Count, Job, ResultBatch
from premortem.domain.latency import Latency
from premortem.domain.live import Granted, LiveRun, PlanSlice
from premortem.domain.run import Case, Origin, Plan
from premortem.domain.run import Sequence as Cases
from premortem.domain.traffic import Request
from premortem.store import Store, open_store

RUN = "0123456789ab"
KEY = {"PREMORTEM_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
CASES, BATCHES, KINDS = 500, 4, 20
PART = CASES // BATCHES
TOGETHER = 16
"""Jobs of one second."""
LEASE_S = 60.0
GOAL_RATIO, GOAL_S = 0.25, 2.0
PERCENTS = (50, 99)


class Measured(NamedTuple):
    """What workers did."""

    jobs: int
    batches: int
    transactions_ms: list[float]
    cpu_s: float
    wall_s: float

    def row(self) -> dict[str, float]:
        p50, p99 = np.percentile(self.transactions_ms, PERCENTS)
        return {
            "jobs/s": self.jobs / self.wall_s,
            "batches/s": self.batches / self.wall_s,
            "tx/s": len(self.transactions_ms) / self.wall_s,
            "p50 ms": float(p50),
            "p99 ms": float(p99),
            "CPU ms/batch": 1000 * self.cpu_s / max(1, self.batches),
        }


def a_case(number: int, rng: np.random.Generator) -> Case:
    body = json.dumps({"number": number, "note": rng.bytes(300).hex()}).encode()
    return Case(
        request=Request(
            method="POST",
            origin="http://127.0.0.1:8000",
            path=f"/invoices/{number}/payments",
            headers=(("content-type", "application/json"),),
            body=body,
        ),
        operation_id=f"POST /invoices/{{id}}/payments{number % KINDS}",
        origin=Origin(source="sample", seed=number),
    )


def a_job(number: int, cases: Sequence[Cases]) -> Job:
    second = number // TOGETHER
    slots = np.linspace(second, second + 1, CASES, endpoint=False)
    return Job(
        id=f"{RUN}/{number}",
        run_id=RUN,
        number=number,
        slice=0,
        start_s=float(slots[0]),
        end_s=float(slots[-1]),
        first=number * CASES,
        sequences=tuple(cases),
        slots=slots.astype("<f8").tobytes(),
    )


def said(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    """What a batch of PART answers says, of KINDS kinds, but for the second."""
    each = PART // KINDS
    left = PART - each * KINDS
    made: list[tuple[Any, ...]] = []
    for kind in range(KINDS):
        n = each + (left if kind == 0 else 0)
        times = Latency.of_ms(rng.lognormal(0.5, 0.4, n)).packed()
        operation = f"POST /invoices/{{id}}/payments{kind}"
        made.append((operation, "sample", False, 0, 201, "answered", "", n, times))
    return made


SAID = [said(np.random.default_rng(seed)) for seed in range(64)]
"""Made once: what workers do to make them is not the queue's."""


def counts_of(second: int, rng: np.random.Generator) -> tuple[Count, ...]:
    """What a batch says."""
    return tuple(Count(second, *fields) for fields in SAID[rng.integers(len(SAID))])


def batches_of(granted: Granted, rng: np.random.Generator) -> list[ResultBatch]:
    # A controller passes the job on as it is, so it is not unpacked here.
    first = int(granted.job_id.rpartition("/")[2]) * CASES
    second = int(granted.start_s)
    return [
        ResultBatch(
            job_id=granted.job_id,
            worker_id=granted.worker_id,
            epoch=granted.epoch,
            sequence_number=k + 1,
            ended=((first + k * PART, first + (k + 1) * PART - 1),),
            counts=counts_of(second, rng),
            final=k + 1 == BATCHES,
        )
        for k in range(BATCHES)
    ]


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    into.append((time.perf_counter() - started) * 1000)


def filled(store: Store, jobs: int) -> None:
    rng = np.random.default_rng(1)
    cases = [Cases(cases=(a_case(k, rng),)) for k in range(CASES)]
    plan = Plan(name="bench")
    run = LiveRun(id=RUN, plan=plan, profile_version="", planned=jobs * CASES, started_at=0.0)
    part = PlanSlice(number=0, first=0, count=jobs * CASES, start_s=0.0, end_s=float(jobs))
    store.queue.begin_run(run, [part])
    store.queue.claim_slice(RUN, "c", now=0.0, lease_s=1e6)
    assert store.queue.cut_slice(RUN, 0, "c", [a_job(n, cases) for n in range(jobs)]) == "cut"


def ours_direct(store: Store, name: str) -> Measured:
    """One worker with transactions of its own, until there are no jobs."""
    rng, times = np.random.default_rng(hash(name) % 2**32), []
    jobs, started, cpu = 0, time.perf_counter(), process_time()
    while True:
        with timed(times):
            granted = store.queue.take_job(RUN, name, now=0.0, lease_s=LEASE_S)
        if granted is None:
            break
        jobs += 1
        for batch in batches_of(granted, rng):
            with timed(times):
                (word,) = store.queue.apply_batches([batch], now=0.0, lease_s=LEASE_S)
            assert word.fresh
    wall = time.perf_counter() - started
    return Measured(jobs, jobs * BATCHES, times, process_time() - cpu, wall)


def ours_batched(store: Store, workers: int) -> Measured:
    """One controller for all workers: their jobs, and their batches, together."""
    rng, times = np.random.default_rng(2), []
    jobs, started, cpu = 0, time.perf_counter(), process_time()
    names = [f"w{n}" for n in range(workers)]
    while True:
        with timed(times):
            granted = store.queue.take_jobs(RUN, names, now=0.0, lease_s=LEASE_S)
        if not granted:
            break
        jobs += len(granted)
        for together in zip(*(batches_of(item, rng) for item in granted), strict=True):
            with timed(times):
                words = store.queue.apply_batches(together, now=0.0, lease_s=LEASE_S)
            assert all(word.fresh for word in words)
    wall = time.perf_counter() - started
    return Measured(jobs, jobs * BATCHES, times, process_time() - cpu, wall)


# The floor


class Bare:
    """The same statements through the driver, on rows of the same sizes."""

    def __init__(self, connection: Any, *, is_file: bool) -> None:
        self.connection, self.is_file = connection, is_file
        self.mark = "?" if is_file else "%s"
        self.lock = "" if is_file else " FOR UPDATE"
        self.skip = "" if is_file else " FOR UPDATE SKIP LOCKED"
        self.blob = "BLOB" if is_file else "BYTEA"

    def fill(self, jobs: int, payload: bytes) -> None:
        run = self.connection.execute
        run("BEGIN")
        run(
            f"CREATE TABLE bare_jobs (id BIGINT PRIMARY KEY, status TEXT, start_s FLOAT, "
            f"worker TEXT, ended {self.blob})"
        )
        run("CREATE INDEX bare_by_status ON bare_jobs (status, start_s)")
        run(f"CREATE TABLE bare_payloads (id BIGINT PRIMARY KEY, payload {self.blob})")
        run(f"CREATE TABLE bare_counts (id BIGINT PRIMARY KEY, payload {self.blob})")
        for n in range(jobs):
            run(self._sql("INSERT INTO bare_jobs VALUES (?, 'untaken', ?, '', ?)"), (n, n, b""))
            run(self._sql("INSERT INTO bare_payloads VALUES (?, ?)"), (n, payload))
            run(self._sql("INSERT INTO bare_counts VALUES (?, ?)"), (n, b""))
        run("COMMIT")

    def _sql(self, text: str) -> str:
        return text.replace("?", self.mark)

    def _many(self, text: str, rows: list[tuple[Any, ...]]) -> None:
        if self.is_file:
            self.connection.executemany(text, rows)
        else:
            self.connection.cursor().executemany(self._sql(text), rows)

    def take(self, names: Sequence[str]) -> list[int]:
        run = self.connection.execute
        run("BEGIN IMMEDIATE" if self.is_file else "BEGIN")
        query = "SELECT id FROM bare_jobs WHERE status = 'untaken' ORDER BY start_s LIMIT ?"
        rows = run(self._sql(query + self.skip), (len(names),)).fetchall()
        numbers = [row[0] for row in rows]
        for number in numbers:
            query = "SELECT payload FROM bare_payloads WHERE id = ?"
            run(self._sql(query), (number,)).fetchall()
        taken = [(name, number) for name, number in zip(names, numbers, strict=False)]
        if taken:
            query = "UPDATE bare_jobs SET status = 'taken', worker = ? WHERE id = ?"
            self._many(query, taken)
        run("COMMIT")
        return numbers

    def apply(self, numbers: Sequence[int], part: int, merged: bytes) -> None:
        run = self.connection.execute
        run("BEGIN IMMEDIATE" if self.is_file else "BEGIN")
        marks = ", ".join([self.mark] * len(numbers))
        ids = tuple(numbers)
        run(f"SELECT * FROM bare_jobs WHERE id IN ({marks}) ORDER BY id{self.lock}", ids).fetchall()
        seconds = sorted({number // TOGETHER for number in numbers})
        marks = ", ".join([self.mark] * len(seconds))
        query = f"SELECT * FROM bare_counts WHERE id IN ({marks}) ORDER BY id{self.lock}"
        run(query, tuple(seconds)).fetchall()
        status = "done" if part + 1 == BATCHES else "taken"
        ended = [(status, b"x" * 16, number) for number in numbers]
        self._many("UPDATE bare_jobs SET status = ?, ended = ? WHERE id = ?", ended)
        rows = [(merged, second) for second in seconds]
        self._many("UPDATE bare_counts SET payload = ? WHERE id = ?", rows)
        if status == "done":
            self._many("DELETE FROM bare_payloads WHERE id = ?", [(n,) for n in numbers])
        run("COMMIT")


def floor(bare: Bare, names: Sequence[str], sizes: Sequence[int]) -> Measured:
    times: list[float] = []
    jobs, started, cpu = 0, time.perf_counter(), process_time()
    merged = [np.random.default_rng(3).bytes(size) for size in sizes]
    while True:
        with timed(times):
            numbers = bare.take(names)
        if not numbers:
            break
        jobs += len(numbers)
        for part in range(BATCHES):
            with timed(times):
                bare.apply(numbers, part, merged[part])
    wall = time.perf_counter() - started
    return Measured(jobs, jobs * BATCHES, times, process_time() - cpu, wall)


# Running


class Place(NamedTuple):
    """Where one measurement's data lie."""

    folder: Path
    url: str

    def store(self) -> Store:
        config = StoreConfig(url=self.url, lock_wait_s=60.0)
        return open_store(config, self.folder, environment=KEY)

    def bare(self) -> Bare:
        if not self.url:
            connection = sqlite3.connect(self.folder / "bare.db", isolation_level=None, timeout=60)
            for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "page_size = 8192"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("PRAGMA secure_delete = ON")
            return Bare(connection, is_file=True)
        import psycopg

        return Bare(psycopg.connect(self.url, autocommit=True), is_file=False)


def sizes_of(store: Store) -> tuple[bytes, list[int]]:
    """A job's payload, and bytes of a second's counts after each batch of it."""
    with store._database.reading() as connection:
        query = "SELECT payload FROM job_payloads LIMIT 1"
        payload = bytes(connection.exec_driver_sql(query).scalar_one())
    rng = np.random.default_rng(4)
    sizes = []
    run = "ffffffffffff"
    given = LiveRun(id=run, plan=Plan(), profile_version="", planned=0, started_at=0.0)
    store.queue.begin_run(given)
    for _ in range(BATCHES):
        with store._database.writing() as connection:
            seq = store.queue._runs.known(run)[0]
            table = store.queue._table
            table.record(connection, seq, run, counts=counts_of(0, rng), results=())
            query = "SELECT max(length(payload)) FROM counts"
            sizes.append(connection.exec_driver_sql(query).scalar_one())
    return payload, sizes


def worker(place: Place, kind: str, name: str, sizes: list[int]) -> None:
    """A process: waits for its start, works, prints what it measured."""
    if kind == "ours":
        with place.store() as store:
            print("ready", flush=True)
            sys.stdin.readline()
            done = ours_direct(store, name)
    else:
        bare = place.bare()
        print("ready", flush=True)
        sys.stdin.readline()
        done = floor(bare, [name], sizes)
    print(json.dumps(done), flush=True)


def in_processes(place: Place, kind: str, workers: int, sizes: list[int]) -> Measured:
    command = [sys.executable, __file__, "--worker", str(place.folder), place.url, kind]
    running = [
        subprocess.Popen(
            [*command, f"w{n}", json.dumps(sizes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(workers)
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    parts = [Measured(*json.loads(process.stdout.readline())) for process in running]
    for process in running:
        process.wait(30)
    return Measured(
        sum(part.jobs for part in parts),
        sum(part.batches for part in parts),
        [ms for part in parts for ms in part.transactions_ms],
        sum(part.cpu_s for part in parts),
        max(part.wall_s for part in parts),
    )


def measured(
    places: Callable[[], Place], jobs: int, rounds: int, workers: int, how: str
) -> dict[str, list[Measured]]:
    """Ours and the floor in turn."""
    taken: dict[str, list[Measured]] = {"ours": [], "floor": []}
    for _ in range(rounds):
        place = places()
        with place.store() as store:
            filled(store, jobs)
            payload, sizes = sizes_of(store)
            bare = place.bare()
            bare.fill(jobs, payload)
            if how == "direct":
                taken["ours"].append(in_processes(place, "ours", workers, sizes))
                taken["floor"].append(in_processes(place, "floor", workers, sizes))
            else:
                taken["ours"].append(ours_batched(store, workers))
                names = [f"w{n}" for n in range(workers)]
                taken["floor"].append(floor(bare, names, sizes))
            bare.connection.close()
            assert store.queue.stats(RUN).done == jobs
            assert store.queue.counts(RUN, (), latency=False)[0].count == jobs * CASES
    return taken


def shown(title: str, taken: dict[str, list[Measured]]) -> None:
    rows = {name: [part.row() for part in parts] for name, parts in taken.items()}
    names = list(rows["ours"][0])
    ratios = [o["tx/s"] / f["tx/s"] for o, f in zip(rows["ours"], rows["floor"], strict=True)]
    for name, parts in rows.items():
        cells = "".join(f"{statistics.median(p[n] for p in parts):>14,.2f}" for n in names)
        ratio = f"{statistics.median(ratios):>8.2f}" if name == "ours" else ""
        print(f"{title:28}{name:7}{cells}{ratio}")


def a_million(place: Place) -> None:
    """A run of a million requests: its size, and how long questions take."""
    jobs = math.ceil(1_000_000 / CASES)
    rng = np.random.default_rng(5)
    with place.store() as store:
        given = LiveRun(id=RUN, plan=Plan(), profile_version="", planned=0, started_at=0.0)
        store.queue.begin_run(given)
        seq, table = store.queue._runs.known(RUN)[0], store.queue._table
        started = time.perf_counter()
        for number in range(0, jobs * BATCHES, 16):
            with store._database.sharing() as connection:
                # 5,000 requests a second: forty batches.
                counts = [c for k in range(16) for c in counts_of((number + k) // 40, rng)]
                table.record(connection, seq, RUN, counts=counts, results=())
        took = time.perf_counter() - started
        print(f"a million requests counted in {took:.1f} s; the store has", end=" ")
        print(f"{store.stats().bytes / 1e6:.1f} MB")
        for by in ((), ("operation_id", "status"), ("second",), ("second", "operation_id")):
            started, cpu = time.perf_counter(), process_time()
            rows = store.queue.counts(RUN, by)
            wall = time.perf_counter() - started
            assert sum(row.count for row in rows) == jobs * CASES
            name = " x ".join(by) or "all of it"
            good = "" if wall < GOAL_S else "  MISSED"
            print(
                f"  by {name:24}{len(rows):>7,} rows {wall:>8.3f} s, "
                f"CPU {process_time() - cpu:.3f}{good}"
            )


@contextmanager
def places_on(backend: str) -> Iterator[Callable[[], Place]]:
    with tempfile.TemporaryDirectory() as text:
        made = 0

        def folder() -> Path:
            nonlocal made
            made += 1
            path = Path(text) / str(made)
            path.mkdir()
            return path

        if backend == "sqlite":
            yield lambda: Place(folder(), "")
            return
        # The tests' own way to start a server; it lies beside this folder.
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        from tests.contract.server import started

        with started(durable=True) as server:
            yield lambda: Place(folder(), server.database())


def main() -> None:
    if "--worker" in sys.argv:
        folder, url, kind, name, sizes = sys.argv[sys.argv.index("--worker") + 1 :]
        worker(Place(Path(folder), url), kind, name, json.loads(sizes))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", choices=["postgres", "sqlite", "both"], default="both")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16])
    given = parser.parse_args()
    names = ["jobs/s", "batches/s", "tx/s", "p50 ms", "p99 ms", "CPU ms/batch"]
    print(f"{given.jobs} jobs of {CASES} cases, {BATCHES} batches each; medians of {given.rounds}")
    print(f"{'':35}" + "".join(f"{name:>14}" for name in names) + f"{'of floor':>9}")
    for backend in ("postgres", "sqlite") if given.backend == "both" else (given.backend,):
        with places_on(backend) as places:
            for how in ("direct", "batched") if backend == "postgres" else ("batched",):
                for workers in given.workers:
                    taken = measured(places, given.jobs, given.rounds, workers, how)
                    shown(f"{backend}, {how}, {workers}", taken)
            print(backend, end=": ")
            a_million(places())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process {peak:.0f} MB; goal: ratio >= {GOAL_RATIO}")


if __name__ == "__main__":
    main()
