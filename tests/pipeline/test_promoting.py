"""Who may be promoted, who is in use, and the way back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from premortem.config import Config, ModelConfig, StoreConfig
from premortem.domain.trained import Guard
from premortem.errors import InputError
from premortem.models import name_of
from premortem.pipeline.promoting import (
    listed_trained,
    promote,
    promoted_addition,
    rollback,
)
from premortem.store import open_store
from tests.contract.test_trained_models import CARD
from tests.store.values import a_profile


@pytest.fixture
def config(tmp_path):
    (tmp_path / "base.gguf").write_bytes(b"GGUF and so on")
    own = ModelConfig(engine="llamacpp", path="base.gguf")
    return Config(models={"own": own}, directory=str(tmp_path))


@pytest.fixture
def store(config, tmp_path):
    with open_store(StoreConfig(), tmp_path) as opened:
        opened.save_profile(replace(a_profile(), version="aa"))
        base = name_of(tmp_path / "base.gguf")
        opened.registry.save(*(replace(CARD, id=id_, base=base) for id_ in ("a1", "b2", "c3")))
        opened.registry.put_file("a1", "weights", b"weights of a1")
        yield opened


def test_the_promoted_one_is_used_and_rolling_back_returns_to_the_one_before(store):
    for at, model in enumerate(("a1", "b2", "c3")):
        promote(store, model, by="ada", now=float(at))
        assert store.registry.promoted("aa").id == model
    gone, back = rollback(store, by="bob", now=9.0)
    assert (gone.id, gone.state, back.id, back.state) == ("c3", "withdrawn", "b2", "promoted")
    assert [(turn.by, turn.state) for turn in store.registry.card("b2").history] == [
        ("ada", "promoted"),
        ("ada", "superseded"),
        ("bob", "promoted"),
    ]
    assert rollback(store, by="bob", now=10.0)[1].id == "a1"
    assert rollback(store, by="bob", now=11.0)[1] is None
    with pytest.raises(InputError, match="no trained model is in use"):
        rollback(store, by="bob", now=12.0)
    promote(store, "c3", by="ada", now=13.0)
    assert store.registry.promoted("aa").id == "c3"


def test_a_model_that_gives_something_away_is_refused_with_the_reason(store):
    told = Guard(name="canaries", found=1, limit=0, passed=False, says="1 of 8 came out")
    store.registry.save(replace(CARD, id="d4", privacy=(*CARD.privacy, told)))
    with pytest.raises(InputError, match="canaries: 1 of 8 came out"):
        promote(store, "d4", by="ada", now=0.0)
    assert store.registry.card("d4").state == "candidate"
    assert "canaries" in {m.name: m for m in listed_trained(store)}["d4"].trouble


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"privacy": ()}, "was not checked"), ({"state": "training"}, "has not ended")],
)
def test_a_model_that_was_not_checked_is_refused(store, changed, why):
    store.registry.save(replace(CARD, id="d4", **changed))
    with pytest.raises(InputError, match=why):
        promote(store, "d4", by="ada", now=0.0)


def test_nobody_is_promoted_twice(store):
    promote(store, "a1", by="ada", now=0.0)
    with pytest.raises(InputError, match="in use already"):
        promote(store, "a1", by="ada", now=1.0)


def test_weights_are_used_with_the_model_and_the_profile_that_they_were_trained_on(store, config):
    assert promoted_addition(store, config, "aa") is None
    promote(store, "a1", by="ada", now=0.0)
    found = promoted_addition(store, config, "aa")
    assert (found.name, found.file) == ("trained a1", b"weights of a1")
    assert promoted_addition(store, config, "bb") is None
    assert promoted_addition(store, config, "aa", {"sample": 1}) is None
    (other := config.path("other.gguf")).write_bytes(b"GGUF of another")
    changed = ModelConfig(engine="llamacpp", path=str(other))
    assert promoted_addition(store, replace(config, models={"own": changed}), "aa") is None


def test_the_list_marks_the_one_in_use(store):
    promote(store, "b2", by="ada", now=0.0)
    assert {m.name: m.used for m in listed_trained(store)} == {"a1": False, "b2": True, "c3": False}
