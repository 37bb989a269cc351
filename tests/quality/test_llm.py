"""What the built-in model is good for: realistic bodies and mutations, beside the rules'.

Written before anything was measured. Realistic, of real recordings, per operation: answers used,
those that break a schema, copies of an example, repetitions, distinct values that traffic never
had, CPU-seconds. Mutations: how often the model really did what its operator says, beside the rule
operators; then both live on the ledger by status class. Nothing here sets a goal for the model's
wit: what reaches a user is valid by construction, which is asserted; the rest is printed.

    PREMORTEM_CACHE=.build/cache pytest tests/quality/test_llm.py -s
"""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config, ModelConfig, TargetConfig
from premortem.domain.bodies import leaves, text_of
from premortem.domain.run import Plan
from premortem.domain.traffic import Profile
from premortem.generate import LlmMutator, LlmSource, Mutator, Sampler
from premortem.generate.llm_batch import Batcher
from premortem.learn import learn_profile, load_spec
from premortem.models import Ask, Engine, Reply, find_cached
from premortem.models.budget import Budget
from premortem.models.grammar import grammar_of
from premortem.models.llamacpp import LlamaCpp, available
from premortem.models.openai import OpenAICompatible
from premortem.pipeline.run import execute, prepare
from premortem.run import Gathered
from premortem.validate import Validator
from tests.pipeline.conftest import Project, project  # noqa: F401 - a fixture
from tests.shared import shared

pytestmark = pytest.mark.quality

COUNT = int(os.environ.get("PREMORTEM_LLM_COUNT", "16"))
"""Cases per operation; more take longer and tell the same."""
OPERATIONS = 2
"""Of each recording, the most used ones that leave something to make up."""
LIVE = COUNT
SCHEMA = {
    "type": "object",
    "properties": {
        "customer": {"type": "string", "minLength": 3, "maxLength": 20, "x-ascii": True},
        "amount": {"type": "number", "minimum": 1, "maximum": 900, "multipleOf": 0.01},
        "due": {"type": "string", "format": "date", "x-years": [2025, 2026]},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["customer", "amount", "due", "tags"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaCpp]:
    path = find_cached()
    if path is None or not available():
        pytest.skip("the built-in model is not there; run `make models`")
    engine = LlamaCpp(path)
    yield engine
    engine.close()


def over_http(model: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> OpenAICompatible:
    """The same model behind llama.cpp's own server, which speaks OpenAI's."""
    monkeypatch.setenv("LLAMA_KEY", model.key)
    config = ModelConfig(base_url=f"{model.address}/v1", model="any", key="${LLAMA_KEY}")
    return OpenAICompatible(config, label="llama")


@pytest.mark.parametrize("kind", ["llamacpp", "openai"])
def test_both_engines_answer_under_a_schema(model, kind, monkeypatch):
    engine: Engine = model if kind == "llamacpp" else over_http(model, monkeypatch)
    ask = Ask(
        system="You write test data. You answer with one JSON object.",
        user="Write an invoice as JSON.",
        schema=json.dumps(SCHEMA),
        count=3,
        seed=5,
    )
    replies = engine.answers(ask)
    assert len(replies) == 3
    for reply in replies:
        assert isinstance(reply, Reply)
        assert reply.tokens_out > 0
        if reply.complete:
            value = json.loads(reply.text)
            assert list(value) == list(SCHEMA["properties"])
            assert 3 <= len(value["customer"]) <= 20
            assert set(value["tags"]) <= {"a", "b"}
    assert engine.usage.answers >= 3
    (cut,) = engine.answers(Ask(system="", user="Count to a thousand.", tokens_max=5))
    assert isinstance(cut, Reply)
    assert not cut.complete


def test_a_key_that_is_wrong_is_said(model, monkeypatch):
    monkeypatch.setenv("LLAMA_KEY", "another")
    config = ModelConfig(base_url=f"{model.address}/v1", model="any", key="${LLAMA_KEY}")
    with pytest.raises(Exception, match="refuses the credentials"):
        OpenAICompatible(config, label="llama").answers(Ask(system="", user="hello"))


def test_a_grammar_is_one_that_the_engine_knows(model):
    nested = {"type": "object", "properties": {"x": {"anyOf": [SCHEMA, {"const": 'a"b'}]}}}
    assert grammar_of(json.dumps(nested))
    (reply,) = model.answers(
        Ask(system="", user="JSON:", schema=json.dumps(nested), tokens_max=200)
    )
    assert isinstance(reply, Reply)
    assert reply.text.startswith('{"x":')


def recording(har: Path, spec: Path | None) -> tuple[Profile, dict[str, Any]]:
    exchanges = list(
        capture_har(
            har,
            config=Config(capture=CaptureConfig(hosts=("*",))),
            redaction_key=b"k" * 32,
            counts=CaptureCounts(),
        )
    )
    declared = load_spec(spec) if spec is not None else None
    profile = learn_profile(lambda: iter(exchanges), spec=declared, now=0.0)
    return profile, {exchange.id: exchange for exchange in exchanges}


def unzipped(name: str, folder: Path) -> Path:
    path = folder / "openapi.json"
    path.write_bytes(gzip.decompress(shared(name).read_bytes()))
    return path


def traffic_values(recorded: dict[str, Any], operation_id: str, profile: Profile) -> set[str]:
    operation = profile.operation(operation_id)
    assert operation is not None
    found: set[str] = set()
    for exchange_id in operation.exemplars:
        if exchange_id in recorded:
            found |= values_of(recorded[exchange_id].request.body)
    for field in operation.fields:
        found |= {text_of(json.loads(text)) for text, _ in field.values}
    return found


def values_of(body: bytes) -> set[str]:
    try:
        value = json.loads(body)
    except ValueError:
        return set()
    return {text_of(item) for _, item in leaves(value) if item is not None}


@pytest.mark.parametrize("service", ["kinto", "phoenix", "ledger"])
def test_realistic_bodies(service, model, tmp_path, request):
    if service == "ledger":
        served: Project = request.getfixturevalue("project")
        har, spec = served.directory / "production.har.gz", served.directory / "openapi.json"
    else:
        har = shared(f"targets/{service}/production.har.gz")
        spec = unzipped(f"targets/{service}/openapi.json.gz", tmp_path)
    profile, recorded = recording(har, spec)
    sampler = Sampler(profile, recorded, 1)
    validator = Validator(profile, target=TARGET)
    shown = 0
    for operation in profile.operations:
        batcher = Batcher(model, Budget(tokens_max=10**6, seconds_max=600))
        source = LlmSource(profile, recorded, 1, sampler=sampler, batcher=batcher)
        if shown >= OPERATIONS or not source.can(operation.id):
            continue
        shown += 1
        started = time.process_time()
        cases = source.cases(operation.id, COUNT)
        cpu_s = time.process_time() - started
        tally = batcher.tally
        known = traffic_values(recorded, operation.id, profile)
        new = [bool(values_of(case.request.body) - known) for case in cases]
        valid = [case for case in cases if validator.validate(case, ()) is None]
        print(
            f"\n{service} {operation.id}: {len(cases)} of {tally.answers} answers "
            f"({tally.invalid} invalid, {tally.copied} copied, {tally.repeated} repeated, "
            f"{tally.cut_off} cut off), {len(valid)} accepted by the validator, "
            f"{sum(new)} with a value never seen, {len(cases) / cpu_s:.2f} per CPU-second"
        )
        for case in cases[:3]:
            print("   ", case.request.body.decode()[:160])
        assert len({case.id for case in cases}) == len(cases)
        assert len(valid) >= 0.9 * len(cases)
    assert shown


TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)


def test_mutations_beside_the_rules(model, request):
    served: Project = request.getfixturevalue("project")
    profile, recorded = recording(
        served.directory / "production.har.gz", served.directory / "openapi.json"
    )
    sampler = Sampler(profile, recorded, 1)
    validator = Validator(profile, target=TARGET)
    batcher = Batcher(model, Budget(tokens_max=10**6, seconds_max=600))
    chosen = next(
        o.id
        for o in profile.operations
        if LlmSource(profile, recorded, 1, sampler=sampler, batcher=batcher).can(o.id)
    )
    makers = {
        "model": LlmMutator(profile, 1, sampler=sampler, batcher=batcher),
        "rules": Mutator(profile, recorded, 1, sampler=sampler),
    }
    known = traffic_values(recorded, chosen, profile)
    for name, maker in makers.items():
        started = time.process_time()
        cases = maker.cases(chosen, COUNT)
        cpu_s = time.process_time() - started
        accepted = [case for case in cases if validator.validate(case, ()) is None]
        new = [bool(values_of(case.request.body) - known) for case in cases]
        asked = batcher.tally.answers if name == "model" else len(cases)
        print(
            f"\n{chosen} by {name}: {len(cases)} of {asked} are what the operator says, "
            f"{len(accepted)} accepted by the validator, {sum(new)} with a value never seen, "
            f"{sum(case.intent.certain for case in cases)} break a declared constraint, "
            f"{len(cases) / cpu_s:.2f} per CPU-second; "
            f"{dict(Counter(case.origin.operator or case.intent.breaks for case in cases))}"
        )
        assert len(accepted) == len(cases)


def test_live_on_the_ledger(model, request):
    served: Project = request.getfixturevalue("project")
    model_config = ModelConfig(engine="llamacpp", mutate_share=0.5)
    config = served.config
    config = type(config)(
        **{
            **{name: getattr(config, name) for name in config.__struct_fields__},
            "models": {"small": model_config},
        }
    )
    plan = Plan(
        requests_max=20 * LIVE,
        keep_all=True,
        dynamic=f"{100 * 2 * LIVE / (20 * LIVE):.0f}%",
        sources={"llm": 40, "sample": 40, "mutate": 20},
    )
    with served.opened() as store:
        prepared = prepare(plan, config=config, store=store)
        events = list(execute(prepared, config=config, store=store, stop=threading.Event()))
    table: dict[str, Counter[str]] = {}
    for event in events:
        for result in event.results if isinstance(event, Gathered) else ():
            if result.case.setup or result.case.origin.source == "replay":
                continue
            origin, response = result.case.origin, result.sent.response
            maker = origin.source + (" by model" if origin.model else "")
            status = f"{response.status // 100}xx" if response is not None else "none"
            table.setdefault(maker, Counter())[status] += 1
    print()
    for maker, statuses in sorted(table.items()):
        print(f"{maker:<18} {dict(sorted(statuses.items()))}")
    print(*prepared.notes, sep="\n")
    assert table["llm by model"]["2xx"] > 0
