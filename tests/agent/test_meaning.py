"""What a sentence encoder adds, with a made-up one that knows three kinds of words."""

from hashlib import sha256
from importlib.resources import as_file, files

import numpy as np
import pytest

from premortem.agent.understanding.index import Index
from premortem.agent.understanding.meaning import (
    FILES_MAX,
    Head,
    Meaning,
    head_of_tellings,
    open_meaning,
)
from premortem.agent.understanding.tellings import NOTHING
from premortem.agent.understanding.understand import understand
from tests.agent.small import shop

KINDS = (("purchase", "order", "place"), ("crate", "parcel"), ("fast", "overlap"))
HEAD = Head(
    modes=("concurrent_change", "boundary", NOTHING),
    weights=np.array([[0, 0, 9, 0], [0, 0, 0, 0], [0, 0, -9, 2]], np.float32),
)


class Words:
    """Counts words of each of KINDS."""

    def __init__(self):
        self.asked = 0

    def embed(self, texts):
        self.asked += len(texts)
        rows = [
            [sum(text.lower().count(word) for word in kind) for kind in KINDS] for text in texts
        ]
        vectors = np.array(rows, np.float32) + 1e-6
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_text_is_near_what_means_the_same_and_each_is_computed_once():
    encoder = Words()
    meaning = Meaning(encoder, HEAD)
    near = meaning.near("a crate", ["parcel", "order", "parcel"])
    assert near[0] == near[2] == pytest.approx(1, abs=1e-3)
    assert near[1] == pytest.approx(0, abs=1e-3)
    assert encoder.asked == 3


def test_vectors_are_kept_between_processes(tmp_path):
    texts = ["a crate", "an order"]
    first, second = Words(), Words()
    Meaning(first, HEAD, folder=tmp_path / "kept").remember(texts)
    again = Meaning(second, HEAD, folder=tmp_path / "kept")
    again.remember(texts)
    assert (first.asked, second.asked) == (2, 0)
    assert again.near("a crate", texts)[0] == pytest.approx(1, abs=1e-3)
    (file,) = (tmp_path / "kept").iterdir()
    file.write_bytes(b"broken")
    third = Words()
    Meaning(third, HEAD, folder=tmp_path / "kept").remember(texts)
    assert third.asked == 2


def test_no_more_than_so_many_services_are_kept(tmp_path):
    for number in range(FILES_MAX + 3):
        Meaning(Words(), HEAD, folder=tmp_path).remember([f"order {number}"])
    assert len(list(tmp_path.iterdir())) == FILES_MAX


def test_a_folder_that_cannot_be_written_keeps_none(tmp_path):
    (tmp_path / "file").write_text("")
    meaning = Meaning(Words(), HEAD, folder=tmp_path / "file" / "kept")
    meaning.remember(["a crate"])
    assert meaning.near("a crate", ["crate"])[0] == pytest.approx(1, abs=1e-3)


def test_shares_of_all_modes_are_one_together():
    likely = Meaning(Words(), HEAD).likely("they overlap")
    assert sum(likely.values()) == pytest.approx(1)
    assert max(likely, key=likely.__getitem__) == "concurrent_change"


def test_the_head_of_the_tellings_knows_every_failure_mode_and_none():
    head = head_of_tellings()
    assert len(head.modes) == 22
    assert NOTHING in head.modes
    assert head.weights.shape[0] == 22


def test_the_head_was_trained_on_the_tellings_as_they_are():
    told = files("premortem.agent.modes") / "tellings.txt"
    with as_file(files("premortem.agent.modes") / "tellings.npz") as path, np.load(path) as held:
        trained_on = str(held["tellings"])
    # Otherwise: python benches/bench_understanding.py --train
    assert trained_on == sha256(told.read_bytes()).hexdigest()


def test_without_its_files_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PREMORTEM_CACHE", str(tmp_path))
    assert open_meaning() is None


def test_a_word_that_no_list_knows_is_understood_by_what_it_means():
    index = Index(shop(), Meaning(Words(), HEAD))
    found = understand("What if a crate is added twice?", shop(), index=index)
    assert found.operation_ids[0] == "POST /orders/{order_id}/parcels"
