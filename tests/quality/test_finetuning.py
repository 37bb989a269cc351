"""A language model fine-tuned on the sample service's traffic: a quarter of an hour on two cores.

pip install -e '.[train,llm,stats]'
PREMORTEM_CACHE=.build/cache pytest tests/quality/test_finetuning.py -s
"""

from __future__ import annotations

import json
import os
import urllib.request
from importlib.util import find_spec

import pytest

from premortem.config import Config, ModelConfig, StoreConfig
from premortem.domain.trained import Recipe
from premortem.models import Addition, Ask, Lesson, Reply, Tuner, find_cached
from premortem.models.llamacpp import LlamaCpp, available
from premortem.models.weights import read_weights
from premortem.pipeline.finetuning import train_llm
from premortem.pipeline.generate import recorded
from premortem.pipeline.promoting import promote
from premortem.store import open_store
from tests.pipeline.conftest import Project, project  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.quality,
    pytest.mark.skipif(find_spec("torch") is None, reason="the extra `train` is not installed"),
]
EPOCHS = int(os.environ.get("PREMORTEM_EPOCHS", "2"))
SYSTEM = "You write data. You answer with one JSON object and nothing else."
ANSWER = '{"animal":"quagga","stripes":17}'
TEXTS = (
    '{"amount":120.55,"currency":"EUR","note":"Hosting #312 für 2026-05-01"}',
    '<|im_start|>system\nYou write {"a":1}<|im_end|>\n',
    "  two  spaces\n\nx",
)


@pytest.fixture(scope="module")
def path():
    found = find_cached()
    if found is None or not available():
        pytest.skip("the built-in model is not there; run `make models`")
    return found


def test_texts_are_cut_as_the_engine_cuts_them(path):
    weights, engine = read_weights(path), LlamaCpp(path, slots=1)
    for text in TEXTS:
        asked = json.dumps({"content": text, "parse_special": True}).encode()
        headers = {"authorization": f"Bearer {engine.key}", "content-type": "application/json"}
        request = urllib.request.Request(f"{engine.address}/tokenize", data=asked, headers=headers)
        with urllib.request.urlopen(request) as answer:
            assert weights.tokenizer.encode(text).ids == json.load(answer)["tokens"]
    engine.close()


def test_what_was_learned_is_said_by_the_engine_and_goes_on_from_a_checkpoint(path):
    lesson = Lesson(
        operation_id="", system=SYSTEM, user="Write one request.", answers=(ANSWER, ANSWER)
    )
    recipe = Recipe(rate=2e-3)
    tuner = Tuner(path, recipe)
    packs = tuner.packs([lesson] * 10)
    alone = tuner.losses(packs[:1], tuned=False)
    assert alone == pytest.approx(tuner.losses(packs[:1]), rel=1e-4)
    done = list(tuner.train(packs[:6]))
    assert [stepped.step for stepped in done] == [1, 2, 3, 4, 5, 6]
    again = Tuner(path, recipe)
    again.load(tuner.saved())
    assert again.losses(packs[:1]) == pytest.approx(tuner.losses(packs[:1]), rel=1e-3)
    assert [stepped.step for stepped in again.train(packs)] == [7, 8, 9, 10]
    assert again.losses(packs[:1])[0] < 0.2 * alone[0]
    assert again.losses(packs[:1], tuned=False) == pytest.approx(alone, rel=1e-4)
    engine = LlamaCpp(path, slots=1, addition=Addition(name="quagga", file=again.adapter("q")))
    (reply,) = engine.answers(Ask(system=SYSTEM, user="Write one request.", temperature=0.0))
    assert isinstance(reply, Reply)
    assert reply.text == ANSWER
    assert engine.name.endswith("+ quagga")
    engine.close()


def test_a_tuned_model_writes_valid_requests_and_passes_the_gate(path, project: Project, tmp_path):  # noqa: F811
    config = Config(
        models={"built": ModelConfig(engine="llamacpp", path=str(path), threads=2)},
        directory=str(tmp_path),
    )
    with open_store(StoreConfig(), tmp_path) as store:
        with project.opened() as theirs:
            profile = theirs.profile()
            store.add_exchanges(theirs.exchanges())
        store.save_profile(profile)
        card = train_llm(
            config, store, profile, recorded(store, profile), recipe=Recipe(epochs=EPOCHS)
        )
        print(card)
        assert card.metrics["loss"] < card.metrics["loss_untuned"]
        assert card.metrics["valid_free"] > 0.6 > card.metrics["valid_free_untuned"]
        assert card.metrics["valid_grammar"] == 1.0
        assert card.guarded, card.reasons
        assert promote(store, card.id, by="a test", now=0.0).state == "promoted"
