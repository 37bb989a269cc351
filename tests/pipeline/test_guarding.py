"""The privacy gate as a whole, with models that answer by rule."""

from __future__ import annotations

import json
import random
from itertools import cycle

from msgspec.structs import replace

from premortem.generate.llm_canaries import planted
from premortem.models import Reply, Usage
from premortem.models.tuning import Pack
from premortem.pipeline.guarding import guarded, remembered, written
from tests.contract.test_trained_models import CARD
from tests.generate.engine import RuledEngine
from tests.generate.test_llm_lessons import learned, trained


class Reciting:
    """Answers what it was trained on."""

    name, batch = "reciting 1", 8

    def __init__(self, texts) -> None:
        self._texts, self.usage = cycle(texts), Usage()

    def answers(self, ask):
        texts = [next(self._texts) for _ in range(ask.count)]
        return [Reply(text=t, tokens_in=1, tokens_out=1, complete=True) for t in texts]

    def close(self) -> None:
        pass


class Tasting:
    """Finds answers the likelier the shorter they are, and those it knows by heart by far."""

    def __init__(self, known) -> None:
        self._known = set(known)

    def packs(self, lessons):
        return [
            Pack(question=(), answers=tuple(tuple(text.encode()) for text in lesson.answers))
            for lesson in lessons
        ]

    def losses(self, packs, *, tuned=True):
        texts = [bytes(answer).decode() for pack in packs for answer in pack.answers]
        return [
            len(text) * (0.1 if tuned and text in self._known else 1.0) + hash_of(text)
            for text in texts
        ]


def hash_of(text: str) -> float:
    return random.Random(text).random() * 40


def judged(*, engine, by_heart=()):
    _, _, places, rows = learned()
    canaries = planted(trained(), places, rng=random.Random(1))
    known = remembered(Tasting(by_heart), places, rows, canaries, seed=1)
    base = Reciting(["no JSON"])
    sample = dict.fromkeys(places, 30)
    card = replace(CARD, sample=sample, privacy=())
    return guarded(card, known, places, rows, canaries, tuned=engine, base=base)


class Inventing(RuledEngine):
    """Answers by rule also where no schema is given."""

    def answers(self, ask):
        if not ask.schema:
            desk = next(d for d in learned()[2].values() if f": {d.operation.id}\n" in ask.user)
            ask = type(ask)(**{**fields(ask), "schema": desk.asks[0]})
        return super().answers(ask)


def fields(ask):
    return {name: getattr(ask, name) for name in ask.__struct_fields__}


def test_a_model_that_makes_things_up_passes():
    card = judged(engine=Inventing())
    assert card.reasons == ()
    assert card.guarded
    assert [g.name for g in card.privacy] == [
        "canaries",
        "exposure",
        "copies",
        "overlap",
        "membership",
    ]
    assert min(card.metrics["valid_grammar"], card.metrics["valid_free"]) > 0.8
    assert card.metrics["valid_free_untuned"] == 0.0


def test_a_model_that_recites_what_it_was_trained_on_fails():
    _, _, places, _ = learned()
    canaries = planted(trained(), places, rng=random.Random(1))
    mine = [r.text for r in (*canaries.answers, *trained())]
    card = judged(engine=Reciting(mine), by_heart=mine)
    failed = {guard.name for guard in card.privacy if not guard.passed}
    assert failed == {"canaries", "copies", "overlap", "membership", "exposure"}
    assert "planted secrets came out" in " ".join(card.reasons)


def test_an_answer_counts_as_valid_by_any_of_the_operations_schemas():
    _, _, places, _ = learned()
    texts = [row.text for row in trained()] + ["{}", "no JSON", json.dumps({"amount": "x"})]
    found = written(Reciting(texts), places, dict.fromkeys(places, 1), 40, schema=False)
    assert found.answers == 40
    assert 0 < found.share < 1
