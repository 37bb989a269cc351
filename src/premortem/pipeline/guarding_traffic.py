"""The privacy gate of the traffic model: the parts of it that need no likelihoods."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.analyse.privacy import Spoken, canary_guards, copy_guards
from premortem.domain.bodies import is_json, leaves, read_body
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Exchange, Profile, Request
from premortem.domain.traffic_model import TrafficModel
from premortem.domain.trained import Guard
from premortem.generate.llm_canaries import CANARIES, random_word
from premortem.generate.replay import Replayer
from premortem.generate.traffic import Rooms, TrafficSource, held_out, train
from premortem.generate.traffic.situations import Situation, situations

DRAWN = 400
"""Requests that are drawn, of all operations together, in production's proportions."""
PROSE_MIN = 6
"""Letters of a text that a canary takes the place of."""


def traffic_guards(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    model: TrafficModel,
    *,
    seed: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> tuple[Guard, ...]:
    """What MODEL gives away of what it was trained on. For the canaries another one is trained,
    on the same requests and theirs: that takes as long again."""
    share = model.held_out_share
    rng = random.Random(seed)
    training: list[Spoken] = []
    outside: list[Spoken] = []
    trained: list[Situation] = []
    for situation in situations(profile, exchanges, Replayer(profile).standing_in("")):
        apart = held_out(situation.session, share)
        text = _body(situation.exchange.request)
        id_ = situation.final.operation_id
        if text:
            side = outside if apart else training
            side.append(Spoken(operation_id=id_, session=situation.session, text=text))
        if not apart:
            trained.append(situation)
    words, changed = _planted(exchanges, trained, rng)
    guards: tuple[Guard, ...] = ()
    if words:
        other = train(profile, changed, now=0.0, clock=clock, held_out_share=share)
        told = [one.text for one in _drawn(profile, changed, other, seed)]
        guards = canary_guards(words, told, [], [])[:1]
    return (*guards, *copy_guards(_drawn(profile, exchanges, model, seed), training, outside))


def _drawn(
    profile: Profile, exchanges: Mapping[str, Exchange], model: TrafficModel, seed: int
) -> list[Spoken]:
    source = TrafficSource(Rooms(profile, exchanges, model), seed)
    total = sum(operation.requests for operation in model.operations) or 1
    found: list[Spoken] = []
    for operation in model.operations:
        count = max(1, DRAWN * operation.requests // total)
        for number, sequence in enumerate(source.drawn(operation.operation_id, count)):
            *before, case = sequence.cases
            # What the requests before it said, or will say, it has from them.
            known = {value for one in before for _, value in leaves(_value(one.request))}
            known |= {binding.recorded for binding in case.bindings}
            text = _body(case.request, known=known)
            if text:
                session = f"made {number}"
                found.append(
                    Spoken(operation_id=operation.operation_id, session=session, text=text)
                )
    return found


def _planted(
    exchanges: Mapping[str, Exchange], trained: Sequence[Situation], rng: random.Random
) -> tuple[list[str], dict[str, Exchange]]:
    """(canaries, EXCHANGES with each of them in place of one text of a trained request)."""
    changed, words = dict(exchanges), []
    for situation in rng.sample(trained, len(trained)):
        value = _value(situation.exchange.request)
        name = _text_of(value)
        if name:
            word = random_word(rng)
            body = msgspec.json.encode(value | {name: word})
            request = replace(situation.exchange.request, body=body)
            changed[situation.exchange_id] = replace(situation.exchange, request=request)
            words.append(word)
        if len(words) == CANARIES:
            break
    return words, changed


def _text_of(value: Any) -> str:
    """The member of VALUE whose text is words; empty: none."""
    if not isinstance(value, dict):
        return ""
    texts = {name: text for name, text in value.items() if isinstance(text, str)}
    good = (
        name
        for name, text in texts.items()
        if " " in text and len(text) >= PROSE_MIN and not holds_token(text)
    )
    return next(good, "")


def _value(request: Request) -> Any:
    if not request.body or not is_json(request.media_type):
        return None
    try:
        return read_body(request)
    except ValueError:
        return None


def _body(request: Request, *, known: Collection[Any] = ()) -> str:
    """REQUEST's body as JSON, members that hold a value that is KNOWN left out; empty: none."""
    value = _value(request)
    if not isinstance(value, dict | list):
        return ""
    return msgspec.json.encode(_without(value, known)).decode()


def _without(value: Any, known: Collection[Any]) -> Any:
    if isinstance(value, list):
        return [_without(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without(item, known)
        for name, item in value.items()
        if isinstance(item, dict | list | bool) or item not in known
    }
