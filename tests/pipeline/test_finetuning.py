"""What a fine-tuning is made of, and what it refuses: all but the learning itself."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from premortem.config import Config, ModelConfig, StoreConfig
from premortem.domain.trained import Recipe
from premortem.errors import ConfigError, InputError, NothingLearned
from premortem.models import name_of
from premortem.pipeline.finetuning import planned, train_llm
from premortem.pipeline.promoting import promote
from premortem.store import open_store
from tests.contract.test_trained_models import CARD
from tests.generate.test_llm_lessons import learned, trained

RECIPE = Recipe(epochs=2)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "base.gguf").write_bytes(b"GGUF and so on")
    own = ModelConfig(engine="llamacpp", path="base.gguf")
    return Config(models={"own": own}, directory=str(tmp_path))


@pytest.fixture
def store(tmp_path):
    with open_store(StoreConfig(), tmp_path) as opened:
        yield opened


def course(store, recipe=RECIPE, base="base 1"):
    profile, recorded, _, _ = learned()
    return planned(store, profile, recorded, base, recipe, 0.4, 5.0)


def test_a_card_says_what_was_trained_on(store):
    profile, _, _, rows = learned()
    card = course(store).card
    assert (card.state, card.profile_version, card.base) == ("training", profile.version, "base 1")
    assert card.requests == len(trained())
    assert card.window == (min(r.at for r in trained()), max(r.at for r in trained()))
    assert card.sessions_held_out == len({r.session for r in rows if r.part == "held out"})
    assert card.reasons == ("its training has not ended",)
    lessons = course(store).lessons
    assert sum(card.sample.values()) == sum(len(lesson.answers) for lesson in lessons)


def test_the_same_requests_and_options_are_the_same_model_however_long_it_may_take(store):
    first = course(store).card.id
    assert course(store, replace(RECIPE, seconds_max=1.0)).card.id == first
    assert course(store, replace(RECIPE, seed=2)).card.id != first
    assert course(store, base="base 2").card.id != first


def test_the_model_in_use_is_the_parent_of_the_next(store):
    profile, _, _, _ = learned()
    store.registry.save(replace(CARD, profile_version=profile.version))
    assert course(store).card.parent == ""
    promote(store, CARD.id, by="ada", now=0.0)
    assert course(store).card.parent == CARD.id


def test_too_little_traffic_is_not_learned_from(store):
    profile, recorded, _, _ = learned()
    few = dict(list(recorded.items())[:30])
    with pytest.raises(NothingLearned, match="different answers, 40 are needed"):
        planned(store, profile, few, "base 1", RECIPE, 0.4, 5.0)


def test_what_is_in_use_or_was_is_not_trained_again_over_it(store, config, tmp_path):
    profile, recorded, _, _ = learned()
    same = course(store, base=name_of(tmp_path / "base.gguf")).card
    store.registry.save(replace(same, state="promoted"))
    with pytest.raises(InputError, match="give another --seed"):
        train_llm(config, store, profile, recorded, recipe=RECIPE)


def test_there_has_to_be_something_to_go_on_with(store, config):
    profile, recorded, _, _ = learned()
    with pytest.raises(InputError, match="leave out --resume"):
        train_llm(config, store, profile, recorded, recipe=RECIPE, resume=True)


def test_an_endpoint_cannot_be_tuned(store):
    profile, recorded, _, _ = learned()
    endpoint = ModelConfig(base_url="http://127.0.0.1:1/v1", model="m")
    with pytest.raises(ConfigError, match="only a model that runs here"):
        train_llm(Config(models={"e": endpoint}), store, profile, recorded, recipe=RECIPE)
