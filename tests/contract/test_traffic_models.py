"""What every store does with traffic models."""

from __future__ import annotations

from msgspec.structs import replace

from premortem.domain.traffic_model import (
    Column,
    Group,
    Level,
    OperationModel,
    TextModel,
    Token,
    TrafficModel,
)
from premortem.store.rotation import rotate_key

COLUMN = Column(
    place="body:/note",
    tokens=(Token(kind="absent"), Token(kind="text")),
    levels=(Level(parent=-1, counts=(((), ((0, 3), (1, 5))),)),),
    texts=TextModel(follows=((("", ""), (("paid", 2),)),), letters=(), rare=(b"12345678",)),
)
MODEL = TrafficModel(
    version="0123456789ab",
    profile_version="aa",
    created_at=1.0,
    requests=8,
    sessions=3,
    seconds=0.5,
    held_out_share=0.4,
    operations=(
        OperationModel(operation_id="POST /notes", requests=8, group=Group(columns=(COLUMN,))),
    ),
)


def test_a_model_is_read_as_it_was_saved_by_its_profile(store):
    assert store.traffic_model("aa") is None
    store.save_traffic_model(MODEL)
    assert store.traffic_model("aa") == MODEL
    assert store.traffic_model("bb") is None


def test_a_later_model_of_a_profile_takes_the_place_of_the_earlier(store):
    store.save_traffic_model(MODEL)
    later = replace(MODEL, version="ba9876543210", requests=9)
    store.save_traffic_model(later)
    store.save_traffic_model(replace(MODEL, profile_version="bb"))
    assert store.traffic_model("aa") == later
    assert store.traffic_model("bb").version == MODEL.version


def test_a_new_key_opens_what_the_old_one_sealed(store, config, tmp_path, reopened):
    store.save_traffic_model(MODEL)
    store.close()
    rotate_key(config, tmp_path, data=True)
    with reopened() as again:
        assert again.traffic_model("aa") == MODEL
