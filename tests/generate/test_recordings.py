"""Real recordings through capture and learn: what is generated from them is valid and behind
what it needs."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config, RoleConfig, TargetConfig
from premortem.domain.tokens import holds_token
from premortem.generate import generate
from premortem.generate.replay import replay
from premortem.learn import learn_profile
from premortem.learn.specification import load_spec
from premortem.validate import Validator
from tests.shared import shared

TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)
ROLES = {name: RoleConfig(basic=f"{name}:x") for name in ("alice", "bob", "carol")}
RECORDINGS = ("kinto", "phoenix", "directus")


@cache
def learned(name):
    path = f"targets/{name}/production.har.gz"
    config = Config(capture=CaptureConfig(hosts=("*",)), roles=ROLES)
    exchanges = list(
        capture_har(shared(path), config=config, redaction_key=b"k" * 32, counts=CaptureCounts())
    )
    spec = load_spec(shared(f"targets/{name}/openapi.json.gz"))
    profile = learn_profile(lambda: iter(exchanges), spec=spec, now=0.0)
    return profile, {exchange.id: exchange for exchange in exchanges}


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_is_generated_from_a_recording_is_valid_distinct_and_complete(name):
    profile, exchanges = learned(name)
    validator = Validator(profile, target=TARGET)
    rejected = []
    sequences = list(
        generate(
            profile,
            exchanges,
            count=1500,
            weights={"sample": 1, "mutate": 1},
            seed=11,
            validate=validator.validate,
            reject=rejected.append,
        )
    )
    finals = [case for s in sequences for case in s.cases if not case.setup]
    assert len(finals) == 1500
    # Where the order is what is tried, the same request comes in several of them.
    single = [c for c in finals if c.origin.source != "replay" and "order" not in c.intent.breaks]
    assert len({c.id for c in single}) >= 0.98 * len(single) >= 1000
    assert [r.reason for c in finals if (r := validator.validate(c, ()))] == []
    assert len(rejected) < 15, Counter((r.rule, r.reason) for r in rejected)
    for sequence in sequences:
        setup = sum(case.setup for case in sequence.cases)
        for index, case in enumerate(sequence.cases):
            assert all(b.step < (index if case.setup else setup or index) for b in case.bindings)


@pytest.mark.parametrize("name", RECORDINGS)
def test_operations_that_were_used_get_cases(name):
    profile, exchanges = learned(name)
    sequences = generate(profile, exchanges, count=3000, weights={"sample": 1, "mutate": 1}, seed=2)
    covered = {case.operation_id for s in sequences for case in s.cases if not case.setup}
    used = {operation.id for operation in profile.operations if operation.count}
    assert used <= covered


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_sampled_case_holds_nothing_that_was_redacted(name):
    profile, exchanges = learned(name)
    for sequence in generate(profile, exchanges, count=500, weights={"sample": 1}):
        for case in sequence.cases:
            if case.origin.source != "sample":
                continue
            text = case.request.canonical_bytes().decode("utf-8", "replace")
            for binding in case.bindings:
                text = text.replace(binding.recorded, "")
            assert not holds_token(text)


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_exchange_is_replayed_or_counted(name):
    profile, exchanges = learned(name)
    skipped: Counter[str] = Counter()
    cases = [c for s in replay(profile, exchanges, skipped=skipped) for c in s.cases]
    assert len(cases) + skipped.total() == profile.exchanges
    for case in cases:
        names = {header for header, _ in case.request.headers}
        assert not names & {"authorization", "cookie", "host", "content-length"}
