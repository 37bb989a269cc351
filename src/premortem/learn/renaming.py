"""One profile in another's words: two captures may have named the same parameters differently."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.places import Place, parse_place
from premortem.domain.relations import Effect, EventLog, Pairing, Pool, Rule, StateMachine
from premortem.domain.template import Matcher
from premortem.domain.traffic import Operation, OperationProfile, Profile

_PARAMETER = re.compile(r"\{([^{}/]+)\}")


class Naming(Struct, frozen=True, kw_only=True):
    """How one operation is called elsewhere."""

    operation: Operation
    parameters: Mapping[str, str]
    """Own parameter name -> the other's."""

    def place(self, place: Place) -> Place:
        """PLACE of a request, in the other's words."""
        if place.part == "path" and place.name in self.parameters:
            return Place(part="path", name=self.parameters[place.name])
        return place

    def text(self, place: str) -> str:
        """The same for `str(place)`."""
        return str(self.place(parse_place(place)))


def bare(operation: Operation) -> tuple[str, str]:
    """What OPERATION is, whatever its parameters are called."""
    return operation.method, _PARAMETER.sub("{}", operation.template)


def agreed(a: Profile, b: Profile) -> tuple[Profile, Profile]:
    """A and B calling the same operations the same: as the specification does, else as the
    names come first in the alphabet."""
    first = {bare(o.operation): o for o in a.operations}
    second = {bare(o.operation): o for o in b.operations}
    for_a: dict[str, Naming] = {}
    for_b: dict[str, Naming] = {}
    for key in first.keys() & second.keys():
        mine, other = first[key], second[key]
        if mine.id == other.id:
            continue
        wins = min(mine, other, key=lambda o: (not o.in_spec, o.operation.template))
        loses, names = (other, for_b) if wins is mine else (mine, for_a)
        own = _PARAMETER.findall(loses.operation.template)
        new = _PARAMETER.findall(wins.operation.template)
        names[loses.id] = Naming(
            operation=wins.operation, parameters=dict(zip(own, new, strict=True))
        )
    return renamed(a, for_a), renamed(b, for_b)


def renamed(profile: Profile, names: Mapping[str, Naming]) -> Profile:
    """PROFILE with the operations of NAMES (by id) called as NAMES says, everywhere."""
    if not names:
        return profile
    ids = {old: naming.operation.id for old, naming in names.items()}
    return replace(
        profile,
        operations=tuple(_operation(o, names.get(o.id), ids) for o in profile.operations),
        links=tuple(
            replace(
                link,
                producer=ids.get(link.producer, link.producer),
                consumer=ids.get(link.consumer, link.consumer),
                place=names[link.consumer].place(link.place)
                if link.consumer in names
                else link.place,
            )
            for link in profile.links
        ),
        follows=tuple(
            replace(f, before=ids.get(f.before, f.before), after=ids.get(f.after, f.after))
            for f in profile.follows
        ),
        pools=tuple(_pool(pool, names) for pool in profile.pools),
        machines=tuple(_machine(machine, ids) for machine in profile.machines),
        pairings=tuple(_pairing(pairing, ids) for pairing in profile.pairings),
        logs=tuple(_log(log, ids) for log in profile.logs),
        effects=tuple(_effect(effect, names) for effect in profile.effects),
    )


def _operation(
    operation: OperationProfile, naming: Naming | None, ids: Mapping[str, str]
) -> OperationProfile:
    recipes = tuple(
        replace(
            recipe,
            operation_id=ids.get(recipe.operation_id, recipe.operation_id),
            steps=tuple(
                replace(s, operation_id=ids.get(s.operation_id, s.operation_id))
                for s in recipe.steps
            ),
        )
        for recipe in operation.recipes
    )
    if naming is None:
        return replace(operation, recipes=recipes)
    return replace(
        operation,
        operation=naming.operation,
        recipes=recipes,
        fields=tuple(replace(f, place=naming.place(f.place)) for f in operation.fields),
        rules=tuple(_rule(rule, naming) for rule in operation.rules),
        answers=tuple(
            replace(
                answer,
                echoes=tuple(replace(e, asked=naming.place(e.asked)) for e in answer.echoes),
            )
            for answer in operation.answers
        ),
        correlations=tuple(
            replace(c, first=naming.place(c.first), second=naming.place(c.second))
            for c in operation.correlations
        ),
        required=tuple(naming.text(place) for place in operation.required),
        parameter_schemas={
            naming.text(place): schema for place, schema in operation.parameter_schemas.items()
        },
    )


def _rule(rule: Rule, naming: Naming) -> Rule:
    return replace(rule, places=tuple(naming.place(place) for place in rule.places))


def _machine(machine: StateMachine, ids: Mapping[str, str]) -> StateMachine:
    return replace(
        machine,
        maker=ids.get(machine.maker, machine.maker),
        transitions=tuple(
            replace(t, operation_id=ids.get(t.operation_id, t.operation_id))
            for t in machine.transitions
        ),
    )


def _pairing(pairing: Pairing, ids: Mapping[str, str]) -> Pairing:
    maker, doer = (ids.get(name, name) for name in (pairing.maker, pairing.doer))
    return replace(pairing, maker=maker, doer=doer)


def _log(log: EventLog, ids: Mapping[str, str]) -> EventLog:
    return replace(
        log,
        listing=ids.get(log.listing, log.listing),
        maker=ids.get(log.maker, log.maker),
        changes=tuple((ids.get(name, name), count) for name, count in log.changes),
    )


def _effect(effect: Effect, names: Mapping[str, Naming]) -> Effect:
    """EFFECT with the names that its operations' paths have now."""
    after, read = names.get(effect.after), names.get(effect.read)
    mine = read.parameters if read is not None else {}
    theirs = after.parameters if after is not None else {}
    return replace(
        effect,
        after=after.operation.id if after is not None else effect.after,
        read=read.operation.id if read is not None else effect.read,
        where=tuple((mine.get(name, name), theirs.get(at, at)) for name, at in effect.where),
        query=tuple(
            (name, f"{{{theirs.get(value[1:-1], value[1:-1])}}}" if value[:1] == "{" else value)
            for name, value in effect.query
        ),
    )


def _pool(pool: Pool, names: Mapping[str, Naming]) -> Pool:
    return replace(
        pool,
        places=tuple(
            (names[id_].operation.id, names[id_].text(place)) if id_ in names else (id_, place)
            for id_, place in pool.places
        ),
    )


def doubtful(a: Profile, b: Profile) -> tuple[tuple[str, str, str], ...]:
    """Operations of one that the other may know as a value: `/users/bob` and `/users/{user_id}`."""
    found = []
    for mine, other in ((a, b), (b, a)):
        matcher = Matcher(o.operation for o in mine.operations)
        known = {o.id for o in mine.operations}
        for operation in other.operations:
            if operation.id in known:
                continue
            path = _PARAMETER.sub("~", operation.operation.template)
            match = matcher.match(operation.operation.method, path)
            if match is not None:
                why = "a value in one profile is a word in the other"
                found.append((match.operation.id, operation.id, why))
    return tuple(sorted(set(found)))
