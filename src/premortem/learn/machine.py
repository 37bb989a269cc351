"""State machines: which operation moved a thing from which state to which, and was refused where.

A thing is what an operation made under an identifier that later paths name. A state is a value
of a field of few words, or of true and false, that answers show of it and that changed while it
lived. What is done to a thing below it (a payment of an invoice) may change it, too: from then on
its state is unknown until an answer shows it again. (Lorenzoli, Mariani, Pezze 2008, Automatic
generation of software behavioral models, ICSE.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from premortem.domain.places import body_place
from premortem.domain.relations import StateMachine, Transition
from premortem.learn.bodies import Body
from premortem.learn.facts import Facts, Named, strong

SHOWN_MAX = 60_000
"""Answers whose fields are remembered, the latest ones: about 300 bytes each."""
FIELDS_MAX = 24
"""Fields of one answer that may hold a state."""
STATE_CHARS_MAX = 40
STATES_MAX = 12
"""Values of one field; more are no states."""
THINGS_MIN = 3
"""Things that must have changed their state before there is a machine."""
MACHINES_MAX = 100
TRANSITIONS_MAX = 500
"""Of one machine."""
LIVES_MAX = 50_000
"""Things that are followed at once; of more the latest."""
REFUSALS = frozenset({409, 422, 423})
"""Refusals for the state of things, as services use them; a stale version (412) is none."""

_NAMES = ("id", "uuid", "key", "name")
"""What the identifier of a thing is called in what shows it."""


@dataclass(slots=True, frozen=True)
class Shown:
    """What an answer shows of a thing."""

    name: str
    """Its identifier; empty: it has none."""
    states: tuple[tuple[str, str], ...]
    """(`str(place)`, JSON text) of what may be a state."""


_NOTHING = Shown(name="", states=())


@dataclass(slots=True)
class _Life:
    """A thing, as far as the traffic told of it."""

    maker: str
    name: str
    above: tuple[_Life, ...] = ()
    """What its maker's path named."""
    states: dict[str, str] = field(default_factory=dict)
    """`str(place)` -> what the latest answer showed, if nothing was done since."""
    seen: dict[str, set[str]] = field(default_factory=dict)
    """`str(place)` -> all that was shown."""


class Lives:
    """Follows things through the exchanges; add them in their order."""

    def __init__(self, expected: int = 0) -> None:
        self._skip = max(0, expected - SHOWN_MAX)
        self._shown: dict[str, Shown] = {}
        self._same: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}

    def add(self, exchange_id: str, status: int, answered: Body) -> None:
        """What the answer to an exchange shows."""
        if self._skip:
            self._skip -= 1
        elif 200 <= status < 300 and answered.kind == "json":
            name, value, at = _thing(answered.value)
            states = tuple(_states(value, at))
            if name and states:
                states = self._same.setdefault(states, states)
                self._shown[exchange_id] = Shown(name=name, states=states)

    def machines(self, rows: Iterable[Facts]) -> tuple[StateMachine, ...]:
        """What ROWS, the facts of the same exchanges, show."""
        lives: dict[str, _Life] = {}
        found: dict[tuple[str, str], _Machine] = defaultdict(_Machine)
        everything: list[_Life] = []
        for facts in rows:
            self._follow(facts, lives, found, everything)
        return _settled(found, everything)

    def _follow(
        self,
        facts: Facts,
        lives: dict[str, _Life],
        found: dict[tuple[str, str], _Machine],
        everything: list[_Life],
    ) -> None:
        about = [life for used in facts.uses if (life := _named(used, lives)) is not None]
        shown = self._shown.get(facts.id, _NOTHING)
        refused = facts.status in REFUSALS and bool(facts.reason)
        changing = not facts.safe and facts.succeeded
        for life in _with_above(about):
            told = dict(shown.states) if shown.name == life.name else {}
            if not facts.safe and (facts.succeeded or refused):
                for place, before in life.states.items():
                    move = (facts.operation_id, before, told.get(place, ""), facts.reason)
                    found[life.maker, place].moves[move] += 1
            if changing:
                life.states.clear()
            if facts.succeeded and told:
                _show(life, told)
        if changing and len(everything) < LIVES_MAX:
            self._born(facts, about, shown, lives, everything)

    def _born(
        self,
        facts: Facts,
        about: list[_Life],
        shown: Shown,
        lives: dict[str, _Life],
        everything: list[_Life],
    ) -> None:
        made = [n for n in facts.makes if n.place.part == "body" and n.text == shown.name]
        if not made:
            return
        life = _Life(maker=facts.operation_id, name=shown.name, above=tuple(about))
        _show(life, dict(shown.states))
        everything.append(life)
        for named in made:
            for key in named.keys:
                lives.setdefault(key, life)


class _Machine:
    """Moves of one field of the things of one maker, counted."""

    def __init__(self) -> None:
        self.moves: Counter[tuple[str, str, str, str]] = Counter()


def _named(used: Named, lives: dict[str, _Life]) -> _Life | None:
    if used.place.part != "path":
        return None
    return next((lives[key] for key in used.keys if key in lives), None)


def _with_above(about: list[_Life]) -> Iterator[_Life]:
    """ABOUT and what is above those, each once."""
    seen: set[int] = set()
    left = list(about)
    while left:
        life = left.pop()
        if id(life) not in seen:
            seen.add(id(life))
            yield life
            left += life.above


def _show(life: _Life, told: dict[str, str]) -> None:
    life.states = dict(told)
    for place, value in told.items():
        life.seen.setdefault(place, set()).add(value)


def _thing(value: Any) -> tuple[str, Any, tuple[str, ...]]:
    """(identifier, object, pointer) of the thing that an answer shows, wrapped once or not."""
    at: tuple[str, ...] = ()
    if isinstance(value, dict) and len(value) == 1:
        (name, inner), *_ = value.items()
        if isinstance(inner, dict):
            value, at = inner, (name,)
    if isinstance(value, dict):
        for key in _NAMES:
            named = value.get(key)
            if isinstance(named, str | int) and not isinstance(named, bool):
                return str(named), value, at
    return "", None, at


def _states(value: Any, at: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Texts of few words and truth values at the top of an object."""
    count = 0
    for name, item in value.items() if isinstance(value, dict) else ():
        if count < FIELDS_MAX and (item is True or item is False or _is_word(item)):
            count += 1
            text = str(item).lower() if isinstance(item, bool) else f'"{item}"'
            yield str(body_place(*at, name)), text


def _is_word(item: Any) -> bool:
    if not isinstance(item, str) or not 0 < len(item) <= STATE_CHARS_MAX:
        return False
    return item.replace("_", "a").replace("-", "a").replace(" ", "a").isalpha() and not strong(item)


def _settled(
    found: dict[tuple[str, str], _Machine], lives: list[_Life]
) -> tuple[StateMachine, ...]:
    by_field: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for life in lives:
        for place, values in life.seen.items():
            by_field[life.maker, place].append(values)
    machines = []
    for (maker, place), all_seen in by_field.items():
        counts = Counter(value for values in all_seen for value in values)
        things = sum(len(values) > 1 for values in all_seen)
        if things < THINGS_MIN or len(counts) > STATES_MAX:
            continue
        moves = found[maker, place].moves if (maker, place) in found else Counter()
        machines.append(_machine(maker, place, things, counts, moves))
    return ranked(machines)


def _machine(
    maker: str,
    place: str,
    things: int,
    counts: Counter[str],
    moves: Counter[tuple[str, str, str, str]],
) -> StateMachine:
    transitions: dict[tuple[str, str, str, str], Transition] = {}
    for (operation_id, before, after, reason), count in moves.items():
        refused = bool(reason)
        transitions[operation_id, before, after, reason] = Transition(
            operation_id=operation_id,
            before=before,
            after=after,
            reason=reason,
            passed=0 if refused else count,
            refused=count if refused else 0,
        )
    return StateMachine(
        maker=maker,
        field=place,
        things=things,
        states=tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        transitions=_in_order(transitions.values()),
    )


def _in_order(transitions: Iterable[Transition]) -> tuple[Transition, ...]:
    ordered = sorted(transitions, key=lambda t: (t.operation_id, t.before, t.after, t.reason))
    return tuple(ordered[:TRANSITIONS_MAX])


def ranked(machines: Iterable[StateMachine]) -> tuple[StateMachine, ...]:
    """MACHINES, most things first, at most MACHINES_MAX."""
    ordered = sorted(machines, key=lambda m: (-m.things, m.maker, m.field))
    return tuple(sorted(ordered[:MACHINES_MAX], key=lambda m: (m.maker, m.field)))


def merge_machines(
    a: Iterable[StateMachine], b: Iterable[StateMachine]
) -> tuple[StateMachine, ...]:
    """Those of both, counts added; what has too many states in both together is none."""
    together: dict[tuple[str, str], list[StateMachine]] = defaultdict(list)
    for machine in (*a, *b):
        together[machine.maker, machine.field].append(machine)
    merged = []
    for (maker, place), parts in together.items():
        counts: Counter[str] = Counter()
        added: dict[tuple[str, str, str, str], Transition] = {}
        for part in parts:
            counts.update(dict(part.states))
            for t in part.transitions:
                key = (t.operation_id, t.before, t.after, t.reason)
                old = added.get(key)
                added[key] = t if old is None else _sum(old, t)
        if len(counts) <= STATES_MAX:
            merged.append(
                StateMachine(
                    maker=maker,
                    field=place,
                    things=sum(part.things for part in parts),
                    states=tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
                    transitions=_in_order(added.values()),
                )
            )
    return ranked(merged)


def _sum(a: Transition, b: Transition) -> Transition:
    return Transition(
        operation_id=a.operation_id,
        before=a.before,
        after=a.after,
        reason=a.reason,
        passed=a.passed + b.passed,
        refused=a.refused + b.refused,
    )


def changed_bans(
    before: Iterable[StateMachine], after: Iterable[StateMachine]
) -> Iterator[tuple[str, str, str]]:
    """(operation id, what was refused, what is): where one side refuses something in a state and
    the other lets it through."""
    mine, theirs = ({(m.maker, m.field): m for m in side} for side in (before, after))
    for key in sorted(mine.keys() & theirs.keys()):
        for words, operation_id in _bans(mine[key], theirs[key]):
            yield operation_id, words, ""
        for words, operation_id in _bans(theirs[key], mine[key]):
            yield operation_id, "", words


def _bans(one: StateMachine, other: StateMachine) -> Iterator[tuple[str, str]]:
    through = {(t.operation_id, t.before) for t in other.transitions if t.passed}
    for operation_id in dict.fromkeys(t.operation_id for t in one.transitions):
        for state, _ in one.states:
            if (operation_id, state) in through and one.forbids(operation_id, state):
                yield f"refused while {one.field} is {state}", operation_id
