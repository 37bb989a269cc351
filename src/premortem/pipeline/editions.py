"""How editions, regions, locales and tenants differ, which differences are tested, and the missing
tests of both branches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.ask import those_that_bind
from premortem.agent.emit.tags import insert_scenario_tags
from premortem.agent.knowledge.access_placing import placed
from premortem.agent.knowledge.reading import source_files
from premortem.agent.knowledge.variant_rules import variant_rules
from premortem.agent.planning import access_titles, titles
from premortem.agent.planning.draft import CannotWrite
from premortem.agent.planning.expectation import Expectation, success_status
from premortem.agent.planning.planner import ground_of, plan_on
from premortem.agent.planning.reach import Reached, reach
from premortem.agent.plans.given import with_given
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.variants import in_variant
from premortem.agent.steps.bindings import Bindings, load_bindings
from premortem.agent.understanding.words import stem, tokens
from premortem.config import Config
from premortem.domain.access import AccessRule, AccessTable
from premortem.domain.access import Names as Spellings
from premortem.domain.proposal import FailureModeName
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.domain.variants import Difference, Dimension, VariantRule
from premortem.errors import InputError
from premortem.learn.variants import learn_variants
from premortem.pipeline.access import Access, access_of, policed
from premortem.pipeline.covering import recorded_latest
from premortem.pipeline.judging import read_exchanges
from premortem.pipeline.skills.inventory import KnownTest, Names, read_tests
from premortem.store import Store

DIFFERENCES_MAX = 300
LACKING = 403
"""What an edition is taken to answer where it lacks an operation."""
_SPOKEN = (b"emit", b"skip")
_DOCUMENTS = (".yaml", ".yml", ".json", ".md")


class Variant(Struct, frozen=True, kw_only=True):
    """A difference, its tests, and the scenarios that lack."""

    difference: Difference
    tested_by: tuple[str, ...] = ()
    """Tests of the operation that carry the edition."""
    proposals: tuple[Scenario, ...] = ()
    """Of the branches that no test has: in the edition, and in another one."""
    why_not: tuple[str, ...] = ()
    """Why a branch cannot be planned."""


class Editions(Struct, frozen=True, kw_only=True):
    """All differences that are known."""

    names: tuple[str, ...]
    variants: tuple[Variant, ...]
    rules: tuple[VariantRule, ...] = ()


def editions_of(config: Config, store: Store, *, folder: Path) -> Editions:
    """The differences between editions, by documents and specification below FOLDER, recorded
    traffic and runs, each with its tests and what is missing. Raises NothingLearned."""
    profile = store.profile()
    access = access_of(config, store, folder=folder)
    rules = tuple(_rules(folder))
    header = config.target.edition_header
    headers: dict[Dimension, str] = {"edition": header, "locale": "accept-language"}
    if config.target.tenant_header:
        headers["tenant"] = config.target.tenant_header
    learned = learn_variants(
        recorded_latest(profile, store), profile, headers={k: v for k, v in headers.items() if v}
    )
    found = [
        *_overrides(rules, access, profile),
        *learned,
        *_of_access(access.table, profile),
    ][:DIFFERENCES_MAX]
    planning = Planning(
        config=config,
        profile=profile,
        exchanges=read_exchanges(profile, store),
        access=access,
        headers=headers,
    )
    variants = []
    for difference in found:
        operation = profile.operation(difference.operation_id)
        tests = _tests(folder, operation, difference) if operation is not None else ()
        made, why_not = planning.proposals(difference) if not tests else ((), ())
        variants.append(
            Variant(
                difference=difference,
                tested_by=tuple(f"{t.path}: {t.name}" for t in tests),
                proposals=made,
                why_not=why_not,
            )
        )
    return Editions(names=access.table.editions, variants=tuple(variants), rules=rules)


def _rules(folder: Path) -> Iterator[VariantRule]:
    skipped: list[str] = []
    for name, data in source_files(folder, skipped):
        if name.endswith(_DOCUMENTS) and any(word in data.lower() for word in _SPOKEN):
            if name.endswith(".md") and not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"---"):
                continue
            try:
                yield from variant_rules(data, origin=name)
            except InputError:
                continue  # who reads access says so


def _overrides(
    rules: Iterable[VariantRule], access: Access, profile: Profile
) -> Iterator[Difference]:
    """RULES about operations that they name, or that their words speak of."""
    known = tuple(rules)
    for rule in known:
        operation = _meant(rule, access, profile)
        if operation is None:
            continue
        value, others = _branches(rule, known, access.table, operation.id)
        yield Difference(
            dimension=rule.dimension,
            value=value,
            others=others,
            operation_id=operation.id,
            kind=rule.action,
            what=f"{rule.action}s {rule.what}",
            field=_field(rule.what, operation),
            elsewhere=success_status(operation),
            because=f"{rule.place}: {rule.said}",
        )


def _branches(
    rule: VariantRule, rules: Iterable[VariantRule], table: AccessTable, operation_id: str
) -> tuple[str, tuple[str, ...]]:
    """The edition, region, ... of RULE as it is known, and the others; one that has the operation
    comes last."""
    named = [other.value for other in rules if other.dimension == rule.dimension]
    if rule.dimension == "edition":
        named = [*table.editions, *named]
    names = Spellings(named)
    value = names.name(rule.value)
    others = [name for name in names.all if name != value]
    return value, tuple(sorted(others, key=lambda e: _has(table, operation_id, e)))


def _has(table: AccessTable, operation_id: str, edition: str) -> bool:
    """Whether somebody may do it in EDITION, or nobody says."""
    return bool(table.grants(operation_id, "allowed", edition)) or not table.grants(
        operation_id, "denied", edition
    )


def _meant(rule: VariantRule, access: Access, profile: Profile) -> OperationProfile | None:
    """The operation that RULE is about; None: that cannot be told."""
    if rule.handler:
        about = AccessRule(handler=rule.handler, grant="allowed", source="blueprint")
        ids = {r.operation_id for r in placed([about], profile.operations, dict(access.handlers))}
        return next((o for o in profile.operations if o.id in ids), None)
    said = {stem(word) for word in tokens(rule.what)}
    if rule.action == "skip":
        # A check is of the operation whose request has what is checked, if that is but one.
        fitting = [o for o in profile.operations if _field(rule.what, o) and o.request_schema]
        creating = [o for o in fitting if titles.verb(o) == "create"]
        return creating[0] if len(creating) == 1 else fitting[0] if len(fitting) == 1 else None
    for operation in profile.operations:
        thing = {stem(word) for word in tokens(titles.entity(operation))}
        verb = {stem(word) for word in tokens(titles.verb(operation))}
        if thing <= said and verb & said:
            return operation
    makers = [
        o
        for o in profile.operations
        if titles.verb(o) == "create" and {stem(w) for w in tokens(titles.entity(o))} <= said
    ]
    return makers[0] if len(makers) == 1 else None


def _field(what: str, operation: OperationProfile) -> str:
    """The field of OPERATION's request that WHAT speaks of; empty: none."""
    said = {stem(word) for word in tokens(what)} - {stem("validation"), stem("check")}
    names = [field.place.tokens[-1] for field in operation.fields if field.place.tokens]
    names += re.findall(r'"(\w+)": ?\{', operation.request_schema)
    for name in dict.fromkeys(names):
        if said & {stem(word) for word in tokens(name)}:
            return name
    return ""


def _of_access(table: AccessTable, profile: Profile) -> Iterator[Difference]:
    """Operations that an edition lacks, or lets others do."""
    for operation in profile.operations:
        who = {e: table.grants(operation.id, "allowed", e) for e in table.editions}
        usual = max(who.values(), key=len, default=())
        for edition, allowed in who.items():
            if allowed == usual or not usual:
                continue
            others = tuple(e for e, names in who.items() if names == usual)
            decision = table.decide(operation.id, usual[0], edition)
            lacks = not allowed
            yield Difference(
                dimension="edition",
                value=edition,
                others=others,
                operation_id=operation.id,
                kind="lacks" if lacks else "roles",
                what="is not there" if lacks else f"lets {', '.join(allowed)} only",
                here=LACKING,
                elsewhere=success_status(operation),
                because=decision.because if decision is not None else "",
            )


def _tests(
    folder: Path, operation: OperationProfile, difference: Difference
) -> tuple[KnownTest, ...]:
    verb, thing = access_titles.spoken(operation)
    deed = access_titles.deed(operation)
    about = (f"{verb} {thing}", f"{deed} {thing}")
    tests = read_tests(folder, Names(handlers=about))
    own = (t for t in tests if set(about) & set(t.handlers))
    return tuple(t for t in own if difference.value in t.editions)


class Planning:
    """Plans both branches of differences."""

    def __init__(
        self,
        *,
        config: Config,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        access: Access,
        headers: Mapping[Dimension, str],
    ) -> None:
        self._bindings: Bindings = load_bindings(config)
        self._roles = tuple(config.roles)
        self._profile, self._exchanges, self._access = profile, exchanges, access
        self._headers = headers
        self._grounds: dict[str, Ground] = {}

    def proposals(self, one: Difference) -> tuple[tuple[Scenario, ...], tuple[str, ...]]:
        """The scenarios of ONE that can be run here, and why others cannot be planned."""
        made: list[Scenario] = []
        why_not: list[str] = []
        for value in (one.value, *one.others[-1:]):
            try:
                scenario = self._branch(one, value)
                made += those_that_bind([scenario], bindings=self._bindings, roles=self._roles)
            except (InputError, CannotWrite) as error:
                why_not.append(f"{value}: {error}")
        return tuple(map(insert_scenario_tags, made)), tuple(why_not)

    def _branch(self, one: Difference, value: str) -> Scenario:
        operation = self._profile.operation(one.operation_id)
        if operation is None:
            raise InputError(f"the profile has no operation {one.operation_id!r}; learn again")
        here = value == one.value
        if one.kind == "skip":
            return self._unchecked(one, operation, value, here=here)
        reached = reach(operation, self._profile, self._exchanges, roles=self._roles)
        if isinstance(reached, str):
            raise InputError(reached)
        if one.json:
            reached = with_given(reached, operation, ((one.field, one.json),))
        status = one.here if here and one.kind != "emit" else one.elsewhere
        if one.kind == "emit" and one.dimension == "edition" and not here:
            status = status if _has(self._access.table, operation.id, value) else LACKING
        header = self._headers.get(one.dimension, "") if one.dimension != "edition" else ""
        return in_variant(
            self._ground(one, operation, value),
            operation,
            reached,
            expected=Expectation(
                status=status,
                because=one.because,
                source="captured" if one.support else "specification",
            ),
            title=_title(one, operation, value, here=here),
            role=self._who(one, operation, value, reached, here=here),
            header=(header, value) if header else ("", ""),
            event=(one.what.removeprefix("emits "), int(here)) if one.kind == "emit" else ("", 0),
        )

    def _who(
        self,
        one: Difference,
        operation: OperationProfile,
        value: str,
        reached: Reached,
        *,
        here: bool,
    ) -> str:
        """Who sends it: of roles that differ one that may elsewhere only; else who did it."""
        if one.kind != "roles":
            return ""
        table = self._access.table
        barred = table.grants(operation.id, "denied", one.value)
        elsewhere = table.grants(operation.id, "allowed", one.others[-1] if one.others else "")
        fitting = [r for r in elsewhere if r in barred and r in self._roles]
        if not fitting:
            raise InputError(f"no configured role shows it ({value}, {here}, {len(reached.cases)})")
        return fitting[0]

    def _unchecked(
        self, one: Difference, operation: OperationProfile, value: str, *, here: bool
    ) -> Scenario:
        """A request that a check refuses: refused where the check is, let through where not."""
        understood = self._understood(one, operation, value, mode="unknown_value", field=one.field)
        refused = [
            s
            for mode in ("unknown_value", "boundary", "wrong_type")
            for s in self._tried(one, replace(understood, failure_mode=mode), operation, value)
            if s.origin.outcome == "invalid"
        ]
        if not refused:
            raise InputError(f"nothing is known that {one.what.removeprefix('skips ')} refuses")
        scenario, title = refused[0], _title(one, operation, value, here=here)
        if not here:
            return replace(scenario, title=title)
        success = success_status(operation)
        last = max(i for i, s in enumerate(scenario.steps) if s.keyword == "When")
        steps = (
            *scenario.steps[: last + 1],
            replace(scenario.steps[last], keyword="Then", docstring="", table=(),
                    text=f"the response status is {success}"),
        )  # fmt: skip
        origin = replace(scenario.origin, expectation=one.because, outcome="accepted")
        return replace(scenario, title=title, steps=steps, origin=origin)

    def _tried(
        self, one: Difference, understood: Understanding, operation: OperationProfile, value: str
    ) -> Sequence[Scenario]:
        try:
            return plan_on(self._ground(one, operation, value), understood)
        except InputError:
            return ()

    def _understood(
        self,
        one: Difference,
        operation: OperationProfile,
        value: str,
        *,
        mode: FailureModeName,
        field: str = "",
    ) -> Understanding:
        return Understanding(
            prompt="",
            failure_mode=mode,
            operation_ids=(operation.id,),
            field=field,
            edition=value if one.dimension == "edition" else "",
        )

    def _ground(self, one: Difference, operation: OperationProfile, value: str) -> Ground:
        mode: FailureModeName = "unknown_value" if one.json else "forbidden_role"
        understood = self._understood(one, operation, value, mode=mode)
        if value not in self._grounds:
            self._grounds[value] = ground_of(
                understood,
                profile=policed(self._profile, self._access.table, value),
                exchanges=self._exchanges,
                roles=self._roles,
                services=tuple(self._bindings.services),
                editions=tuple(self._bindings.editions),
            )
        return replace(self._grounds[value], understood=understood)


def _title(one: Difference, operation: OperationProfile, value: str, *, here: bool) -> str:
    """`Lite edition currency mismatch`; of the other branch `Pro edition takes currency USD`."""
    where = f"{value[:1].upper()}{value[1:]} {one.dimension}"
    deed = access_titles.deed(operation)
    what = one.what.partition(" ")[2]
    match one.kind:
        case "value":
            said = one.json.strip('"')
            return f"{where} {one.field} mismatch" if here else f"{where} takes {one.field} {said}"
        case "lacks" | "roles":
            return f"{where} refuses {deed}" if here else f"{where} allows {deed}"
        case "emit":
            return f"{where} emits {what}" if here else f"{where} does not emit {what}"
        case _:
            return f"{where} skips {what}" if here else f"{where} keeps {what}"
