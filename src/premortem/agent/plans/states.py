"""The request in a state that does not allow it, and before the step that it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.agent.outcomes.reference import of_deleted, of_missing
from premortem.agent.outcomes.repetition import of_repetition
from premortem.agent.outcomes.role import of_role
from premortem.agent.outcomes.state import (
    as_asked,
    knows_conflicts,
    of_refusal,
    of_skipped,
    of_state,
)
from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.draft import CannotWrite, DoesNotApply, Draft
from premortem.agent.planning.expectation import Expectation
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import (
    Ground,
    as_role,
    is_meant,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.plans.readings import (
    comes_last,
    done_then_read,
    read_after,
    reading_named,
)
from premortem.agent.plans.references import puts_again, to_unknown
from premortem.agent.plans.values_in import share
from premortem.agent.plans.ways import (
    Asked,
    Refused,
    moved,
    refusals,
    shares,
    state_asked,
    state_barred,
    states_after,
)
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import article, is_action, stems
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Scenario
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import loose
from premortem.generate.steps import unkeyed

STATES_MAX = 3
"""Scenarios of one operation: states that it is tried in."""

_UNMADE = re.compile(
    r"\b(?:creat\w*|exist\w*|ma[dk]e\w*|making|set(?:s|ting)? up|there|add(?:s|ed|ing)?|"
    r"register\w*|open(?:s|ed|ing)?|plac(?:e|es|ed|ing)|written|wrote|issued?|starts?|started)\b"
)
"""What a question says of a thing that it wants left out, not of its state."""
Found = tuple[Draft, Expectation, OperationProfile | None]
"""Steps, what they expect, and what was done last before the request."""


def forbidden_transition(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request in the state asked about, or in those that production refused it in."""
    asked = state_asked(ground, operation)
    if operation.operation.method in SAFE_METHODS:
        yield from read_after(ground, operation, reached, asked)
        return
    if not asked.named:
        asked = state_barred(ground, operation) or asked
    if not _is_about_something(operation, reached):
        raise DoesNotApply("it is about nothing that could be in a state before")
    found = in_states(ground, operation, reached, asked)
    if not found:
        # Of what nobody asked for: done once more is what a repetition is.
        if not asked.named and not (ground.understood.prompt and _ends_something(operation)):
            thing = titles.entity(operation)
            raise DoesNotApply(
                f"nothing is known that brings {article(thing)} {thing} into a state in which it "
                f"would be refused, and the question names none"
            )
        found = [_after_itself(ground, operation, reached, asked)]
    for number, (draft, expected, move) in enumerate(found[:STATES_MAX]):
        title = _title(ground, operation, expected, move, asked, first=number == 0)
        yield to_scenario(ground, operation, draft, expected, title)


def in_states(
    ground: Ground,
    operation: OperationProfile,
    reached: Reached,
    asked: Asked,
    *,
    right_after: bool = False,
) -> list[Found]:
    """The request in the state ASKED, else in those that production refused it in; RIGHT_AFTER:
    only where nothing else was done in between."""
    ways = refusals(ground, operation)
    if asked.named:
        ways = [w for w in ways if any(c.operation_id in asked.moves for c in w.cases[:-1])]
        ways = sorted(ways, key=lambda w: not _moves_last(w, asked))
    if right_after:
        ways = [w for w in ways if _moves_last(w, asked)]
    found = [_refused(ground, operation, way, asked) for way in _distinct(ways)]
    if not found or not asked.named or asked.partly:
        composed = list(islice(_composed(ground, operation, reached, asked, ways), STATES_MAX))
        # Half of a thing done is not what was refused after all of it: it is asked first.
        found = [*composed, *found] if asked.partly else [*found, *composed]
    return found


def wrong_order(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request without, or before, the step that the question names, or else the last one; what
    is read in the end is read in the plain order, for reading is refused in none."""
    asked = state_asked(ground, operation)
    plain = list(_plain_order(ground, operation, reached, asked))
    if plain:
        yield from plain
        return
    steps = [c for c in reached.cases[:-1] if c.request.method not in SAFE_METHODS]
    missing = [c for c in steps if c.operation_id in asked.moves]
    if missing:
        good = {c.operation_id for c in reached.cases}
        rest = good - {c.operation_id for c in missing}
        for way in refusals(ground, operation):
            # Nothing else was done either, which might be why it was refused.
            if {c.operation_id for c in way.cases} <= rest:
                yield _early(ground, operation, way.cases, of_refusal(way.exchange), missing)
                return
    skipped = missing or _skippable(ground, operation, reached.cases)
    if not skipped:
        if operation.operation.method in SAFE_METHODS:
            raise DoesNotApply("nothing comes before it that could be left out")
        if not asked.named and not ground.understood.prompt:
            raise DoesNotApply("no step comes before it that could be left out")
        # Nothing is known that has to come in between: it comes right after the thing was made.
        expected = of_skipped(operation, (), ground.evidence)
        yield _early(ground, operation, reached.cases, expected, ())
        return
    needing = _needing(ground, reached.cases, skipped[-1])
    if needing is not None:
        raise CannotWrite(f"{needing.operation_id} comes between, and needs what is left out")
    cases = _without(reached.cases, skipped)
    if cases is None:
        raise CannotWrite("its body needs what the step left out makes")
    left = ground.kit.operations.get(skipped[-1].operation_id)
    states = states_after(ground, left) if left is not None else []
    lost = _is_lost(cases[-1], reached.cases[-1], skipped)
    if operation.operation.method in SAFE_METHODS and not lost:
        raise CannotWrite("reading is refused in no state")
    expected = (
        of_missing(operation, ground.evidence, in_body=False)
        if lost
        else of_skipped(operation, states, ground.evidence)
    )
    yield _early(ground, operation, cases, expected, skipped)


def _plain_order(
    ground: Ground, operation: OperationProfile, reached: Reached, asked: Asked
) -> Iterator[Scenario]:
    """Where what comes last is a reading: everything as it is done usually, then that."""
    if operation.operation.method in SAFE_METHODS:
        if asked.moves and comes_last(ground, operation):
            yield from read_after(ground, operation, reached, asked)
    elif (reading := reading_named(ground)) is not None:
        yield from done_then_read(ground, operation, reached, reading)
    elif not _is_about_something(operation, reached):
        raise DoesNotApply("nothing has to come before it: it names nothing that is made before")


def _is_about_something(operation: OperationProfile, reached: Reached) -> bool:
    """Whether OPERATION names something that was there before: in its path or in its body."""
    return "{" in operation.operation.template or bool(reached.cases[-1].bindings)


def _ends_something(operation: OperationProfile) -> bool:
    """Whether done once it is done: an action on a thing, a deletion."""
    segments = split_template(operation.operation.template)
    return operation.operation.method == "DELETE" or is_action(operation.operation.method, segments)


def _needing(ground: Ground, cases: Sequence[Case], skipped: Case) -> Case | None:
    """What is done between SKIPPED and the request on the same thing, names what the request needs
    and may itself be refused for the state; None: nothing is."""
    last = len(cases) - 1
    start = next(i for i, case in enumerate(cases) if case is skipped)
    for index in range(start + 1, last):
        case = cases[index]
        operation = ground.kit.operations.get(case.operation_id)
        needed = any(b.step == index for c in cases[index + 1 :] for b in c.bindings)
        if operation is None or case.request.method in SAFE_METHODS or not needed:
            continue
        if any(b.step == start for b in case.bindings):
            continue  # it goes with what it names
        if knows_conflicts(operation) and shares(skipped, case, cases[:index]):
            return case
    return None


def _is_lost(final: Case, before: Case, skipped: Sequence[Case]) -> bool:
    """Whether FINAL's path names something that is never made now."""
    path = before.request.path
    made = (c.request.path.rstrip("/") + "/" for c in skipped if c.request.method == "PUT")
    return final.request.path != path or any(f"{path}/".startswith(name) for name in made)


def _distinct(ways: Sequence[Refused]) -> Iterator[Refused]:
    """One for each reason and last step."""
    seen: set[tuple[str, str]] = set()
    for way in ways:
        key = (way.reason, way.cases[-2].operation_id if len(way.cases) > 1 else "")
        if key not in seen:
            seen.add(key)
            yield way


def _moves_last(way: Refused, asked: Asked) -> bool:
    """Whether what leads to the state is the last thing done before the refusal."""
    changing = [c for c in way.cases[:-1] if c.request.method not in SAFE_METHODS]
    return bool(changing) and changing[-1].operation_id in asked.moves


def _refused(ground: Ground, operation: OperationProfile, way: Refused, asked: Asked) -> Found:
    """As production went before it was refused."""
    changing = [c for c in way.cases[:-1] if c.request.method not in SAFE_METHODS]
    named = [c for c in changing if c.operation_id in asked.moves]
    last = (named or changing or way.cases)[-1].operation_id
    move = ground.kit.operations.get(last) if last != operation.id else None
    return _in_state(ground, operation, way.cases, of_refusal(way.exchange), move)


def _composed(
    ground: Ground,
    operation: OperationProfile,
    reached: Reached,
    asked: Asked,
    ways: Sequence[Refused],
) -> Iterator[Found]:
    """Behind a move that leads to the state; where none is asked, only what is to be refused."""
    seen = {way.cases[-2].operation_id for way in ways if len(way.cases) > 1}
    for found in moved(ground, operation, reached, asked):
        states = states_after(ground, found.move)
        if _takes_away(found.move, operation):
            pair, shown = (found.move.id, operation.id), ground.kit.shown
            gone, kept = pair in shown.gone, pair in shown.kept
            anew = puts_again(operation, found.move)
            expected = of_deleted(operation, ground.evidence, gone=gone, kept=kept, anew=anew)
        else:
            expected = of_state(operation, states, ground.evidence, words=asked.words)
        expected = as_asked(ground.understood.outcomes, expected)
        if asked.said and expected.refused and expected.source != "captured":
            said = f"the specification says: {asked.said[:80]}"
            expected = replace(expected, because=said, source="specification", certain=True)
        if ways and asked.partly:
            expected = replace(of_refusal(ways[0].exchange), certain=False)
        known = expected.refused and expected.certain and found.move.id not in seen
        if not asked.named and not known:
            continue
        yield _in_state(ground, operation, found.cases, expected, found.move)
        if asked.named:
            return


def _takes_away(move: OperationProfile, operation: OperationProfile) -> bool:
    """Whether MOVE deletes what OPERATION's path goes through."""
    deleted, template = move.operation.template, operation.operation.template
    return move.operation.method == "DELETE" and f"{template}/".startswith(f"{deleted}/")


def _after_itself(
    ground: Ground, operation: OperationProfile, reached: Reached, asked: Asked
) -> Found:
    """Nothing else is known that could be done to the thing: the request is made of it already."""
    final = unkeyed(reached.cases[-1])
    cases = (*reached.cases[:-1], loose(final), final)
    gone = operation.operation.method == "DELETE"
    expected = (
        of_repetition(operation, ground.evidence)
        if gone
        else of_state(operation, (), ground.evidence, words=asked.words)
    )
    expected = replace(as_asked(ground.understood.outcomes, expected), certain=False)
    return _in_state(ground, operation, cases, expected, None)


def _in_state(
    ground: Ground,
    operation: OperationProfile,
    cases: tuple[Case, ...],
    expected: Expectation,
    move: OperationProfile | None,
) -> Found:
    expected, cases = _by_whom(ground, operation, cases, expected)
    cases = (*cases[:-1], _with_field(ground, cases))
    draft = Draft(cases)
    for index in range(len(cases) - 1):
        draft.setup(index)
    _ask(ground, operation, draft, expected)
    return draft, expected, move


def _title(
    ground: Ground,
    operation: OperationProfile,
    expected: Expectation,
    move: OperationProfile | None,
    asked: Asked,
    *,
    first: bool,
) -> str:
    understood = ground.understood
    after = titles.asked(move) if move is not None else ""
    if not first or not is_meant(ground, operation):
        return state_titles.transition(
            operation, state=done_by(move), after=after, refused=expected.refused
        )
    return state_titles.transition(
        operation,
        understood.prompt,
        state=understood.state or (done_by(move) if asked.named or not understood.prompt else ""),
        field=understood.field,
        role=understood.role,
        thing=understood.entity,
        after=after,
        refused=expected.refused,
    )


def _by_whom(
    ground: Ground, operation: OperationProfile, cases: tuple[Case, ...], expected: Expectation
) -> tuple[Expectation, tuple[Case, ...]]:
    """Who asks, and what they are to be answered: whoever may not at all is denied first."""
    role = ground.understood.role
    if not role:
        return expected, cases
    known = of_role(operation, role, ground.evidence, roles=ground.roles)
    certain = known.source in ("captured", "roles") or role == ANONYMOUS
    if known.refused and certain:
        expected = known
    return expected, as_role(cases, ground)


def _ask(ground: Ground, operation: OperationProfile, draft: Draft, expected: Expectation) -> None:
    """The last request of DRAFT, what it is answered, and that a refusal changed nothing."""
    last = len(draft.cases) - 1
    path = draft.cases[last].request.path
    gone = any(
        c.request.method == "DELETE" and f"{path}/".startswith(f"{c.request.path}/")
        for c in draft.cases[:last]
    )
    seen = witness(draft, operation, ground, gone=gone) if expected.refused else None
    if seen is not None:
        look(draft, seen, before=True)
    draft.request("When", last)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)


def done_by(move: OperationProfile | None) -> str:
    """What MOVE has made of a thing: `approved`; empty: it is no such move."""
    if move is None or titles.verb(move) in ("create", "change", "replace"):
        return ""
    return titles.done(move)


def _with_field(ground: Ground, cases: tuple[Case, ...]) -> Case:
    """The last of CASES with the field that the question names in its body: where it is left out,
    with another value than what came before holds under that name."""
    final, name = cases[-1], ground.understood.field
    if not name or final.request.media_type != "application/json":
        return final
    body = _body(final)
    if not isinstance(body, dict) or name in body:
        return final
    # The thing itself rather than what was made below it.
    about = sorted({b.step for b in final.bindings if b.place.part == "path"}, reverse=True)
    held = (_body(case) for case in (*(cases[i] for i in about), *reversed(cases[:-1])))
    value = next((b[name] for b in held if isinstance(b, dict) and name in b), None)
    if value is None or isinstance(value, dict | list):
        return final
    changed = share(value, 0.9) if isinstance(value, int | float) and value > 1 else value
    request = replace(final.request, body=msgspec.json.encode({**body, name: changed}))
    return replace(final, request=request)


def _body(case: Case) -> Any:
    try:
        return msgspec.json.decode(case.request.body or b"null")
    except msgspec.DecodeError:
        return None


def _early(
    ground: Ground,
    operation: OperationProfile,
    cases: tuple[Case, ...],
    expected: Expectation,
    missing: Sequence[Case],
) -> Scenario:
    expected = as_asked(ground.understood.outcomes, expected)
    expected, cases = _by_whom(ground, operation, cases, expected)
    draft = Draft(cases)
    for index in range(len(cases) - 1):
        draft.setup(index)
    _ask(ground, operation, draft, expected)
    title = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
    left = ground.kit.operations.get(missing[-1].operation_id) if missing else None
    title = title or state_titles.too_early(operation, done_by(left))
    return to_scenario(ground, operation, draft, expected, title)


def _skippable(ground: Ground, operation: OperationProfile, cases: Sequence[Case]) -> list[Case]:
    """The last changing step before the request that brings about a state, not a thing that the
    request names; else the step that makes what the question says is not there yet."""
    changing = [(i, c) for i, c in enumerate(cases[:-1]) if c.request.method not in SAFE_METHODS]
    bound = {b.step for c in cases for b in c.bindings}
    path = f"{cases[-1].request.path}/"
    free = [
        c
        for i, c in changing
        if i not in bound
        and not (c.request.method == "PUT" and path.startswith(f"{c.request.path.rstrip('/')}/"))
    ]
    prompt = ground.understood.prompt
    said = set(stems(prompt)) - set(stems(titles.entity(operation)))
    if not free and not _UNMADE.search(prompt.lower()):
        return []  # `an order that nobody has paid` is there
    makers = [
        c
        for _, c in changing
        if (made := ground.kit.operations.get(c.operation_id)) is not None
        and set(stems(titles.entity(made))) & said
    ]
    return makers[-1:] if makers and not free else free[-1:]


def _without(cases: tuple[Case, ...], skipped: Sequence[Case]) -> tuple[Case, ...] | None:
    """CASES without SKIPPED and what needs them; what the request names of those is unknown."""
    gone = {i for i, c in enumerate(cases[:-1]) if any(c is s for s in skipped)}
    last = len(cases) - 1
    for index, case in enumerate(cases[:-1]):
        if any(b.step in gone for b in case.bindings):
            gone.add(index)
    final = cases[-1]
    for binding in final.bindings:
        if binding.step in gone and binding.place.part == "path":
            final = to_unknown(final, binding.place)
    kept = [i for i in range(last) if i not in gone]
    position = {old: new for new, old in enumerate(kept)}
    try:
        *before, final = (
            replace(c, bindings=tuple(replace(b, step=position[b.step]) for b in c.bindings))
            for c in (*(cases[i] for i in kept), final)
        )
    except KeyError:
        return None  # its body needs what was left out
    return (*(unkeyed(loose(c)) for c in before), unkeyed(final))
