"""`premortem train traffic`, `premortem quality`, and plans that use the model."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Project
from tests.cli.console import premortem


def test_a_model_is_trained_used_and_judged(project: Project):
    missing = premortem("generate", "--count", "20", "--source", "traffic")
    assert missing.code == 2
    assert "premortem train traffic" in missing.err
    trained = premortem("train", "traffic", "--json").json
    assert trained["operations"] > 10
    assert trained["requests"] > 100
    made = premortem("generate", "--count", "40", "--source", "traffic", "--out", "made.jsonl")
    assert made.code == 0, made.err
    listed = premortem("cases", "--source", "traffic", "--json").json
    assert len(listed["cases"] if isinstance(listed, dict) else listed) > 10
    shown = premortem("quality", "--html", "quality.html")
    assert shown.code == 0, shown.err
    for word in ("production", "shuffled", "sample", "traffic", "AUC", "pairs of values"):
        assert word in shown.out
    assert "<svg" in Path("quality.html").read_text()


def test_quality_needs_sessions_that_were_held_out(project: Project):
    assert premortem("train", "traffic", "--held-out", "0").code == 0
    refused = premortem("quality")
    assert refused.code == 2
    assert "held out" in refused.err


def test_a_model_goes_with_its_profile(project: Project):
    assert premortem("train", "traffic").code == 0
    assert premortem("learn").code == 0
    assert premortem("generate", "--count", "5", "--source", "traffic").code == 0
    assert premortem("purge", "--before", "2100-01-01").code == 0
    gone = premortem("generate", "--count", "5", "--source", "traffic")
    assert gone.code == 2
