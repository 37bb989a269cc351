"""Requests changed with what the target told in this run: live values, refusals, other requests.

Grey-box fuzzers take the bytes they splice from their corpus and from a dictionary. Here the
corpus is requests that were news, and the dictionary is what answers showed: identifiers of things
that are there now, members that nobody sent, choices that a refusal lists.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Many

import numpy as np
from msgspec.structs import replace

from premortem.domain.bodies import text_of
from premortem.domain.places import Place, body_place
from premortem.domain.run import Case, Intent, Origin
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import OperationProfile, Profile
from premortem.generate.corpus import Corpus, Live
from premortem.generate.havoc import (
    json_of,
    odd_header,
    odd_member,
    odd_value,
    spots,
    value_at,
    with_body,
)
from premortem.generate.operators import EXTREMES, TROUBLE
from premortem.generate.walk import put
from premortem.generate.ways import Aim

TEXT_MAX = 300
"""Characters of a value that goes into a path or a query."""
_CONDITIONAL = ("if-match", "if-none-match")

Splice = Callable[[Case, np.random.Generator], "Case | None"]


class Splicer:
    """Puts into requests what was learned in this run. ROLES: whose credentials there are."""

    def __init__(
        self, profile: Profile, seed: int, *, live: Live, corpus: Corpus, roles: Many[str]
    ) -> None:
        self._operations = {o.id: o for o in profile.operations}
        self._origin = Origin(source="mutate", seed=seed, profile_version=profile.version)
        self._live = live
        self._corpus = corpus
        self._roles = tuple(roles)
        self.ways: dict[str, Splice] = {
            "live path": self.path,
            "path text": self._path_text,
            "live parameter": self._parameter,
            "member as parameter": self._member_parameter,
            "live member": self._member,
            "answer's member": self._answers_member,
            "part of another request": self._crossed,
            "version": self._version,
            "other role": self.role,
            "odd value": self._odd_value,
            "odd member": self._odd_member,
            "odd header": self._odd_header,
        }
        self.aims = tuple(Aim(place="", operator=name) for name in self.ways)
        """The same for every operation."""

    def _told(self, case: Case, base: Case, what: str, place: Place | None) -> Case:
        breaks = f"{place} {what}" if place is not None else what
        return replace(
            case,
            intent=Intent(kind="adversarial", breaks=breaks, place=place, expects="answer"),
            origin=replace(
                self._origin, parents=(base.id, *base.origin.parents)[:2], operator=what
            ),
            recorded_status=0,
            recorded_reason="",
        )

    def role(self, base: Case, rng: np.random.Generator) -> Case | None:
        """Another role sends it."""
        others = [role for role in self._roles if role != base.role]
        if not others:
            return None
        role = others[int(rng.integers(len(others)))]
        return self._told(replace(base, role=role), base, "other role", None)

    def path(self, base: Case, rng: np.random.Generator) -> Case | None:
        """Every parameter of the path is something that is there."""
        template = self._operations[base.operation_id].operation.template
        segments, named = [*split_path(base.request.path)], split_template(template)
        changed: set[str] = set()
        for index, name in enumerate(named):
            if "{" not in name or index >= len(segments):
                continue
            values = self._live.of_segment(template, index)
            if values:
                segments[index] = text_of(values[_late(len(values), rng)])
                changed.add(str(index))
        if not changed:
            return None
        return self._with_path(base, segments, changed, "live path")

    def _path_text(self, base: Case, rng: np.random.Generator) -> Case | None:
        template = self._operations[base.operation_id].operation.template
        named = split_template(template)
        segments = [*split_path(base.request.path)]
        indexes = [i for i, name in enumerate(named) if "{" in name and i < len(segments)]
        if not indexes:
            return None
        index = indexes[int(rng.integers(len(indexes)))]
        # Slashes and dots are taken for structure by many servers, however they are encoded.
        texts = [text for _, text in TROUBLE if "/" not in text]
        texts += [str(number) for _, number in EXTREMES]
        texts += ["x" * TEXT_MAX, segments[index].swapcase(), f"{segments[index]} "]
        segments[index] = texts[int(rng.integers(len(texts)))]
        return self._with_path(base, segments, {str(index)}, "path text")

    def _with_path(
        self, base: Case, segments: list[str], changed: set[str], what: str
    ) -> Case | None:
        path = "/" + "/".join(encode_segment(segment) for segment in segments)
        if path == base.request.path and not base.bindings:
            return None
        kept = tuple(
            b for b in base.bindings if not (b.place.part == "path" and b.place.name in changed)
        )
        case = replace(base, request=replace(base.request, path=path), bindings=kept)
        return self._told(case, base, what, None)

    def _parameter(self, base: Case, rng: np.random.Generator) -> Case | None:
        operation = self._operations[base.operation_id]
        names = _parameters(operation, base)
        if not names:
            return None
        name = names[int(rng.integers(len(names)))]
        values = [*self._live.of(name), *self._live.words(base.operation_id)]
        if not values:
            return None
        return self._with_query(base, name, values[_late(len(values), rng)], "live parameter")

    def _member_parameter(self, base: Case, rng: np.random.Generator) -> Case | None:
        """The name of an answer's member: as what to sort or filter by, or with its value."""
        names = self._live.members(base.operation_id)
        if base.request.method not in ("GET", "HEAD", "DELETE") or not names:
            return None
        member = names[int(rng.integers(len(names)))]
        known = _parameters(self._operations[base.operation_id], base)
        if known and rng.random() < 0.5:
            sign = ("", "-", "+")[int(rng.integers(3))]
            name = known[int(rng.integers(len(known)))]
            return self._with_query(base, name, sign + member, "member as parameter")
        values = self._live.of(member) or ("",)
        value = values[int(rng.integers(len(values)))]
        return self._with_query(base, member, value, "member as parameter")

    def _with_query(self, base: Case, name: str, value: object, what: str) -> Case | None:
        text = text_of(value)[:TEXT_MAX]
        query = (*(pair for pair in base.request.query if pair[0] != name), (name, text))
        if query == base.request.query:
            return None
        place = Place(part="query", name=name)
        kept = tuple(b for b in base.bindings if b.place != place)
        case = replace(base, request=replace(base.request, query=query), bindings=kept)
        return self._told(case, base, what, place)

    def _member(self, base: Case, rng: np.random.Generator) -> Case | None:
        """A value of the body becomes one that is there under that name, or under any."""
        body = json_of(base.request)
        found = [at for at in spots(body) if not isinstance(value_at(body, at), dict | list)]
        if not found:
            return None
        at = found[int(rng.integers(len(found)))]
        old = value_at(body, at)
        name = next((t for t in reversed(at) if not t.isdigit()), "")
        values = [*self._live.of(name), *self._live.words(base.operation_id)]
        if not values or rng.random() < 0.2:
            names = self._live.names()
            values = [*self._live.of(names[int(rng.integers(len(names)))])] if names else []
        values = [value for value in values if value != old]
        if not values:
            return None
        value = values[_late(len(values), rng)]
        return self._in_body(
            base, with_body(base, put(body, [(at, value, True)]), at), "live member"
        )

    def _answers_member(self, base: Case, rng: np.random.Generator) -> Case | None:
        """A member that answers have and requests do not: a service should not take it."""
        body = json_of(base.request)
        members = self._live.members(base.operation_id)
        if not isinstance(body, dict) or not members:
            return None
        name = members[int(rng.integers(len(members)))]
        values = self._live.of(name)
        if name in body or not values:
            return None
        value = values[int(rng.integers(len(values)))]
        made = with_body(base, {**body, name: value}, (name,))
        return self._in_body(base, made, "answer's member")

    def _crossed(self, base: Case, rng: np.random.Generator) -> Case | None:
        """A part of the body as another request that was news has it."""
        other = self._corpus.any(rng)
        body, donor = json_of(base.request), json_of(other.request) if other is not None else None
        if not isinstance(body, dict) or not isinstance(donor, dict) or not donor:
            return None
        names = list(donor)
        name = names[int(rng.integers(len(names)))]
        if body.get(name) == donor[name]:
            return None
        changed = {**body, name: donor[name]}
        made = with_body(base, changed, (name,))
        return self._in_body(base, made, "part of another request")

    def _odd_value(self, base: Case, rng: np.random.Generator) -> Case | None:
        return self._in_body(base, odd_value(base, rng), "odd value")

    def _odd_member(self, base: Case, rng: np.random.Generator) -> Case | None:
        return self._in_body(base, odd_member(base, rng), "odd member")

    def _odd_header(self, base: Case, rng: np.random.Generator) -> Case | None:
        made = odd_header(base, self._operations[base.operation_id], rng)
        if made is None:
            return None
        return self._told(made[0], base, "odd header", Place(part="header", name=made[1]))

    def _in_body(
        self, base: Case, made: tuple[Case, tuple[str, ...]] | None, what: str
    ) -> Case | None:
        return self._told(made[0], base, what, body_place(*made[1])) if made is not None else None

    def _version(self, base: Case, rng: np.random.Generator) -> Case | None:
        """A condition on a version that something had."""
        values = self._live.of("etag header")
        if not values:
            return None
        name = _CONDITIONAL[int(rng.integers(len(_CONDITIONAL)))]
        value = text_of(values[_late(len(values), rng)])
        rest = tuple(pair for pair in base.request.headers if pair[0] not in _CONDITIONAL)
        request = replace(base.request, headers=(*rest, (name, value)))
        return self._told(replace(base, request=request), base, "version", None)


def _late(count: int, rng: np.random.Generator) -> int:
    """An index below COUNT, later ones more often: what was told last is there most likely."""
    return int(count * rng.random() ** 0.5)


def _parameters(operation: OperationProfile, base: Case) -> list[str]:
    """Query parameters that OPERATION is known to take, and those of BASE."""
    learned = [f.place.name for f in operation.fields if f.place.part == "query"]
    declared = [
        place.partition(":")[2]
        for place in operation.parameter_schemas
        if place.startswith("query:")
    ]
    return list(dict.fromkeys([*(name for name, _ in base.request.query), *learned, *declared]))
