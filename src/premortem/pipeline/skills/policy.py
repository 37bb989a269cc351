"""What the security skills stand on: the access table of a room, and the operations meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.emit.enrich import detect_enrichable_feature
from premortem.agent.knowledge.access_documents import access_in_document
from premortem.agent.knowledge.access_placing import placed
from premortem.agent.planning import access_titles
from premortem.agent.understanding.explore import find_operation
from premortem.agent.understanding.words import tokens
from premortem.domain.access import NOBODY, AccessRule, AccessTable, Decision
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile
from premortem.errors import InputError, NothingLearned
from premortem.pipeline.access import Access, access_of, policed
from premortem.pipeline.skills.context import tree_of
from premortem.pipeline.skills.generation import RoleAction, role_action
from premortem.pipeline.skills.inventory import KnownTest, Names, read_tests
from premortem.pipeline.skills.material import Material, material
from premortem.pipeline.skills.skill import Room
from premortem.store import Store

BLUEPRINT = "the request's blueprint"
"""What a blueprint is called that came with the request."""
OPERATIONS_MAX = 200
"""Operations of one policy."""
_SIGNED_OUT = re.compile(
    r"not signed in|anonymous|without (?:a )?token|unauthenticated", re.IGNORECASE
)


class AboutAccess(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked about: a handler, an operation, or everything."""

    handler: str = ""
    operation: str = ""
    """Its id, or words that it goes by."""
    edition: str = ""
    blueprint: str = ""
    """A blueprint or authorization map that is not among the files, as text."""
    trace_id: str = ""


class Ruled(Struct, frozen=True, kw_only=True):
    """What is decided of one role."""

    role: str
    grant: str
    """`allowed`, `denied`; empty: nobody said."""
    because: str = ""


def access(room: Room, asked: AboutAccess) -> Access:
    """What is known of access in ROOM, and in the blueprint that ASKED brings."""
    key = f"access {asked.blueprint}"
    if key not in room.memo:
        further: tuple[AccessRule, ...] = ()
        if asked.blueprint:
            found = access_in_document(asked.blueprint.encode(), origin=BLUEPRINT)
            if found is None:
                raise InputError(
                    "the blueprint says of no handler who may; it needs `handler` and "
                    "`roles_allowed`, or `handlers`"
                )
            further = found.rules
        room.memo[key] = access_of(room.config, _store(room), folder=room.root, further=further)
    known: Access = room.memo[key]
    return known


def _store(room: Room) -> Store | None:
    try:
        return room.store()
    except NothingLearned:
        return None


def meant(room: Room, asked: AboutAccess, known: Access) -> tuple[OperationProfile, ...]:
    """The operations that ASKED means; where it names none, all that anybody ruled.

    Raises InputError where there is none, NothingLearned where nothing was learned of a service.
    """
    profile = material(room).profile
    if asked.operation:
        return (find_operation(asked.operation, profile),)
    if asked.handler:
        rule = AccessRule(handler=asked.handler, grant="allowed", source="blueprint")
        ids = {r.operation_id for r in placed([rule], profile.operations, dict(known.handlers))}
        found = tuple(o for o in profile.operations if o.id in ids)
        words = " ".join(tokens(asked.handler.removesuffix("Handler")))
        return found or (find_operation(words, profile),)
    ruled = tuple(o for o in profile.operations if o.id in known.table.by_operation)
    if not ruled:
        raise InputError(
            "nothing says who may do what: write a blueprint, an AuthorizationMap.yaml, or "
            "`x-roles` into the specification"
        )
    return ruled[:OPERATIONS_MAX]


def edition_of(known: Access, edition: str) -> str:
    """EDITION as it is known. Raises InputError for one that nobody knows, if any are."""
    there = {name.lower(): name for name in known.table.editions}
    if edition and there and edition.lower() not in there:
        raise InputError(f"there is no edition {edition!r}; there are {', '.join(there.values())}")
    return there.get(edition.lower(), edition)


def ruled(table: AccessTable, operation: str, role: str, edition: str) -> Ruled:
    """What counts of ROLE doing OPERATION in EDITION."""
    decision = table.decide(operation, role, edition)
    if decision is None:
        return Ruled(role=role, grant="")
    return Ruled(role=role, grant=_counting(decision), because=decision.because)


def _counting(decision: Decision) -> str:
    """What is declared; where nobody declared it, what was seen."""
    return decision.declared.grant if decision.declared is not None else decision.grant


def action_of(
    room: Room, known: Access, operation: OperationProfile, role: str, edition: str
) -> RoleAction:
    """What ROLE may do of OPERATION by the policy, and the scenario that shows it."""
    key = f"policed {edition} {id(known)}"
    if key not in room.memo:
        whole = material(room)
        room.memo[key] = replace(whole, profile=policed(whole.profile, known.table, edition))
    policy: Material = room.memo[key]
    there = policy.profile.operation(operation.id) or operation
    return role_action(policy, there, role, edition=edition)


def secured(
    scenario: Scenario, operation: OperationProfile, *, trace_id: str, because: str
) -> Scenario:
    """SCENARIO as a test of access: named, tagged and traced as such."""
    denied = scenario.origin.outcome == "denied"
    title = access_titles.attempt(operation, scenario.role) if denied else scenario.title
    origin = replace(scenario.origin, expectation=because or scenario.origin.expectation, prompt="")
    tags = [tag for tag in scenario.tags if tag != "prompt"]
    return replace(
        scenario,
        title=title,
        feature=access_titles.feature(operation),
        origin=origin,
        trace_id=trace_id or scenario.trace_id,
        tags=tuple(dict.fromkeys([*tags, "security", "auth", "source:security-inference"])),
    )


def tests_of(
    room: Room, operation: OperationProfile, handler: str, roles: Iterable[str]
) -> tuple[KnownTest, ...]:
    """Scenarios, methods and functions below ROOM's root that are about OPERATION, with those of
    ROLES that they act as."""
    verb, thing = access_titles.spoken(operation)
    about = (handler, f"{verb} {thing}", f"{access_titles.deed(operation)} {thing}")
    names = Names(handlers=tuple(filter(None, about)), roles=tuple(roles))
    return tuple(t for t in read_tests(room.root, names) if set(about) & set(t.handlers))


def testing(tests: Iterable[KnownTest], role: str, edition: str) -> tuple[str, ...]:
    """Those of TESTS that act as ROLE; of an EDITION, its own only."""
    return tuple(
        f"{test.path}: {test.name}"
        for test in tests
        if (role in test.roles or (role == NOBODY and _SIGNED_OUT.search(test.said)))
        and (not edition or edition in test.editions)
    )


def feature_for_access(
    room: Room, operation: OperationProfile, *, handler: str, trace_id: str
) -> str:
    """The feature file below ROOM's root that is about OPERATION; empty: there is none."""
    tree = tree_of(room)
    found = detect_enrichable_feature(
        room.root / tree.features,
        trace_id=trace_id,
        handler=handler,
        entity=access_titles.spoken(operation)[1],
        title=access_titles.feature(operation),
    )
    return f"{tree.features}/{found.path}" if found is not None else ""


def handlers_of(known: Access, operation: str) -> Sequence[str]:
    """What performs OPERATION, as documents and code call it."""
    return tuple(
        dict.fromkeys(r.handler for r in known.table.by_operation.get(operation, ()) if r.handler)
    )
