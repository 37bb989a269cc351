"""What plans stand on: the question, its evidence, and the pieces that scenarios are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from premortem.agent.planning import titles
from premortem.agent.planning.declared import usual_role
from premortem.agent.planning.draft import CannotWrite, Draft
from premortem.agent.planning.expectation import DENIED, Evidence, Expectation, facts_of
from premortem.agent.planning.observation import Observation, observation
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.supplies import refuse_lost, refuse_secrets
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.agent.understanding.failure_modes import ANONYMOUS, mode_named
from premortem.agent.understanding.inputs import input_fields
from premortem.domain.bodies import at, leaves, read_body
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import (
    UNCERTAIN,
    Keyword,
    Scenario,
    ScenarioOrigin,
    Step,
    Understanding,
)
from premortem.domain.template import split_template
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate.order_kit import Kit
from premortem.generate.references import needed_references


class Ground(Struct, frozen=True, kw_only=True):
    """What every plan of one question stands on."""

    understood: Understanding
    profile: Profile
    exchanges: Mapping[str, Exchange]
    evidence: Evidence
    roles: tuple[str, ...]
    """Configured ones first."""
    services: tuple[str, ...] = ()
    """Services behind the target that the binding file can make fail; `*`: any."""
    editions: tuple[str, ...] = ()
    """Editions that it can switch to; `*`: any."""
    witnessed: bool = True
    """Whether who may look at what a refusal must leave alone; else the answer alone counts."""
    kit: Kit
    """Starts of all operations, and what production showed about their order."""


Plan = Callable[[Ground, OperationProfile, Reached], Iterator[Scenario]]
"""Scenarios of one failure mode for one operation, the one meant first."""


def as_role(cases: Sequence[Case], ground: Ground) -> tuple[Case, ...]:
    """CASES with the request in question sent by the role asked about, where one is."""
    role = ground.understood.role
    if not role:
        return tuple(cases)
    chosen = "" if role == ANONYMOUS else role
    return (*cases[:-1], msgspec.structs.replace(cases[-1], role=chosen))


def changed(body: Any, tokens: Sequence[str], edge: EdgeValue) -> Any:
    """BODY with the edge value at the pointer, in the first item of lists on the way.

    Objects on the way that were left out are put there.
    """
    copy = msgspec.json.decode(msgspec.json.encode(body))
    concrete = tuple("0" if part == "*" else part for part in tokens)
    parent = copy
    for key in concrete[:-1]:
        if isinstance(parent, dict) and key not in parent and not edge.absent:
            parent[key] = {}
        try:
            parent = at(parent, (key,))
        except (LookupError, TypeError):
            parent = None
            break
    if isinstance(parent, dict):
        if edge.absent:
            parent.pop(concrete[-1], None)
        else:
            parent[concrete[-1]] = edge.value
    elif isinstance(parent, list) and concrete[-1:] == ("0",) and not edge.absent:
        parent[:1] = [edge.value]
    else:
        raise CannotWrite("the recorded body has no such field")
    return copy


class Seen(Struct, frozen=True, kw_only=True):
    """What is looked at before and after, and who looks."""

    observation: Observation
    role: str


def witness(
    draft: Draft, operation: OperationProfile, ground: Ground, *, gone: bool = False
) -> Seen | None:
    """What shows that nothing changed, and who may look. Reading changes nothing to look at."""
    if operation.operation.method in SAFE_METHODS:
        return None
    params = draft.params(len(draft.cases) - 1, operation.operation.template)
    before = range(len(draft.cases) - 1)
    known = [draft.path(index) for index in before]
    absent = _absent(ground, draft.cases[:-1])
    found = observation(operation, params, ground.evidence, gone=gone, known=known, absent=absent)
    if found is None:
        return None
    present = [case.role for case in draft.cases if case.role in found.roles]
    configured = [role for role in found.roles if role in ground.roles or not role]
    roles = [*present, *configured]
    if not found.roles:
        # Nobody was seen reading it: who makes such things may look at them.
        roles = [case.role for case in draft.cases if case.role]
        seen_by = ground.profile.operation(found.operation_id)
        if seen_by is not None and not roles:
            roles = [usual_role(seen_by, ground.profile, ground.roles)]
    return Seen(observation=found, role=roles[0]) if roles else None


def _absent(ground: Ground, cases: Sequence[Case]) -> frozenset[str]:
    """Places that requests like CASES may fill, and these leave out: answers lack them, too."""
    sent: set[str] = set()
    known: set[str] = set()
    for case in cases:
        operation = ground.kit.operations.get(case.operation_id)
        if operation is None or not case.request.body:
            continue
        known |= {f.place.name for f in input_fields(operation) if f.place.part == "body"}
        try:
            sent |= {place.name for place, _ in leaves(read_body(case.request))}
        except ValueError:
            continue
    return frozenset(known - sent)


def look(draft: Draft, seen: Seen, *, before: bool) -> None:
    """Steps that keep what SEEN shows (BEFORE), or compare with that."""
    keyword: Keyword = "Given" if before else "Then"
    draft.look(keyword, seen.observation, seen.role, before=before)


def say_outcome(draft: Draft, expected: Expectation) -> None:
    """Steps that check the answer to the request in question."""
    draft.add("Then", text("status", expected.status))
    for pointer, code in expected.facts:
        draft.add("Then", text("field", pointer, code))


def in_edition(ground: Ground, operation: OperationProfile, expected: Expectation) -> Expectation:
    """EXPECTED of OPERATION, or what production answered in the edition that the question names."""
    edition = ground.understood.edition
    if not edition:
        return expected
    counts = {int(s): n for s, n in operation.editions.get(edition, {}).items() if n}
    if any(200 <= status < 300 for status in counts):
        return expected
    allowed = operation.allowed_editions
    if not counts and allowed and edition not in allowed:
        return Expectation(
            status=403,
            because=f"the specification says that {', '.join(allowed)} has it only",
            source="specification",
            certain=403 in operation.declared,
        )
    refused = max((s for s in counts if s in DENIED), key=lambda s: counts[s], default=0)
    if not refused:
        # What holds elsewhere need not hold there.
        return expected if expected.refused else msgspec.structs.replace(expected, certain=False)
    alike = [
        e.response
        for e in ground.evidence.of(operation)
        if e.tags.edition == edition and e.response.status == refused
    ]
    return Expectation(
        status=refused,
        because=f"production answered {refused} in {edition} ({counts[refused]} captured)",
        source="captured",
        facts=facts_of(alike),
    )


def can_switch(ground: Ground, edition: str) -> bool:
    """Whether the target can be brought into EDITION: else it is in whichever it is in."""
    return bool({edition, "*"} & set(ground.editions))


def _with_edition(ground: Ground, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """STEPS with the switch to the edition that the question names, right before the question:
    what is given came about in the edition that has it."""
    edition = ground.understood.edition
    if not edition or not can_switch(ground, edition):
        return steps
    at_ = next((i for i, step in enumerate(steps) if step.keyword == "When"), len(steps))
    switch = Step(keyword="And" if at_ else "Given", text=text("edition", edition))
    return (*steps[:at_], switch, *steps[at_:])


def is_meant(ground: Ground, operation: OperationProfile) -> bool:
    """Whether OPERATION is the one that the question fits best."""
    return ground.understood.operation_ids[:1] == (operation.id,)


def to_scenario(
    ground: Ground,
    operation: OperationProfile,
    draft: Draft,
    expected: Expectation,
    title: str,
    *,
    role: str = "",
) -> Scenario:
    """DRAFT as a scenario, with where it comes from and what it asserts.

    Raises CannotWrite when it names what nobody can name any more.
    """
    refuse_lost(draft.cases, ground.exchanges)
    refuse_secrets(draft.cases, ground.profile, passes=not expected.refused)
    understood = ground.understood
    mode = mode_named(understood.failure_mode)
    known = (
        expected.certain
        and not _is_unproven(operation, draft.cases, expected)
        and not _is_perhaps_denied(ground, operation, expected)
        and (expected.outcome_class == "denied" or not _made_up(ground, draft.cases[-1:]))
        and (not understood.edition or can_switch(ground, understood.edition))
    )
    doubt = () if known else (UNCERTAIN,)
    return Scenario(
        title=title,
        feature=titles.feature(operation),
        steps=_with_edition(ground, draft.steps()),
        origin=ScenarioOrigin(
            source="prompt",
            prompt=understood.prompt,
            failure_mode=mode.name,
            parents=tuple(parent for case in draft.cases for parent in case.origin.parents),
            profile_version=ground.profile.version,
            expectation="; ".join((expected.because, *_made_up(ground, draft.cases))),
            outcome=expected.outcome_class,
        ),
        operation_id=operation.id,
        role=role or draft.cases[-1].role,
        edition=understood.edition,
        trace_id="prompt-" + sha256(understood.prompt.encode()).hexdigest()[:8],
        tags=("prompt", mode.tag, *doubt),
    )


def _made_up(ground: Ground, cases: Sequence[Case]) -> tuple[str, ...]:
    """What CASES have to name in their bodies though nothing that is known makes it, in words; what
    the question itself is about is none of it."""
    asked = ground.understood
    if asked.failure_mode == "unknown_reference":
        return ()
    found: list[str] = []
    for case in cases:
        operation = ground.kit.operations.get(case.operation_id)
        if operation is None or case.origin.source != "scenario" or not case.request.body:
            continue
        bound = {binding.place for binding in case.bindings}
        lost = (p for p in needed_references(operation) if p.part == "body" and p not in bound)
        names = (place.tokens[-1] for place in lost)
        found += [f"nothing known makes what {n} names" for n in names if n != asked.field]
    return tuple(dict.fromkeys(found))


_ABOUT_ROLES = frozenset({"forbidden_role", "invalid_token", "others_data"})


def _is_perhaps_denied(ground: Ground, operation: OperationProfile, expected: Expectation) -> bool:
    """Whether the role asked about was never let through, so that it may be denied before anything
    else is looked at."""
    role = ground.understood.role
    if not role or ground.understood.failure_mode in _ABOUT_ROLES:
        return False
    if expected.outcome_class == "denied" or not (operation.roles or operation.allowed_roles):
        return False
    name = "" if role == ANONYMOUS else role
    return not ground.kit.passes(name, operation) and role not in operation.allowed_roles


def _is_unproven(operation: OperationProfile, cases: Sequence[Case], expected: Expectation) -> bool:
    """Whether success is expected where it depends on a state that nobody was seen bringing about,
    or on a thing that nothing in the scenario makes.

    That a way put together from the specification leads there is likely, not known.
    """
    template = split_template(operation.operation.template)
    if expected.refused or not any("{" in segment for segment in template):
        return False
    last = cases[-1]
    changes = operation.operation.method not in SAFE_METHODS
    if last.origin.source == "scenario" and changes and expected.source != "captured":
        return True
    bound = {int(b.place.name) for b in last.bindings if b.place.part == "path"}
    made = {split_template(case.request.path) for case in cases[:-1]}
    path = split_template(last.request.path)
    named = (at_ for at_, segment in enumerate(template) if "{" in segment and at_ not in bound)
    there = any(case.request.method == "PUT" for case in cases[:-1])
    creates = operation.operation.method == "PUT" and len(path) == len(template)
    return any(
        not (there and path[: at_ + 1] in made) and not (creates and at_ == len(path) - 1)
        for at_ in named
    )
