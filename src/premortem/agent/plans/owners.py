"""The request about what is somebody else's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from premortem.agent.outcomes.reference import crossings, of_self, of_stranger, own_only
from premortem.agent.outcomes.role import of_role
from premortem.agent.outcomes.state import as_asked
from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.draft import DoesNotApply, Draft
from premortem.agent.planning.expectation import Expectation, success_status
from premortem.agent.planning.observation import observation
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import (
    Ground,
    Seen,
    is_meant,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.plans.values_in import with_value
from premortem.agent.plans.versions import made_first
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.inputs import input_fields
from premortem.domain.bodies import leaves, read_body
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Scenario
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import loose
from premortem.generate.replay import UNKNOWN
from premortem.generate.starts import Start
from premortem.generate.steps import Row, unkeyed

STRANGERS_MAX = 2
_SELF = re.compile(
    r"\b(?:themsel(?:f|ves)|himself|herself|yourself|myself|oneself|self-?\w+|"
    r"(?:their|his|her|your|my|one's) own)\b",
    re.IGNORECASE,
)
_THEY_MADE = re.compile(
    r"\bthe same (?:person|user|employee|colleague|member|clerk|manager|agent|account)\b"
    r".{3,60}\band\b|"
    r"\b(?:they|he|she|who) (?:has |have |had )?(?:just )?(?:requested|asked for|"
    r"created|made|submitted|raised|filed|wrote|opened|put in|proposed|drafted)\b",
    re.IGNORECASE,
)
"""How a question says that who made a thing decides about it."""
_WHO_DECIDES = frozenset({"others_data", "forbidden_role", "forbidden_transition", "wrong_order"})
WORK_STEPS_MAX = 10
"""Requests of another visit that is put beside the one that is looked at."""


def others_data(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """Somebody else asks; where all may, what is shown of one thing holds nothing of another."""
    if is_by_themselves(ground, operation):
        own = list(decided_by_maker(ground, operation, reached))
        if own:
            yield from own
            return
    if not _is_about_a_thing(operation, reached):
        raise DoesNotApply("it names nothing that somebody could own")
    apart = _apart(ground, operation, reached)
    shared = not ground.understood.role and not ground.understood.owner
    if apart is not None and shared and _is_shared(ground, operation):
        yield apart
        return
    cases = made_first(replace(reached, cases=_owned(ground, reached))).cases
    owner = _maker(cases).role
    made = any(c.request.method not in SAFE_METHODS for c in cases[:-1])
    if not made and shared:
        raise DoesNotApply("nothing shows who makes what it is about")
    inside = {c.role for c in cases[:-1] if c.request.method not in SAFE_METHODS}
    strangers = _strangers(ground, operation, owner, inside)
    barred = bool(operation.allowed_roles) and owner not in operation.allowed_roles
    if barred and shared and not own_only(operation, strangers):
        raise DoesNotApply(f"{owner}, who makes it, may not do this at all, whosever it is")
    if not strangers and apart is None:
        raise DoesNotApply("no second role is configured that could ask for what another made")
    for stranger in strangers:
        # Whoever owns what lies above may do what they like with what is in it.
        known = made and stranger not in inside
        yield _refused(ground, operation, cases, stranger, owner, made=known)
    if apart is not None:
        yield apart


def _is_about_a_thing(operation: OperationProfile, reached: Reached) -> bool:
    """Whether a request of OPERATION names something that was there before."""
    return "{" in operation.operation.template or bool(reached.cases[-1].bindings)


def _maker(cases: Sequence[Case]) -> Case:
    """What made the thing that the last of CASES is about; the first of them, where none did."""
    bound = [b.step for b in cases[-1].bindings if b.place.part == "path"]
    bound = bound or [b.step for b in cases[-1].bindings]
    path = cases[-1].request.path
    put = [
        case
        for case in cases[:-1]
        if case.request.method == "PUT"
        and f"{path}/".startswith(f"{case.request.path.rstrip('/')}/")
    ]
    return cases[bound[-1]] if bound else (put[-1] if put else cases[0])


def is_by_themselves(ground: Ground, operation: OperationProfile) -> bool:
    """Whether the question is about one person who takes both steps of what two are to do."""
    changes = operation.operation.method not in SAFE_METHODS and "{" in operation.operation.template
    if not changes or ground.understood.failure_mode not in _WHO_DECIDES:
        return False
    prompt = ground.understood.prompt
    return _SELF.search(prompt) is not None or _THEY_MADE.search(prompt) is not None


def decided_by_maker(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """Who made the thing does what another is to do; nothing, where no role may do both."""
    final = reached.cases[-1]
    bound = [b.step for b in final.bindings if b.place.part == "path"]
    maker = ground.kit.operations.get(reached.cases[bound[-1]].operation_id) if bound else None
    if maker is None:
        return
    wanted = ground.understood.role
    both = [
        r
        for r in ((wanted,) if wanted else dict.fromkeys((final.role, *ground.roles)))
        if r and _may(ground, r, operation) and _may(ground, r, maker)
    ]
    if not both:
        return
    role = both[0]
    cases = (
        *reached.cases[: bound[-1]],
        replace(reached.cases[bound[-1]], role=role),
        *reached.cases[bound[-1] + 1 : -1],
        replace(final, role=role),
    )
    expected = as_asked(ground.understood.outcomes, of_self(operation, role, ground.evidence))
    meant = replace(ground, understood=replace(ground.understood, failure_mode="others_data"))
    yield _asked(meant, operation, cases, expected, role, state_titles.own(operation, role))


def _may(ground: Ground, role: str, operation: OperationProfile) -> bool:
    """Whether production let ROLE do OPERATION, or the specification says that it may."""
    return ground.kit.passes(role, operation) or role in operation.allowed_roles


def _is_shared(ground: Ground, operation: OperationProfile) -> bool:
    """Whether production lets others than who made a thing do this to it."""
    counts = crossings(operation, ground.evidence)
    return any(200 <= status < 300 for each in counts.values() for status in each)


def _owned(ground: Ground, reached: Reached) -> tuple[Case, ...]:
    """The way to the thing as its owner goes it."""
    owner = ground.understood.owner
    if not owner or owner not in ground.roles:
        return reached.cases
    was = next((c.role for c in reached.cases if c.role), "")
    return tuple(replace(c, role=owner) if c.role == was else c for c in reached.cases)


def _strangers(
    ground: Ground, operation: OperationProfile, owner: str, inside: Collection[str]
) -> list[str]:
    """Who asks: the role that the question names, else others who do the same with theirs."""
    role = ground.understood.role
    if role and role != owner:
        return [role]
    others = [r for r in ground.roles if r not in (owner, UNKNOWN, "")]
    passing = [r for r in others if ground.kit.passes(r, operation)]
    allowed = [r for r in others if r in operation.allowed_roles]
    crossing = crossings(operation, ground.evidence)
    stem = split_template(operation.operation.template)[:1]
    beside = [
        o for o in ground.profile.operations if split_template(o.operation.template)[:1] == stem
    ]
    limited = own_only(operation, allowed if operation.allowed_roles else others, beside)
    # Who may otherwise, but only with their own; whoever may not at all is another question.
    ranked = sorted(
        passing or limited or allowed or ([] if operation.allowed_roles else others),
        key=lambda r: (r in inside, r not in limited, r not in crossing),
    )
    # Beside those who are limited to their own, everybody else may well be let through.
    return (list(limited) or ranked)[:STRANGERS_MAX]


def _refused(
    ground: Ground,
    operation: OperationProfile,
    cases: tuple[Case, ...],
    stranger: str,
    owner: str,
    *,
    made: bool,
) -> Scenario:
    expected = (
        of_role(operation, stranger, ground.evidence, roles=ground.roles)
        if stranger == ANONYMOUS
        else as_asked(ground.understood.outcomes, of_stranger(operation, stranger, ground.evidence))
    )
    if not made:  # whose it is, only the question says
        expected = replace(expected, certain=False)
    maker = ground.kit.operations.get(_maker(cases).operation_id)
    above = titles.entity(maker) if maker is not None else ""
    title = state_titles.others(operation, stranger, owner, above=above)
    return _asked(ground, operation, cases, expected, stranger, title)


def _asked(
    ground: Ground,
    operation: OperationProfile,
    cases: tuple[Case, ...],
    expected: Expectation,
    role: str,
    title: str,
) -> Scenario:
    """The last of CASES by ROLE, and that a refusal changed nothing."""
    draft = Draft(cases)
    last = len(cases) - 1
    for index in range(last):
        draft.setup(index)
    seen = witness(draft, operation, ground) if expected.refused else None
    if seen is not None:
        look(draft, seen, before=True)
    draft.request("When", last, role="" if role == ANONYMOUS else role)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)
    meant = is_meant(ground, operation) and ground.understood.role == role
    said = titles.from_prompt(ground.understood.prompt) if meant else ""
    return to_scenario(ground, operation, draft, expected, said or title, role=role)


def _apart(ground: Ground, operation: OperationProfile, reached: Reached) -> Scenario | None:
    """A thing read, then another visit about another of its kind, then the first read again."""
    if operation.operation.method not in SAFE_METHODS:
        return None
    setup, final = reached.cases[:-1], reached.cases[-1]
    makers = [b.step for b in final.bindings if b.place.part == "path" and b.step < len(setup)]
    if not makers:
        return None
    maker = setup[makers[-1]]
    row = Row(ground.kit.starts, setup)
    visit = _busiest(ground, maker)
    start = len(row)
    if visit is None:
        return None
    row.instance(visit)
    # Of the same name and all: what tells the two apart is who they are.
    renamed: dict[str, str] = {}
    for index in range(start, len(row.cases)):
        case = row.cases[index]
        if case.operation_id == maker.operation_id and not case.bindings:
            renamed |= _names_of(ground, case, maker)
    for index in range(start, len(row.cases)):
        row.cases[index] = _with_names(row.cases[index], renamed)
    cases = (*(unkeyed(loose(c)) for c in row.cases), final)
    return _read_around(ground, operation, cases, start)


def _names_of(ground: Ground, case: Case, maker: Case) -> dict[str, str]:
    """Names in CASE's request -> those that stand there in MAKER's; amounts and codes are none."""
    operation = ground.kit.operations.get(maker.operation_id)
    bound = {b.place for b in maker.bindings}
    fields = input_fields(operation) if operation is not None else ()
    closed = {f.place for f in fields if "enum" in f.schema}
    try:
        own, theirs = read_body(case.request), read_body(maker.request)
    except ValueError:
        return {}
    if not isinstance(own, dict) or not isinstance(theirs, dict):
        return {}
    found: dict[str, str] = {}
    for name, value in theirs.items():
        before = own.get(name)
        if not isinstance(value, str) or not isinstance(before, str):
            continue
        # What is written in capitals is a code: of a currency, a country.
        worded = any(c.islower() for c in value) and any(c.islower() for c in before)
        if worded and Place(part="body", name=f"/{name}") not in bound | closed:
            found[before] = value
    return found


def _with_names(case: Case, renamed: Mapping[str, str]) -> Case:
    """CASE with the texts of its body that are RENAMED said anew."""
    try:
        value = read_body(case.request)
    except ValueError:
        return case
    bound = {b.place for b in case.bindings}
    for place, leaf in leaves(value):
        if isinstance(leaf, str) and leaf in renamed and place not in bound:
            case = with_value(case, place, renamed[leaf])
    return case


def _busiest(ground: Ground, maker: Case) -> Start | None:
    """The recorded visit that does the most with a thing made as MAKER makes it."""
    best: tuple[int, int, Start] | None = None
    for operation in ground.profile.operations:
        start = ground.kit.recorded(operation.id)
        if start is None or len(start.setup) >= WORK_STEPS_MAX:
            continue
        cases = (*start.setup, start.final)
        made = [i for i, c in enumerate(cases) if c.operation_id == maker.operation_id]
        done = {
            c.operation_id
            for c in cases
            if c.request.method not in SAFE_METHODS and any(b.step in made for b in c.bindings)
        }
        if not done or operation.operation.method == "DELETE":
            continue
        found = (len({c.operation_id for c in cases}), -len(cases), start)
        if best is None or found[:2] > best[:2]:
            best = found
    return best[2] if best else None


def _read_around(
    ground: Ground, operation: OperationProfile, cases: tuple[Case, ...], start: int
) -> Scenario | None:
    draft = Draft(cases)
    last = len(cases) - 1
    for index in range(start):
        draft.setup(index)
    params = draft.params(last, operation.operation.template)
    found = observation(operation, params, ground.evidence)
    if found is None or found.operation_id != operation.id:
        return None
    seen = Seen(observation=found, role=cases[last].role)
    look(draft, seen, before=True)
    for index in range(start, last):
        draft.setup(index)
    draft.request("When", last)
    expected = Expectation(
        status=success_status(operation),
        because="what is done to another thing changes nothing of this one",
        source="convention",
        outcome="unchanged",
    )
    say_outcome(draft, expected)
    for pointer in found.fields:
        draft.add("Then", text("field", pointer, f"${{{draft.kept(pointer)}}}"))
    title = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
    return to_scenario(ground, operation, draft, expected, title or state_titles.apart(operation))
