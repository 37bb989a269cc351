from __future__ import annotations

import pytest

from premortem.config import Config, ModelConfig
from premortem.errors import ConfigError, ModelError, ModelMissing
from premortem.models import choose, described, open_engine
from premortem.models.budget import Budget
from premortem.models.engine import Usage

HERE = ModelConfig(base_url="http://127.0.0.1:1/v1", model="m")
THERE = ModelConfig(base_url="http://models.example.com/v1", model="m")


def test_without_any_configuration_the_built_in_one_is_used():
    assert choose(Config())[0] == "smollm2"


def test_the_only_configured_one_is_used_and_of_several_the_marked_one():
    assert choose(Config(models={"a": HERE}))[0] == "a"
    marked = ModelConfig(base_url=HERE.base_url, model="m", use=True)
    assert choose(Config(models={"a": HERE, "b": marked}))[0] == "b"
    with pytest.raises(ConfigError, match="use = true"):
        choose(Config(models={"a": HERE, "b": HERE}))
    with pytest.raises(ConfigError, match="several models have"):
        choose(Config(models={"a": marked, "b": marked}))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="smollm2, a"):
        choose(Config(models={"a": HERE}), "b")


def test_a_list_says_what_stands_in_the_way(tmp_path, monkeypatch):
    monkeypatch.setenv("PREMORTEM_CACHE", str(tmp_path))
    built_in, there = described(Config(models={"there": THERE}))
    assert "premortem models fetch" in built_in.trouble
    assert "remote = true" in there.trouble
    assert there.used
    assert not built_in.used


def test_a_model_that_is_not_there_is_said_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PREMORTEM_CACHE", str(tmp_path))
    with pytest.raises(ModelMissing, match="premortem models fetch"):
        open_engine(Config())
    (tmp_path / "x.gguf").write_bytes(b"something else")
    own = ModelConfig(engine="llamacpp", path="x.gguf")
    with pytest.raises(ModelError, match="no GGUF file"):
        open_engine(Config(models={"own": own}, directory=str(tmp_path)))
    gone = ModelConfig(engine="llamacpp", path="gone.gguf")
    with pytest.raises(ModelMissing, match="cannot read"):
        open_engine(Config(models={"own": gone}, directory=str(tmp_path)))


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"mutate_share": 1.5}, "is no share"), ({"slots": 0}, "cannot be")],
)
def test_impossible_settings_are_said(tmp_path, settings, says):
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    own = ModelConfig(engine="llamacpp", path="x.gguf", **settings)
    with pytest.raises(ConfigError, match=says):
        open_engine(Config(models={"own": own}, directory=str(tmp_path)))


def test_a_budget_ends_by_tokens_by_seconds_and_by_cost():
    now = iter([0.0, 7.0])
    budget = Budget(tokens_max=100, seconds_max=5, cost_max=2, clock=lambda: next(now))
    assert budget.spent(Usage(tokens_in=50, tokens_out=49)) == ""
    assert budget.spent(Usage(tokens_in=50, tokens_out=50)) == "tokens_max = 100"
    assert budget.spent(Usage(cost=2.0)) == "cost_max = 2"
    budget.timed()()
    assert budget.spent(Usage()) == "seconds_max = 5"
    with pytest.raises(ConfigError, match="allow nothing"):
        Budget(tokens_max=0, seconds_max=1)
