"""Cases per second and core for each source, beside the floor of encode + validate + hash.

The floor does to the same bodies what no generator of validated cases can leave out: encode
with msgspec, check with jsonschema-rs, name with SHA-256. `sample` on a body of twelve leaves
is to reach 80,000 a second and 0.3 of the floor; 10,000 validated cases of `sample` and `mutate`
from a recording are to take less than 2 s, and all realistic ones are to be valid.

    python benches/bench_generate.py [HAR]
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from hashlib import sha256

import jsonschema_rs
import msgspec
import numpy as np
from measure import compared, recording, table

from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config, TargetConfig
from premortem.domain.places import parse_place
from premortem.domain.run import Case
from premortem.domain.traffic import (
    Exchange,
    Field,
    Flow,
    Numbers,
    Operation,
    OperationProfile,
    Profile,
    Recipe,
    RecipeStep,
    Request,
    Response,
    Timing,
)
from premortem.generate import Mutator, Sampler, SchemaSource, generate
from premortem.generate.replay import replay
from premortem.learn import learn_profile
from premortem.validate import Validator

CASES = 40_000
REPEATS = 5
RECORDED_CASES = 10_000
TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)
ORDERS = "POST /orders"


def strings(place: str, values: list[str], *, form: str = "", closed: bool = False) -> Field:
    counts = tuple((json.dumps(v), 40 if closed else 1) for v in values)
    return Field(
        place=parse_place(f"body:/{place}"),
        seen=sum(n for _, n in counts),
        presence=1.0,
        types={"string": 1},
        format=form,
        length_min=min(map(len, values)),
        length_max=max(map(len, values)),
        values=counts,
        distinct=len(values),
        enumeration=closed,
    )


def numbers(place: str, low: float, high: float, decimals: int) -> Field:
    return Field(
        place=parse_place(f"body:/{place}"),
        seen=1000,
        presence=1.0,
        types={"number" if decimals else "integer": 1000},
        numbers=Numbers(
            quantiles=tuple(np.linspace(low, high, 21).tolist()),
            integral=not decimals,
            decimals=decimals,
        ),
        distinct=900,
    )


def fields() -> tuple[Field, ...]:
    rng = np.random.default_rng(1)
    tokens = [bytes(rng.integers(0, 256, 12, dtype=np.uint8)).hex() for _ in range(50)]
    words = ("late", "paid", "twice", "order", "sent", "back", "green", "ring", "book", "cup")
    notes = [" ".join(rng.choice(words, 5).tolist()) for _ in range(50)]
    flag = Field(
        place=parse_place("body:/gift"),
        seen=1000,
        presence=1.0,
        types={"boolean": 1000},
        values=(("false", 900), ("true", 100)),
        distinct=2,
    )
    return (
        strings("reference", ["7f9c24e5-2d3f-4f7e-9d0a-0b6f3b6f6c11"], form="uuid"),
        strings("customer", ["ann", "bob", "cyd"], closed=True),
        strings("email", ["ann@shop.test", "bob@post.test"], form="email"),
        numbers("amount", 1, 500, 2),
        strings("currency", ["EUR", "USD", "GBP"], closed=True),
        strings("day", ["2024-01-05", "2025-03-04"], form="date"),
        strings("placed", ["2024-01-05T10:11:12Z", "2025-03-04T01:02:03Z"], form="date-time"),
        flag,
        numbers("quantity", 1, 30, 0),
        strings("note", notes),
        strings("token", tokens, form="hex"),
        strings("address/city", ["Bern", "Oslo", "Rome", "Wien"], closed=True),
    )


SCHEMA = {
    "type": "object",
    "properties": {
        "reference": {"type": "string", "format": "uuid"},
        "customer": {"type": "string", "minLength": 1, "maxLength": 40},
        "email": {"type": "string", "format": "email"},
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 100000},
        "currency": {"enum": ["EUR", "USD", "GBP"]},
        "day": {"type": "string", "format": "date"},
        "placed": {"type": "string", "format": "date-time"},
        "gift": {"type": "boolean"},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 100},
        "note": {"type": "string", "maxLength": 200},
        "token": {"type": "string"},
        "address": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
    "required": ["reference", "customer", "amount", "currency"],
}


def twelve() -> tuple[Profile, dict[str, Exchange]]:
    operation = OperationProfile(
        operation=Operation(method="POST", template="/orders"),
        count=1000,
        media_types={"application/json": 1000},
        fields=fields(),
        request_schema=json.dumps(SCHEMA),
        request_source="spec",
        recipes=(Recipe(operation_id=ORDERS, status=201, steps=(_step("e"),)),),
        exemplars=("e",),
    )
    request = Request(
        method="POST",
        origin="",
        path="/orders",
        headers=(("content-type", "application/json"),),
        body=b'{"reference":"7f9c24e5-2d3f-4f7e-9d0a-0b6f3b6f6c11"}',
    )
    answer = Response(status=201, headers=(("content-type", "application/json"),), body=b"{}")
    recorded = {
        f"e{i or ''}": Exchange(request=request, response=answer, started_at=i, duration_ms=1)
        for i in range(2000)
    }
    profile = Profile(
        version="0" * 12,
        created_at=0,
        exchanges=len(recorded),
        sessions=1,
        origins=("http://shop",),
        operations=(operation,),
        flows=(Flow(exchange_ids=tuple(recorded), started_at=0),),
        timing=Timing(first_at=0, last_at=1, rate_per_second=1, hours=(0,) * 24),
    )
    return profile, recorded


def _step(exchange_id: str) -> RecipeStep:
    return RecipeStep(exchange_id=exchange_id, operation_id=ORDERS)


def per_second(work: Callable[[], int]) -> float:
    """The best of REPEATS runs, in things a CPU-second: the others were disturbed."""
    best = 0.0
    for _ in range(REPEATS):
        start = time.process_time()
        done = work()
        best = max(best, done / (time.process_time() - start))
    return best


def floor(bodies: list[bytes], schema: object) -> Callable[[], int]:
    values = [msgspec.json.decode(body) for body in bodies]
    encode = msgspec.json.Encoder().encode
    is_valid = jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid

    def work() -> int:
        for value in values:
            assert is_valid(value)
            sha256(encode(value)).hexdigest()
        return len(values)

    return work


def twelve_leaves() -> None:
    """Each source alone, on one operation with a body of twelve leaves."""
    profile, recorded = twelve()
    sampler = Sampler(profile, recorded, 1)
    first = sampler.cases(ORDERS, CASES)
    ground = per_second(floor([case.request.body for case in first], SCHEMA))
    seeds = iter(range(1000))
    rates = {
        "sample": per_second(lambda: len(sampler.cases(ORDERS, CASES))),
        "mutate": per_second(
            lambda: len(Mutator(profile, recorded, next(seeds)).cases(ORDERS, CASES // 10))
        ),
        "schema": per_second(
            lambda: len(SchemaSource(profile, recorded, next(seeds)).cases(ORDERS, CASES // 10))
        ),
        "replay": per_second(lambda: sum(len(s.cases) for s in replay(profile, recorded))),
        "sample and mutate, validated": per_second(
            lambda: len(generated(profile, recorded, CASES // 10, next(seeds)))
        ),
    }
    print(f"{'':42}{'cases/s':>12}{'of floor':>10}")
    print(f"{'floor: encode, validate, hash':42}{ground:12,.0f}{1:10.2f}")
    for name, rate in rates.items():
        print(f"{name:42}{rate:12,.0f}{rate / ground:10.2f}")


def from_recording() -> None:
    """All operations of real traffic, validated."""
    path = recording("traffic/reddit.har.gz")
    config, key = Config(capture=CaptureConfig(hosts=("*",))), b"k" * 32
    exchanges = list(capture_har(path, config=config, redaction_key=key, counts=CaptureCounts()))
    profile = learn_profile(lambda: iter(exchanges), spec=None, now=0.0)
    recorded = {exchange.id: exchange for exchange in exchanges}
    finals = generated(profile, recorded, RECORDED_CASES, 1)
    validator = Validator(profile, target=TARGET)
    realistic = [case for case in finals if case.intent.kind == "realistic"]
    valid = sum(validator.validate(case, ()) is None for case in realistic)
    print(
        f"\n{path.name}: {len(profile.operations)} operations -> {len(finals)} cases, "
        f"{len(realistic)} of them realistic, {valid} of those valid"
    )
    works = {
        "floor: encode and hash the same bodies": grounded(finals),
        "sample and mutate, validated": lambda: generated(profile, recorded, RECORDED_CASES, 1),
    }
    table(compared(works, rounds=REPEATS), amount=len(finals), unit="cases/s")


def grounded(cases: list[Case]) -> Callable[[], int]:
    """Encode and hash CASES; those whose body is no JSON are hashed alone."""
    values = [decoded(case.request.body) for case in cases]
    encode = msgspec.json.Encoder().encode

    def work() -> int:
        for value, case in zip(values, cases, strict=True):
            body = case.request.body if value is None else encode(value)
            sha256(body + case.request.path.encode()).hexdigest()
        return len(values)

    return work


def decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None


def generated(profile: Profile, recorded: dict[str, Exchange], count: int, seed: int) -> list[Case]:
    """COUNT cases, setups not counted."""
    sequences = generate(
        profile,
        recorded,
        count=count,
        weights={"sample": 50, "mutate": 50},
        seed=seed,
        validate=Validator(profile, target=TARGET).validate,
    )
    return [case for sequence in sequences for case in sequence.cases if not case.setup]


def main() -> None:
    twelve_leaves()
    from_recording()


if __name__ == "__main__":
    main()
