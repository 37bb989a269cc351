"""The steps about actors, requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from premortem.agent.steps.bind import SIGNATURE, BoundStep
from premortem.agent.steps.performing import Perform, texts
from premortem.agent.steps.stage import Stage
from premortem.agent.steps.world import (
    StepBroken,
    StepFailed,
    field_of,
    json_body,
    mismatch,
    same,
    shown,
    shown_bytes,
)
from premortem.domain.invariant import compared


async def _actor_role(stage: Stage, step: BoundStep) -> None:
    actor, role = texts(step)
    stage.world.actors[actor] = stage.bindings.role(role)


async def _actor_anonymous(stage: Stage, step: BoundStep) -> None:
    stage.world.actors[texts(step)[0]] = ""


async def _token_claim(stage: Stage, step: BoundStep) -> None:
    actor, claim, value = texts(step)
    value = stage.world.text(value)
    role = stage.world.actor(actor)
    if not role:
        raise StepBroken(f'"{actor}" is not signed in, and so has no token')
    tokens = stage.bindings.tokens
    if claim == SIGNATURE or tokens is None or not tokens.request:
        stage.world.claims.setdefault(actor, {})[claim] = value
        return
    sent = await stage.ask_all(
        tokens.requests, {"role": role, "claim": claim, "value": value}, "[tokens]"
    )
    if sent is None or sent.response is None:
        raise StepBroken("[tokens] made no token")
    token = field_of(sent.response, tokens.token)
    stage.world.tokens[actor] = (tokens.header.lower(), f"{tokens.prefix}{token}")


async def _sign_in(stage: Stage, step: BoundStep) -> None:
    actor, role = texts(step)
    await stage.sign_in(actor, stage.bindings.role(role))


async def _send(stage: Stage, step: BoundStep) -> None:
    actor, method, target = texts(step)
    await stage.deliver(stage.case(actor, method, target, docstring=step.step.docstring))
    response = stage.world.response
    if step.keyword == "Given" and response.status >= 400:
        said = shown_bytes(response.body)
        raise StepBroken(f"what is given did not come about: {response.status} {said}")


async def _race(stage: Stage, step: BoundStep) -> None:
    actor, method, target, times = texts(step)
    case = stage.case(actor, method, target, docstring=step.step.docstring)
    cases = [case] + [stage.keyed(case) if stage.world.key else case for _ in range(int(times) - 1)]
    await stage.deliver(*cases)


async def _race_status(stage: Stage, step: BoundStep) -> None:
    wanted, status = (int(argument) for argument in step.arguments)
    if not stage.world.round:
        raise StepBroken("no request was sent before this step")
    statuses = [sent.response.status for sent in stage.world.round if sent.response]
    if statuses.count(status) != wanted:
        said = ", ".join(f"{statuses.count(one)} x {one}" for one in sorted(set(statuses)))
        raise StepFailed(f"{statuses.count(status)} have {status}, not {wanted}: {said}")


async def _repeat(stage: Stage, step: BoundStep) -> None:
    stage.last()
    for _ in range(int(step.arguments[0])):
        case = stage.last()
        await stage.deliver(stage.keyed(case) if stage.world.key else case)


async def _repeat_key(stage: Stage, _: BoundStep) -> None:
    await stage.deliver(stage.last())


async def _status(stage: Stage, step: BoundStep) -> None:
    response = stage.world.response
    wanted = int(step.arguments[0])
    if response.status != wanted:
        body = f": {shown_bytes(response.body)}" if response.body else ""
        raise StepFailed(f"the status is {response.status}, not {wanted}{body}")


async def _field(stage: Stage, step: BoundStep) -> None:
    name, text = texts(step)
    actual = field_of(stage.world.response, stage.world.text(name))
    expected = stage.world.expected(text)
    if not same(actual, expected):
        raise StepFailed(f"{name or 'the body'} is {shown(actual)}, not {shown(expected)}")


async def _header(stage: Stage, step: BoundStep) -> None:
    name, text = texts(step)
    actual = stage.world.response.header(name.lower())
    expected = stage.world.text(text)
    if actual is None:
        raise StepFailed(f"the answer has no header {name}")
    if actual != expected:
        raise StepFailed(f"{name} is {shown(actual)}, not {shown(expected)}")


async def _header_next(stage: Stage, step: BoundStep) -> None:
    name, text = texts(step)
    stage.world.next_headers[name.lower()] = stage.world.text(text)


async def _matches(stage: Stage, step: BoundStep) -> None:
    pattern = stage.world.fill(msgspec.json.decode(step.step.docstring))
    if found := mismatch(json_body(stage.world.response), pattern):
        raise StepFailed(found)


async def _holds(stage: Stage, step: BoundStep) -> None:
    said = stage.world.text(texts(step)[0])
    body = json_body(stage.world.response)
    try:
        comparison = compared(said)
    except ValueError as error:
        raise StepBroken(f"{said}: {error}") from None
    holds = comparison.check(body)
    if holds is None:
        raise StepBroken(f"{said} cannot be said of {shown(body)}")
    if not holds:
        values = {"/".join(path): _value(body, path) for path in comparison.names()}
        raise StepFailed(f"{said} does not hold: {shown(values)}")


def _value(body: Any, path: tuple[str, ...]) -> Any:
    """What stands at PATH, for a message; lists on the way are shown whole."""
    for name in path:
        if not isinstance(body, dict) or name not in body:
            return body if isinstance(body, list) else None
        body = body[name]
    return body


async def _time(stage: Stage, step: BoundStep) -> None:
    _ = stage.world.response
    sent, limit = stage.world.sent, int(step.arguments[0])
    if sent is not None and sent.duration_ms >= limit:
        raise StepFailed(f"it took {sent.duration_ms:.0f} ms, not under {limit}")


async def _save(stage: Stage, step: BoundStep) -> None:
    name, variable = texts(step)
    stage.world.save(variable, field_of(stage.world.response, stage.world.text(name)))


async def _save_header(stage: Stage, step: BoundStep) -> None:
    name, variable = texts(step)
    value = stage.world.response.header(name.lower())
    if value is None:
        raise StepBroken(f"the answer has no header {name}")
    stage.world.save(variable, value)


HTTP_STEPS: Mapping[str, Perform] = {
    "actor_role": _actor_role,
    "actor_anonymous": _actor_anonymous,
    "token_claim": _token_claim,
    "sign_in": _sign_in,
    "send": _send,
    "send_body": _send,
    "race": _race,
    "race_body": _race,
    "race_status": _race_status,
    "repeat": _repeat,
    "repeat_key": _repeat_key,
    "status": _status,
    "field": _field,
    "header": _header,
    "header_next": _header_next,
    "matches": _matches,
    "holds": _holds,
    "time": _time,
    "save": _save,
    "save_header": _save_header,
}
