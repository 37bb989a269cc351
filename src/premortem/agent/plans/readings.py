"""What is read after something was done: reading is refused in no state, but what it shows must be
right, and the ordinary checks look at that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.draft import CannotWrite, Draft
from premortem.agent.planning.expectation import Expectation, captured, success_status
from premortem.agent.planning.promised import promises_of
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.edges import closed_list
from premortem.agent.plans.ground import Ground, as_role, is_meant, say_outcome, to_scenario
from premortem.agent.plans.marks import say_promises
from premortem.agent.plans.supplies import supplied
from premortem.agent.plans.values_in import with_value
from premortem.agent.plans.ways import Asked, in_part, start_of
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.inputs import input_fields
from premortem.agent.understanding.words import stems
from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Scenario
from premortem.domain.template import split_path, split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import loose
from premortem.generate.starts import Start
from premortem.generate.steps import unkeyed

SEEN_MAX = 20
"""Recorded answers in which the id of what was read is looked for."""
READINGS_MAX = 3
"""Scenarios of one question: what may have been done before."""
_IS_READ = re.compile(
    r"\b(?P<when>before|after) (?P<what>[^,.?!]{2,60}?) (?:is|are|was|were|gets?|got) "
    r"(?:read|listed|shown|fetched|seen|looked at|viewed|opened|downloaded|exported|printed)\b|"
    r"\b(?P<then>before|after) [\w ]{2,30}? (?:reads?|lists?|fetche?s?|views?|opens?|downloads?|"
    r"looks? at|exports?|prints?) (?P<that>[^,.?!]{2,60})",
    re.IGNORECASE,
)
"""`before the tax report is read`, `before anybody reads the tax report`."""


def reading_named(ground: Ground) -> OperationProfile | None:
    """What the question says is read in the end: `... before the tax report is read`."""
    said = _IS_READ.search(ground.understood.prompt)
    if said is None or (said["when"] or said["then"]).lower() != "before":
        return None
    wanted = set(stems(said["what"] or said["that"])) - {"the", "a", "an", "of", "any"}
    found: list[tuple[int, int, OperationProfile]] = []
    for number, other in enumerate(ground.profile.operations):
        if other.operation.method != "GET":
            continue
        literal = [s for s in split_template(other.operation.template) if "{" not in s]
        own = {stem for segment in literal for stem in stems(segment)}
        shared = len(wanted & own)
        if shared and 2 * shared >= len(wanted):
            found.append((len(own) - 2 * shared, number, other))
    return min(found, key=lambda one: one[:2])[2] if found else None


def comes_last(ground: Ground, operation: OperationProfile) -> bool:
    """Whether OPERATION, which reads, is what the question says is done in the end."""
    named = reading_named(ground)
    if named is not None:
        return named.id == operation.id
    # "it is read before ...": what is named then comes later, or never.
    return re.search(r"\bbefore\b", ground.understood.prompt, re.IGNORECASE) is None


def read_after(
    ground: Ground, operation: OperationProfile, reached: Reached, asked: Asked
) -> Iterator[Scenario]:
    """OPERATION, which reads, after each of what the question says was done before.

    Raises CannotWrite where it says nothing of that kind.
    """
    read = Start(operation=operation, setup=reached.cases[:-1], final=reached.cases[-1], paths=())
    count = 0
    for identity in sorted(asked.moves):
        done = ground.kit.operations.get(identity)
        start = start_of(ground, done) if done is not None else None
        scenario = _read(ground, start, read, asked.partly) if start is not None else None
        if scenario is not None and count < READINGS_MAX:
            count += 1
            yield scenario
    if not count:
        raise CannotWrite("reading is refused in no state, and nothing is said to be done before")


def done_then_read(
    ground: Ground, operation: OperationProfile, reached: Reached, reading: OperationProfile
) -> Iterator[Scenario]:
    """OPERATION as it is done usually, then what the question says is READING in the end."""
    done = Start(operation=operation, setup=reached.cases[:-1], final=reached.cases[-1], paths=())
    read = start_of(ground, reading)
    scenario = _read(ground, done, read, partly=False) if read is not None else None
    if scenario is not None:
        yield scenario


def _read(ground: Ground, done: Start, read: Start, partly: bool) -> Scenario | None:
    row = ground.kit.row(done)
    case = done.final
    if partly:
        case = in_part(ground, done.operation, (*row.cases, case), partly=True)
    row.add(unkeyed(loose(case)))
    by_id = "{" in read.operation.operation.template
    final = row.on_same(read) if by_id or read.setup else read.final
    if final is None or any(b.step >= len(row) for b in final.bindings):
        return None
    if by_id and not final.bindings:
        return None
    before = tuple(_telling(ground, case, read.operation) for case in row.cases)
    cases = (*before, _about_the_same(unkeyed(final), before))
    cases = supplied(cases, ground.exchanges, ground.kit.starts.replayer)
    draft = Draft(as_role(cases, ground))
    last = len(cases) - 1
    for index in range(last):
        draft.setup(index)
    draft.request("When", last)
    status = success_status(read.operation)
    count = captured(read.operation, status)
    expected = Expectation(
        status=status,
        because=f"production answered it {status} in whatever state ({count} captured)"
        if count
        else "convention: what is there can be read in whatever state",
        source="captured" if count else "convention",
    )
    say_outcome(draft, expected)
    pointer = _names_itself(ground, read.operation)
    named = draft.params(last, read.operation.operation.template) if pointer else {}
    if named:
        draft.add("Then", text("field", pointer, list(named.values())[-1]))
    say_promises(draft, read.operation)
    meant = is_meant(ground, read.operation) or is_meant(ground, done.operation)
    said = titles.from_prompt(ground.understood.prompt) if meant else ""
    title = said or state_titles.read_after(read.operation, done.operation)
    return to_scenario(ground, read.operation, draft, expected, title)


def _telling(ground: Ground, case: Case, reading: OperationProfile) -> Case:
    """CASE with a number where there is none, or zero, under a name of what READING promises is
    calculated from: a report on tax shows nothing of what has no tax."""
    promised = {stem for promise in promises_of(reading) for stem in stems(promise)}
    operation = ground.kit.operations.get(case.operation_id)
    if not promised or operation is None or case.request.method != "POST":
        return case
    try:
        body = read_body(case.request)
    except ValueError:
        return case
    for field in input_fields(operation) if isinstance(body, dict) else ():
        numeric = bool(field.types & {"number", "integer"})
        top = field.place.part == "body" and len(field.place.tokens) == 1
        if numeric and top and set(field.stems) & promised and not body.get(field.name):
            known = [field.usual, *closed_list(field)]
            value = next((v for v in known if isinstance(v, int | float) and v > 0), None)
            case = with_value(case, field.place, value) if value is not None else case
    return case


def _names_itself(ground: Ground, operation: OperationProfile) -> str:
    """Pointer of what says in every good answer of OPERATION which thing it is about, as its path
    does; empty: nothing."""
    template = split_template(operation.operation.template)
    opened = [index for index, segment in enumerate(template) if "{" in segment]
    found: set[str] | None = None
    for exchange in ground.evidence.of(operation)[:SEEN_MAX] if opened else ():
        if exchange.response.status >= 300:
            continue
        try:
            value = read_body(exchange.response)
        except ValueError:
            return ""
        wanted = split_path(exchange.request.path)[opened[-1]]
        same = {
            place.name
            for place, leaf in leaves(value)
            if text_of(leaf) == wanted and not any(token.isdigit() for token in place.tokens)
        }
        found = same if found is None else found & same
    return min(found or {""}, key=lambda name: (name.count("/"), name))


def _about_the_same(final: Case, before: Sequence[Case]) -> Case:
    """FINAL with its query about what BEFORE made: a currency of which there is nothing shows
    nothing."""
    values: dict[str, str] = {}
    for case in before:
        if case.request.method in SAFE_METHODS:
            continue
        try:
            body = read_body(case.request)
        except ValueError:
            continue
        if isinstance(body, dict):
            values |= {k: text_of(v) for k, v in body.items() if isinstance(v, str | int | float)}
    query = tuple((name, values.get(name, value)) for name, value in final.request.query)
    return replace(final, request=replace(final.request, query=query))
