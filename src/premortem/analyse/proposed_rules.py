"""Rules of order, of who sends and of what is written down (`domain.stated`) that traffic or the
specification suggests, each with its grounds: lines to accept into premortem.toml.

What they rest on, strongest first: refusals that production gave and never gave otherwise; a
listing that held one entry for each change throughout; words of the specification that nothing
recorded contradicts; siblings, all of which were refused. The last two are suspicions: they are
tried unasked, and what then passes is reported with low severity.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Literal

import msgspec
from msgspec import Struct

from premortem.domain.kinship import (
    changes_thing,
    makes_things,
    names_state,
    path_of,
    stem,
    stems,
    touches,
)
from premortem.domain.relations import EventLog, Pairing, StateMachine
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile, Profile

RULES_MAX = 100
REFUSED_MIN = 3
"""Refusals for one reason, of who made a thing, from which that is a rule."""
OTHERS_MIN = 5
"""Times that somebody else was let through, so that it can be told who is meant."""
LISTINGS_MIN, ENTRIES_MIN, CHANGES_MIN = 8, 24, 3
"""Complete answers of a log, entries in them and different operations behind those, all of which
must have agreed before the next one is held to it."""
SIBLINGS_MIN = 3
"""Different operations that were refused for one state of a thing."""
COUNTED_MAX = 3
"""What may count for a day, per report."""

Ground = Literal["traffic", "specification", "siblings"]

_SOMEONE_ELSE = re.compile(
    r"\b(some(one|body) else|another (user|person|employee|member)|a (different|second) "
    r"(user|person|pair of eyes)|four[- ]eyes|other than (who|the one who|the requester)|"
    r"not (your|their|one'?s) own)\b",
    re.IGNORECASE,
)
_ONCE = re.compile(
    r"\b(only once|at most once|exactly once|once only)\b|,? once\s*($|[.!;)])", re.IGNORECASE
)
_ALREADY = re.compile(r"[A-Z][A-Za-z]*Already[A-Z][a-z]+|Already[A-Z][A-Za-z]+")
_KNOWN_ALREADY = frozenset({"exist", "us", "tak", "register", "know"})
"""Stems of participles that are about a name that is taken, not about what was done."""
_ZONES = re.compile(r"UTC|GMT|[A-Z][A-Za-z_]+/[A-Za-z_/+\-0-9]+")


class ProposedRule(Struct, frozen=True, kw_only=True):
    """A rule to accept."""

    text: str
    """The line, as `[checks] rules` takes it."""
    why: str
    """Its grounds, in a line."""
    ground: Ground
    support: int
    """Requests or answers that show it; 0: words of the specification alone."""
    certain: bool
    """Else it is a suspicion."""


def proposed_rules(profile: Profile) -> tuple[ProposedRule, ...]:
    """What PROFILE suggests, certain ones first, at most RULES_MAX; each line once."""
    found = [*_four_eyes(profile), *_entries(profile), *_once(profile), *_days(profile)]
    found += _siblings(profile)
    by_text: dict[str, ProposedRule] = {}
    for rule in sorted(found, key=lambda r: (not r.certain, -r.support, r.text)):
        by_text.setdefault(rule.text, rule)
    return tuple(islice(by_text.values(), RULES_MAX))


def forbidden_moves(profile: Profile) -> Iterator[ProposedRule]:
    """What production refused in a state, as rules: they are tried with or without being stated."""
    for machine in profile.machines:
        for move in _leading(machine):
            for operation in profile.operations:
                state = machine.leads_to(move)
                if operation.id != move and machine.forbids(operation.id, state):
                    refused = [t for t in machine.transitions if t.operation_id == operation.id]
                    yield ProposedRule(
                        text=f"{operation.id}: never after {move}",
                        why=f"production refused it while {_spoken(machine, state)}",
                        ground="traffic",
                        support=sum(t.refused for t in refused if t.before == state),
                        certain=True,
                    )


def _leading(machine: StateMachine) -> list[str]:
    """Operations that lead to one state of MACHINE."""
    ids = dict.fromkeys(t.operation_id for t in machine.transitions if t.passed)
    return [id_ for id_ in ids if machine.leads_to(id_)]


def _spoken(machine: StateMachine, state: str) -> str:
    return f"{machine.field.rpartition('/')[2]} is {state}"


# Who does it.


def _four_eyes(profile: Profile) -> Iterator[ProposedRule]:
    known = {operation.id: operation for operation in profile.operations}
    for pairing in profile.pairings:
        doer = known.get(pairing.doer)
        if doer is None or pairing.own or pairing.maker == pairing.doer:
            continue
        if pairing.others < OTHERS_MIN:
            continue
        text = f"{pairing.doer}: never by who did {pairing.maker}"
        word, times = _refused_to_makers(pairing)
        said = _SOMEONE_ELSE.search(_prose(doer))
        if times >= REFUSED_MIN:
            yield ProposedRule(
                text=text,
                why=f"production refused it to who made the thing, {times} times ({word}), and "
                f"let others through {pairing.others} times",
                ground="traffic",
                support=times + pairing.others,
                certain=True,
            )
        elif said is not None:
            yield ProposedRule(
                text=text,
                why=f"the specification says {said[0]!r}, and in {pairing.others} recorded times "
                "it was somebody else",
                ground="specification",
                support=pairing.others,
                certain=False,
            )


def _refused_to_makers(pairing: Pairing) -> tuple[str, int]:
    """The refusal that only those met with who had made the thing, and how often."""
    others = dict(pairing.refused_others)
    own = [(word, times) for word, times in pairing.refused_own if word not in others]
    return max(own, key=lambda pair: (pair[1], pair[0]), default=("", 0))


def _prose(operation: OperationProfile) -> str:
    said = (operation.summary, operation.description, *(text for _, text in operation.meanings))
    return " \n".join(said)


# How often.


def _once(profile: Profile) -> Iterator[ProposedRule]:
    changing = [o for o in profile.operations if o.operation.method in ("POST", "PATCH")]
    for operation in changing:
        said = _ONCE.search(f"{operation.summary}\n{operation.description}")
        if said is not None and "{" in operation.operation.template:
            yield _once_rule(operation, f"the specification says {said[0].strip(' ,')!r}")
    for code in dict.fromkeys(code for o in changing for code in _codes(o)):
        meant = _meant(code, changing)
        if meant is not None:
            yield _once_rule(meant, f"the specification names a refusal `{code}`")


def _once_rule(operation: OperationProfile, why: str) -> ProposedRule:
    return ProposedRule(
        text=f"{operation.id}: once", why=why, ground="specification", support=0, certain=False
    )


def _codes(operation: OperationProfile) -> Iterator[str]:
    """Words for `already done` that answers declare for refusals."""
    for answer in operation.answers:
        refusal = answer.status >= 400 or answer.status in (0, -4)
        if answer.source == "spec" and refusal and "lready" in answer.schema:
            yield from _ALREADY.findall(answer.schema)


def _meant(code: str, operations: Iterable[OperationProfile]) -> OperationProfile | None:
    """The one operation whose own words are all in CODE's; None: none, or several alike."""
    words = stems(code) - stems("already")
    if len(words) < 2 or words & _KNOWN_ALREADY:
        return None
    fitting = [o for o in operations if "{" in o.operation.template and words <= _own_words(o)]
    best = sorted(fitting, key=lambda o: len(_own_words(o) - words))
    if not best or (len(best) > 1 and _extra(best[0], words) == _extra(best[1], words)):
        return None
    return best[0]


def _extra(operation: OperationProfile, words: set[str]) -> int:
    return len(_own_words(operation) - words)


def _own_words(operation: OperationProfile) -> set[str]:
    """Stems of the words of its path and summary."""
    path = " ".join(s for s in split_template(operation.operation.template) if "{" not in s)
    said = f"{path} {operation.summary}".replace("-", " ").replace("_", " ")
    return stems(said)


# What is written down.


def _entries(profile: Profile) -> Iterator[ProposedRule]:
    makers = {pairing.maker for pairing in profile.pairings}
    for log in profile.logs:
        if not _convincing(log):
            continue
        counted = dict(log.changes)
        for operation in profile.operations:
            if operation.id in makers or not changes_thing(operation, log.maker):
                continue
            seen = counted.get(operation.id, 0)
            name = path_of(operation.id)[len(path_of(log.maker))]
            told = f"{log.entries} entries for as many changes in {log.listings} answers"
            yield ProposedRule(
                text=f"{operation.id}: one entry in {log.listing}?{log.parameter}={name}",
                why=f"{told}, {seen} of them its own" if seen else f"{told}, of its siblings",
                ground="traffic" if seen else "siblings",
                support=seen or log.entries,
                certain=bool(seen),
            )


def _convincing(log: EventLog) -> bool:
    counts = log.things >= LISTINGS_MIN and log.listings >= LISTINGS_MIN
    return (
        counts and not log.failed and log.entries >= ENTRIES_MIN and len(log.changes) >= CHANGES_MIN
    )


# When.


def _days(profile: Profile) -> Iterator[ProposedRule]:
    """Reports of a day in a time zone, by their parameters."""
    for operation in profile.operations:
        if operation.operation.method != "GET":
            continue
        zone, day = _parameter(operation, _is_zone), _parameter(operation, _is_day)
        if not zone or not day:
            continue
        for counted in islice(_counted(profile, operation), COUNTED_MAX):
            yield ProposedRule(
                text=f"{operation.id}: {day} by {zone} counts {counted.id}",
                why=f"`{day}` is a date and `{zone}` a time zone, and its answer speaks of what "
                "the other makes",
                ground="specification",
                support=operation.count,
                certain=True,
            )


def _parameter(operation: OperationProfile, fits: Callable[[OperationProfile, str], bool]) -> str:
    """The one query parameter that FITS; empty: none, or several."""
    names = {f.place.name for f in operation.fields if f.place.part == "query"}
    names |= {p[6:] for p in operation.parameter_schemas if p.startswith("query:")}
    found = [n for n in sorted(names) if fits(operation, n)]
    return found[0] if len(found) == 1 else ""


def _is_zone(operation: OperationProfile, name: str) -> bool:
    known = _texts(operation, name)
    return bool(known) and "/" in "".join(known) and all(map(_ZONES.fullmatch, known))


def _is_day(operation: OperationProfile, name: str) -> bool:
    fields = [f for f in operation.fields if f.place.part == "query" and f.place.name == name]
    schema = operation.parameter_schemas.get(f"query:{name}", "")
    return any(f.format == "date" for f in fields) or '"format":"date"' in schema.replace(" ", "")


def _texts(operation: OperationProfile, name: str) -> list[str]:
    """Values of the query parameter NAME that were seen or are declared."""
    found = [
        msgspec.json.decode(text)
        for field in operation.fields
        if field.place.part == "query" and field.place.name == name and not field.redacted
        for text, _ in field.values
    ]
    schema = operation.parameter_schemas.get(f"query:{name}", "")
    if schema:
        found += _members(msgspec.json.decode(schema))
    return [text for text in dict.fromkeys(found) if isinstance(text, str)]


def _members(schema: object) -> list[object]:
    if isinstance(schema, list):
        return [member for part in schema for member in _members(part)]
    if not isinstance(schema, dict):
        return []
    own = schema.get("enum")
    inner = [m for name, part in schema.items() if name != "enum" for m in _members(part)]
    return [*(own if isinstance(own, list) else ()), *inner]


def _counted(profile: Profile, report: OperationProfile) -> Iterator[OperationProfile]:
    """What makes things that the answers of REPORT are about, by their names."""
    said = {
        stem(token)
        for answer in report.answers
        if answer.status // 100 == 2
        for field in answer.fields
        for token in field.place.tokens
    }
    said |= {
        stem(word)
        for answer in report.answers
        if answer.status == 200 and answer.schema
        for word in _properties(msgspec.json.decode(answer.schema))
    }
    for operation in profile.operations:
        if operation.operation.method != "POST" or not operation.exemplars:
            continue
        last = path_of(operation.id)[-1:]
        named = bool(last) and "{" not in last[0] and stem(last[0]) in said
        if named and makes_things(operation):
            yield operation


def _properties(schema: object) -> list[str]:
    inner = schema.get("properties") if isinstance(schema, dict) else None
    return list(inner) if isinstance(inner, dict) else []


# In which state.


def _siblings(profile: Profile) -> Iterator[ProposedRule]:
    for machine in profile.machines:
        for state, _ in machine.states:
            moves = [m for m in _leading(machine) if machine.leads_to(m) == state]
            word, refused = _closed(profile, machine, state)
            if not moves or len(refused) < SIBLINGS_MIN:
                continue
            tried = {t.operation_id for t in machine.transitions if t.before == state}
            for operation in profile.operations:
                if operation.id in tried or operation.id in moves:
                    continue
                if touches(profile, operation, machine.maker):
                    yield ProposedRule(
                        text=f"{operation.id}: never after {moves[0]}",
                        why=f"while {_spoken(machine, state)} production refused "
                        f"{len(refused)} other operations ({word})",
                        ground="siblings",
                        support=sum(refused.values()),
                        certain=False,
                    )


def _closed(profile: Profile, machine: StateMachine, state: str) -> tuple[str, dict[str, int]]:
    """The refusal that all met with in STATE, but for what leads out of it, and operation ->
    times; none where something else was let through, or the word is about something else."""
    here = [t for t in machine.transitions if t.before == state]
    for t in here:
        operation = profile.operation(t.operation_id)
        stayed = t.passed and t.after in ("", state)
        if stayed and operation is not None and touches(profile, operation, machine.maker):
            return "", {}
    words = {t.reason for t in here if t.refused and t.reason and _names(machine, t.reason, state)}
    words -= {t.reason for t in machine.transitions if t.before != state}
    if len(words) != 1:
        return "", {}
    word = words.pop()
    refused: dict[str, int] = {}
    for t in here:
        if t.reason == word:
            refused[t.operation_id] = refused.get(t.operation_id, 0) + t.refused
    return word, refused


def _names(machine: StateMachine, word: str, state: str) -> bool:
    return names_state(word, maker=machine.maker, field=machine.field, state=state)
