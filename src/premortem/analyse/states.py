"""The state machines of a profile as people look at them: rows, and a diagram for Mermaid."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from premortem.domain.relations import StateMachine
from premortem.domain.traffic import OperationProfile, Profile

ROWS_MAX = 200
"""Of one machine."""
NOTES_MAX = 12
"""Operations that the note beside one state names."""
_PLAIN = re.compile(r"[^\w /.()-]")
_TEMPLATE = re.compile(r"^(\w+) .*?([^/]*)$")


class Move(Struct, frozen=True, kw_only=True):
    """What came of one operation on things in one state."""

    operation_id: str
    before: str
    after: tuple[str, ...]
    """States that answers showed; empty: it showed none."""
    passed: int
    refused: int
    """For the state of things (409, 422, 423)."""
    reasons: tuple[str, ...]
    """Words of the refusals."""
    forbidden: bool
    """So often and so clearly that letting it through is a finding."""


class StateView(Struct, frozen=True, kw_only=True):
    """One state machine."""

    maker: str
    """Operation id of what makes the things."""
    field: str
    """Name of the field that holds the state."""
    things: int
    """Things that were seen in more than one state."""
    states: tuple[tuple[str, int], ...]
    """(state, things that were in it), most frequent first."""
    unseen: tuple[str, ...]
    """States that the specification declares and nothing recorded was in."""
    moves: tuple[Move, ...]
    """By state and operation."""
    mermaid: str
    """A `stateDiagram-v2`, for any viewer of Mermaid."""


def state_views(profile: Profile) -> tuple[StateView, ...]:
    """The machines of PROFILE in which something moves or is refused, most things first."""
    machines = [m for m in profile.machines if _tells(m)]
    machines.sort(key=lambda m: (-m.things, m.maker, m.field))
    return tuple(_view(profile, machine) for machine in machines)


def _tells(machine: StateMachine) -> bool:
    moved = any(t.passed and t.after not in ("", t.before) for t in machine.transitions)
    return moved or any(t.refused and t.reason for t in machine.transitions)


def _view(profile: Profile, machine: StateMachine) -> StateView:
    states = tuple((_said(state), count) for state, count in machine.states)
    seen = {state for state, _ in states}
    moves = tuple(_moves(machine))
    maker = profile.operation(machine.maker)
    declared = _declared(maker, machine.field) if maker is not None else []
    return StateView(
        maker=machine.maker,
        field=machine.field.rpartition("/")[2],
        things=machine.things,
        states=states,
        unseen=tuple(state for state in declared if state not in seen),
        moves=moves[:ROWS_MAX],
        mermaid=_mermaid(states, moves),
    )


def _said(state: str) -> str:
    """A state's JSON text without quotes."""
    return state.strip('"')


def _moves(machine: StateMachine) -> Iterator[Move]:
    together = defaultdict(list)
    for transition in machine.transitions:
        together[transition.before, transition.operation_id].append(transition)
    for (before, operation_id), parts in sorted(together.items()):
        yield Move(
            operation_id=operation_id,
            before=_said(before),
            after=tuple(sorted({_said(t.after) for t in parts if t.passed and t.after})),
            passed=sum(t.passed for t in parts),
            refused=sum(t.refused for t in parts),
            reasons=tuple(sorted({t.reason for t in parts if t.refused and t.reason})),
            forbidden=machine.forbids(operation_id, before),
        )


def _declared(operation: OperationProfile, field: str) -> list[str]:
    """Members of the set that the specification declares for FIELD in answers of OPERATION."""
    names = field.partition(":")[2].strip("/").split("/")
    for answer in operation.answers:
        if answer.status // 100 == 2 and answer.schema and answer.source == "spec":
            found = _enumerated(msgspec.json.decode(answer.schema), names)
            if found:
                return found
    return []


def _enumerated(document: Any, names: list[str]) -> list[str]:
    schema = _resolved(document, document)
    for name in names:
        inner = schema.get("properties")
        schema = _resolved(document, inner.get(name)) if isinstance(inner, dict) else {}
    members = schema.get("enum")
    return [m for m in members if isinstance(m, str)] if isinstance(members, list) else []


def _resolved(document: Any, schema: Any) -> dict[str, Any]:
    """SCHEMA, behind the references within DOCUMENT that it stands for."""
    for _ in range(8):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        schema = document
        for name in reference[2:].split("/"):
            schema = schema.get(name) if isinstance(schema, dict) else None
    return schema if isinstance(schema, dict) else {}


def _mermaid(states: tuple[tuple[str, int], ...], moves: tuple[Move, ...]) -> str:
    """The diagram: arrows for what was let through, notes for what was refused."""
    known = dict.fromkeys([*(s for s, _ in states), *(s for m in moves for s in m.after)])
    ids = {state: f"s{number}" for number, state in enumerate(known)}
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{_PLAIN.sub(" ", state)}" as {id_}' for state, id_ in ids.items()]
    if states and all(states[0][1] > count for _, count in states[1:]):
        lines.append(f"    [*] --> {ids[states[0][0]]}")  # all things pass their first state
    for move in moves:
        for after in move.after if move.before in ids else ():
            label = f"{_short(move.operation_id)} ({move.passed})"
            lines.append(f"    {ids[move.before]} --> {ids[after]}: {label}")
    for state, id_ in ids.items():
        refused = [m for m in moves if m.before == state and m.refused]
        if refused:
            lines.append(f"    note right of {id_}")
            lines += [f"        refused: {_refusal(m)}" for m in refused[:NOTES_MAX]]
            lines.append("    end note")
    return "\n".join(lines)


def _refusal(move: Move) -> str:
    why = _PLAIN.sub(" ", ", ".join(move.reasons)) or "no reason"
    return f"{_short(move.operation_id)} ({why}, {move.refused})"


def _short(operation_id: str) -> str:
    """`POST .../approve`: Mermaid takes no colon, and room is short."""
    found = _TEMPLATE.match(operation_id)
    last = found[2] if found is not None else operation_id
    method = found[1] if found is not None else ""
    last = "" if "{" in last else last  # the thing itself
    return _PLAIN.sub(" ", f"{method} {last}").strip()
