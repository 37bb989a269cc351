"""The privacy gate of a fine-tuned model, and how it does: measured once, when it was trained."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeGuard

import jsonschema_rs
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.analyse.privacy import (
    Losses,
    Spoken,
    canary_guards,
    copy_guards,
    membership_guard,
)
from premortem.domain.trained import Guard, TrainedModel
from premortem.generate.llm_canaries import Planted
from premortem.generate.llm_lessons import Desk, Sent, all_examples, distinct, judged_lessons
from premortem.models import Engine, Lesson, Outcome, Pack, Reply

JUDGED_MAX = 80
"""Answers of the training sessions, and as many of others, whose losses are compared."""
WRITTEN = 64
"""Answers that the model is asked for under a grammar."""
FREE = 32
"""Without one: of the tuned model, and of the one it was made from."""


class Written(Struct, frozen=True, kw_only=True):
    """What a model answered."""

    answers: int
    valid: tuple[Spoken, ...]
    cpu_seconds: float

    @property
    def share(self) -> float:
        """Of the answers, that the schema allows."""
        return len(self.valid) / self.answers if self.answers else 0.0


class Judge(Protocol):
    """What tells how likely answers are to a model: `models.Tuner`."""

    def packs(self, lessons: Sequence[Lesson]) -> list[Pack]:
        """LESSONS as it computes them."""
        ...

    def losses(self, packs: Sequence[Pack], *, tuned: bool = True) -> list[float]:
        """For each answer the sum of its nats; without TUNED as the base model sees it."""
        ...


class Remembered(Struct, frozen=True, kw_only=True):
    """How likely answers are to a model."""

    members: tuple[Losses, ...]
    others: tuple[Losses, ...]
    """Held out."""
    tokens: int
    """Of the others, all together."""
    canaries: tuple[float, ...]
    references: tuple[float, ...]


def remembered(
    judge: Judge,
    places: Mapping[str, Desk],
    rows: Sequence[Sent],
    canaries: Planted | None,
    *,
    seed: int,
) -> Remembered:
    """What JUDGE says of ROWS, trained on and held out, and of CANARIES."""
    rng = random.Random(seed)
    mine, theirs = _sides(rows, all_examples(places), rng)
    members, _ = _losses(judge, mine, places)
    others, tokens = _losses(judge, theirs, places)
    planted, references = (canaries.answers, canaries.references) if canaries else ((), ())
    return Remembered(
        members=tuple(members),
        others=tuple(others),
        tokens=tokens,
        canaries=tuple(judge.losses(judge.packs(judged_lessons(planted, places)))),
        references=tuple(judge.losses(judge.packs(judged_lessons(references, places)))),
    )


def guarded(
    card: TrainedModel,
    known: Remembered,
    places: Mapping[str, Desk],
    rows: Sequence[Sent],
    canaries: Planted | None,
    *,
    tuned: Engine,
    base: Engine,
) -> TrainedModel:
    """CARD with what the gate found and how the model does. ROWS: recorded, held out or not;
    TUNED and BASE: the model, and the one it was made from."""
    counts = {id_: n for id_, n in card.sample.items() if id_ in places}
    bound = written(tuned, places, counts, WRITTEN, schema=True)
    free = written(tuned, places, counts, FREE, schema=False)
    untuned = written(base, places, counts, FREE, schema=False)
    training = [_spoken(row) for row in rows if row.part == "trained"]
    outside = [_spoken(row) for row in rows if row.part == "held out"]
    made = (*bound.valid, *free.valid)
    guards: tuple[Guard, ...] = ()
    if canaries:
        texts = [one.text for one in made]
        guards += canary_guards(canaries.words, texts, known.canaries, known.references)
    guards += copy_guards(made, training, outside)
    guards += (membership_guard(known.members, known.others),)
    metrics = {
        "loss": sum(one.tuned for one in known.others) / max(1, known.tokens),
        "loss_untuned": sum(one.base for one in known.others) / max(1, known.tokens),
        "valid_free": free.share,
        "valid_free_untuned": untuned.share,
        "valid_grammar": bound.share,
        "answers_per_cpu_second": bound.answers / max(bound.cpu_seconds, 1e-9),
    }
    return replace(card, privacy=guards, metrics=metrics)


def written(
    engine: Engine,
    places: Mapping[str, Desk],
    counts: Mapping[str, int],
    total: int,
    *,
    schema: bool,
    temperature: float = 0.8,
    cpu_clock: Callable[[], float] = time.process_time,
) -> Written:
    """TOTAL answers over operations in proportion to COUNTS, every one of them once at least."""
    answers, valid, begun = 0, [], cpu_clock()
    everything = sum(counts.values()) or 1
    for order, (id_, count) in enumerate(sorted(counts.items())):
        desk = places[id_]
        judges = [
            jsonschema_rs.Draft202012Validator(msgspec.json.decode(text), validate_formats=True)
            for text in desk.asks
        ]
        left, number = max(1, round(total * count / everything)), 0
        while left > 0:
            size = min(left, engine.batch)
            seed = order * 8_191 + number + 1
            ask = desk.ask(number, count=size, seed=seed, schema=schema, temperature=temperature)
            for outcome in engine.answers(ask):
                answers += 1
                text = _read(outcome.text, judges) if _whole(outcome) else ""
                if text:
                    valid.append(Spoken(operation_id=id_, session=f"made {answers}", text=text))
            left -= size
            number += 1
    return Written(answers=answers, valid=tuple(valid), cpu_seconds=cpu_clock() - begun)


def _read(text: str, judges: Sequence[jsonschema_rs.Draft202012Validator]) -> str:
    """TEXT as compact JSON; empty: none of JUDGES takes it."""
    try:
        value = msgspec.json.decode(text.strip().encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        return ""
    found = any(judge.is_valid(value) for judge in judges)
    return msgspec.json.encode(value).decode() if found else ""


def _whole(outcome: Outcome) -> TypeGuard[Reply]:
    return isinstance(outcome, Reply) and outcome.complete


def _sides(
    rows: Sequence[Sent], shown: frozenset[str], rng: random.Random
) -> tuple[list[Sent], list[Sent]]:
    """(trained on, held out): different ones, none that a prompt shows."""
    trained = {(row.operation_id, row.text) for row in rows if row.part != "held out"}
    members = distinct([r for r in rows if r.part == "trained" and r.text not in shown])
    others = distinct(
        [
            row
            for row in rows
            if row.part == "held out"
            and row.text not in shown
            and (row.operation_id, row.text) not in trained
        ]
    )
    sides = []
    for side in (members, others):
        flat = [row for texts in side.values() for row in texts]
        sides.append(rng.sample(flat, min(len(flat), JUDGED_MAX)))
    return sides[0], sides[1]


def _losses(
    judge: Judge, rows: Sequence[Sent], places: Mapping[str, Desk]
) -> tuple[list[Losses], int]:
    """What each answer costs, and how many tokens they have together."""
    found: list[Losses] = []
    tokens = 0
    for lesson in judged_lessons(rows, places):
        packs = judge.packs([lesson])
        pairs = zip(judge.losses(packs), judge.losses(packs, tuned=False), strict=True)
        found += [Losses(operation_id=lesson.operation_id, tuned=t, base=b) for t, b in pairs]
        tokens += sum(len(answer) for pack in packs for answer in pack.answers)
    return found, tokens


def _spoken(row: Sent) -> Spoken:
    return Spoken(operation_id=row.operation_id, session=row.session, text=row.text)
