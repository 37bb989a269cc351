"""Ways into a state: as production went there before it was refused, or put together from moves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.outcomes.repetition import of_repetition
from premortem.agent.outcomes.state import OTHER_REASONS
from premortem.agent.planning import titles
from premortem.agent.planning.draft import CannotWrite
from premortem.agent.planning.reach import Reached, reach
from premortem.agent.planning.whole import whole_amount
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.supplies import supplied
from premortem.agent.plans.values_in import share, with_value
from premortem.agent.understanding.words import (
    STOPWORDS,
    VERBS,
    is_action,
    participle,
    stems,
    tokens,
)
from premortem.checks import reason_of
from premortem.domain.bodies import is_json
from premortem.domain.conform import compiled
from premortem.domain.relations import StateMachine
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.template import split_template
from premortem.domain.traffic import Exchange, OperationProfile
from premortem.generate.order_kit import loose
from premortem.generate.replay import UNKNOWN, recipe_cases
from premortem.generate.starts import Start
from premortem.generate.steps import Row, unkeyed

_BARRED = re.compile(
    r"\b(?:not|cannot|can't|never|refused|rejected|impossible|fails)\b[^.;]{0,40}\b(?:while|when|if|once|"
    r"after|with|as long as|for)\b(?P<why>[^.;]{3,60})",
    re.IGNORECASE,
)
"""How a description says in which state something is not possible."""
STEM_MIN = 5
"""Letters from which a stem that begins another is of the same word."""
MOVES_MAX = 60
"""Operations that are tried as a way into a state."""
OF_STATE = frozenset({402, 409, 410, 423, 424})
"""Refusals that are about the state things are in (RFC 9110, 15.5; RFC 4918)."""
_OF_STATE_TOO = frozenset({400, 422})
"""What some services refuse with for the state, too: only where the request itself is valid."""
_PARTLY = frozenset(stems("half part partly partial partially some"))
_FILLING = _PARTLY | frozenset(stems("already fully not yet still just been in state status"))


class Refused(Struct, frozen=True, kw_only=True):
    """A recorded way to have an operation refused for the state that things were in."""

    cases: tuple[Case, ...]
    exchange: Exchange
    """The refusal."""
    reason: str
    """Its word; empty: none."""


class Moved(Struct, frozen=True, kw_only=True):
    """Cases that bring a thing into another state, and the request in question behind them."""

    cases: tuple[Case, ...]
    move: OperationProfile
    """What was done last before the request."""


class Asked(Struct, frozen=True, kw_only=True):
    """The state that a question is about."""

    words: frozenset[str]
    """Stems of its words; empty: it names none."""
    named: bool = False
    """The question says something about the state."""
    moves: frozenset[str] = frozenset()
    """Ids of the operations that lead to it."""
    partly: bool = False
    """`half paid`: the move is made, but not all of it."""
    said: str = ""
    """The specification's own words for it; empty: it is the question that names the state."""


def state_asked(ground: Ground, operation: OperationProfile) -> Asked:
    """The state that the question says a thing is in when OPERATION comes."""
    understood = ground.understood
    said = stems(understood.state)
    words = frozenset(said) - _FILLING
    moves = _leading(ground, operation, words)
    if not moves:
        beside = (ground.kit.operations.get(i) for i in understood.beside)
        own = titles.verb(operation)
        moves = [
            o
            for o in beside
            if o is not None and o.operation.method not in SAFE_METHODS and titles.verb(o) != own
        ]
    if not moves and not words:
        words = _mentioned(ground, operation)
        moves = _leading(ground, operation, words)
    asked = set(stems(understood.prompt if not said else understood.state))
    return Asked(
        words=words,
        named=bool(words or moves),
        moves=frozenset(o.id for o in _meant(ground, operation, moves)),
        partly=bool(words or moves) and bool(asked & _PARTLY),
    )


def state_barred(ground: Ground, operation: OperationProfile) -> Asked | None:
    """The state in which OPERATION is not possible by its own description: `Not possible while
    appointments are open`; None: it says nothing of which somebody is known to bring it about."""
    for found in _BARRED.finditer(operation.description):
        words = frozenset(stems(found["why"]))
        moves = _leading(ground, operation, words) or [
            o for o in _makers_below(ground, operation) if set(stems(titles.entity(o))) <= words
        ]
        if moves:
            ids = frozenset(o.id for o in moves)
            return Asked(words=words, named=True, moves=ids, said=" ".join(found[0].split()))
    return None


def _makers_below(ground: Ground, operation: OperationProfile) -> list[OperationProfile]:
    """What makes things that belong to the thing which OPERATION's path names."""
    template = split_template(operation.operation.template)
    opened = max((i for i, segment in enumerate(template) if "{" in segment), default=-1)
    above = template[: opened + 1]
    return [
        other
        for other in ground.profile.operations
        if other.operation.method == "POST"
        and above
        and split_template(other.operation.template)[:-1] == above
        and other.id != operation.id
    ]


def _leading(
    ground: Ground, operation: OperationProfile, words: frozenset[str]
) -> list[OperationProfile]:
    """Operations that bring a thing into the state that WORDS name."""
    return [
        other
        for other in ground.profile.operations
        if words
        and other.id != operation.id
        and other.operation.method not in SAFE_METHODS
        and any(_same_word(led, word) for led in led_by(ground, other) for word in words)
    ]


def _meant(
    ground: Ground, operation: OperationProfile, moves: Sequence[OperationProfile]
) -> Sequence[OperationProfile]:
    """Those of MOVES that are done to what the question speaks of besides OPERATION's own thing,
    else to what OPERATION's path goes through, else all."""
    said = set(stems(ground.understood.prompt)) - set(stems(titles.entity(operation)))
    about = [o for o in moves if set(stems(titles.entity(o))) <= said]
    stem = _collection(operation)
    return about or [o for o in moves if _collection(o) == stem] or moves


def _collection(operation: OperationProfile) -> tuple[str, ...]:
    """The segments before the first parameter: `/refund-requests`."""
    segments = split_template(operation.operation.template)
    opened = next((i for i, s in enumerate(segments) if "{" in s), len(segments))
    return tuple(segments[:opened])


def _mentioned(ground: Ground, operation: OperationProfile) -> frozenset[str]:
    """Words of the question that name what another operation on the same things leads to."""
    asked = set(stems(ground.understood.prompt))
    own = led_by(ground, operation) | set(stems(titles.entity(operation)))
    found: set[str] = set()
    for other in ground.profile.operations[:MOVES_MAX]:
        if other.operation.method not in SAFE_METHODS and other.id != operation.id:
            words = led_by(ground, other) - own - set(stems(titles.entity(other)))
            found |= words & asked
    # `in` of what is checked in stands in every other question.
    return frozenset(word for word in found if word not in STOPWORDS and len(word) > 2)


def led_by(ground: Ground, operation: OperationProfile) -> set[str]:
    """Stems of the words for the state that OPERATION brings a thing into."""
    segments = split_template(operation.operation.template)
    literal = [s for s in segments if "{" not in s]
    found: set[str] = set()
    if operation.operation.method in ("POST", "PUT") and literal:
        found |= set(stems(literal[-1]))
    found |= set(stems(participle(titles.verb(operation).split(" ")[0])))
    ends = operation.operation.method == "DELETE" or is_action(operation.operation.method, segments)
    if ends and (said := tokens(operation.summary)[:1]):
        found |= set(stems(participle(said[0])))  # `Archive a patient`, however it is done
    for machine, state in states_after(ground, operation):
        # A switch says it by its name: `locked` is true.
        found |= set(stems(machine.field if state == "true" else state))
    return found - {word for word, kind in VERBS.items() if "create" in kind}


def _same_word(stem: str, other: str) -> bool:
    """Whether two stems are of one word: `deliver` of delivered, `delivery` of deliveries."""
    short, long = sorted((stem, other), key=len)
    return stem == other or (len(short) >= STEM_MIN and long.startswith(short))


def refusals(ground: Ground, operation: OperationProfile) -> list[Refused]:
    """Recorded ways to have OPERATION refused for a state, the surest ones first."""
    found: list[tuple[bool, int, Refused]] = []
    known = state_reasons(ground, operation)
    for recipe in operation.recipes:
        if recipe.status < 400 or not recipe.steps:
            continue
        exchange = ground.exchanges.get(recipe.steps[-1].exchange_id)
        if exchange is None or not _is_of_state(operation, exchange):
            continue
        reason = reason_of(exchange.response)
        if (known and reason not in known) or OTHER_REASONS.search(reason):
            continue
        replayer = ground.kit.starts.replayer
        cases = recipe_cases(recipe, ground.exchanges, ground.profile, replayer=replayer)
        try:
            cases = supplied(cases, ground.exchanges, replayer)
        except CannotWrite:
            continue
        if cases and cases[-1].role != UNKNOWN:
            way = Refused(cases=tuple(map(unkeyed, cases)), exchange=exchange, reason=reason)
            found.append((recipe.status not in OF_STATE, len(cases), way))
    return [way for *_, way in sorted(found, key=lambda one: one[:2])]


def _is_of_state(operation: OperationProfile, exchange: Exchange) -> bool:
    status = exchange.response.status
    if status in OF_STATE:
        return True
    if status not in _OF_STATE_TOO or not is_json(exchange.request.media_type):
        return False
    conformance = compiled(operation.request_schema) if operation.request_schema else None
    try:
        body = msgspec.json.decode(exchange.request.body)
    except msgspec.DecodeError:
        return False
    return conformance is not None and conformance.is_valid(body)


def state_reasons(ground: Ground, operation: OperationProfile) -> frozenset[str]:
    """Words that OPERATION was refused with in states in which it was never let through; empty:
    production did not show states well enough to tell."""
    found: set[str] = set()
    for machine in ground.profile.machines:
        known = [t for t in machine.transitions if t.operation_id == operation.id]
        opened = {t.before for t in known if t.passed}
        excused = {t.reason for t in known if t.before in opened}
        found |= {t.reason for t in known if t.refused and t.before not in opened} - excused
    return frozenset(found - {""})


def moved(
    ground: Ground, operation: OperationProfile, reached: Reached, asked: Asked
) -> Iterator[Moved]:
    """OPERATION's request behind each move that leads to the state ASKED; where none is asked,
    behind those after which production always refused it, then behind any."""
    final = unkeyed(reached.cases[-1])
    own = Start(operation=operation, setup=reached.cases[:-1], final=final, paths=())
    for start in islice(_moves(ground, operation, asked), MOVES_MAX):
        cases = _appended(ground, own, start, asked) or _behind(ground, own, start, asked)
        if cases is not None:
            yield Moved(cases=cases, move=start.operation)


def _moves(ground: Ground, operation: OperationProfile, asked: Asked) -> Iterator[Start]:
    found: list[tuple[bool, bool, Start]] = []
    for other in ground.profile.operations[:MOVES_MAX]:
        if other.id == operation.id or other.operation.method in SAFE_METHODS:
            continue
        if asked.named and other.id not in asked.moves:
            continue
        start = start_of(ground, other) if asked.named else ground.kit.recorded(other.id)
        if start is None:
            continue
        if not asked.named and other.operation.method == "DELETE":
            continue
        forbidden = any(m.forbids(operation.id, s) for m, s in states_after(ground, other))
        found.append((not forbidden, other.operation.method == "DELETE", start))
    yield from (start for *_, start in sorted(found, key=lambda one: one[:2]))


def start_of(ground: Ground, operation: OperationProfile) -> Start | None:
    """A request of OPERATION that works, with its setup: as recorded, else as declared."""
    found = ground.kit.recorded(operation.id)
    if found is not None:
        return found
    reached = reach(operation, ground.profile, ground.exchanges, roles=ground.roles)
    if isinstance(reached, str):
        return None
    return Start(operation=operation, setup=reached.cases[:-1], final=reached.cases[-1], paths=())


def states_after(ground: Ground, move: OperationProfile) -> list[tuple[StateMachine, str]]:
    """Machine and state (JSON text) that MOVE brings a thing into, where it changes it."""
    found: list[tuple[StateMachine, str]] = []
    for machine in ground.profile.machines:
        state = machine.leads_to(move.id)
        own = [t for t in machine.transitions if t.operation_id == move.id and t.after]
        if state and any(t.before != t.after for t in own):
            found.append((machine, state))
    return found


def _appended(ground: Ground, own: Start, move: Start, asked: Asked) -> tuple[Case, ...] | None:
    """OWN's setup, then MOVE on the same thing, then OWN's request."""
    if not asked.partly and _is_done(ground, move.operation, own):
        return (*own.setup, own.final)
    row = Row(ground.kit.starts, own.setup)
    case = row.on_same(move, through=own.final)
    if case is None or any(b.step >= len(row) for b in case.bindings):
        return None
    if not shares(case, own.final, own.setup):
        return None
    # What MOVE itself needs first is done, too, as long as it is about the same things.
    done = {c.operation_id for c in own.setup}
    for needed in move.setup:
        start = ground.kit.recorded(needed.operation_id)
        if needed.operation_id in done or start is None or not _is_move(ground, start):
            continue
        between = row.on_same(start, through=own.final)
        if between is not None and not any(b.step >= len(row) for b in between.bindings):
            row.add(unkeyed(loose(replace(between, role=needed.role))))
    case = in_part(ground, move.operation, (*row.cases, case), partly=asked.partly)
    row.add(unkeyed(loose(case)))
    return (*row.cases, own.final)


def _is_done(ground: Ground, move: OperationProfile, own: Start) -> bool:
    """Whether MOVE, which is possible once, is a part of OWN's setup already."""
    made = [c for c in own.setup if c.operation_id == move.id]
    if not made or not shares(made[-1], own.final, own.setup):
        return False
    return of_repetition(move, ground.evidence).refused


def _behind(ground: Ground, own: Start, move: Start, asked: Asked) -> tuple[Case, ...] | None:
    """MOVE's own way, then OWN's request on the same thing."""
    row = ground.kit.row(move)
    case = in_part(ground, move.operation, (*row.cases, move.final), partly=asked.partly)
    row.add(unkeyed(loose(case)))
    final = row.on_same(own)
    if final is None or not final.bindings or any(b.step >= len(row) for b in final.bindings):
        return None
    return (*row.cases, replace(final, role=own.final.role))


def _is_move(ground: Ground, start: Start) -> bool:
    """Whether it brings a thing into another state, as far as production showed states."""
    return bool(start.final.bindings) and bool(states_after(ground, start.operation))


def shares(move: Case, final: Case, setup: Sequence[Case]) -> bool:
    """Whether MOVE is done to something that FINAL is about: what FINAL names, or what that was
    made below."""
    about = {b.step for b in final.bindings}
    for step in sorted(about, reverse=True):
        about |= {b.step for b in setup[step].bindings if b.place.part in ("path", "body")}
    mine = {b.step for b in move.bindings}
    if mine or about:
        return bool(mine & about)
    return _stem(move) == _stem(final)


def _stem(case: Case) -> str:
    return "/".join(case.request.path.split("/")[:3])


def in_part(
    ground: Ground, operation: OperationProfile, cases: tuple[Case, ...], *, partly: bool
) -> Case:
    """The last of CASES, of OPERATION, with half of what there is where it is done PARTLY, with
    all of it otherwise; as it was recorded where nothing says how much there is."""
    whole = whole_amount(operation, cases, ground.exchanges)
    if whole is None:
        return cases[-1]
    place, most = whole
    return with_value(cases[-1], place, share(most, 0.5) if partly else most)
