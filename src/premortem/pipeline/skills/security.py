"""Skills of who may do what: untested roles, attempts, editions, assertions, missing scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.code.code_tests import (
    Provenance,
    SuggestedMethod,
    append_suggested,
    suggest_test_method,
)
from premortem.agent.emit.artifacts import augmentation_of, create_feature_file
from premortem.agent.emit.augmentation_yaml import emit_test_metadata
from premortem.agent.emit.enrich import write_feature_patch
from premortem.agent.emit.files import Change, read, write
from premortem.agent.emit.git_patch import git_patch
from premortem.agent.emit.tags import insert_scenario_tags
from premortem.agent.planning import access_titles
from premortem.domain.access import NOBODY
from premortem.domain.proposal import Artifact, Signal
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile
from premortem.errors import InputError
from premortem.pipeline.access import Access
from premortem.pipeline.skills.auth_assertions import ASSERTION_SKILL
from premortem.pipeline.skills.context import test_file, tree_of
from premortem.pipeline.skills.material import Proposal, code, proposal
from premortem.pipeline.skills.policy import (
    BLUEPRINT,
    AboutAccess,
    Ruled,
    access,
    action_of,
    edition_of,
    feature_for_access,
    handlers_of,
    meant,
    ruled,
    secured,
    testing,
    tests_of,
)
from premortem.pipeline.skills.skill import Room, Skill

ATTEMPTS_MAX = 40
"""Scenarios that one skill plans."""


class Variant(Struct, frozen=True, kw_only=True):
    """One role of one operation."""

    operation: str
    handler: str
    role: str
    edition: str
    grant: str
    """`allowed`, `denied`; empty: nobody said."""
    because: str
    tested_by: tuple[str, ...] = ()
    """Scenarios and methods that name the role; empty: none does."""


class RoleVariants(Struct, frozen=True, kw_only=True):
    """All roles, and which of them no test has."""

    variants: tuple[Variant, ...]
    untested: tuple[str, ...]
    """Roles that lack a test of an operation that was asked about."""


def enumerate_role_variants(room: Room, asked: AboutAccess) -> RoleVariants:
    """The skill EnumerateRoleVariants: every role of a handler, and which is not tested yet."""
    known = access(room, asked)
    edition = edition_of(known, asked.edition)
    variants = tuple(
        variant
        for operation in meant(room, asked, known)
        for variant in _variants(room, known, operation, asked.handler, edition)
    )
    untested = (variant.role for variant in variants if not variant.tested_by)
    return RoleVariants(variants=variants, untested=tuple(dict.fromkeys(untested)))


def _variants(
    room: Room, known: Access, operation: OperationProfile, handler: str, edition: str
) -> Iterator[Variant]:
    named = handler or next(iter(handlers_of(known, operation.id)), "")
    tests = tests_of(room, operation, named, known.table.roles)
    for role in (*known.table.roles, NOBODY):
        decided = ruled(known.table, operation.id, role, edition)
        yield Variant(
            operation=operation.id,
            handler=named,
            role=role,
            edition=edition,
            grant=decided.grant,
            because=decided.because,
            tested_by=testing(tests, role, edition),
        )


class AboutRole(AboutAccess, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role that is refused, and of what; of nothing named: of all that it may not."""

    role: str
    count_max: int = ATTEMPTS_MAX


class Attempt(Struct, frozen=True, kw_only=True):
    """What somebody tries who may not."""

    operation: str
    role: str
    edition: str
    because: str
    proposal: Proposal | None = None
    """None: no scenario can be planned, see `reason`."""
    method: SuggestedMethod | None = None
    """None: there is no code to test so."""
    reason: str = ""


class Attempts(Struct, frozen=True, kw_only=True):
    """Attempts of one role."""

    role: str
    attempts: tuple[Attempt, ...]


def simulate_unauthorized_access(room: Room, asked: AboutRole) -> Attempts:
    """The skill SimulateUnauthorizedAccess: what a role may not do, each as a test that it is
    refused.

    Raises InputError for a role that nobody knows, or that may do everything asked about.
    """
    known = access(room, asked)
    edition = edition_of(known, asked.edition)
    role = _role(known, asked.role)
    denied = [
        operation
        for operation in meant(room, asked, known)
        if ruled(known.table, operation.id, role, edition).grant == "denied"
    ]
    if not denied:
        raise InputError(f"nothing says that {role} may not do what is asked about")
    attempts = (
        _attempt(room, known, operation, role, edition, asked.trace_id)
        for operation in denied[: min(asked.count_max, ATTEMPTS_MAX)]
    )
    return Attempts(role=role, attempts=tuple(attempts))


def _role(known: Access, said: str) -> str:
    there = {role.lower(): role for role in (*known.table.roles, NOBODY)}
    if said.lower() not in there:
        raise InputError(f"there is no role {said!r}; there are {', '.join(there.values())}")
    return there[said.lower()]


def _attempt(
    room: Room,
    known: Access,
    operation: OperationProfile,
    role: str,
    edition: str,
    trace_id: str,
) -> Attempt:
    decided = ruled(known.table, operation.id, role, edition)
    action = action_of(room, known, operation, role, edition)
    made = None
    if action.proposal is not None:
        scenario = secured(
            action.proposal.scenario, operation, trace_id=trace_id, because=decided.because
        )
        made = proposal(insert_scenario_tags(scenario))
    method = _method(room, operation, role, Provenance(trace_id=trace_id, edition=edition))
    return Attempt(
        operation=operation.id,
        role=role,
        edition=edition,
        because=decided.because,
        proposal=made,
        method=method,
        reason=action.reason,
    )


def _method(
    room: Room, operation: OperationProfile, role: str, provenance: Provenance
) -> SuggestedMethod | None:
    """The test method that ROLE is refused; None: there is no code, or none that fits."""
    known = code(room)
    if not known.csharp.classes:
        return None
    try:
        return suggest_test_method(
            access_titles.question(operation, role),
            code=known.csharp,
            dtos=known.dtos,
            roles=(*room.config.roles, *known.blueprint.roles, role),
            operations=known.operations,
            provenance=provenance,
        )
    except InputError:
        return None


class OperationPolicy(Struct, frozen=True, kw_only=True):
    """Who may do one operation in the edition."""

    operation: str
    handlers: tuple[str, ...]
    allowed: tuple[str, ...]
    denied: tuple[str, ...]
    undefined: tuple[str, ...]
    """Roles that nobody ruled: what they get is to be found out, and they get no leave by it."""
    because: tuple[str, ...]
    """Where it stands."""
    elsewhere: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Other editions in which others may: the edition, and who may there."""


class EditionPolicy(Struct, frozen=True, kw_only=True):
    """The policy of an edition, and tests of it."""

    edition: str
    operations: tuple[OperationPolicy, ...]
    proposals: tuple[Proposal, ...]
    """Who may is let through, everybody else refused; of what differs between editions, or was
    asked about."""
    left_out: tuple[str, ...] = ()


def infer_security_policy_from_edition(room: Room, asked: AboutAccess) -> EditionPolicy:
    """The skill InferSecurityPolicyFromEdition: who may do what in an edition, and tests of what
    it rules otherwise than others. Raises InputError for an edition that nobody knows."""
    known = access(room, asked)
    edition = edition_of(known, asked.edition)
    named = bool(asked.operation or asked.handler or asked.blueprint)
    policies: list[OperationPolicy] = []
    proposals: dict[str, Proposal] = {}
    left_out: list[str] = []
    for operation in _about(room, asked, known):
        policy = _policy(known, operation, edition)
        policies.append(policy)
        if not named and not policy.elsewhere:
            continue
        for role in (*policy.allowed, *policy.denied, *policy.undefined):
            if len(proposals) >= ATTEMPTS_MAX:
                break
            made, reason = _by_policy(room, known, operation, role, edition, asked.trace_id)
            if made is not None:
                proposals[made.id] = made
            else:
                left_out.append(f"{operation.id} as {role}: {reason}")
    return EditionPolicy(
        edition=edition,
        operations=tuple(policies),
        proposals=tuple(proposals.values()),
        left_out=tuple(left_out),
    )


def _about(room: Room, asked: AboutAccess, known: Access) -> tuple[OperationProfile, ...]:
    """The operations asked about; with a blueprint and nothing else, those that it rules."""
    if asked.blueprint and not asked.operation and not asked.handler:
        everything = meant(room, asked, known)
        ruled_there = {r.operation_id for r in known.table.rules if r.document == BLUEPRINT}
        return tuple(o for o in everything if o.id in ruled_there) or everything
    return meant(room, asked, known)


def _policy(known: Access, operation: OperationProfile, edition: str) -> OperationPolicy:
    table = known.table
    decided = [ruled(table, operation.id, role, edition) for role in table.roles]
    allowed = _who(decided, "allowed")
    others = {
        other: _who((ruled(table, operation.id, r, other) for r in table.roles), "allowed")
        for other in table.editions
        if edition and other != edition
    }
    return OperationPolicy(
        operation=operation.id,
        handlers=tuple(handlers_of(known, operation.id)),
        allowed=allowed,
        denied=_who(decided, "denied"),
        undefined=_who(decided, ""),
        because=tuple(dict.fromkeys(one.because for one in decided if one.because)),
        elsewhere=tuple((other, who) for other, who in others.items() if who != allowed),
    )


def _who(decided: Iterable[Ruled], grant: str) -> tuple[str, ...]:
    return tuple(one.role for one in decided if one.grant == grant)


def _by_policy(
    room: Room,
    known: Access,
    operation: OperationProfile,
    role: str,
    edition: str,
    trace_id: str,
) -> tuple[Proposal | None, str]:
    decided = ruled(known.table, operation.id, role, edition)
    action = action_of(room, known, operation, role, edition)
    if action.proposal is None:
        return None, action.reason
    scenario = secured(
        action.proposal.scenario, operation, trace_id=trace_id, because=decided.because
    )
    return proposal(insert_scenario_tags(scenario)), ""


class Patching(AboutAccess, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What lacks security cases, and where they go."""

    path: str = ""
    """A feature file; empty: the one that is about it, else a new one."""
    write: bool = False
    """False: only the patch is shown."""


class Patched(Struct, frozen=True, kw_only=True):
    """What was added."""

    artifacts: tuple[Artifact, ...]
    proposals: tuple[Proposal, ...]
    methods: tuple[SuggestedMethod, ...]
    covered: tuple[str, ...]
    """Roles that tests have already."""
    left_out: tuple[str, ...]
    patch: str
    """What git takes; empty: nothing changed."""
    metadata: dict[str, object] = {}
    """The record of test-augmentation-metadata.yaml."""


def patch_missing_auth_scenarios(room: Room, asked: Patching) -> Patched:
    """The skill PatchMissingAuthScenarios: for each role that no test has of an operation, a
    scenario in its feature file, and where it is refused a method in its test class.

    Raises InputError where more than ATTEMPTS_MAX would be made: name an operation.
    """
    known = access(room, asked)
    edition = edition_of(known, asked.edition)
    operations = _about(room, asked, known)
    covered: list[str] = []
    left_out: list[str] = []
    changes: dict[str, Change] = {}
    proposals: list[Proposal] = []
    methods: list[SuggestedMethod] = []
    for operation in operations:
        variants = list(_variants(room, known, operation, asked.handler, edition))
        covered += [v.role for v in variants if v.tested_by]
        missing = [v for v in variants if not v.tested_by]
        if len(proposals) + len(missing) > ATTEMPTS_MAX:
            raise InputError(f"more than {ATTEMPTS_MAX} scenarios would be made; name an operation")
        made: list[Scenario] = []
        for variant in missing:
            one, reason = _by_policy(room, known, operation, variant.role, edition, asked.trace_id)
            if one is None:
                left_out.append(f"{operation.id} as {variant.role}: {reason}")
                continue
            made.append(one.scenario)
            proposals.append(one)
            if one.scenario.origin.outcome == "denied":
                provenance = Provenance(trace_id=asked.trace_id, edition=edition)
                method = _method(room, operation, variant.role, provenance)
                methods += [method] if method is not None else []
        if made:
            _add(changes, _feature_change(room, operation, asked, known, made))
    for change in _code_changes(room, methods):
        _add(changes, change)
    return _patched(room, asked, changes, proposals, methods, covered, left_out)


def _feature_change(
    room: Room,
    operation: OperationProfile,
    asked: Patching,
    known: Access,
    scenarios: Sequence[Scenario],
) -> Change:
    handler = asked.handler or next(iter(handlers_of(known, operation.id)), "")
    path = asked.path or feature_for_access(
        room, operation, handler=handler, trace_id=asked.trace_id
    )
    if path:
        return write_feature_patch(room.root, path, scenarios)
    return create_feature_file(
        room.root,
        "",
        scenarios,
        tree=tree_of(room),
        entity=access_titles.spoken(operation)[1],
        source="security-inference",
    )


def _code_changes(room: Room, methods: Iterable[SuggestedMethod]) -> Iterator[Change]:
    """METHODS in their classes, one change for each file."""
    tree, made = tree_of(room), dict[str, Change]()
    for method in methods:
        if not method.class_name:
            continue
        path = test_file(room, method.class_name, kind=method.test_kind, tree=tree)
        first = made.get(path)
        before = first.after if first is not None else read(room.root, path)
        change = append_suggested(before, method, path=path)
        _add(made, change)
    yield from made.values()


def _add(changes: dict[str, Change], change: Change) -> None:
    first = changes.get(change.path)
    if first is not None:
        change = replace(change, before=first.before, names=(*first.names, *change.names))
    changes[change.path] = change


def _patched(
    room: Room,
    asked: Patching,
    changes: dict[str, Change],
    proposals: Sequence[Proposal],
    methods: Sequence[SuggestedMethod],
    covered: Iterable[str],
    left_out: Iterable[str],
) -> Patched:
    made = [c for c in changes.values() if c.before != c.after]
    artifacts = [write(room.root, c) if asked.write else c.artifact for c in made]
    signal = Signal(
        kind="role",
        text="roles that no test has",
        trace_id=asked.trace_id,
        handler=asked.handler,
        edition=asked.edition,
    )
    told = augmentation_of(signal, [(one.scenario, None) for one in proposals])
    return Patched(
        artifacts=tuple(artifacts),
        proposals=tuple(proposals),
        methods=tuple(methods),
        covered=tuple(dict.fromkeys(covered)),
        left_out=tuple(left_out),
        patch=git_patch(made).decode(errors="replace") if made else "",
        metadata=emit_test_metadata(told) if proposals else {},
    )


SECURITY_SKILLS = (
    Skill(
        name="EnumerateRoleVariants",
        part="security",
        does="Every role of a handler, what it may, and which of them no test has.",
        asks=AboutAccess,
        perform=enumerate_role_variants,
    ),
    Skill(
        name="SimulateUnauthorizedAccess",
        part="security",
        does="What a role may not do, each as a scenario and a method that it is refused.",
        asks=AboutRole,
        perform=simulate_unauthorized_access,
    ),
    Skill(
        name="InferSecurityPolicyFromEdition",
        part="security",
        does="Who may do what in an edition, and tests of what it rules otherwise.",
        asks=AboutAccess,
        perform=infer_security_policy_from_edition,
    ),
    ASSERTION_SKILL,
    Skill(
        name="PatchMissingAuthScenarios",
        part="security",
        does="Scenarios and methods for every role that no test has, put into their files.",
        asks=Patching,
        perform=patch_missing_auth_scenarios,
        writes=True,
    ),
)
