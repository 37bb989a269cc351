"""A change that is based on what somebody else has changed since."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.outcomes.state import as_asked
from premortem.agent.outcomes.version import of_outdated
from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.declared import VERSIONS
from premortem.agent.planning.draft import DoesNotApply, Draft
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
from premortem.agent.plans.ways import start_of
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.inputs import input_fields
from premortem.domain.bodies import is_json, leaves
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Scenario
from premortem.domain.template import split_path
from premortem.domain.traffic import Exchange, OperationProfile
from premortem.generate.order_kit import loose
from premortem.generate.starts import Start
from premortem.generate.steps import Row, unkeyed

IF_MATCH = "if-match"
VERSION = "version_before"
"""Under this name the version that was read is kept."""
UNTOLD = '"premortem-0"'
"""An entity tag of no version there is (RFC 9110, 8.8.3)."""


class Versioned(Struct, frozen=True, kw_only=True):
    """How an operation is told the version that a change is based on."""

    header: bool
    """In `If-Match`; otherwise in the field PLACE of its body."""
    place: Place | None = None
    known: bool = True
    """Recorded or declared of this operation; otherwise only answers tell versions."""
    told: bool = True
    """Some answer tells the version; otherwise a made-up one has to do."""


def stale_change(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """Two read one version; the first changes it, the second comes with the old one."""
    if operation.operation.method in SAFE_METHODS:
        raise DoesNotApply("it changes nothing")
    if "{" not in operation.operation.template and operation.operation.method == "POST":
        raise DoesNotApply("it makes something new, of which there is no older version")
    if operation.operation.method == "POST" and version_of(ground, operation) is None:
        raise DoesNotApply("no request of it says which version of a thing it is based on")
    # Even where no version was ever told: a condition that cannot hold is not ignored.
    versioned = version_of(ground, operation) or Versioned(header=True, known=False, told=False)
    yield _stale(ground, operation, made_first(reached), versioned)


def made_first(reached: Reached) -> Reached:
    """REACHED with what a PUT replaces made before: only what is there has a version."""
    *before, final = reached.cases
    last = str(len(split_path(final.request.path)) - 1)
    bound = any(b.place.part == "path" and b.place.name == last for b in final.bindings)
    there = any(c.request.path == final.request.path for c in before if c.request.method == "PUT")
    if final.request.method != "PUT" or bound or there:
        return reached
    return replace(reached, cases=(*before, unkeyed(loose(final)), final))


def version_of(ground: Ground, operation: OperationProfile) -> Versioned | None:
    """How OPERATION is told a version; None: nothing shows that it is."""
    seen = any(f.place.part == "header" and f.place.name == IF_MATCH for f in operation.fields)
    declared = any(p.lower() == f"header:{IF_MATCH}" for p in operation.parameter_schemas)
    if seen or declared or 412 in operation.declared or 428 in operation.declared:
        return Versioned(header=True)
    for field in operation.fields:
        place = field.place
        if place.part == "body" and place.tokens and place.tokens[-1].lower() in VERSIONS:
            return Versioned(header=False, place=place)
    for one in input_fields(operation):
        place = one.place
        top = place.part == "body" and len(place.tokens) == 1
        if top and one.name.lower() in VERSIONS:
            return Versioned(header=False, place=place)
    tags = any(_tag(e) for e in ground.evidence.of(operation)) or _read_with_tag(ground, operation)
    return Versioned(header=True, known=False) if tags else None


def _tag(exchange: Exchange) -> str:
    return exchange.response.header("etag") or ""


def _read_with_tag(ground: Ground, operation: OperationProfile) -> bool:
    reader = _reader(ground, operation)
    return reader is not None and any(_tag(e) for e in ground.evidence.of(reader))


def _reader(ground: Ground, operation: OperationProfile) -> OperationProfile | None:
    """The operation that reads the very thing OPERATION changes."""
    return next(
        (
            o
            for o in ground.profile.operations
            if o.operation.method == "GET" and o.operation.template == operation.operation.template
        ),
        None,
    )


def _stale(
    ground: Ground, operation: OperationProfile, reached: Reached, versioned: Versioned
) -> Scenario:
    final = unkeyed(reached.cases[-1])
    between = _change_between(ground, operation, reached)
    if between is None:
        # Nothing changes the thing, so no version of it gets old: one that never was has to do.
        versioned = replace(versioned, header=True, told=False)
        between = final
    cases = (*reached.cases[:-1], between, _other_body(ground, operation, final, between))
    cases = as_role(cases, ground)
    draft = Draft(cases)
    last = len(cases) - 1
    for index in range(last - 1):
        draft.setup(index)
    if not keep_version(ground, operation, draft, versioned):
        versioned = replace(versioned, header=True, told=False)
    if between is not final:
        draft.request("Given", last - 1)
    seen = witness(draft, operation, ground)
    if seen is not None:
        look(draft, seen, before=True)
    expected = of_outdated(operation, ground.evidence, header=versioned.header)
    expected = as_asked(ground.understood.outcomes, expected)
    same = operation.operation.method == "PUT" and between.request == reached.cases[-1].request
    if not versioned.known or not versioned.told or same:
        expected = replace(expected, certain=False)
    with_version(draft, last, versioned)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)
    title = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
    return to_scenario(ground, operation, draft, expected, title or state_titles.stale(operation))


def _change_between(ground: Ground, operation: OperationProfile, reached: Reached) -> Case | None:
    """What somebody else does to the thing: the same change, or one to what is to be deleted."""
    final = unkeyed(reached.cases[-1])
    if operation.operation.method == "PUT":
        # What is put there once more as it is need not be a new version.
        return loose(_another_text(final))
    if operation.operation.method in ("PATCH", "POST"):
        return loose(final)
    own = Start(operation=operation, setup=reached.cases[:-1], final=final, paths=())
    for other in ground.profile.operations:
        same = other.operation.template == operation.operation.template
        if not same or other.operation.method not in ("PATCH", "PUT"):
            continue
        start = start_of(ground, other)
        row = Row(ground.kit.starts, own.setup)
        case = row.on_same(start, through=final) if start is not None else None
        if case is not None and not any(b.step >= len(row) for b in case.bindings):
            return unkeyed(loose(case))
    return None


def _other_body(ground: Ground, operation: OperationProfile, final: Case, between: Case) -> Case:
    """FINAL with what production sent another time, so that a lost change can be seen."""
    bound = any(b.place.part == "body" for b in final.bindings)
    for exchange in ground.evidence.of(operation):
        request = exchange.request
        taken = exchange.response.status < 300 and request.media_type == final.request.media_type
        other = bool(request.body) and request.body != between.request.body
        if taken and other and is_json(request.media_type) and not bound:
            return replace(final, request=replace(final.request, body=request.body))
    return _another_text(final)


def _another_text(final: Case) -> Case:
    """FINAL with its first plain text said otherwise."""
    try:
        value = msgspec.json.decode(final.request.body or b"null")
    except msgspec.DecodeError:
        return final
    for place, leaf in leaves(value):
        if isinstance(leaf, str) and " " in leaf:
            return with_value(final, place, f"{leaf} again")
    return final


def keep_version(
    ground: Ground, operation: OperationProfile, draft: Draft, versioned: Versioned
) -> bool:
    """Steps that read the thing and keep its version; False: nothing shows it."""
    last = len(draft.cases) - 1
    if not versioned.told:
        return True
    reader = _reader(ground, operation)
    role = _who_reads(ground, reader, draft.cases) if reader is not None else None
    if role is not None:
        draft.add("Given", text("send", draft.actor(role), "GET", draft.path(last)))
        _keep(draft, versioned)
        return True
    makers = [
        i
        for i, case in enumerate(draft.cases[: last - 1])
        if case.request.method not in SAFE_METHODS
    ]
    if makers and makers[-1] == last - 2 and versioned.header:
        _keep(draft, versioned)  # the last answer is that of what made or changed it
        return True
    return False


def _keep(draft: Draft, versioned: Versioned) -> None:
    if versioned.header:
        draft.add("Given", text("save_header", "etag", VERSION))
    elif versioned.place is not None:
        draft.add("Given", text("save", versioned.place.name, VERSION))


def _who_reads(ground: Ground, reader: OperationProfile, cases: tuple[Case, ...]) -> str | None:
    roles = [r for r, counts in reader.roles.items() if any(s[0] == "2" for s in counts)]
    present = [c.role for c in cases if c.role in roles]
    configured = [r for r in roles if r in ground.roles or not r]
    if not reader.roles:
        # Nobody was seen reading it: who may, or else who makes such things.
        may = [c.role for c in cases if c.role in reader.allowed_roles or not reader.allowed_roles]
        configured = [*may, *(r for r in reader.allowed_roles if r in ground.roles)]
    return next(iter((*present, *configured)), None)


def with_version(draft: Draft, index: int, versioned: Versioned, *, times: int = 1) -> None:
    """The INDEX-th case under When, TIMES at once, with the version that was kept."""
    if versioned.header:
        version = f"${{{VERSION}}}" if versioned.told else UNTOLD
        draft.add("Given", text("header_next", "If-Match", version))
        draft.request("When", index, times=times)
        return
    body = draft.body(index)
    if versioned.place is not None and isinstance(body, dict):
        body = {**body, versioned.place.tokens[-1]: f"${{{VERSION}}}"}
    draft.request("When", index, body=body, times=times)
