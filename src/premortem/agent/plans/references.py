"""The request about what is not there."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from premortem.agent.outcomes.reference import of_deleted, of_missing
from premortem.agent.outcomes.state import as_asked
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
from premortem.agent.plans.values_in import with_value
from premortem.agent.understanding.inputs import input_fields
from premortem.agent.understanding.words import singular, tokens
from premortem.domain.bodies import at, read_body, readings, text_of
from premortem.domain.conform import compiled
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Scenario
from premortem.domain.shape import read_shape, types_of
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.bindings import identifier_like
from premortem.generate.order_kit import loose
from premortem.generate.starts import Start
from premortem.generate.steps import Row, unkeyed
from premortem.generate.texts import texts

NUMBER_UNKNOWN = 999_999_999
"""No count of things comes near, and 32 bits hold it."""
UUID_UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""Well formed (RFC 9562, version 4) and drawn by nobody."""
NAME_UNKNOWN = "premortem-unknown"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PREFIXED = re.compile(r"([A-Za-z]+[-_:.])(.+)")
_GLOBAL = re.compile(r"([A-Za-z]{2,40}):(\d{1,18})")
"""What a Relay global id says when it is decoded: `Project:7`."""
_DELETED = re.compile(
    r"\b(?:delet\w+|remov(?:ed|al)|gone|no longer|not any ?more|was there|archived)\b",
    re.IGNORECASE,
)
_REFERENCE = frozenset({"id", "uuid", "identifier", "key", "ref", "reference", "slug"})


def unknown_reference(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request about what was deleted, where the question says so, and about what never was."""
    cases = as_role(reached.cases, ground)
    final = cases[-1]
    place = _named(ground, operation, final)
    in_path = place is None or place.part == "path"
    first = True
    if in_path and _DELETED.search(ground.understood.prompt):
        for scenario in _deleted(ground, operation, cases):
            yield scenario
            first = False
    if place is None:
        raise DoesNotApply("it names no thing that could be unknown")
    usual = next((f.usual for f in input_fields(operation) if f.place == place), None)
    if in_path and place is not None:
        usual = _declared_like(operation, place)
    changed = to_unknown(final, place, usual=usual)
    expected = of_missing(operation, ground.evidence, in_body=not in_path)
    expected = as_asked(ground.understood.outcomes, expected)
    if in_path and not _is_well_formed(operation, changed, place):
        expected = replace(expected, certain=False)
    # What the path names is not needed any more; what a body goes with still is.
    needed_cases = needed((*cases[:-1], changed))
    thing = _thing(operation, place)
    scenario = _asked(ground, operation, needed_cases, expected, thing, deleted=False)
    title = state_titles.unknown(operation, thing, deleted=False)
    yield scenario if first else replace(scenario, title=title)


def _named(ground: Ground, operation: OperationProfile, final: Case) -> Place | None:
    """Where FINAL names the thing that is to be unknown: what the question says, else the last
    parameter of the path, else a field of the body that names something."""
    wanted = ground.understood.field
    template = split_template(operation.operation.template)
    parameters = [(i, s[1:-1]) for i, s in enumerate(template) if s.startswith("{")]
    for index, name in parameters:
        if wanted and name == wanted:
            return Place(part="path", name=str(index))
    fields = _references(operation, final, wanted)
    for place in fields:
        if wanted and place.tokens[-1] == wanted:
            return place
    entity = set(tokens(ground.understood.entity))
    for index, name in parameters:
        if entity and entity <= set(tokens(name)):
            return Place(part="path", name=str(index))
    made_by_it = operation.operation.method == "PUT" and template[-1:] and "{" in template[-1]
    if made_by_it and len(parameters) > 1:
        parameters = parameters[:-1]  # an unknown last one would be created
    elif made_by_it:
        parameters = []
    if parameters:
        return Place(part="path", name=str(parameters[-1][0]))
    return fields[0] if fields else None


def _references(operation: OperationProfile, final: Case, wanted: str) -> list[Place]:
    """Places of FINAL's body and query that name something: the one WANTED, whatever it is called,
    bound ones, and ids by name."""
    bound = [b.place for b in final.bindings if b.place.part in ("body", "query")]
    body = _value(final)
    asked: list[Place] = []
    named: list[Place] = []
    left_out: list[Place] = []
    for field in input_fields(operation):
        place = field.place
        if place.part != "body" or "*" in place.tokens or place in bound:
            continue
        if wanted and place.tokens[-1] == wanted and not field.types & {"array", "object"}:
            asked.append(place)
        elif set(tokens(place.tokens[-1])[-1:]) & _REFERENCE:
            there, top = _is_there(body, place), len(place.tokens) == 1
            if there or (top and set(tokens(place.tokens[-1])) - _REFERENCE):
                (named if there else left_out).append(place)
    return [*asked, *bound, *named, *left_out]


def _value(final: Case) -> Any:
    try:
        return read_body(final.request)
    except ValueError:
        return None


def _is_there(body: Any, place: Place) -> bool:
    try:
        at(body, place.tokens)
    except (LookupError, TypeError):
        return False
    return True


def to_unknown(final: Case, place: Place, *, usual: Any = None) -> Case:
    """FINAL with what stands at PLACE, or would be USUAL there, replaced by what is of its form and
    names nothing."""
    kept = tuple(b for b in final.bindings if b.place != place)
    if place.part == "path":
        segments = list(split_path(final.request.path))
        index = int(place.name)
        if index >= len(segments):
            raise CannotWrite("its path has no such segment")
        segments[index] = unknown_like(text_of(usual) if usual is not None else segments[index])
        path = "/" + "/".join(map(encode_segment, segments))
        # What stands below the unknown thing names nothing of it either; it may stay.
        return replace(final, request=replace(final.request, path=path), bindings=kept)
    if place.part == "query":
        query = tuple(
            (name, unknown_like(value) if name == place.name else value)
            for name, value in final.request.query
        )
        return replace(final, request=replace(final.request, query=query), bindings=kept)
    body = _value(final)
    usual = at(body, place.tokens) if _is_there(body, place) else usual or NAME_UNKNOWN
    unknown = NUMBER_UNKNOWN if isinstance(usual, int) else unknown_like(text_of(usual))
    return replace(with_value(final, place, unknown), bindings=kept)


def _declared_like(operation: OperationProfile, place: Place) -> str | None:
    """An identifier of the form that the specification declares of PLACE in OPERATION's path; None:
    it says nothing of its form."""
    segment = split_template(operation.operation.template)[int(place.name)]
    shape = read_shape(operation.parameter_schemas.get(f"path:{segment[1:-1]}", ""))
    branch = shape.branches[0] if shape is not None and shape.branches else {}
    if branch.get("format") == "uuid":
        return UUID_UNKNOWN
    if types_of(branch) == ("integer",):
        return str(NUMBER_UNKNOWN)
    return next(texts(branch), None) if "pattern" in branch else None


def unknown_like(text: str) -> str:
    """What has the form of the identifier TEXT and names nothing."""
    if text.isdigit():
        return str(NUMBER_UNKNOWN)
    if _UUID.fullmatch(text):
        return UUID_UNKNOWN
    if found := _relay(text):
        return found
    prefixed = _PREFIXED.fullmatch(text)
    if prefixed is not None and identifier_like(text):
        return prefixed[1] + _zeros(prefixed[2])
    return _zeros(text) if identifier_like(text) else NAME_UNKNOWN


def _zeros(text: str) -> str:
    """TEXT with a zero for every digit, and for every letter where it is hexadecimal."""
    if text and all(c in "0123456789abcdefABCDEF-" for c in text):
        return "".join(c if c == "-" else "0" for c in text)
    zeros = "".join("0" if c.isdigit() else "z" if c.isalpha() else c for c in text)
    return zeros if zeros != text else f"{text}0"


def _relay(text: str) -> str:
    """A global id of the same type as TEXT, where TEXT is one; empty: it is none."""
    try:
        said = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    found = _GLOBAL.fullmatch(said)
    if found is None:
        return ""
    return base64.b64encode(f"{found[1]}:{NUMBER_UNKNOWN}".encode()).decode()


def _is_well_formed(operation: OperationProfile, case: Case, place: Place) -> bool:
    """Whether the specification allows what stands at PLACE of CASE's path, as far as it says."""
    index = int(place.name)
    segment = split_template(operation.operation.template)[index]
    schema = compiled(operation.parameter_schemas.get(f"path:{segment[1:-1]}", ""))
    text = split_path(case.request.path)[index]
    return schema is None or any(schema.is_valid(value) for value in readings(text))


def needed(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """CASES without the steps that the last of them no longer takes anything from, and that make
    nothing which its path still goes through."""
    last = len(cases) - 1
    path = cases[-1].request.path
    wanted = {last}
    for index in range(last, -1, -1):
        case = cases[index]
        above = case.request.method == "PUT" and path.startswith(f"{case.request.path}/")
        if index in wanted or above:
            wanted |= {index, *(b.step for b in case.bindings)}
    kept = sorted(wanted)
    index_of = {old: new for new, old in enumerate(kept)}
    return tuple(
        replace(
            cases[i],
            bindings=tuple(replace(b, step=index_of[b.step]) for b in cases[i].bindings),
        )
        for i in kept
    )


def _thing(operation: OperationProfile, place: Place) -> str:
    """What is named at PLACE, in the singular: `invoice` of `/invoices/{id}/payments`."""
    if place.part != "path":
        words = [w for w in tokens(place.tokens[-1]) if w not in _REFERENCE]
        return " ".join(words)
    segments = split_template(operation.operation.template)
    before = [s for s in segments[: int(place.name)] if "{" not in s]
    words = tokens(before[-1]) if before else []
    return " ".join([*words[:-1], *map(singular, words[-1:])])


def _asked(
    ground: Ground,
    operation: OperationProfile,
    cases: tuple[Case, ...],
    expected: Expectation,
    thing: str,
    *,
    deleted: bool,
) -> Scenario:
    draft = Draft(cases)
    last = len(cases) - 1
    for index in range(last):
        draft.setup(index)
    body_only = any(b.place.part == "path" for b in cases[-1].bindings)
    seen = witness(draft, operation, ground) if expected.refused and body_only else None
    if seen is not None and not deleted:
        look(draft, seen, before=True)
    draft.request("When", last)
    say_outcome(draft, expected)
    if seen is not None and not deleted:
        look(draft, seen, before=False)
    title = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
    return to_scenario(
        ground,
        operation,
        draft,
        expected,
        title or state_titles.unknown(operation, thing, deleted=deleted),
    )


def puts_again(operation: OperationProfile, deletion: OperationProfile) -> bool:
    """Whether OPERATION is a PUT of the very thing that DELETION takes away."""
    same = operation.operation.template == deletion.operation.template
    return same and operation.operation.method == "PUT"


def _deleted(
    ground: Ground, operation: OperationProfile, cases: tuple[Case, ...]
) -> Iterator[Scenario]:
    """The request after what its path goes through was deleted."""
    template = operation.operation.template
    own = Start(operation=operation, setup=cases[:-1], final=cases[-1], paths=())
    for other in ground.profile.operations:
        deleted = other.operation.template
        if other.operation.method != "DELETE" or not deleted.endswith("}"):
            continue
        if template != deleted and not template.startswith(deleted + "/"):
            continue
        start = ground.kit.recorded(other.id)
        row = Row(ground.kit.starts, own.setup)
        case = row.on_same(start, through=own.final) if start is not None else None
        if case is None or any(b.step >= len(row) for b in case.bindings):
            continue
        mine = ground.kit.passes(own.final.role, other)
        role = own.final.role if mine else ground.kit.role_for(other, case.role)
        row.add(unkeyed(loose(replace(case, role=role))))
        shown, pair = ground.kit.shown, (other.id, operation.id)
        read = operation.operation.method in SAFE_METHODS and template == deleted
        gone = pair in shown.gone or (read and pair not in shown.kept)
        anew = puts_again(operation, other)
        kept = pair in shown.kept
        expected = of_deleted(operation, ground.evidence, gone=gone, kept=kept, anew=anew)
        thing = _thing(operation, Place(part="path", name=str(len(split_template(deleted)) - 1)))
        yield _asked(ground, operation, (*row.cases, own.final), expected, thing, deleted=True)
        return
