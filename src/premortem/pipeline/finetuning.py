"""Recorded traffic -> a fine-tuned language model in the store's registry, checked for what it
gives away before anybody can use it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from hashlib import sha256

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.config import Config
from premortem.domain.traffic import Exchange, Profile
from premortem.domain.trained import LOSSES_MAX, Point, Recipe, TrainedModel
from premortem.errors import ConfigError, InputError, NothingLearned
from premortem.generate.llm_canaries import Planted, planted
from premortem.generate.llm_lessons import (
    Desk,
    Sent,
    desks,
    distinct,
    judged_lessons,
    lessons,
    sent,
)
from premortem.generate.traffic import HELD_OUT_SHARE, held_out
from premortem.models import (
    Addition,
    Lesson,
    Stepped,
    Tuner,
    choose,
    file_of,
    memory_bytes,
    name_of,
    open_engine,
)
from premortem.pipeline.guarding import guarded, remembered
from premortem.store import Store

COMMAND = "premortem train llm"
ANSWERS_MIN = 40
"""Different answers to train on; fewer are remembered rather than learned from."""
CHECKPOINT_S = 60.0
"""Between two checkpoints: what is lost when training is cut off."""
WATCHES = 4
"""Times that watched sessions are looked at."""
WATCHED_MAX = 24
"""Answers of them."""

Told = Callable[[str], None]


class Course(Struct, frozen=True, kw_only=True):
    """All that training a model takes."""

    card: TrainedModel
    places: Mapping[str, Desk]
    rows: tuple[Sent, ...]
    lessons: tuple[Lesson, ...]
    planted: Planted | None


def train_llm(
    config: Config,
    store: Store,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    recipe: Recipe,
    held_out_share: float = HELD_OUT_SHARE,
    resume: bool = False,
    now: Callable[[], float] = time.time,
    tell: Told = lambda _: None,
    stepped: Callable[[Stepped, Point], None] = lambda _step, _point: None,
) -> TrainedModel:
    """A model that answers as PROFILE's requests were written, saved in the registry and judged.

    HELD_OUT_SHARE: of the sessions, that it never sees. RESUME: go on with one that was cut off.
    TELL: what is done at the moment. Raises NothingLearned, ModelMissing, ModelError, ConfigError,
    or InputError where there is nothing to go on with.
    """
    tell("reading traffic")
    _, model = choose(config)
    if model.engine != "llamacpp":
        raise ConfigError(
            f"the configured model is {model.model} at {model.base_url}; only a model that runs "
            f"here (engine = 'llamacpp') can be fine-tuned: give one `use = true`"
        )
    path = file_of(config, model)
    course = planned(store, profile, exchanges, name_of(path), recipe, held_out_share, now())
    _refuse_again(store, course.card.id)
    checkpoint = store.registry.file(course.card.id, "state") if resume else b""
    if resume and not checkpoint:
        raise InputError(
            "there is no training of this profile, with these options, to go on with; leave out "
            "--resume"
        )
    tell("loading the model")
    tuner = Tuner(path, recipe)
    if checkpoint:
        tuner.load(checkpoint)
        course = replace(course, card=store.registry.card(course.card.id))
    card = course.card
    if card.state == "training":  # else only its privacy is left to be checked
        card = _learned(store, course, tuner, tell=tell, stepped=stepped)
    tell("writing the model")
    weights = tuner.adapter(card.id)
    store.registry.put_file(card.id, "weights", weights)
    card = replace(card, state="candidate", bytes=len(weights), memory_bytes=memory_bytes())
    store.registry.save(card)
    tell("looking for what it remembers")
    known = remembered(tuner, course.places, course.rows, course.planted, seed=recipe.seed)
    del tuner  # two models at once are enough
    tell("letting it write")
    addition = Addition(name=f"trained {card.id}", file=weights)
    with (
        closing(open_engine(config, addition=addition)) as tuned,
        closing(open_engine(config)) as base,
    ):
        rows, places = course.rows, course.places
        card = guarded(card, known, places, rows, course.planted, tuned=tuned, base=base)
    store.registry.save(card)
    store.registry.drop_file(card.id, "state")
    return card


def _refuse_again(store: Store, model: str) -> None:
    known = {card.id: card for card in store.registry.cards()}
    if model in known and known[model].state not in ("training", "candidate"):
        raise InputError(
            f"the model {model} was trained from the same requests with the same options, and is "
            f"{known[model].state}; give another --seed for another one"
        )


def planned(
    store: Store,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    base: str,
    recipe: Recipe,
    share: float,
    now: float,
) -> Course:
    """What would be trained on, and under which id. Raises NothingLearned where that is too
    little."""
    training = {i: e for i, e in exchanges.items() if not held_out(e.tags.session or i, share)}
    places = desks(profile, training, seed=recipe.seed)
    rows = sent(profile, exchanges, places, share=share)
    mine = [row for row in rows if row.part == "trained"]
    different = sum(map(len, distinct(mine).values()))
    if different < ANSWERS_MIN:
        raise NothingLearned(
            missing=f"traffic with enough values to make up (there are {different} different "
            f"answers, {ANSWERS_MIN} are needed)",
            command="premortem capture har FILE",
        )
    rng = random.Random(recipe.seed)
    canaries = planted(mine, places, rng=rng)
    made = lessons(
        mine,
        places,
        epochs=recipe.epochs,
        answers_max=recipe.answers_max,
        rng=rng,
        planted=canaries.answers if canaries else (),
    )
    before = store.registry.promoted(profile.version)
    timeless = replace(recipe, seconds_max=0.0)
    digest = sha256(msgspec.json.encode([profile.version, base, timeless, made]))
    counts: dict[str, int] = {}
    for lesson in made:
        counts[lesson.operation_id] = counts.get(lesson.operation_id, 0) + len(lesson.answers)
    card = TrainedModel(
        id=digest.hexdigest()[:12],
        profile_version=profile.version,
        base=base,
        parent=before.id if before else "",
        created_at=now,
        state="training",
        window=(mine[0].at, mine[-1].at),
        sessions=len({row.session for row in mine}),
        sessions_held_out=len({row.session for row in rows if row.part == "held out"}),
        requests=len(mine),
        distinct=different,
        sample=counts,
        recipe=recipe,
    )
    return Course(card=card, places=places, rows=tuple(rows), lessons=made, planted=canaries)


def _learned(
    store: Store,
    course: Course,
    tuner: Tuner,
    *,
    tell: Told,
    stepped: Callable[[Stepped, Point], None],
    clock: Callable[[], float] = time.monotonic,
    cpu_clock: Callable[[], float] = time.process_time,
) -> TrainedModel:
    """The card after training; checkpoints on the way."""
    packs = tuner.packs(course.lessons)
    watched = tuner.packs(judged_lessons(_watched(course.rows), course.places))
    every = max(1, min(len(packs), course.card.recipe.steps_max) // WATCHES)
    card, begun, cpu_begun = course.card, clock(), cpu_clock()
    points, saved_at = list(card.losses), begun
    before_s, before_cpu_s = card.seconds, card.cpu_seconds
    tell("training")
    for one in tuner.train(packs):
        look = watched and (one.step % every == 0 or one.step == one.steps)
        seen = tuner.loss(watched) if look else 0.0
        points.append(Point(step=one.step, loss=one.loss, watched=seen))
        card = replace(
            card,
            steps=one.step,
            tokens=one.tokens,
            seconds=before_s + clock() - begun,
            cpu_seconds=before_cpu_s + cpu_clock() - cpu_begun,
            device=tuner.device,
            losses=tuple(points[-LOSSES_MAX:]),
        )
        stepped(one, points[-1])
        if clock() - saved_at >= CHECKPOINT_S:
            _checkpoint(store, card, tuner)
            saved_at = clock()
    _checkpoint(store, card, tuner)
    return card


def _checkpoint(store: Store, card: TrainedModel, tuner: Tuner) -> None:
    store.registry.put_file(card.id, "state", tuner.saved())
    store.registry.save(card)


def _watched(rows: Sequence[Sent]) -> list[Sent]:
    return [row for row in rows if row.part == "watched"][:WATCHED_MAX]
