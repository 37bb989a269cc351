"""The steps about what surrounds a request: states, tables, events, edition, time, services."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from premortem.agent.steps.bind import BoundStep, rows_of
from premortem.agent.steps.hooks import Clock, EventSink, HookRequest, StateHook, Switch
from premortem.agent.steps.performing import Perform, texts
from premortem.agent.steps.stage import Stage
from premortem.agent.steps.world import StepBroken, StepFailed, field_of, same, shown
from premortem.domain.bodies import at
from premortem.domain.places import Place

COMMAND_S_MAX = 60.0
EVENT_FILE_BYTES_MAX = 64 * 1024 * 1024
POLL_S = 0.05


async def _state_set(stage: Stage, step: BoundStep) -> None:
    resource, identity, state = texts(step)
    hook = _hook(stage, resource, state)
    identity = stage.world.text(identity)
    await stage.ask_all(hook.steps, {"id": identity}, f"[states.{resource}.{state}]")
    if hook.sql:
        stage.tables.execute(hook.sql, identity=identity)


async def _state_check(stage: Stage, step: BoundStep) -> None:
    resource, identity, state = texts(step)
    hook = _hook(stage, resource, state)
    identity = stage.world.text(identity)
    if hook.read_sql:
        actual: Any = stage.tables.value(hook.read_sql, identity=identity)
    else:
        sent = await stage.ask(HookRequest(request=hook.read, role=hook.role), {"id": identity})
        if sent.response is None:
            raise StepBroken(f"{hook.read} was not answered")
        actual = field_of(sent.response, hook.field)
    wanted = hook.value or state
    if not same(actual, wanted):
        what = hook.field or f"the {resource}"
        raise StepFailed(f"{what} is {shown(actual)}, not {wanted!r}")


def _hook(stage: Stage, resource: str, state: str) -> StateHook:
    hook = stage.bindings.hook(resource, state)
    if hook is None:
        raise StepBroken(f"there is no [states.{resource}.{state}] in the binding file")
    return hook


async def _edition(stage: Stage, step: BoundStep) -> None:
    name = texts(step)[0]
    await _switch(stage, stage.bindings.edition(name), name, f"[editions.{name}]")


async def _time_set(stage: Stage, step: BoundStep) -> None:
    clock = stage.bindings.clock
    said = stage.world.text(texts(step)[0])
    await _switch(stage, clock, _formatted(said, clock), "[clock]")


async def _service_status(stage: Stage, step: BoundStep) -> None:
    name, status = texts(step)
    await _switch(stage, stage.bindings.service(name), status, f"[services.{name}]")


def _formatted(said: str, clock: Clock | None) -> str:
    """The time SAID in the form that CLOCK wants; without an offset it is UTC."""
    if clock is None or clock.format == "iso":
        return said
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise StepBroken(f"{said!r} is no time") from None
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    if clock.format == "http":
        return format_datetime(moment, usegmt=True)
    scale = 1000 if clock.format == "epoch_ms" else 1
    return str(int(moment.timestamp() * scale))


async def _switch(stage: Stage, switch: Switch | None, value: str, where: str) -> None:
    if switch is None:
        raise StepBroken(f"there is no {where} in the binding file")
    for name, template in switch.headers.items():
        stage.world.headers[name.lower()] = template.replace("${value}", value)
    stage.world.switched.append((where, switch, value))
    await stage.ask_all(switch.steps, {"value": value}, where)
    if switch.command:
        await _run(switch.command, value, stage, where)


async def restore(stage: Stage) -> None:
    """Undo what was switched, the last first. Raises StepBroken where that does not succeed."""
    while stage.world.switched:
        where, switch, value = stage.world.switched.pop()
        await stage.ask_all(switch.restore_steps, {"value": value}, where)
        if switch.restore_command:
            await _run(switch.restore_command, value, stage, where)


async def _run(command: str, value: str, stage: Stage, where: str) -> None:
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=stage.bindings.directory,
        env={**os.environ, "PREMORTEM_VALUE": value},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), COMMAND_S_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise StepBroken(f"the command of {where} did not end in {COMMAND_S_MAX:g} s") from None
    if process.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise StepBroken(f"the command of {where} failed with {process.returncode}: {lines[-1]}")


async def _table_contains(stage: Stage, step: BoundStep) -> None:
    rows = [stage.world.fill(row) for row in rows_of(step.step)]
    stage.tables.contain(texts(step)[0], rows)


async def _table_rows(stage: Stage, step: BoundStep) -> None:
    table, wanted = texts(step)
    _compare(stage.tables.count(table), int(wanted), f"the table {table}")


async def _table_rows_where(stage: Stage, step: BoundStep) -> None:
    table, wanted = texts(step)
    where = stage.world.fill(rows_of(step.step)[0])
    _compare(stage.tables.count(table, where), int(wanted), f"the table {table}")


def _compare(actual: int, wanted: int, what: str) -> None:
    if actual != wanted:
        raise StepFailed(f"{what} has {actual} such rows, not {wanted}")


async def _table_unchanged(stage: Stage, step: BoundStep) -> None:
    table = texts(step)[0]
    before = stage.world.rows_before.get(table)
    if before is None:
        raise StepBroken("no request was sent under When before this step")
    now = stage.tables.rows(table)
    gone, new = before - now, now - before
    if gone or new:
        example = next(iter(new or gone))
        raise StepFailed(
            f"the table {table} has changed: {new.total()} rows are new, {gone.total()} gone, "
            f"{'now' if new else 'before'} {example[:200]}"
        )


async def _event(stage: Stage, step: BoundStep) -> None:
    name, wanted = texts(step)[0], int(step.arguments[1])
    sink = stage.bindings.sink(name)
    before = stage.world.events_before.get(name)
    if sink is None or before is None:
        raise StepBroken(
            f"nobody counted the event {name} before this step: no request was sent under When, "
            f"or, with Reqnroll, there is no [events.{name}] in the binding file"
        )
    loop = asyncio.get_running_loop()
    until = loop.time() + sink.within_ms / 1000
    count = await count_events(stage, sink, name) - before
    # One too many may come as late as one that is missing: none at all is waited for in full.
    while (count < wanted or wanted == 0) and loop.time() < until:
        await asyncio.sleep(POLL_S)
        count = await count_events(stage, sink, name) - before
    if count != wanted:
        raise StepFailed(f"the event {name} is recorded {count} times, not {wanted}")


async def watch(stage: Stage, *, tables: list[str], events: list[str]) -> None:
    """Keep what TABLES hold and how often EVENTS happened, before a request is sent.

    Of events the first time counts, of tables the last: a repetition shall change nothing more.
    """
    for table in tables:
        stage.world.rows_before[table] = stage.tables.rows(table)
    for event in events:
        sink = stage.bindings.sink(event)
        if sink is not None and event not in stage.world.events_before:
            stage.world.events_before[event] = await count_events(stage, sink, event)


async def count_events(stage: Stage, sink: EventSink, name: str) -> int:
    """How often the event NAME stands in SINK by now."""
    if sink.table:
        return stage.tables.count(sink.table, {sink.name: name} if sink.name else None)
    if sink.file:
        return _in_file(Path(stage.bindings.directory) / sink.file, sink, name)
    read = HookRequest(request=sink.read, role=sink.role)
    sent = await stage.ask(read, {"value": name})
    if sent.response is None or sent.response.status != 200:
        status = sent.response.status if sent.response else "not at all"
        raise StepBroken(f"{sink.read} of the event {name} was answered {status}")
    found = field_of(sent.response, sink.list)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    if not isinstance(found, list):
        raise StepBroken(f"{sink.read} holds no list and no number at {sink.list or 'its top'}")
    return sum(_is_event(one, sink, name) for one in found)


def _in_file(path: Path, sink: EventSink, name: str) -> int:
    if not path.is_file():
        return 0
    if path.stat().st_size > EVENT_FILE_BYTES_MAX:
        raise StepBroken(f"{path} has more than {EVENT_FILE_BYTES_MAX} bytes to look through")
    count = 0
    for line in path.read_bytes().splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue  # a line in the making, or another kind of log
        count += _is_event(value, sink, name)
    return count


def _is_event(value: Any, sink: EventSink, name: str) -> bool:
    if not sink.name:
        return True
    pointer = sink.name if sink.name.startswith("/") else "/" + sink.name
    try:
        return bool(at(value, Place(part="body", name=pointer).tokens) == name)
    except (LookupError, TypeError):
        return False


WORLD_STEPS: Mapping[str, Perform] = {
    "state_set": _state_set,
    "state_check": _state_check,
    "edition": _edition,
    "time_set": _time_set,
    "service_status": _service_status,
    "table_contains": _table_contains,
    "table_rows": _table_rows,
    "table_rows_where": _table_rows_where,
    "table_unchanged": _table_unchanged,
    "event": _event,
}
