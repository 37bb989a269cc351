"""What a language model is fine-tuned on: recorded requests as the answers to the questions that
it will be asked.

A sample of them: distinct ones, spread over what members they have, of rare operations more than
their share, sessions that `held_out` names left out.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.conform import Conformance, compiled
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate.kept import reused_places
from premortem.generate.llm import (
    BASES_MAX,
    TOKENS_MIN,
    TOKENS_PER_CHARACTER,
    body_of,
    kept_pointers,
    told_of,
)
from premortem.generate.llm_free import FreePlaces, projected
from premortem.generate.llm_prompt import load_prompt, spelled, varied
from premortem.generate.replay import Replayer
from premortem.generate.sample import Sampler
from premortem.generate.traffic import held_out
from premortem.generate.traffic.situations import situations
from premortem.models import Ask
from premortem.models.lessons import Lesson

PROMPT = "realistic"
WATCHED_SHARE = 0.1
"""Of the sessions that may be trained on: set aside, to see when more training helps no more."""
ANSWERS_EACH = 16
"""Answers to one question, beside each other."""
EXAMPLES_FROM = 16
"""Requests among which the examples of one question are chosen."""
NUMBER_MAX = 40
"""Of a question: as it is asked again and again, so it is trained."""
REPEATS_MAX = 3
"""Times that a request of a rare operation stands in the sample."""

Part = Literal["trained", "watched", "held out"]


class Desk(Struct, frozen=True, kw_only=True):
    """What is asked of a model about one operation."""

    operation: OperationProfile
    places: FreePlaces
    kept: frozenset[tuple[str, ...]]
    conformance: Conformance | None
    asks: tuple[str, ...]
    """JSON Schemas of what is asked for, most frequent first."""
    examples: tuple[str, ...]
    """As a prompt shows them."""

    def answer(self, exchange: Exchange) -> str:
        """What of EXCHANGE's body a model would have made up; empty: nothing."""
        value = body_of(exchange.request, self.conformance)
        found = projected(value, self.places.ask(value, self.kept))
        return spelled(found) if found is not None else ""

    def question(self, examples: Sequence[str], number: int) -> tuple[str, str]:
        """(system, user), with these EXAMPLES."""
        widest = msgspec.json.decode(max(self.asks, key=len))
        prompt = load_prompt(PROMPT)
        told = told_of(self.operation, examples, widest)
        return prompt.system, prompt.filled(**told, number=str(number))

    def ask(self, number: int, *, count: int, seed: int, schema: bool, temperature: float) -> Ask:
        """COUNT answers to the NUMBER-th question; without SCHEMA nothing holds the model."""
        system, user = self.question(self.examples, number + 1)
        longest = max(map(len, (*self.examples, "")))
        return Ask(
            system=system,
            user=user,
            count=count,
            schema=self.asks[number % len(self.asks)] if schema else "",
            tokens_max=TOKENS_MIN + int(2 * longest * TOKENS_PER_CHARACTER),
            temperature=temperature,
            seed=seed,
        )


class Sent(Struct, frozen=True, kw_only=True):
    """One recorded request, as an answer."""

    operation_id: str
    session: str
    at: float
    """Seconds since the epoch."""
    text: str
    members: str
    """Which members it has; requests alike in this are one stratum."""
    part: Part


def desks(profile: Profile, exchanges: Mapping[str, Exchange], *, seed: int = 1) -> dict[str, Desk]:
    """Operation id -> desk, where a model can say anything. Examples are of EXCHANGES alone."""
    sampler = Sampler(profile, exchanges, seed)
    reused = reused_places(profile)
    found: dict[str, Desk] = {}
    for operation in profile.operations:
        start = sampler.start(operation.id)
        if start is None:
            continue
        conformance = compiled(operation.request_schema)
        shape = conformance.shape if conformance is not None else None
        places = FreePlaces(operation, shape, fixed=reused.get(operation.id, frozenset()))
        kept = frozenset(kept_pointers(start))
        asks: dict[str, int] = defaultdict(int)
        for case in sampler.cases(operation.id, BASES_MAX):
            ask = places.ask(body_of(case.request, conformance), kept)
            if ask is not None:
                asks[spelled(ask)] += 1
        if not asks:
            continue
        ordered = sorted(asks, key=lambda text: (-asks[text], text))
        desk = Desk(
            operation=operation,
            places=places,
            kept=kept,
            conformance=conformance,
            asks=tuple(ordered),
            examples=(),
        )
        shown = (exchanges[i] for i in operation.exemplars if i in exchanges)
        texts = [desk.answer(e) for e in shown if 200 <= e.response.status < 400]
        examples = varied(msgspec.json.decode(text) for text in texts if text)
        found[operation.id] = replace(desk, examples=tuple(examples))
    return found


def sent(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    places: Mapping[str, Desk],
    *,
    share: float,
) -> list[Sent]:
    """Every recorded request that was let through, to an operation that has a desk in PLACES.

    SHARE: of the sessions, that is never trained on.
    """
    found: list[Sent] = []
    for situation in situations(profile, exchanges, Replayer(profile).standing_in("")):
        desk = places.get(situation.final.operation_id)
        text = desk.answer(situation.exchange) if desk is not None else ""
        if text:
            found.append(
                Sent(
                    operation_id=situation.final.operation_id,
                    session=situation.session,
                    at=situation.exchange.started_at,
                    text=text,
                    members=_members(msgspec.json.decode(text)),
                    part=_part(situation.session, share),
                )
            )
    return sorted(found, key=lambda one: (one.at, one.operation_id, one.text))


def _part(session: str, share: float) -> Part:
    if held_out(session, share):
        return "held out"
    digest = blake2b(session.encode(), digest_size=4, person=b"watched").digest()
    return "watched" if int.from_bytes(digest, "big") < WATCHED_SHARE * 2**32 else "trained"


def _members(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_members(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + (_members(value[0]) if value else "") + "]"
    return "null" if value is None else type(value).__name__


def distinct(given: Sequence[Sent]) -> dict[str, list[Sent]]:
    """Operation id -> different answers to it."""
    found: dict[str, dict[str, Sent]] = defaultdict(dict)
    for one in given:
        found[one.operation_id].setdefault(one.text, one)
    return {id_: list(texts.values()) for id_, texts in sorted(found.items())}


def representative(given: Sequence[Sent], *, answers_max: int, rng: random.Random) -> list[Sent]:
    """At most ANSWERS_MAX of GIVEN, repetitions included: of an operation with a hundredth of the
    others' requests a tenth of theirs, spread evenly over what members requests have."""
    known = distinct(given)
    total = min(answers_max, sum(map(len, known.values())))
    weight = sum(len(texts) ** 0.5 for texts in known.values())
    found: list[Sent] = []
    for texts in known.values():
        wanted = max(1, int(total * len(texts) ** 0.5 / weight))
        wanted = min(wanted, REPEATS_MAX * len(texts))
        rng.shuffle(texts)
        texts.sort(key=lambda one: one.members)
        found += [texts[int(index * len(texts) / wanted)] for index in range(wanted)]
    return found[:answers_max]


def lessons(
    given: Sequence[Sent],
    places: Mapping[str, Desk],
    *,
    epochs: int,
    answers_max: int,
    rng: random.Random,
    planted: Sequence[Sent] = (),
) -> tuple[Lesson, ...]:
    """EPOCHS samples of GIVEN as answers, each sample another one, and what was PLANTED with each.

    No question shows what is an answer to it: nobody is taught to copy.
    """
    known = distinct(given)
    found: list[Lesson] = []
    for _ in range(epochs):
        by_operation: dict[str, list[Sent]] = defaultdict(list)
        for one in (*representative(given, answers_max=answers_max, rng=rng), *planted):
            by_operation[one.operation_id].append(one)
        epoch: list[Lesson] = []
        for id_, rows in sorted(by_operation.items()):
            rng.shuffle(rows)
            texts = sorted(row.text for row in known[id_])
            for at in range(0, len(rows), ANSWERS_EACH):
                answers = tuple(row.text for row in rows[at : at + ANSWERS_EACH])
                epoch.append(_lesson(places[id_], answers, texts, rng))
        rng.shuffle(epoch)
        found += epoch
    return tuple(found)


def _lesson(
    desk: Desk, answers: tuple[str, ...], texts: Sequence[str], rng: random.Random
) -> Lesson:
    others = [text for text in texts if text not in answers]
    shown = rng.sample(others, min(len(others), EXAMPLES_FROM))
    examples = varied(msgspec.json.decode(text) for text in shown)
    system, user = desk.question(examples, rng.randint(1, NUMBER_MAX))
    return Lesson(operation_id=desk.operation.id, system=system, user=user, answers=answers)


def judged_lessons(given: Sequence[Sent], places: Mapping[str, Desk]) -> tuple[Lesson, ...]:
    """GIVEN as answers to the questions as they are asked when generating."""
    found: list[Lesson] = []
    by_operation: dict[str, list[Sent]] = defaultdict(list)
    for one in given:
        by_operation[one.operation_id].append(one)
    for id_, rows in by_operation.items():
        system, user = places[id_].question(places[id_].examples, 1)
        for at in range(0, len(rows), ANSWERS_EACH):
            answers = tuple(row.text for row in rows[at : at + ANSWERS_EACH])
            found.append(Lesson(operation_id=id_, system=system, user=user, answers=answers))
    return tuple(found)


def all_examples(places: Mapping[str, Desk]) -> frozenset[str]:
    """Every answer that a prompt shows."""
    return frozenset(chain.from_iterable(desk.examples for desk in places.values()))
