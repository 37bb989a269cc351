"""What came of several at once: not more than what comes of one alone.

Where a list of the thing's own shows what was made, exactly one more is in it. Elsewhere the same
is set up twice: of the first the request is made once, of the second several times at once, and
afterwards amounts and states must be the same. So "one wins, but it is done twice" shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.outcomes.repetition import of_repetition
from premortem.agent.planning.declared import usual_role
from premortem.agent.planning.draft import Draft, pretty
from premortem.agent.planning.observation import effects, list_in
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.ways import shares
from premortem.agent.steps.catalogue import text
from premortem.domain.bodies import leaves, read_body
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.scenario import Keyword
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_kit import loose
from premortem.generate.replay import UNKNOWN
from premortem.generate.steps import Row, moved, unkeyed

LOOKS_MAX = 3
"""Requests that look at what came of it."""
SETUP_MAX = 12
"""Requests that are made twice; more of them nobody reads."""

SEEN_MIN, SEEN_MAX = 5, 300
"""Recorded requests that tell whether a text is another one each time; how many are looked at."""


class Look(Struct, frozen=True, kw_only=True):
    """A request that reads, and what of its answer is compared."""

    case: Case
    """Bound to the setup."""
    fields: tuple[str, ...]


class Listing(Struct, frozen=True, kw_only=True):
    """The list of what OPERATION makes, below a thing that the setup makes."""

    pointer: str
    """Where the list stands in the answer; empty: it is the answer."""
    role: str
    """Who reads it."""

    def look(self, draft: Draft, *, made: bool) -> None:
        """Steps that say the list is empty, or holds the one thing that was MADE."""
        keyword: Keyword = "Then" if made else "Given"
        path = draft.path(len(draft.cases) - 1)
        draft.add(keyword, text("send", draft.actor(self.role), "GET", path))
        value: Any = [{}] if made else []
        for token in reversed(Place(part="body", name=self.pointer).tokens):
            value = {token: value}
        draft.add(keyword, text("matches"), pretty(value))


class Twin(Struct, frozen=True, kw_only=True):
    """The setup twice: cases of the one that is done alone, then of the one in question."""

    cases: tuple[Case, ...]
    setup: int
    """Requests of one setup."""
    looks: tuple[Look, ...]

    @property
    def alone(self) -> int:
        """Index of the request that is made once."""
        return self.setup

    def bring_about(self, draft: Draft, *, second: bool) -> None:
        """Steps of the first setup, or of the SECOND."""
        start = self.setup + 1 if second else 0
        for index in range(start, start + self.setup):
            draft.setup(index)

    def look(self, draft: Draft, *, compare: bool) -> None:
        """Steps that keep what came of the one alone, or COMPARE that with the others."""
        start = 2 * self.setup + 1 + (len(self.looks) if compare else 0)
        for number, look in enumerate(self.looks):
            draft.request("Then" if compare else "Given", start + number)
            for pointer in look.fields:
                name = f"{draft.kept(pointer).removesuffix('_before')}_alone"
                name = name if number == 0 else f"{name}_{number + 1}"
                if compare:
                    draft.add("Then", text("field", pointer, f"${{{name}}}"))
                else:
                    draft.add("Given", text("save", pointer, name))


def listing_of(
    ground: Ground, operation: OperationProfile, cases: tuple[Case, ...]
) -> Listing | None:
    """The list that is empty before the last of CASES and holds what it made afterwards; None:
    there is none, or the setup puts something into it."""
    *setup, final = cases
    template = operation.operation.template
    lists = (
        o
        for o in ground.profile.operations
        if o.operation.method == "GET" and o.operation.template == template
    )
    other = next(lists, None)
    if other is None or operation.operation.method != "POST":
        return None
    if any(c.operation_id == operation.id for c in setup):
        return None
    if not _is_of_its_own(operation, final) or any(q.startswith("query:") for q in other.required):
        return None
    pointer = list_in(other)
    if pointer is None:
        return None
    roles = [r for r, counts in other.roles.items() if any(s[0] == "2" for s in counts)]
    present = [c.role for c in cases if c.role in roles]
    known = [r for r in roles if r in ground.roles or not r]
    role = next(iter((*present, *known)), None)
    if role is None and not other.roles:
        role = usual_role(other, ground.profile, ground.roles)
    return Listing(pointer=pointer, role=role) if role is not None else None


def twin_of(ground: Ground, operation: OperationProfile, cases: tuple[Case, ...]) -> Twin | None:
    """CASES set up twice, with what looks at what came of the last of them; None: nothing shows
    how often it was done, or the setup cannot be made twice."""
    setup, final = cases[:-1], cases[-1]
    if len(setup) > SETUP_MAX or not all(_again(ground, case) for case in setup):
        return None
    if not _is_of_its_own(operation, final):
        return None
    looks = _looks(ground, setup, final)
    if not looks:
        return None
    size = len(setup)
    alone = tuple(unkeyed(loose(case)) for case in (*setup, final))
    seen = tuple(look.case for look in looks)
    other = tuple(moved(case, size + 1) for case in seen)
    second = tuple(moved(unkeyed(loose(case)), size + 1) for case in setup)
    # The request in question is the last one.
    found = (*alone, *second, *seen, *other, moved(final, size + 1))
    return Twin(cases=found, setup=size, looks=looks)


def _is_of_its_own(operation: OperationProfile, final: Case) -> bool:
    """Whether all that its path names is made in the setup, and so is another thing each time."""
    template = split_template(operation.operation.template)
    opened = {str(index) for index, segment in enumerate(template) if "{" in segment}
    return bool(opened) and opened <= {b.place.name for b in final.bindings}


def _again(ground: Ground, case: Case) -> bool:
    """Whether CASE may be made a second time and makes another thing then."""
    if case.request.method in SAFE_METHODS or case.bindings:
        return True
    operation = ground.kit.operations.get(case.operation_id)
    if operation is None or case.request.method != "POST":
        return False
    known = of_repetition(operation, ground.evidence)
    if not known.refused:
        return True
    return not (known.source == "captured" and known.certain) and _repeats(ground, operation)


def _repeats(ground: Ground, operation: OperationProfile) -> bool:
    """Whether no text in its requests had to be another one each time, as far as production
    showed: what has such texts is refused when it is made again."""
    texts: dict[str, list[str]] = defaultdict(list)
    for exchange in ground.evidence.of(operation)[:SEEN_MAX]:
        if exchange.response.status >= 300:
            continue
        try:
            value = read_body(exchange.request)
        except ValueError:
            return False
        for place, leaf in leaves(value):
            if isinstance(leaf, str):
                texts[place.name].append(leaf)
    made = max(map(len, texts.values()), default=0)
    return made >= SEEN_MIN and all(
        len(set(said)) < len(said) for said in texts.values() if len(said) >= SEEN_MIN
    )


def _looks(ground: Ground, setup: Sequence[Case], final: Case) -> tuple[Look, ...]:
    row = Row(ground.kit.starts, setup)
    found: list[tuple[int, str, Look]] = []
    for other in ground.profile.operations:
        if other.operation.method != "GET":
            continue
        start = ground.kit.recorded(other.id)
        case = row.on_same(start, through=final) if start is not None else None
        if case is None or not case.bindings or any(b.step >= len(setup) for b in case.bindings):
            continue
        if case.role == UNKNOWN or not shares(case, final, setup):
            continue
        fields = effects(other, ground.evidence)
        if not fields:
            continue
        # The nearest thing first: what is made last is what it is about.
        nearest = -max(b.step for b in case.bindings)
        case = replace(unkeyed(loose(case)), setup=False)
        found.append((nearest, other.id, Look(case=case, fields=fields)))
    return tuple(look for *_, look in sorted(found, key=lambda one: one[:2])[:LOOKS_MAX])
