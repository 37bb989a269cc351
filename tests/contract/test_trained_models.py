"""What every store does with trained language models."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from premortem.domain.traffic import Flow
from premortem.domain.trained import Guard, Recipe, TrainedModel
from premortem.errors import InputError, NothingLearned
from premortem.store import Wanted
from premortem.store.registry import PART_BYTES
from premortem.store.rotation import rotate_key
from tests.store.values import a_profile, an_exchange

PASSED = Guard(name="canaries", found=0, limit=0, passed=True, says="0 of 8 came out")
CARD = TrainedModel(
    id="0123456789ab",
    profile_version="aa",
    base="llamacpp base 1",
    created_at=1.0,
    state="candidate",
    window=(1.0, 2.0),
    sessions=3,
    sessions_held_out=2,
    requests=40,
    distinct=30,
    sample={"POST /notes": 30},
    recipe=Recipe(),
    privacy=(PASSED,),
)
WEIGHTS = bytes(range(256)) * (PART_BYTES // 100)


def test_a_card_is_read_as_it_was_saved_by_the_start_of_its_id(store):
    with pytest.raises(NothingLearned, match="premortem train llm"):
        store.registry.card("01")
    store.registry.save(CARD, replace(CARD, id="01ff", profile_version="bb"))
    assert store.registry.card("012") == CARD
    assert [c.id for c in store.registry.cards()] == ["01ff", CARD.id]
    assert store.registry.cards("aa") == [CARD]
    with pytest.raises(InputError, match="more than one"):
        store.registry.card("01")
    with pytest.raises(InputError, match="premortem models list"):
        store.registry.card("9")


def test_a_later_word_on_a_model_keeps_its_place(store):
    store.registry.save(CARD, replace(CARD, id="ff"))
    store.registry.save(replace(CARD, state="promoted"))
    assert [c.id for c in store.registry.cards()] == ["ff", CARD.id]
    assert store.registry.promoted("aa").id == CARD.id
    assert store.registry.promoted("bb") is None


def test_files_come_back_whole_and_apart(store):
    store.registry.put_file(CARD.id, "weights", WEIGHTS)
    store.registry.put_file(CARD.id, "state", b"somewhere")
    assert store.registry.file(CARD.id, "weights") == WEIGHTS
    store.registry.put_file(CARD.id, "weights", b"short")
    assert store.registry.file(CARD.id, "weights") == b"short"
    store.registry.drop_file(CARD.id, "weights")
    assert store.registry.file(CARD.id, "weights") == b""
    assert store.registry.file(CARD.id, "state") == b"somewhere"


def test_a_new_key_opens_what_the_old_one_sealed(store, config, tmp_path, reopened):
    store.registry.save(CARD)
    store.registry.put_file(CARD.id, "weights", WEIGHTS)
    store.close()
    rotate_key(config, tmp_path, data=True)
    with reopened() as again:
        assert again.registry.card(CARD.id) == CARD
        assert again.registry.file(CARD.id, "weights") == WEIGHTS


def test_a_model_goes_with_what_it_was_trained_on(store):
    exchange = an_exchange(1)
    store.add_exchanges([exchange])
    flow = Flow(exchange_ids=(exchange.id,), started_at=0.0)
    store.save_profile(replace(a_profile(), version="aa", flows=(flow,)))
    store.registry.save(CARD, replace(CARD, id="ff", profile_version="bb"))
    store.registry.put_file(CARD.id, "weights", WEIGHTS)
    store.purge(Wanted(ids=(exchange.id,)))
    assert [c.id for c in store.registry.cards()] == ["ff"]
    assert store.registry.file(CARD.id, "weights") == b""
