"""The same jobs through the same number of workers, as processes and as actors of a Ray cluster.

    python benches/bench_executors.py [--requests N] [--rounds N] [--workers N] [--alone]
                                      [--whole | --ways]

Each round does both, in turns; medians are compared. The controller grants jobs of 5,000 cases and
answers batches; the target is bench_send's server on the other core, while workers, controller and
cluster share one. Whoever needs more CPU is slower there. CPU is user + system time, read from
/proc, between the first grant and the last batch: of the workers, of the controller (this
process: what executors do, encoding and decoding; no store), and of Ray's own processes.
Goal: ray >= 0.9 x local in answers per second, and per CPU-second of workers.

`--whole`: whole runs over processes, with cutting, queue and store (SQLite); the first second of
each worker, loading itself, is in its CPU.
`--ways`: what a message costs by socket, by actor call and by ray.util.queue.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import select
import socket
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench_send import CONNECTIONS, grants_of, profile, server

from premortem.config import Config, StoreConfig, TargetConfig
from premortem.domain.jobs import ResultBatch
from premortem.domain.live import PlanSlice
from premortem.domain.load import Scale
from premortem.domain.packing import unpack_job
from premortem.domain.run import Plan, Sequence
from premortem.domain.schedule import schedule_of
from premortem.pipeline.assembling import conducted
from premortem.pipeline.conducting import conduct
from premortem.run import Gathered, RunEnded
from premortem.run.executor import Executor, Gone
from premortem.run.frames import FrameSocket
from premortem.run.local import LocalExecutor
from premortem.run.messages import Ask, Drain, Hello, Left, Renewed, Setup, encode
from premortem.store import open_store

GOAL = 0.9
LEASE_S = 60.0
"""Long: rounds on a busy machine are not to lose jobs."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid: int) -> float:
    """User and system time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def cpus(pids: set[int]) -> dict[int, float]:
    """Of those that are there."""
    found = {}
    for pid in pids:
        with suppress(OSError):
            found[pid] = cpu_s(pid)
    return found


def used_s(before: dict[int, float]) -> float:
    """What those that are still there used since BEFORE."""
    after = cpus(set(before))
    return sum(after[pid] - before[pid] for pid in after)


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


def below(pid: int) -> set[int]:
    """All processes that PID has started, and theirs."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue  # it ended meanwhile
        parents[int(folder.name)] = int(text.rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


class Measured(NamedTuple):
    """What one round took."""

    wall_s: float
    workers_s: float
    controller_s: float
    ray_s: float
    """Ray's own processes: 0 without it, though they are there."""
    messages: int
    up_bytes: int
    down_bytes: int
    rss_mb: float
    """Of the largest worker."""


class Driven:
    """A controller in memory that turns an executor: grants to who asks, answers batches."""

    def __init__(self, executor: Executor, port: int, count: int, workers: int) -> None:
        self.executor = executor
        self.workers = [f"w{number}" for number in range(workers)]
        self.count = count
        self._grants = deque(grants_of(count))
        self._jobs = len(self._grants)
        self._asked: dict[str, int] = {}
        self.pids: dict[str, int] = {}
        self.heard: list[Any] = []
        self.answered = self.finals = self.sent = 0
        self.left: set[str] = set()
        url = f"http://127.0.0.1:{port}"
        target = TargetConfig(base_url=url, disposable=True, rate_per_second_max=1e9)
        self._setup = Setup(
            worker_id="",
            run_id="bench",
            config=Config(target=target),
            profile=profile(),
            plan=Plan(in_flight_max=CONNECTIONS),
            redaction_key=b"",
            elapsed_s=0.0,
        )

    def until(self, over: Callable[[], bool]) -> None:
        while not over():
            heard = self.executor.receive(0.02)
            assert not isinstance(heard, Gone) or heard.worker_id in self.left, heard
            if heard is None or isinstance(heard, Gone):
                continue
            worker_id, message = heard
            self.heard.append(message)
            if isinstance(message, Hello):
                self.pids[worker_id] = message.pid
                self._say(worker_id, self._setup)
            elif isinstance(message, Ask):
                self._asked[worker_id] = message.jobs
                if self._begun:
                    self._grant(worker_id)
            elif isinstance(message, ResultBatch):
                self._answer(worker_id, message)
            elif isinstance(message, Left):
                assert not message.error, message
                self.left.add(worker_id)

    def _say(self, worker_id: str, message: Any) -> None:
        self.sent += 1
        self.executor.send(worker_id, message)

    def _grant(self, worker_id: str) -> None:
        while self._asked.get(worker_id) and self._grants:
            self._asked[worker_id] -= 1
            self._say(worker_id, self._grants.popleft())

    def _answer(self, worker_id: str, batch: ResultBatch) -> None:
        self.finals += batch.final
        self.answered += sum(c.count for c in batch.counts if c.outcome == "answered")
        renewed = Renewed(
            job_id=batch.job_id,
            epoch=batch.epoch,
            sequence_number=batch.sequence_number,
            lease_s=LEASE_S,
        )
        self._say(worker_id, renewed)

    _begun = False

    def measured(self, ray_pids: set[int]) -> Measured:
        down = sum(len(encode(grant)) for grant in self._grants)
        for worker_id in self.workers:
            self.executor.start_worker(worker_id)
        self.until(lambda: len(self._asked) == len(self.workers))
        pids = set(self.pids.values())
        before = cpus(pids), time.process_time(), cpus(ray_pids - pids)
        began, self._begun = time.perf_counter(), True
        for worker_id in self.workers:
            self._grant(worker_id)
        self.until(lambda: self.finals == self._jobs)
        wall = time.perf_counter() - began
        workers = used_s(before[0])
        controller = time.process_time() - before[1]
        ray = used_s(before[2])
        assert self.answered == self.count, (self.answered, self.count)
        rss = max(map(rss_mb, pids))
        for worker_id in self.workers:
            self.executor.send(worker_id, Drain())
        self.until(lambda: self.left == set(self.workers))
        up = sum(len(encode(message)) for message in self.heard)
        messages = len(self.heard) + self.sent
        return Measured(wall, workers, controller, ray, messages, up, down, rss)


@contextmanager
def cluster(cpus: int) -> Iterator[Any]:
    """A Ray cluster of this machine that lasts for all rounds."""
    from premortem.run.ray_cluster import RayCluster

    joined = RayCluster("", cpus=cpus)
    joined.join()
    try:
        yield joined.ray
    finally:
        joined.leave()


def executor_of(kind: str, workers: int) -> Executor:
    if kind == "local":
        return LocalExecutor()
    from premortem.run.ray_executor import RayExecutor

    return RayExecutor(workers_max=workers, environment={}, silent_s=LEASE_S)


def compare(requests: int, rounds: int, workers: int) -> None:
    taken: dict[str, list[Measured]] = {"local": [], "ray": []}
    with server() as port:
        others = below(os.getpid())
        with cluster(workers):
            for number in range(rounds):
                kinds = list(taken)
                for kind in kinds if number % 2 else reversed(kinds):
                    executor = executor_of(kind, workers)
                    try:
                        driven = Driven(executor, port, requests, workers)
                        pids = below(os.getpid()) - others if kind == "ray" else set()
                        taken[kind].append(driven.measured(pids))
                    finally:
                        executor.close()
    show(taken, requests)


def show(taken: dict[str, list[Measured]], requests: int) -> None:
    def middle(kind: str, of: Callable[[Measured], float]) -> float:
        return statistics.median(of(one) for one in taken[kind])

    figures: dict[str, Callable[[Measured], float]] = {
        "answers per second": lambda m: requests / m.wall_s,
        "answers per worker CPU-second": lambda m: requests / m.workers_s,
        "worker CPU us per request": lambda m: 1e6 * m.workers_s / requests,
        "controller CPU us per request": lambda m: 1e6 * m.controller_s / requests,
        "Ray's processes CPU us per request": lambda m: 1e6 * m.ray_s / requests,
        "messages per 1,000 requests": lambda m: 1000 * m.messages / requests,
        "bytes up per request": lambda m: m.up_bytes / requests,
        "bytes down per request": lambda m: m.down_bytes / requests,
        "worker memory MB": lambda m: m.rss_mb,
    }
    print(f"{'':36}{'local':>12}{'ray':>12}{'ray/local':>12}")
    for name, of in figures.items():
        local, ray = middle("local", of), middle("ray", of)
        ratio = ray / local if local else float("nan")
        missed = "  MISSED" if name.startswith("answers") and ratio < GOAL else ""
        print(f"{name:36}{local:>12,.1f}{ray:>12,.1f}{ratio:>12.2f}{missed}")


# A run with its store.


class Ready:
    """Cases that are made already: what generation costs is bench_generate's."""

    def __init__(self, count: int) -> None:
        self.profile = profile()
        self._sequences = [
            s for grant in grants_of(count) for s in unpack_job(grant.packed).sequences
        ]

    def cases(self, part: PlanSlice) -> list[Sequence]:
        return self._sequences[part.first : part.first + part.count]

    def sequence(self, sequence_id: str) -> None:
        """Nobody looks at one again."""


def whole(requests: int, rounds: int, workers: int, rate: float) -> None:
    """Whole runs at a rate: cutting, queue and store included."""
    with server() as port:
        rows = [ran(port, requests, workers, rate) for _ in range(rounds)]
    print(f"{requests:,} requests at {rate:,.0f}/s, {workers} workers, SQLite; medians")
    for number, name in enumerate(rows[0]._fields):
        print(f"{name:36}{statistics.median(row[number] for row in rows):>14,.2f}")


class Whole(NamedTuple):
    """Per request unless the name says otherwise."""

    worker_cpu_us: float
    controller_cpu_us: float
    store_bytes: float
    transactions_per_s: float
    lag_ms_p99: float
    answered_share: float


def ran(port: int, requests: int, workers: int, rate: float) -> Whole:
    target = TargetConfig(
        base_url=f"http://127.0.0.1:{port}", disposable=True, rate_per_second_max=1e9
    )
    config = Config(target=target)
    plan = Plan(
        dynamic="0%",
        rate_per_second=rate,
        duration_s=requests / rate,
        requests_max=requests,
        in_flight_max=CONNECTIONS * workers,
        scale=Scale(workers_min=workers, workers_max=workers),
    )
    supply = Ready(requests)
    gathered = 0
    with TemporaryDirectory() as name, open_store(StoreConfig(), Path(name)) as store:
        empty = store.stats().bytes
        before = time.process_time()
        for event in conduct(
            conducted(plan, schedule_of(plan), config=config, now=time.time()),
            supply,
            config=config,
            store=store,
            executor=LocalExecutor(),
            stop=threading.Event(),
            clean=lambda result: result,
        ):
            gathered += isinstance(event, Gathered)
        assert isinstance(event, RunEnded)
        used, summary = time.process_time() - before, event.summary
        return Whole(
            1e6 * summary.worker_cpu_s / requests,
            1e6 * used / requests,
            (store.stats().bytes - empty) / requests,
            gathered / summary.duration_s,
            summary.lag_ms_p99,
            summary.answered / summary.planned,
        )


# The ways that a message may take.


UP = bytes(20_000)
"""A batch."""


class Echo:
    """The actor: a batch for each grant."""

    async def take(self, data: bytes) -> bytes:
        return UP if data else b""

    def pid(self) -> int:
        return os.getpid()

    async def work(self, there: Any, back: Any) -> None:
        while await there.get_async():
            await back.put_async(UP)

    def connect(self, port: int, length: int) -> None:
        def run() -> None:
            with socket.create_connection(("127.0.0.1", port)) as sock:
                while _read(sock, length):
                    sock.sendall(len(UP).to_bytes(4, "little") + UP)

        threading.Thread(target=run, daemon=True).start()


def by_socket(frames: FrameSocket, down: bytes) -> None:
    frames._waiting.append(memoryview(len(down).to_bytes(4, "little") + down))
    frames.flush()
    while not frames.closed:
        select.select([frames.socket], [frames.socket] if frames.writing else [], [])
        frames.flush()
        if frames.read():
            return


def by_queue(there: Any, back: Any, down: bytes) -> None:
    there.put(down)
    assert back.get() == UP


def ways(rounds: int) -> None:
    """A grant of 5,000 cases to an actor and a batch back, by each way."""
    down = encode(next(grants_of(5_000)))
    with cluster(3) as ray, socket.create_server(("127.0.0.1", 0)) as listener:
        from ray.util.queue import Queue

        actor = ray.remote(Echo).options(num_cpus=1, max_concurrency=4).remote()
        pids = {ray.get(actor.pid.remote())}
        there, back = (Queue(actor_options={"num_cpus": 0}) for _ in range(2))
        working = actor.work.remote(there, back)
        ray.get(actor.connect.remote(listener.getsockname()[1], len(down) + 4))
        frames = FrameSocket(listener.accept()[0])
        others = below(os.getpid()) - pids
        print(f"{len(down):,} bytes there, {len(UP):,} back; ms of CPU for each pair, medians")
        print(f"{'':10}{'controller':>12}{'actor':>12}{'others':>12}{'wall':>12}")
        found = {
            "socket": lambda: by_socket(frames, down),
            "call": lambda: ray.get(actor.take.remote(down)),
            "queue": lambda: by_queue(there, back, down),
        }
        for name, way in found.items():
            rows = [_cost(way, pids, others) for _ in range(rounds)]
            columns = zip(*rows, strict=True)
            print(f"{name:10}" + "".join(f"{statistics.median(c):>12.2f}" for c in columns))
        there.put(b"")
        ray.get(working)
        frames.socket.close()


def _read(sock: Any, count: int) -> bool:
    left = count
    while left:
        data = sock.recv(min(left, 1 << 20))
        if not data:
            return False
        left -= len(data)
    return True


PAIRS = 40


def _cost(way: Callable[[], object], pids: set[int], others: set[int]) -> tuple[float, ...]:
    way()

    before, began = time.process_time(), time.perf_counter()
    actor, rest = cpus(pids), cpus(others)
    for _ in range(PAIRS):
        way()
    mine, wall = time.process_time() - before, time.perf_counter() - began
    return tuple(1000 * taken / PAIRS for taken in (mine, used_s(actor), used_s(rest), wall))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ways", action="store_true", help="what a message costs by each way")
    parser.add_argument("--whole", action="store_true", help="whole runs, with the store")
    parser.add_argument("--rate", type=float, default=4000.0, help="of whole runs")
    parser.add_argument(
        "--alone",
        action="store_true",
        help="real-time priority for all parts: as if the machine did nothing else",
    )
    given = parser.parse_args()
    if given.alone:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))  # the children inherit it
    if importlib.util.find_spec("ray") is None and not given.whole:
        print("the extra `ray` is not installed: skipped")
        return
    if given.whole:
        whole(given.requests, given.rounds, given.workers, given.rate)
    elif given.ways:
        ways(given.rounds)
    else:
        compare(given.requests, given.rounds, given.workers)


if __name__ == "__main__":
    main()
