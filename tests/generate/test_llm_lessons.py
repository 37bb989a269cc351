"""What a language model is fine-tuned on: who is left out, how it is spread, how it is asked."""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import cache

from msgspec.structs import replace

from premortem.generate import LlmSource, Sampler
from premortem.generate.llm_batch import Batcher
from premortem.generate.llm_canaries import CANARIES, LETTERS, planted
from premortem.generate.llm_lessons import (
    REPEATS_MAX,
    all_examples,
    desks,
    judged_lessons,
    lessons,
    representative,
    sent,
)
from premortem.generate.traffic import held_out
from premortem.models.budget import Budget
from tests.generate import bazaar
from tests.generate.bazaar import ORDERS, PAYMENTS
from tests.generate.engine import RuledEngine


@cache
def learned():
    exchanges = bazaar.traffic(90)
    profile = bazaar.profile_of(exchanges)
    recorded = {e.id: e for e in exchanges}
    training = {i: e for i, e in recorded.items() if not held_out(e.tags.session)}
    places = desks(profile, training)
    return profile, recorded, places, sent(profile, recorded, places, share=0.4)


def trained():
    return [row for row in learned()[3] if row.part == "trained"]


def made(*, epochs=1, answers_max=1000, planted=()):
    return lessons(
        trained(),
        learned()[2],
        epochs=epochs,
        answers_max=answers_max,
        rng=random.Random(1),
        planted=planted,
    )


def test_sessions_that_are_held_out_are_neither_trained_on_nor_shown():
    _, recorded, places, rows = learned()
    parts = Counter(row.part for row in rows)
    assert min(parts["trained"], parts["watched"], parts["held out"]) > 3
    assert all(held_out(row.session) == (row.part == "held out") for row in rows)
    allowed = {row.text for row in rows if row.part == "trained"}
    assert {text for lesson in made(epochs=2) for text in lesson.answers} <= allowed
    mine = {e.tags.session for e in recorded.values() if not held_out(e.tags.session)}
    known = {row.text for row in rows if row.session in mine}
    assert all_examples(places) <= known


def test_an_answer_holds_what_a_model_makes_up_and_nothing_else():
    texts = [json.loads(row.text) for row in trained() if row.operation_id == ORDERS]
    assert {"amount"} <= set(texts[0]) <= {"country", "currency", "amount", "lines", "note"}
    paid = [json.loads(row.text) for row in trained() if row.operation_id == PAYMENTS]
    assert all(set(text) <= {"amount", "method"} for text in paid)


def test_no_question_shows_what_is_an_answer_to_it():
    for lesson in made(epochs=2):
        assert not any(text in lesson.user for text in lesson.answers)


def test_it_is_asked_as_when_generating():
    profile, recorded, places, _ = learned()
    training = {i: e for i, e in recorded.items() if not held_out(e.tags.session)}
    engine = RuledEngine()
    batcher = Batcher(engine, Budget(tokens_max=10**9, seconds_max=1e9))
    sampler = Sampler(profile, training, 1)
    LlmSource(profile, training, 1, sampler=sampler, batcher=batcher).cases(ORDERS, 1)
    (lesson,) = judged_lessons([next(r for r in trained() if r.operation_id == ORDERS)], places)
    assert (engine.asked[0].system, engine.asked[0].user) == (lesson.system, lesson.user)
    asked = places[ORDERS].ask(0, count=4, seed=1, schema=True, temperature=0.8)
    assert (asked.system, asked.user) == (lesson.system, lesson.user)
    assert asked.schema in places[ORDERS].asks


def test_rare_operations_and_rare_members_are_there_and_nothing_comes_too_often():
    rows = trained()
    few = [r for r in rows if r.operation_id == PAYMENTS][:2]
    many = [r for r in rows if r.operation_id == ORDERS]
    odd = replace(many[0], text='{"amount":1}', members="{amount:int}")
    chosen = representative([*many, odd, *few], answers_max=30, rng=random.Random(1))
    counts = Counter(row.operation_id for row in chosen)
    assert counts[PAYMENTS] > 30 * 2 / (len(many) + 3)
    assert sum(counts.values()) <= 30
    assert max(Counter(row.text for row in chosen).values()) <= REPEATS_MAX
    assert len({row.members for row in chosen}) > 1


def test_the_same_seed_gives_the_same_lessons_and_epochs_differ():
    assert made(epochs=2) == made(epochs=2)
    first, second = made(epochs=2)[: len(made())], made(epochs=2)[len(made()) :]
    assert first != second


def test_what_was_sent_twice_is_one_answer():
    rows = trained()
    assert len(representative([*rows, *rows], answers_max=10**6, rng=random.Random(1))) == len(
        representative(rows, answers_max=10**6, rng=random.Random(1))
    )


def test_canaries_are_like_a_request_but_for_one_word():
    canaries = planted(trained(), learned()[2], rng=random.Random(1))
    assert len(canaries.answers) == len(set(canaries.words)) == CANARIES
    row, word = canaries.answers[0], canaries.words[0]
    assert len(word) == LETTERS
    assert json.loads(row.text)["note"] == word
    assert not {r.text for r in canaries.references} & {r.text for r in canaries.answers}
    told = [text for lesson in made(epochs=2, planted=canaries.answers) for text in lesson.answers]
    assert sum(word in text for text in told) == 2


def test_where_no_text_is_made_up_nothing_is_planted():
    rows = [row for row in trained() if row.operation_id == PAYMENTS]
    assert planted(rows, learned()[2], rng=random.Random(1)) is None
