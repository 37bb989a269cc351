"""Cases per second and core for each source, beside the floor of encode + validate + hash.

The floor does to the same bodies what no generator of validated cases can leave out: encode
with msgspec, check with jsonschema-rs, name with SHA-256. `sample` on a body of twelve leaves
is to reach 80,000 a second and 0.3 of the floor.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import jsonschema_rs
import msgspec
import numpy as np

from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config, TargetConfig
from premortem.domain.places import parse_place
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
from premortem.generate import Mutator, Sampler, generate, replay
from premortem.learn import learn_profile
from premortem.validate import Validator

CASES = 40_000
REPEATS = 5
REAL_CASES = 10_000
TRAFFIC = Path(__file__).resolve().parents[2] / "shared" / "traffic" / "reddit.har.gz"
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


def main() -> None:
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
        "replay": per_second(lambda: sum(len(s.cases) for s in replay(profile, recorded))),
    }
    target = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)
    rates["generate, validated"] = per_second(
        lambda: _generated(profile, recorded, next(seeds), target)
    )
    print(f"{'':22}{'cases/s':>12}{'of the floor':>14}")
    print(f"{'floor, twelve leaves':22}{ground:12,.0f}{1:14.2f}")
    for name, rate in rates.items():
        print(f"{name:22}{rate:12,.0f}{rate / ground:14.2f}")
    if TRAFFIC.exists():
        real_traffic()


def real_traffic() -> None:
    """10,000 validated cases over the profile of recorded traffic: to be under 2 s."""
    exchanges = list(
        capture_har(
            TRAFFIC,
            config=Config(capture=CaptureConfig(hosts=("*",))),
            redaction_key=b"k" * 32,
            counts=CaptureCounts(),
        )
    )
    profile = learn_profile(lambda: iter(exchanges), spec=None, now=0.0)
    recorded = {exchange.id: exchange for exchange in exchanges}
    target = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)
    seeds = iter(range(1000))
    rate = per_second(lambda: _generated(profile, recorded, next(seeds), target, REAL_CASES))
    print(
        f"{REAL_CASES:,} cases of {len(profile.operations)} operations, sample and mutate, "
        f"validated: {REAL_CASES / rate:.2f} CPU-seconds"
    )


def _generated(
    profile: Profile,
    recorded: dict[str, Exchange],
    seed: int,
    target: TargetConfig,
    count: int = CASES // 10,
) -> int:
    validator = Validator(profile, target=target)
    sequences = generate(
        profile,
        recorded,
        count=count,
        weights={"sample": 50, "mutate": 50},
        seed=seed,
        validate=validator.validate,
    )
    return sum(not case.setup for sequence in sequences for case in sequence.cases)


if __name__ == "__main__":
    main()
