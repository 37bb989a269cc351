"""A skill: one named step of the Test Generator Agent, callable by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.emit.augmentation import Augmentation, log_source
from premortem.config import Config
from premortem.domain.proposal import Signal, SkillPart
from premortem.errors import InputError
from premortem.observe.spans import span
from premortem.store import Store

RETRIES_MAX = 2
"""Times a skill is tried again after an output that its own check refused."""
INPUT_BYTES_MAX = 4 * 1024 * 1024


class Unfit(Exception):
    """A skill's output that its own check refuses; said as the reason of the next try."""


class Room(Struct, frozen=True, kw_only=True):
    """What skills work with: a project's configuration, its store, and a folder of tests."""

    config: Config
    root: Path
    """The folder of sources and tests that artifacts are read from and written to."""
    store: Callable[[], Store]
    """Opens it at the first need; raises NothingLearned where there is none."""
    clock: Callable[[], float] = time.time
    tracer_provider: Any = None
    """OpenTelemetry's, for the spans; None: the one that the program has set."""
    seed: int = 1
    tried: int = 0
    """Tries before this one."""
    retry_reason: str = ""
    """Why the last one was refused."""
    memo: dict[str, Any] = {}
    """What one performance of a skill read already."""


class Skill(Struct, frozen=True, kw_only=True):
    """One skill. The same request, room and seed give the same result."""

    name: str
    """`GenerateFeatureScenario`."""
    part: SkillPart
    does: str
    """In one sentence."""
    asks: type[Struct]
    """What it is asked with; decoded strictly."""
    perform: Callable[[Room, Any], Struct]
    """(room, request) -> result. Raises Unfit where another try may help, InputError where none
    does."""
    writes: bool = False
    """It writes below the room's root."""


class Performed(Struct, frozen=True, kw_only=True):
    """What came of a skill."""

    skill: str
    span: str
    """`testgen.GenerateFeatureScenario`."""
    result: Any
    retry_count: int
    retry_reason: str
    """Why the try before the last was refused; empty: there was one try."""
    duration_ms: float


def perform(skill: Skill, request: bytes, room: Room) -> Performed:
    """SKILL done with REQUEST, a JSON document of what it asks for.

    Raises InputError when REQUEST does not fit, or when no try gave a usable output.
    """
    return performed(skill, decoded(skill, request), room)


def performed(skill: Skill, asked: Struct, room: Room) -> Performed:
    """SKILL done with ASKED, as one span for each try. Raises InputError as `perform` does."""
    reason, began = "", room.clock()
    room = replace(room, memo={})
    name = f"testgen.{skill.name}"
    for tried in range(1 + RETRIES_MAX):
        said: dict[str, str | int] = {**_told(asked), "retry_count": tried, "retry_reason": reason}
        try:
            with span(name, said, provider=room.tracer_provider) as tell:
                result = skill.perform(room, asked)
                tell({"scenario_title": _title(result), **_measured(result)})
        except Unfit as refused:
            reason = str(refused)
            room = replace(room, tried=tried + 1, retry_reason=reason)
            continue
        return Performed(
            skill=skill.name,
            span=name,
            result=result,
            retry_count=tried,
            retry_reason=reason,
            duration_ms=round((room.clock() - began) * 1000, 3),
        )
    raise InputError(
        f"{skill.name} gave nothing usable in {1 + RETRIES_MAX} tries: {reason}; ask it another way"
    )


def _told(asked: Struct) -> dict[str, str]:
    """What a span says of ASKED: the signal that it is about, or that it carries."""
    signal = _signal(asked)
    if signal is None:
        return {}
    return {
        "trace_id": signal.trace_id,
        "handler": signal.handler,
        "edition": signal.edition,
        "source": log_source(signal),
    }


def _signal(asked: Struct) -> Signal | None:
    if isinstance(asked, Signal):
        return asked
    for name in ("signal", "context", "generated", "emission", "augmentation", "ask"):
        inner = getattr(asked, name, None)
        if isinstance(inner, Signal):
            return inner
        found = _signal(inner) if isinstance(inner, Struct) else None
        if found is not None:
            return found
    return None


def _title(result: Struct) -> str:
    """The scenario that came of a skill; empty: none, or several."""
    proposals: Sequence[Any] = getattr(result, "proposals", ())
    return proposals[0].title if len(proposals) == 1 else ""


def _measured(result: Struct) -> dict[str, int | float]:
    """The metrics of what a skill emitted."""
    made = getattr(result, "augmentation", None)
    if not isinstance(made, Augmentation) or made.after is None:
        return {}
    return {
        "testgen.scenario.count": len(made.added),
        "testgen.methods.appended": len(made.methods),
        "testgen.coverage.delta": round(made.coverage_delta, 1),
        "testgen.retry.count": made.retry_count,
    }


def decoded(skill: Skill, request: bytes) -> Struct:
    """REQUEST as SKILL takes it. Raises InputError."""
    if len(request) > INPUT_BYTES_MAX:
        raise InputError(
            f"the request for {skill.name} has {len(request):,} bytes; give it at most "
            f"{INPUT_BYTES_MAX:,}"
        )
    try:
        known = {field.encode_name for field in msgspec.structs.fields(skill.asks)}
        given = msgspec.json.decode(request or b"{}", type=dict[str, Any])
        for name in given:
            if name not in known:
                fields = ", ".join(sorted(known))
                raise InputError(f"{skill.name} cannot be asked for {name!r}; it takes {fields}")
        return msgspec.json.decode(request or b"{}", type=skill.asks)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{skill.name} cannot be asked so: {error}; `premortem skill {skill.name} --schema` "
            f"says what it takes"
        ) from None
    except msgspec.DecodeError as error:
        raise InputError(f"the request for {skill.name} is no JSON: {error}; mend it") from None


def schema(skill: Skill) -> dict[str, Any]:
    """The JSON Schema of what SKILL is asked with."""
    return msgspec.json.schema(skill.asks)
