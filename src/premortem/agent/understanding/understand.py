"""From a question in English to what it asks about: operation, failure mode, field, role.

By parsing: roles are the configured and captured ones, failure modes bring their words, and
operations are found by the profile's own words. What nothing explains is said, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.modes.mode import SAYS, pattern_of
from premortem.agent.planning import titles
from premortem.agent.understanding.boundaries import mode_of
from premortem.agent.understanding.boundaries import wanted as edges_wanted
from premortem.agent.understanding.entries import Entry
from premortem.agent.understanding.failure_modes import ANONYMOUS, mode_words, possible
from premortem.agent.understanding.fields_meant import (
    VALUE_MODES,
    bound_said,
    field_named,
    field_unnamed,
    main_required,
    takes,
)
from premortem.agent.understanding.index import Index, Scored
from premortem.agent.understanding.inputs import InputField
from premortem.agent.understanding.modes_meant import weigh_modes
from premortem.agent.understanding.reading import (
    Reading,
    Word,
    checked,
    known_editions,
    known_roles,
    read,
)
from premortem.agent.understanding.refusals import NEAREST_MAX, is_foreign, refusal
from premortem.agent.understanding.said import quoted
from premortem.agent.understanding.spelling import mended
from premortem.agent.understanding.wording import asked_of, content, state_said, times_said
from premortem.agent.understanding.words import VERBS, stem, stems, tokens
from premortem.domain.proposal import FailureModeName, OutcomeClass, Signal
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Understanding
from premortem.domain.traffic import OperationProfile, Profile
from premortem.errors import NotUnderstood

OPERATIONS_MAX = 5
"""Operations an Understanding names."""
SHARE_OF_BEST = 0.6
"""An operation that scores less than this share of the best one is not what is meant."""
IMPOSSIBLE = 1.5
"""What a failure mode loses that the operation the words speak of does not allow."""
FIELD_NAMED, FIELD_BESIDE_VERB = 2.5, 0.8
"""What an operation gains that has the field which is named; less where a verb says more."""
ROLE_ALLOWED, ROLE_REFUSED = 1.0, 1.5
"""What a role's being allowed says against its being asked about, its being refused for it."""
QUOTED_FITS = 0.7
"""What a text in quotes says for a wrong type or an unknown value, by the field that it is for."""
LIKE_MIN = 0.25
"""How near a question must be to an operation's texts that names nothing of the service's."""
FROM_CONTEXT = 0.6
"""What a word counts that only the context says: of a handler's name, say."""
_CODE_WORDS = frozenset(
    [
        "handler",
        "validator",
        "controller",
        "service",
        "command",
        "usecase",
        "use",
        "case",
        "request",
        "dto",
        "input",
        "model",
        "processor",
        "endpoint",
        "action",
        "tests",
        "test",
        "api",
    ]
)
_OF_WHAT_IS_THERE = {
    "stale_change": 3.0,
    "forbidden_transition": 0.7,
    "others_data": 1.0,
}
_OF_STATES = frozenset({"forbidden_transition", "wrong_order"})
MADE_ALONE = 2.0
"""What an operation loses that makes something below nothing, where something was done before."""
BOUND = 2.0
"""What an operation gains at whose declared bound a number of the question lies."""
CODED = 2.5
"""What an operation gains that has a field which the question names as code does: agentId."""
"""Modes that need a thing that is there -> what an operation loses that makes or lists some."""
_OF_STATE = frozenset({"forbidden_transition", "mass_assignment"})
_SENT = frozenset(
    {"boundary", "missing_value", "wrong_type", "unknown_value", "unit_switch", "mass_assignment"}
)
READS_ONLY = 4.0
STATE_SET = 1.0
"""What `with the status paid` says for a transition where a status may be sent, else for setting
what is not the client's to set."""
_STATES = frozenset(stems("status state stage phase"))
_SETS_STATE = re.compile(
    pattern_of(
        r"(status|state|stage|phase)( field)?( is| set| of| to| as| =|=| already| directly)* "
        r"['\"]?<state>"
    )
)
_OUTCOMES: tuple[tuple[OutcomeClass, str], ...] = (
    ("denied", r"\b(?:40[13]|is forbidden|gets? forbidden)\b"),
    ("not_found", r"\b40[4]\b|\bshould (?:not be found|answer not found)\b"),
    ("conflict", r"\b(?:409|412|conflict)\b"),
    ("invalid", r"\b(?:400|422|bad request|validation error)\b"),
    ("one_wins", r"\b(?:only|exactly) one (?:of \w+ )?(?:should )?(?:wins?|succeeds?)\b"),
)


class _Meant(Struct, frozen=True, kw_only=True):
    """What one failure mode makes of a question."""

    mode: FailureModeName
    weight: float
    ranked: tuple[Scored, ...]
    field: InputField | None
    named: bool
    """The question names the field."""


def understand(
    prompt: str,
    profile: Profile,
    *,
    roles: Collection[str] = (),
    editions: Collection[str] = (),
    index: Index | None = None,
    came_with: Signal | None = None,
) -> Understanding:
    """What PROMPT asks about; ROLES are the configured ones beside those in PROFILE.

    INDEX: of PROFILE, where many questions are asked about one. EDITIONS: known ones besides.
    CAME_WITH: handler, role, edition and fields that the question itself need not name.

    Raises InputError when it is empty or too long, names no failure mode, or fits no operation;
    the message says what was understood and offers what comes nearest.
    """
    asked = checked(prompt)
    index = index or Index(profile)
    text = mended(asked, index.spelled)
    reading = read(
        text,
        roles=known_roles(profile, roles),
        editions=(*editions, *known_editions(profile)),
        named=index.named,
    )
    if is_foreign(asked):
        raise NotUnderstood(_nothing_fits(reading, "", index))
    if came_with is not None:
        reading = _with_context(reading, came_with)
    weighed = weigh_modes(reading, index)
    edges = edges_wanted(text)
    ways = sorted(
        (_meant(mode, weight, reading, index, edges) for mode, weight in weighed.items()),
        key=lambda m: -m.weight,
    )
    fitting = ((way, _best(way, index, reading)) for way in ways)
    meant, best = next((pair for pair in fitting if pair[1]), (ways[0], []))
    if not best:
        raise NotUnderstood(_nothing_fits(reading, meant.mode, index))
    first = best[0]
    entry = index.entry(first.operation.id)
    field = meant.field or field_unnamed(meant.mode, entry, edges, text.lower())
    if meant.mode == "missing_value" and field is not None and not meant.named:
        # What need not be there is not missed.
        field = field if field.required else main_required(entry.inputs) or field
    known = frozenset().union(*(scored.matched for scored in best))
    return Understanding(
        prompt=asked,
        failure_mode=meant.mode,
        operation_ids=tuple(scored.operation.id for scored in best),
        field=field.name if field else "",
        role=reading.role,
        not_understood=_left_over(reading, known, field, index),
        further_modes=tuple(m for m in weighed if m != meant.mode and weighed[m] >= SAYS),
        entity=titles.entity(first.operation),
        state=state_said(reading),
        edition=reading.edition,
        outcomes=tuple(name for name, said in _OUTCOMES if re.search(said, text.lower())),
        values=tuple(edge for edge in edges if mode_of(edge) == meant.mode) or edges,
        owner=reading.owner,
        beside=_beside(reading, index, first.operation.id),
        times=times_said(text.lower()),
        given=came_with.field_values if came_with else (),
        trace_id=came_with.trace_id if came_with else "",
        blueprint_id=came_with.blueprint_id if came_with else "",
        handler=came_with.handler if came_with else "",
    )


def _with_context(reading: Reading, signal: Signal) -> Reading:
    """READING with what the question left to its context; what it says itself goes before."""
    named = " ".join((signal.handler, signal.dto, signal.validator))
    spoken = [word for word in tokens(named) if word not in _CODE_WORDS]
    if signal.operation_id:
        spoken += tokens(signal.operation_id)
    more = [
        Word(text=word, stem=stem(word), weight=FROM_CONTEXT, clause=-1)
        for word in dict.fromkeys(spoken)
        if stem(word) not in {said.stem for said in reading.words}
    ]
    fields = [
        Word(text=word, stem=stem(word), weight=FROM_CONTEXT, clause=-2)
        for name, _ in signal.field_values
        for word in tokens(name)
    ]
    return replace(
        reading,
        words=(*reading.words, *more, *fields),
        role=reading.role or signal.role,
        edition=reading.edition or signal.edition,
    )


def suggest(prompt: str, profile: Profile, *, count: int, index: Index | None = None) -> list[str]:
    """Ids of the operations that the words of PROMPT come nearest to, best first."""
    index = index or Index(profile)
    reading = read(checked(prompt), roles=known_roles(profile, ()), named=index.named)
    ranked = index.rank(asked_of(reading, "", index, in_query=False))
    return [scored.operation.id for scored in ranked[:count]]


def _meant(
    mode: FailureModeName, weight: float, reading: Reading, index: Index, edges: Sequence[str]
) -> _Meant:
    """The operations under MODE, and how well MODE fits the one that the words speak of."""
    fitting_edges = tuple(edge for edge in edges if mode_of(edge) == mode)
    near_words = mode_words(reading.told, mode) | {"without", "no"}
    # What is injected names no field: a script tag is no tag.
    hidden = near_words if mode == "injection" else frozenset[str]()
    said = ["" if word.text in hidden else word.stem for word in reading.words]
    near = [at for at, word in enumerate(reading.words) if word.text in near_words]
    named: dict[str, tuple[float, float, InputField]] = {}
    for entry in index.entries:
        found = field_named(mode, entry, said, edges=fitting_edges, near=near)
        if found is not None:
            named[entry.operation.id] = found
    top = max((found[:2] for found in named.values()), default=None)
    having = {id_ for id_, found in named.items() if found[:2] == top} if top else set()
    # `What if to is empty?` names nothing but a field.
    clear = 0.5 if any(word.text not in near_words for word in content(reading)) else 0.25
    sure = mode in VALUE_MODES and top is not None and top[0] >= clear
    own = frozenset(s for id_ in having for s in named[id_][2].stems) if sure else frozenset()
    asked = asked_of(reading, mode, index, in_query=_in_query(named, having), own=own)
    overall = index.rank(asked)
    bound = {
        entry.operation.id
        for entry in index.entries
        if mode == "boundary" and bound_said(entry.inputs, reading.prompt) is not None
    }
    scored = [
        replace(
            s,
            score=s.score
            + _leaning(mode, index.entry(s.operation.id), has=sure and s.operation.id in having)
            + CODED * bool(reading.coded & index.entry(s.operation.id).field_names)
            + BOUND * (s.operation.id in bound),
        )
        for s in overall
    ]
    worth = FIELD_BESIDE_VERB if max(asked.verbs.values(), default=0.0) > 0.9 else FIELD_NAMED
    for at, one in enumerate(scored):
        if sure and one.operation.id in having:
            scored[at] = replace(one, score=one.score + worth)
    scored.sort(key=lambda s: -round(s.score, 3))
    fitting = [s for s in scored if possible(mode, s.operation)]
    weight -= _misfit(mode, scored[0], fitting, reading) if scored else 0.0
    if scored and mode in _OF_STATE and _SETS_STATE.search(reading.told):
        sent = any(_STATES & set(f.stems) for f in index.entry(scored[0].operation.id).inputs)
        weight += STATE_SET if sent == (mode == "forbidden_transition") else -STATE_SET
    field = (
        named[fitting[0].operation.id][2] if fitting and fitting[0].operation.id in named else None
    )
    if field is not None and quoted(reading.prompt):
        weight += QUOTED_FITS * takes(mode, field)
    return _Meant(
        mode=mode,
        weight=weight,
        ranked=tuple(fitting),
        field=field,
        named=bool(sure and having),
    )


def _in_query(
    named: Mapping[str, tuple[float, float, InputField]], having: Collection[str]
) -> bool:
    return bool(having) and all(named[id_][2].place.part == "query" for id_ in having)


def _leaning(mode: str, entry: Entry, *, has: bool) -> float:
    """How well an operation's kind goes with MODE: only what is there can be outdated."""
    alone = entry.operation.operation.method == "POST" and not entry.acts
    if mode in _OF_STATES and alone and "{" not in entry.operation.operation.template:
        return -MADE_ALONE
    if mode in _OF_WHAT_IS_THERE:
        there = entry.acts or entry.one or entry.operation.operation.method == "DELETE"
        there = there or (mode == "others_data" and "{" in entry.operation.operation.template)
        return 0.0 if there else -_OF_WHAT_IS_THERE[mode]
    method = entry.operation.operation.method
    if mode in _SENT and not has and method in (*SAFE_METHODS, "DELETE"):
        return -READS_ONLY  # such a value is sent rather in a body
    return 0.0


def _misfit(mode: str, first: Scored, fitting: Sequence[Scored], reading: Reading) -> float:
    """What speaks against MODE for the operation that the words speak of; negative: for it."""
    against = 0.0
    if not fitting or (fitting[0].operation.id != first.operation.id and first.matched):
        against += IMPOSSIBLE
    if mode == "forbidden_role" and reading.role and reading.role != ANONYMOUS:
        against += _role_against(first.operation, reading.role)
    return against


def _best(meant: _Meant, index: Index, reading: Reading) -> list[Scored]:
    """Those that are plausibly meant; empty when no word says what any is about."""
    ranked = meant.ranked
    like = index.likeness(reading.asked_about) >= LIKE_MIN
    about = [
        s
        for at, s in enumerate(ranked)
        if _is_about(s, index, reading) or (meant.named and s.matched) or (like and not at)
    ]
    if not about and (meant.named or meant.mode == "pagination_edge"):
        # Only a field is named, a page size, say: every operation that has it.
        return list(ranked[:OPERATIONS_MAX])
    if not about:
        return _refused(ranked, reading) if meant.mode == "forbidden_role" else []
    first = about[0]
    floor = first.score * SHARE_OF_BEST if first.score > 0 else first.score - 3
    alike = [s for s in about if _means_as_much(s, first)]
    return [s for s in alike if s.score >= floor][:OPERATIONS_MAX]


def _refused(ranked: Sequence[Scored], reading: Reading) -> list[Scored]:
    """Nothing is named but who: what production or the specification refuses that role."""
    if not reading.role or reading.role == ANONYMOUS:
        return []
    found = [
        s
        for s in ranked
        if {"401", "403"} & set(s.operation.roles.get(reading.role, {}))
        or (s.operation.allowed_roles and reading.role not in s.operation.allowed_roles)
    ]
    return found[:OPERATIONS_MAX]


def _means_as_much(scored: Scored, first: Scored) -> bool:
    """Whether it explains all that the best one does: the words, the verb, one or many."""
    return (
        scored.matched >= first.matched
        and scored.at_head >= first.at_head
        and scored.number >= first.number
        and (scored.verb >= first.verb / 2 or first.verb <= 0)
    )


def _is_about(scored: Scored, index: Index, reading: Reading) -> bool:
    """Some word names what the operation is about; an everyday verb only where all is explained."""
    if scored.nouns:
        return True
    explained = not _left_over(reading, scored.matched, None, index)
    return explained and any(word in index.heads for word in scored.matched)


def _role_against(operation: OperationProfile, role: str) -> float:
    """What specification and production say of ROLE's doing it: allowed, refused or nothing."""
    if operation.allowed_roles:
        return ROLE_ALLOWED if role in operation.allowed_roles else -ROLE_REFUSED
    statuses = operation.roles.get(role, {})
    if any(status.startswith("2") for status in statuses):
        return ROLE_ALLOWED
    return -ROLE_REFUSED if {"401", "403"} & set(statuses) else 0.0


def _left_over(
    reading: Reading, known: Collection[str], field: InputField | None, index: Index
) -> tuple[str, ...]:
    own = set(field.stems) if field else set()
    explained = mode_words(reading.told)
    return tuple(
        dict.fromkeys(
            word.text
            for word in content(reading)
            if not known & index.known(word.means).keys()
            and word.stem not in own
            and word.stem not in VERBS
            and word.means not in VERBS
            and word.text not in explained
        )
    )


def _beside(reading: Reading, index: Index, meant: str) -> tuple[str, ...]:
    """Actions that the question names beside the one in question."""
    said = {base for word in reading.words for base in index.known(word.means)}
    found = [
        entry.operation.id
        for entry in index.entries
        if entry.acts and entry.operation.id != meant and set(entry.head) <= said
    ]
    return tuple(found[:OPERATIONS_MAX])


def _nothing_fits(reading: Reading, mode: str, index: Index) -> str:
    asked = asked_of(reading, mode, index, in_query=False)
    who = [f"role {reading.role}"] if reading.role else []
    return refusal(
        reading.prompt,
        understood=[*([mode] if mode else ()), *who, *asked.said],
        lacks="but no operation",
        unknown=_left_over(reading, asked.said.keys(), None, index),
        nearest=[scored.operation.id for scored in index.rank(asked)[:NEAREST_MAX]],
    )
