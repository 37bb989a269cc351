"""Can generated requests be told from production's? First the bench proves that it sees.

    python benches/bench_realism.py [--requests 20000] [--only ledger|reddit] [--seed 11]
        [--mostly] [--transformer]

Ledger: the sample service's own client records stationary traffic, split by session. Reddit: real
recordings of many years, split by session. A profile is learned and the model trained on the
training sessions alone. Goals: traffic with shuffled fields is told apart (AUC >= 0.70);
`traffic` is at most 0.05 above production against production on the ledger, and below `sample`
on both; at most 2 % of values at free places are copies; at least 1,000 valid requests a
CPU-second. With `--mostly`, mostlyai-engine (installed into .build when first asked for) learns
from the same requests and writes the same places; `traffic` is to be below it, too. With
`--transformer`, a small one decides on the traffic model's own tokens.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from generators.installing import MOSTLY
from generators.mostly import MostlyRooms
from generators.transformer import TransformerRooms
from generators.worker import Worker
from measure import SHARED
from msgspec.structs import replace
from rich.console import Console
from varied import ledger_config, recorded_har

from premortem.analyse.realism import Quality, quality_view
from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config, TargetConfig
from premortem.domain.traffic import Exchange, Profile
from premortem.domain.traffic_model import TrafficModel
from premortem.generate import Sampler
from premortem.generate.traffic import Rooms, TrafficSource, held_out, train
from premortem.learn import learn_profile
from premortem.pipeline.realism import measured
from premortem.validate import Validator

REQUESTS = 20_000
SILENCE_S = 60.0
WRITTEN = 10_000
"""Requests whose time is taken."""
TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)


def ledger(requests: int, seed: int) -> list[Exchange]:
    with tempfile.TemporaryDirectory() as folder:
        path = recorded_har(Path(folder) / "ledger.har.gz", requests=requests, seed=seed)
        return read(path, ledger_config())


def reddit() -> list[Exchange]:
    """By visit: one client recorded for years, test by test, with silence between them."""
    config = Config(capture=CaptureConfig(hosts=("*",)))
    found, visit, before = [], 0, 0.0
    for exchange in read(SHARED / "traffic" / "reddit.har.gz", config):
        visit += exchange.started_at - before > SILENCE_S
        before = exchange.started_at
        found.append(replace(exchange, tags=replace(exchange.tags, session=f"visit {visit}")))
    return found


def read(path: Path, config: Config) -> list[Exchange]:
    stream = capture_har(path, config=config, redaction_key=b"k" * 32, counts=CaptureCounts())
    return sorted(stream, key=lambda exchange: exchange.started_at)


def session(exchange: Exchange) -> str:
    return exchange.tags.session or exchange.id


def judge(name: str, exchanges: list[Exchange], *, others: Collection[str] = ()) -> Quality:
    training = [e for e in exchanges if not held_out(session(e))]
    started = time.process_time()
    profile = learn_profile(lambda: iter(training), spec=None, now=0.0)
    learned = time.process_time() - started
    recorded = {exchange.id: exchange for exchange in exchanges}
    model = train(profile, recorded, now=0.0, clock=time.process_time)
    sessions = len({session(e) for e in exchanges})
    print(
        f"\n{name}: {len(exchanges):,} exchanges of {sessions:,} sessions, {len(training):,} "
        f"learned from: profile in {learned:.1f} CPU-seconds, model in {model.seconds:.1f} "
        f"({len(model.operations)} of {len(profile.operations)} operations)"
    )
    with ExitStack() as open_:
        rooms = Rooms(profile, recorded, model)
        made: dict[str, MostlyRooms | TransformerRooms] = {}
        if "mostly" in others:
            worker = open_.enter_context(Worker(MOSTLY, "mostly_worker.py"))
            made["mostlyai"] = tables = MostlyRooms(rooms, model, worker)
            print(f"mostlyai: {tables.tables} tables, {tables.trained_s:,.0f} CPU-seconds")
        if "transformer" in others:
            worker = open_.enter_context(Worker(MOSTLY, "transformer_worker.py"))
            made["transformer"] = network = TransformerRooms(rooms, model, worker)
            print(f"transformer: {network.trained}")
        sources = {name: TrafficSource(one, 1) for name, one in made.items()}  # type: ignore[arg-type]
        found = measured(
            profile,
            recorded,
            model=model,
            others=sources,
            clock=lambda: time.process_time() + sum(one.spent_s for one in made.values()),
        )
        for name, one in made.items():
            print(f"{name}: {sources[name].tried:,} rows in {one.spent_s:.1f} CPU-seconds")
    Console(width=100).print(quality_view(found))
    rates(profile, recorded, model)
    return found


def rates(profile: Profile, recorded: dict[str, Exchange], model: TrafficModel) -> None:
    """Valid, distinct requests a CPU-second, once each operation was prepared."""
    validator = Validator(profile, target=TARGET)
    total = sum(o.requests for o in model.operations)
    counts = {o.operation_id: -(-WRITTEN * o.requests // total) for o in model.operations}
    rooms = Rooms(profile, recorded, model)
    sampler = Sampler(profile, recorded, 1)

    def traffic(seed: int) -> Iterator[Iterable[object]]:
        source = TrafficSource(rooms, seed)
        for operation_id, count in counts.items():
            made = source.sequences(operation_id, count)
            yield [s for s in made if validator.validate(s.cases[-1], ()) is None]

    def sample(seed: int) -> Iterator[Iterable[object]]:
        source = sampler.apart(seed)
        for operation_id, count in counts.items():
            made = source.cases(operation_id, count)
            yield [case for case in made if validator.validate(case, ()) is None]

    for name, work in (("traffic", traffic), ("sample", sample)):
        started = time.process_time()
        list(work(1))
        first = time.process_time() - started
        started = time.process_time()
        valid = sum(len(list(part)) for part in work(2))
        spent = time.process_time() - started
        print(
            f"{name:8} {valid:,} valid and distinct of {sum(counts.values()):,} asked for: "
            f"{valid / spent:,.0f} a CPU-second (the first time {first:.1f} s in all)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--only", choices=("ledger", "reddit"))
    parser.add_argument("--seed", type=int, default=11, help="of the ledger's client")
    parser.add_argument("--mostly", action="store_true")
    parser.add_argument("--transformer", action="store_true")
    arguments = parser.parse_args()
    others = [name for name in ("mostly", "transformer") if getattr(arguments, name)]
    if arguments.only != "reddit":
        judge("ledger", ledger(arguments.requests, arguments.seed), others=others)
    if arguments.only != "ledger":
        if (SHARED / "traffic" / "reddit.har.gz").exists():
            judge("reddit", reddit(), others=others)
        else:
            print("reddit: skipped, shared/traffic does not lie beside this checkout")


if __name__ == "__main__":
    main()
