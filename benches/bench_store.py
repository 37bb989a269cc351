"""The store with up to a million exchanges: import, size, memory, times of lists and filters.

    python benches/bench_store.py [--exchanges 100000] [--backend sqlite|postgres] [--keep DIR]

The stream comes from the ledger (`varied`). Import goes through `Store.add_exchanges`; its rate
leaves the making of the stream out, which is measured alone. Each question is asked again and
again, with values and globs drawn at random from all of the store, beginning with nothing
remembered. Goals:
p95 of every question < 200 ms, peak memory of the import < 500 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from varied import (
    BEGIN,
    DAYS,
    bytes_of,
    ledger_config,
    recorded,
    recorded_har,
    varied,
    varied_har,
)

from premortem.capture import CaptureCounts, capture_har
from premortem.config import StoreConfig
from premortem.domain.traffic import Exchange
from premortem.learn import learn_profile
from premortem.store import Store, TrafficFilter, TrafficRow, open_store

GOAL_MS = 200
GOAL_MB = 500
ASKED = 60
"""How often a question is asked, each time with other values."""
SPOTS = 60
"""Places of the store, at random, from which values are drawn."""
SEED = int(os.environ["SEED"]) if "SEED" in os.environ else None
"""Without one the questions are others each time."""
KEY = {"PREMORTEM_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def opened(folder: Path, url: str) -> Store:
    return open_store(StoreConfig(url=url), folder, environment=KEY)


def importing(folder: Path, url: str, count: int) -> None:
    """One process: the stream alone, then the stream into the store."""
    sample = msgspec.msgpack.decode((folder / "sample").read_bytes(), type=list[Exchange])
    alone = time.process_time()
    size = sum(bytes_of(exchange) for exchange in varied(sample, min(count, 50_000)))
    alone = (time.process_time() - alone) * count / min(count, 50_000)
    size = size * count // min(count, 50_000)
    with opened(folder, url) as store:
        started, cpu = time.perf_counter(), time.process_time()
        added = store.add_exchanges(varied(sample, count))
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        stats = store.stats()
        result = {"added": added.added, "wall_s": wall, "cpu_s": cpu, "stream_s": alone}
        result |= {"mb": size / 1e6, "peak_mb": peak_mb(), "bytes": stats.bytes}
        print(json.dumps(result))


def drawn_glob(rng: random.Random, path: str) -> str:
    """A glob of any shape that PATH matches."""
    low, high = sorted(rng.sample(range(len(path) + 1), 2)) if path else (0, 0)
    segments = path.split("/")
    mixed = "/".join("*" if rng.random() < 0.4 else segment for segment in segments)
    return {
        "prefix": path[:high] + "*",
        "suffix": "*" + path[low:],
        "infix": "*" + path[low:high] + "*",
        "hole": path[:low] + "*" + path[high:],
        "one": path[: high - 1] + "?" + path[high:],
        "segments": mixed,
    }[rng.choice(["prefix", "suffix", "infix", "hole", "one", "segments"])]


def drawn_window(rng: random.Random) -> dict[str, float]:
    """From a minute to all of it."""
    since = BEGIN + rng.random() * DAYS * 86_400
    return {"since": since, "until": since + 60 * (DAYS * 1_440) ** rng.random()}


def drawn_mix(rng: random.Random, row: TrafficRow, chance: float = 0.5) -> dict[str, object]:
    """Some of what a row has, each with CHANCE."""
    status = rng.choice([str(row.status), f"{row.status // 100}xx"])
    parts: dict[str, object] = {"method": row.method, "status": status, "role": row.role}
    parts |= {"host": row.host, "path": drawn_glob(rng, row.path)}
    parts |= drawn_window(rng)
    return {name: value for name, value in parts.items() if rng.random() < chance}


Question = Callable[[Store, random.Random], object]


def questions(rows: list[TrafficRow], count: int) -> dict[str, Question]:
    """Name -> what is asked, with values drawn from ROWS."""

    def page(
        store: Store, rng: random.Random, where: dict[str, object], deep: float = 0.0
    ) -> object:
        given = TrafficFilter(**where)  # type: ignore[arg-type]
        total = store.traffic_counted(given)
        offset = int(total.count * rng.random()) if rng.random() < deep else 0
        return store.traffic(given, limit=30, offset=offset), total

    def one(name: str, deep: float = 0.0) -> Question:
        def ask(store: Store, rng: random.Random) -> object:
            return page(store, rng, {name: getattr(rng.choice(rows), name)}, deep)

        return ask

    def status(rng: random.Random) -> dict[str, object]:
        drawn = rng.choice(rows).status
        return {"status": rng.choice([str(drawn), f"{drawn // 100}xx"])}

    def glob(rng: random.Random) -> dict[str, object]:
        return {"path": drawn_glob(rng, rng.choice(rows).path)}

    def part(rng: random.Random) -> dict[str, object]:
        path = rng.choice([row.path for row in rows if any(c.isdigit() for c in row.path)])
        at = rng.choice([i for i, char in enumerate(path) if char.isdigit()])
        return {"path": f"*{path[at : at + rng.randrange(1, 5)]}*"}

    return {
        "first page": lambda s, r: page(s, r, {}),
        "any page": lambda s, r: page(s, r, {}, 1),
        "last page": lambda s, r: s.traffic(limit=30, offset=count - 1 - r.randrange(99)),
        "method": one("method"),
        "method, any page": one("method", 1),
        "role, any page": one("role", 1),
        "status, any page": lambda s, r: page(s, r, status(r), 1),
        "time window": lambda s, r: page(s, r, drawn_window(r)),
        "one path": one("path"),
        "path glob": lambda s, r: page(s, r, glob(r)),
        "path glob, any page": lambda s, r: page(s, r, glob(r), 1),
        "part of an id": lambda s, r: page(s, r, part(r)),
        "any filters": lambda s, r: page(s, r, drawn_mix(r, r.choice(rows))),
        "any filters, any page": lambda s, r: page(s, r, drawn_mix(r, r.choice(rows)), 1),
        "filters of two rows": lambda s, r: page(
            s, r, drawn_mix(r, r.choice(rows)) | drawn_mix(r, r.choice(rows), 0.3)
        ),
        "nothing matches": lambda s, r: page(s, r, {"path": "*/nowhere*", "status": "5xx"}),
        "show by id": lambda s, r: s.exchange(r.choice(rows).id),
        "show by prefix": lambda s, r: s.exchange(r.choice(rows).id[:12]),
    }


def asking(folder: Path, url: str, count: int) -> None:
    """One process: every question ASKED times, each with the store opened anew."""
    rng = random.Random(time.time_ns() if SEED is None else SEED)
    with opened(folder, url) as store:
        spots = [rng.randrange(count) for _ in range(SPOTS)]
        rows = [row for spot in spots for row in store.traffic(limit=10, offset=spot)]
    measured = []
    for name, ask in questions(rows, count).items():
        with opened(folder, url) as store:
            walls, cpus = [], []
            for _ in range(ASKED):
                wall, cpu = time.perf_counter(), time.process_time()
                ask(store, rng)
                walls.append((time.perf_counter() - wall) * 1000)
                cpus.append((time.process_time() - cpu) * 1000)
        figures = [*np.percentile(walls, [50, 95, 100]), *np.percentile(cpus, [95, 100])]
        measured.append([name, *figures])
    print(json.dumps({"rows": measured, "load": os.getloadavg()[0], "peak_mb": peak_mb()}))


def learning(folder: Path, url: str) -> None:
    """One process: learn from all of it."""
    with opened(folder, url) as store:
        started = time.perf_counter()
        profile = learn_profile(store.exchanges, spec=None, now=0.0)
        result = {"operations": len(profile.operations), "wall_s": time.perf_counter() - started}
        print(json.dumps(result | {"peak_mb": peak_mb()}))


def reading(folder: Path, url: str) -> None:
    """One process: read all of it."""
    with opened(folder, url) as store:
        started = time.perf_counter()
        count = sum(1 for _ in store.exchanges())
        wall = time.perf_counter() - started
        print(json.dumps({"exchanges": count, "wall_s": wall, "peak_mb": peak_mb()}))


def capturing(folder: Path, url: str, count: int) -> None:
    """One process: a HAR file through the whole of `premortem capture`, redaction included."""
    source = recorded_har(folder / "ledger.har.gz")
    size = varied_har(source, folder / "varied.har", count)
    config = ledger_config()
    with opened(folder, url) as store:
        started, cpu = time.perf_counter(), time.process_time()
        counts = CaptureCounts()
        stream = capture_har(
            folder / "varied.har",
            config=config,
            redaction_key=store.redaction_key,
            counts=counts,
        )
        added = store.add_exchanges(stream).added
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    result = {"added": added, "mb": size / 1e6, "wall_s": wall, "cpu_s": cpu}
    print(json.dumps(result | {"peak_mb": peak_mb()}))


def alone(step: str, folder: Path, url: str, count: int) -> list | dict:  # type: ignore[type-arg]
    command = [sys.executable, __file__, "--step", step, "--keep", str(folder)]
    command += ["--url", url, "--exchanges", str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def address(backend: str) -> Iterator[str]:
    if backend == "sqlite":
        yield ""
        return
    from tests.contract.server import started

    with started() as server:
        yield server.database()


def measured(folder: Path, url: str, backend: str, count: int, *, learn: bool) -> None:
    done = alone("import", folder, url, count)
    seconds = max(1e-9, done["wall_s"] - done["stream_s"])
    print(f"\n{backend}, {done['added']:,} exchanges, {done['mb']:,.0f} MB of messages")
    print(f"  import: {done['added'] / seconds:,.0f}/s, {done['mb'] / seconds:.1f} MB/s")
    used = max(1e-9, done["cpu_s"] - done["stream_s"])
    print(
        f"    {done['added'] / used:,.0f} per CPU-second of ours; wall {done['wall_s']:.0f} s "
        f"with the stream, which takes {done['stream_s']:.0f} s"
    )
    print(f"  peak memory of the import: {done['peak_mb']:.0f} MB (goal < {GOAL_MB})")
    print(
        f"  {done['bytes'] / done['added']:.0f} bytes an exchange, {done['bytes'] / 1e6:.0f} MB",
        flush=True,
    )
    asked = alone("ask", folder, url, count)
    print(f"  load {asked['load']:.1f}; peak memory of the questions: {asked['peak_mb']:.0f} MB")
    print(f"  {'question':24}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}{'p95 CPU':>9}{'max CPU':>9}")
    for name, *times in asked["rows"]:
        late = "" if times[1] < GOAL_MS else "   over the goal"
        print(f"  {name:24}" + "".join(f"{ms:9.1f}" for ms in times) + late, flush=True)
    read = alone("read", folder, url, count)
    print(f"  all read: {read['wall_s']:.0f} s, {read['peak_mb']:.0f} MB")
    if learn:
        learned = alone("learn", folder, url, count)
        print(f"  learn: {learned['wall_s']:.0f} s, {learned['peak_mb']:.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument("--backend", choices=["sqlite", "postgres"], action="append")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--step", choices=["import", "ask", "read", "learn", "capture"])
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    if given.step == "import":
        importing(given.keep, given.url, given.exchanges)
    elif given.step == "ask":
        asking(given.keep, given.url, given.exchanges)
    elif given.step == "capture":
        capturing(given.keep, given.url, given.exchanges)
    elif given.step == "read":
        reading(given.keep, given.url)
    elif given.step == "learn":
        learning(given.keep, given.url)
    else:
        sample = msgspec.msgpack.encode(recorded())
        for backend in given.backend or ["sqlite", "postgres"]:
            with tempfile.TemporaryDirectory() as name, address(backend) as url:
                folder = given.keep or Path(name)
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "sample").write_bytes(sample)
                measured(folder, url, backend, given.exchanges, learn=given.learn)


if __name__ == "__main__":
    main()
