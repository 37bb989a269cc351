"""Valid, distinct cases a CPU-second: every source, and other makers of data, on one operation.

The operation takes a body of twelve leaves (`bench_generate.SCHEMA`). Floor: encode, validate and
hash bodies that are there already. The product's sources hand whole cases out, validated; of other
makers the bodies alone are counted, and what checking them takes is left out. A body counts once,
where a validator that none of them uses (jsonschema-rs, formats too) finds it valid. What learns
(`traffic`, mostlyai-engine) gets the same 2,000 recorded bodies. `llm` is the built-in model, and
is left out where it was not fetched.

    python benches/generate.py [--only NAME,NAME]

Other makers are installed into .build, each into an environment of its own, when first asked for
(mostlyai-engine brings torch: 1 GB).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec
from bench_generate import ORDERS, SCHEMA, TARGET, floor, per_second, twelve
from generators.installing import FAKES, MOSTLY, SCHEMATHESIS
from generators.tables import Columns
from generators.worker import Worker
from msgspec.structs import replace

from premortem.domain.run import Case
from premortem.domain.traffic import Exchange, Profile, Tags
from premortem.generate import LlmSource, Mutator, Sampler, SchemaSource
from premortem.generate.llm_batch import Batcher
from premortem.generate.traffic import Rooms, TrafficSource, train
from premortem.models import find_cached
from premortem.models.budget import Budget
from premortem.models.llamacpp import LlamaCpp
from premortem.validate import Validator

CASES = 10_000
SLOW_CASES = {"polyfactory": 1_000, "Schemathesis": 300, "llm": 16, "schema": 2_000}
"""Of what would take minutes otherwise, or has no more."""
RECORDED = 2_000
SESSION = 20
"""Recorded requests of one session."""
MINUTES = 3.0
"""Most that mostlyai-engine trains."""
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "shop", "version": "1"},
    "paths": {
        "/orders": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": SCHEMA}},
                },
                "responses": {"201": {"description": "made"}},
            }
        }
    },
}


class Made(NamedTuple):
    """What came out."""

    bodies: Sequence[bytes]
    cpu_s: float
    note: str = ""


class Ground(NamedTuple):
    """What all of them start from."""

    profile: Profile
    recorded: dict[str, Exchange]
    sampler: Sampler
    rows: list[dict[str, Any]]


def ground() -> Ground:
    """A profile, and recorded orders that are like it, in sessions."""
    profile, exchanges = twelve()
    sampler = Sampler(profile, exchanges, 1)
    drawn = sampler.apart(9).cases(ORDERS, RECORDED)
    recorded = {
        name: replace(
            exchange,
            request=replace(exchange.request, body=case.request.body),
            tags=Tags(session=f"session {number // SESSION}"),
        )
        for number, ((name, exchange), case) in enumerate(
            zip(exchanges.items(), drawn, strict=False)
        )
    }
    rows = []
    for case in drawn:
        body = msgspec.json.decode(case.request.body)
        rows.append({**body, "address": body["address"]["city"]})
    return Ground(profile, recorded, sampler, rows)


def by_source(given: Ground, name: str, count: int) -> Made:
    """Cases of one of the product's sources, each validated."""
    profile, recorded, sampler, _ = given
    note, engine = "", None
    if name == "traffic":
        begun = time.process_time()
        model = train(profile, recorded, now=0.0, clock=time.process_time)
        note = f"trained in {time.process_time() - begun:.1f} CPU-seconds"
        source: Any = TrafficSource(Rooms(profile, recorded, model), 1)
    elif name == "llm":
        path = find_cached()
        assert path is not None
        engine = LlamaCpp(path)
        batcher = Batcher(engine, Budget(tokens_max=10**6, seconds_max=600))
        source = LlmSource(profile, recorded, 1, sampler=sampler, batcher=batcher)
    else:
        maker = {"sample": Sampler, "mutate": Mutator, "schema": SchemaSource}[name]
        source = maker(profile, recorded, 1)
    validate = Validator(profile, target=TARGET).validate
    source.cases(ORDERS, 8 if name == "llm" else 100)
    begun = time.process_time()
    cases: list[Case] = [c for c in source.cases(ORDERS, count) if validate(c, ()) is None]
    spent = time.process_time() - begun
    if engine is not None:
        engine.close()
    adversarial = sum(case.intent.kind != "realistic" for case in cases)
    if adversarial:
        note = f"{adversarial / len(cases):.0%} of them invalid on purpose: all count"
        return Made([case.request.body for case in cases], spent, note)
    return Made([case.request.body for case in cases], spent, note)


def by_fakes(_: Ground, name: str, count: int) -> Made:
    """Faker, mimesis or polyfactory."""
    with Worker(FAKES, "fakes_worker.py") as worker:
        answer = worker.asked(make=name, count=count)
    return Made([text.encode() for text in answer["bodies"]], answer["cpu_s"])


def by_schemathesis(_: Ground, _name: str, count: int) -> Made:
    """Its positive cases of the operation."""
    with Worker(SCHEMATHESIS, "schemathesis_worker.py") as worker:
        answer = worker.asked(document=DOCUMENT, path="/orders", method="POST", count=count)
    return Made([text.encode() for text in answer["bodies"]], answer["cpu_s"])


def by_mostly(given: Ground, _name: str, count: int) -> Made:
    """A TabularARGN of the recorded orders."""
    table = Columns(given.rows)
    with Worker(MOSTLY, "mostly_worker.py") as worker:
        trained = worker.asked(
            fit="orders",
            columns=table.kinds,
            given=[],
            rows=[table.spelled(row) for row in given.rows],
            minutes=MINUTES,
        )
        answer = worker.asked(sample="orders", count=count)
    bodies = []
    for row in map(table.read, answer["rows"]):
        if "address" in row:
            row["address"] = {"city": row["address"]}
        bodies.append(msgspec.json.encode(row))
    return Made(bodies, answer["cpu_s"], f"trained in {trained['cpu_s']:.0f} CPU-seconds")


MAKERS: dict[str, Callable[[Ground, str, int], Made]] = {
    **dict.fromkeys(("sample", "mutate", "traffic", "schema", "llm"), by_source),
    **dict.fromkeys(("Faker", "mimesis", "polyfactory"), by_fakes),
    "Schemathesis": by_schemathesis,
    "mostlyai": by_mostly,
}
INVALID_COUNT = ("mutate", "schema")
"""Sources whose cases are right although most of their bodies are to break the schema."""


def counted(name: str, made: Made) -> tuple[int, int]:
    """(valid bodies, different ones among them)."""
    is_valid = jsonschema_rs.Draft202012Validator(SCHEMA, validate_formats=True).is_valid
    if name in INVALID_COUNT:
        return len(made.bodies), len(made.bodies)
    valid = [body for body in made.bodies if is_valid(msgspec.json.decode(body))]
    return len(valid), len(set(valid))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="these makers, with commas between")
    only = parser.parse_args().only.split(",")
    given = ground()
    bodies = [e.request.body for e in given.recorded.values()]
    most = per_second(floor(bodies, SCHEMA))
    print(f"{'':14}{'made':>8}{'valid':>8}{'distinct':>10}{'a CPU-second':>14}{'of floor':>10}")
    print(f"{'floor':14}{len(bodies):8,}{1:8.1%}{1:10.1%}{most:14,.0f}{1:10.3f}")
    for name, make in MAKERS.items():
        if only != [""] and name not in only:
            continue
        if name == "llm" and find_cached() is None:
            print("llm           left out: the built-in model was not fetched")
            continue
        made = make(given, name, SLOW_CASES.get(name, CASES))
        valid, distinct = counted(name, made)
        rate = distinct / made.cpu_s
        print(
            f"{name:14}{len(made.bodies):8,}{valid / max(1, len(made.bodies)):8.1%}"
            f"{distinct / max(1, valid):10.1%}{rate:14,.1f}{rate / most:10.4f}  {made.note}",
            flush=True,
        )


if __name__ == "__main__":
    main()
