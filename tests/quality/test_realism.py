"""Can anyone tell what the traffic model writes from production? On real recordings, by visit.

`benches/bench_realism.py` measures the same, and the sample service beside it.
"""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from premortem.analyse.realism import Quality
from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config
from premortem.generate.traffic import held_out, train
from premortem.learn import learn_profile
from premortem.pipeline.realism import measured
from tests.shared import shared

pytestmark = pytest.mark.quality
SILENCE_S = 60.0
"""One client was recorded for years, test by test: what lies closer together is one visit."""


@pytest.fixture(scope="module")
def found() -> Quality:
    path = shared("traffic/reddit.har.gz")
    config, key = Config(capture=CaptureConfig(hosts=("*",))), b"k" * 32
    read = capture_har(path, config=config, redaction_key=key, counts=CaptureCounts())
    exchanges, visit, before = [], 0, 0.0
    for exchange in sorted(read, key=lambda exchange: exchange.started_at):
        visit += exchange.started_at - before > SILENCE_S
        before = exchange.started_at
        tags = replace(exchange.tags, session=f"visit {visit}")
        exchanges.append(replace(exchange, tags=tags))
    training = [e for e in exchanges if not held_out(e.tags.session)]
    profile = learn_profile(lambda: iter(training), spec=None, now=0.0)
    recorded = {exchange.id: exchange for exchange in exchanges}
    model = train(profile, recorded, now=0.0, clock=time.process_time)
    return measured(profile, recorded, model=model)


def test_the_eyes_see_what_is_shuffled(found):
    assert found.eyes


def test_the_model_is_nearer_to_production_than_independent_columns(found):
    sample, traffic = found.candidates
    assert found.passes(traffic)
    assert traffic.seen.auc < sample.seen.auc
    assert traffic.variation.pairwise < sample.variation.pairwise


def test_what_one_visit_alone_sent_comes_again_less_than_from_independent_columns(found):
    # Most that comes again are lists of identifiers, which must name what exists.
    sample, traffic = found.candidates
    assert traffic.copies.values <= sample.copies.values
