"""From a question in English to what it asks about: operation, failure mode, field, role.

By parsing: roles are the configured and captured ones, failure modes bring their words, and
operations are found by the profile's own words. What nothing explains is said, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from premortem.agent.boundaries import fits, left_out
from premortem.agent.boundaries import wanted as boundaries_asked
from premortem.agent.failure_modes import (
    ANONYMOUS,
    FAILURE_MODES,
    ModeName,
    mode_words,
    modes_in,
    offered,
    possible,
)
from premortem.agent.index import ANY, CHANGING, READING, Asked, Entry, Index, Scored
from premortem.agent.inputs import InputField, input_fields
from premortem.agent.words import (
    STOPWORDS,
    VERBS,
    VerbClass,
    is_plural,
    participle,
    plain,
    stem,
    stems,
    tokens,
)
from premortem.domain.scenario import Understanding
from premortem.domain.traffic import Profile
from premortem.errors import InputError

PROMPT_CHARACTERS_MAX = 2_000
OPERATIONS_MAX = 5
"""Operations an Understanding names."""
OFFERED_MAX = 5
"""Operations that an error offers."""
SHARE_OF_BEST = 0.6
"""An operation that scores less than this share of the best one is not what is meant."""

_ANONYMOUS = re.compile(
    r"\b(?:(?:an? )?(?:anonymous|unauthenticated)(?: (?:user|visitor|client|caller|person|"
    r"request))?|(?:not|without|isn't|never)(?: being)? (?:signed|logged|signing|logging)[ -]in|"
    r"(?:without|no) (?:an? |any |valid )*(?:access )?(?:token|credentials?|login|log-in|"
    r"authentication|auth|password|sign-in|authorization header)|(?:signed|logged) out|nobody)\b"
)
_PEOPLE = frozenset(stems("user person customer client people caller visitor member"))
"""Who does something, where no role is meant."""
_ALLOWED = frozenset({"allowed", "permitted", "able", "authorized", "authorised", "signed"})
_ARTICLES = frozenset({"a", "an", "the"})
_BE = frozenset({"is", "are", "was", "were", "be", "been", "gets", "get", "got"})


class _Read(Struct, frozen=True, kw_only=True):
    """A question taken apart."""

    prompt: str
    words: tuple[str, ...]
    """Lower case, in order, without those that name a role."""
    role: str
    modes: tuple[ModeName, ...]


def understand(
    prompt: str,
    profile: Profile,
    *,
    roles: Collection[str] = (),
    index: Index | None = None,
) -> Understanding:
    """What PROMPT asks about; ROLES are the configured ones beside those in PROFILE.

    INDEX: of PROFILE, where many questions are asked about one.

    Raises InputError when it is empty or too long, names no failure mode, or fits no operation;
    the message says what was understood and offers what comes nearest.
    """
    text = checked(prompt)
    index = index or Index(profile)
    read = _read(text, profile, roles, index)
    mode = _mode(read, index)
    candidates, field = _candidates(read, mode, index)
    asked = _asked(read, mode, index, field)
    ranked = index.rank(asked, among=candidates)
    best = _best(ranked, index, read, field=field)
    if not best:
        raise InputError(_nothing_fits(read, mode, asked, index))
    if mode == "boundary" and field is None:
        field = main_field(input_fields(best[0].operation), boundaries_asked(text))
    known = frozenset().union(*(scored.matched for scored in best))
    return Understanding(
        prompt=text,
        failure_mode=mode,
        operation_ids=tuple(scored.operation.id for scored in best),
        field=field.name if field else "",
        role=read.role,
        not_understood=_left_over(read, known, field),
    )


def checked(prompt: str) -> str:
    """PROMPT in one line without odd characters. Raises InputError when it cannot be a question."""
    text = " ".join(plain(prompt[: PROMPT_CHARACTERS_MAX + 1]).split())
    if not text:
        raise InputError('the question is empty; ask something like "What if ... twice?"')
    if len(prompt) > PROMPT_CHARACTERS_MAX:
        raise InputError(
            f"the question has {len(prompt)} characters; at most {PROMPT_CHARACTERS_MAX} are "
            f"read: ask about one thing at a time"
        )
    return text


def known_roles(profile: Profile, configured: Collection[str]) -> tuple[str, ...]:
    """Configured roles, then those that the traffic shows besides."""
    seen = {role for operation in profile.operations for role in operation.roles}
    return (*configured, *sorted(seen - set(configured) - {"", "unknown"}))


def _read(text: str, profile: Profile, roles: Collection[str], index: Index) -> _Read:
    low = text
    role = ""
    found = _ANONYMOUS.search(text.lower())
    if found is not None and _ANONYMOUS.search(text.lower()):
        role = ANONYMOUS
        low = text[: found.start()] + " " + text[found.end() :]
    words = tokens(low)
    if not role:
        role, words = _role_in(words, known_roles(profile, roles), index)
    return _Read(prompt=text, words=tuple(words), role=role, modes=modes_in(low))


def _role_in(words: list[str], roles: Sequence[str], index: Index) -> tuple[str, list[str]]:
    """The role WORDS name as the one who acts, and the words without it."""
    stemmed = [stem(word) for word in words]
    for role in sorted(roles, key=len, reverse=True):
        name = stems(role)
        for at in range(len(words) - len(name) + 1):
            if not name or stemmed[at : at + len(name)] != name:
                continue
            if not _is_object(words, at, at + len(name), index):
                return role, words[:at] + words[at + len(name) :]
    return "", words


def _is_object(words: Sequence[str], start: int, end: int, index: Index) -> bool:
    """Whether something is done to words[START:END]: `a guest is deleted`, `delete a guest`."""
    if start and words[start - 1] in ("by", "as"):
        return False
    before = [w for w in words[:start] if w not in ("a", "an", "the", "same", "new", "another")]
    after = words[end : end + 2]
    passive = (
        len(after) == 2
        and after[0] in _BE
        and after[1].endswith(("ed", "en", "id"))
        and after[1] not in _ALLOWED
    )
    governed = bool(before) and stem(before[-1]) in VERBS and before[-1] not in _BE
    return (passive or governed) and any(stem(w) in index.named for w in words[start:end])


def _mode(read: _Read, index: Index) -> ModeName:
    modes = list(read.modes)
    if not modes and stem(left_out(" ".join(read.words))) in index.fields:
        modes.append("boundary")
    # A service may have an operation called duplicate, or retry: then the word names that.
    if modes and modes[0] == "duplicate" and len(modes) > 1 and _only_named(read, index):
        modes.append(modes.pop(0))
    if modes:
        return modes[0]
    if read.role:
        return "forbidden_role"
    known = [word for word in _content(read.words) if index.known(stem(word))]
    raise InputError(
        f'"{_cut(read.prompt)}" names nothing that could go wrong; '
        f"understood: {', '.join(known) or 'nothing'}. Say one of: {offered()}"
    )


def _only_named(read: _Read, index: Index) -> bool:
    pattern = re.compile(FAILURE_MODES[0].pattern)
    named = [word for word in read.words if pattern.fullmatch(word)]
    return bool(named) and all(stem(word) in index.heads for word in named)


def _candidates(read: _Read, mode: ModeName, index: Index) -> tuple[list[Entry], InputField | None]:
    """The operations that MODE is possible for, and the field that the question names."""
    entries = [e for e in index.entries if possible(mode, e.operation)]
    if mode != "boundary":
        return entries, None
    wanted = boundaries_asked(read.prompt)
    stemmed = [stem(word) for word in read.words]
    near = mode_words(read.prompt) | {"without", "no"}
    edges = [at for at, word in enumerate(read.words) if word in near]
    fields: dict[str, tuple[float, float, InputField]] = {}
    for entry in entries:
        field = _named_field(stemmed, edges, entry.inputs, wanted)
        if field is not None:
            fields[entry.operation.id] = field
    if not fields:
        fitting = [e for e in entries if main_field(e.inputs, wanted) is not None]
        return fitting, None
    best = max(found[:2] for found in fields.values())
    having = [e for e in entries if e.operation.id in fields and fields[e.operation.id][:2] == best]
    return having, fields[having[0].operation.id][2]


def _named_field(
    stemmed: Sequence[str],
    edges: Sequence[int],
    inputs: Sequence[InputField],
    wanted: Sequence[str],
) -> tuple[float, float, InputField] | None:
    """How fully, how near to EDGES (positions of the words for the edge), and which of INPUTS."""
    best: tuple[float, float, InputField] | None = None
    for field in inputs:
        name = list(field.stems)
        if not name or not any(fits(boundary, field.types) for boundary in wanted):
            continue
        for length, position in _said(name, stemmed):
            distance = min((abs(position - edge) for edge in edges), default=0)
            if best is None or (length, -distance) > best[:2]:
                best = (length, -distance, field)
    return best


def _said(name: Sequence[str], stemmed: Sequence[str]) -> Iterator[tuple[float, int]]:
    """How many of NAME's words stand in STEMMED in a row, and where; less for one of them."""
    span = len(name)
    for at in range(len(stemmed) - span + 1):
        if list(stemmed[at : at + span]) != list(name):
            continue
        after = stemmed[at + span] if at + span < len(stemmed) else ""
        if name[-1] in _ARTICLES and after not in STOPWORDS:
            continue  # `a project`: the article of what follows, though a field is called so, too
        # A field may be called `to` or `value`; one that says more is meant sooner.
        yield (float(span) if set(name) - STOPWORDS else 0.25), at
    if span > 1:
        # `customer` for customer_name, `name` for displayName: half a naming.
        for at, word in enumerate(stemmed):
            if word in (name[0], name[-1]) and word not in STOPWORDS:
                yield 0.5, at


def main_field(inputs: Sequence[InputField], wanted: Sequence[str]) -> InputField | None:
    """The field of INPUTS that is meant when none is named: numbers before texts."""
    fields = [
        f
        for f in inputs
        if f.place.part == "body"
        and "*" not in f.place.tokens
        and any(fits(boundary, f.types) for boundary in wanted)
        and not _identifies(f)
    ]
    numeric = [f for f in fields if f.types & {"number", "integer"}]
    chosen = numeric or ([] if _about_numbers(wanted) else fields)
    return chosen[0] if chosen else None


def _about_numbers(wanted: Sequence[str]) -> bool:
    return bool({"negative", "zero"} & set(wanted))


def _identifies(field: InputField) -> bool:
    return bool({"id", "uuid", "key"} & set(field.stems))


def _asked(read: _Read, mode: ModeName, index: Index, field: InputField | None) -> Asked:
    named = mode_words(read.prompt)
    words = [w for w in _content(read.words) if w not in named or stem(w) in index.heads]
    stemmed = [stem(word) for word in words]
    classes: list[VerbClass] = []
    known: list[str] = []
    plurals: set[str] = set()
    own = set(field.stems) if field else set()
    for position, (word, base) in enumerate(zip(words, stemmed, strict=True)):
        again = base.removeprefix("re-").removeprefix("re")
        base = again if base not in VERBS and again in VERBS else base
        if base in VERBS and (base not in index.heads or _acts(word, base)):
            classes.append(VERBS[base])
        if _is_doer(position, words):
            continue
        found = index.known(base)
        if found and found not in own:
            known.append(found)
            if is_plural(word):
                plurals.add(found)
    return Asked(
        words=tuple(known),
        plurals=frozenset(plurals),
        classes=tuple(dict.fromkeys(classes)),
        preferred=_preferred(mode, field),
    )


def _preferred(mode: ModeName, field: InputField | None) -> Mapping[str, float]:
    if mode == "forbidden_role":
        return ANY
    return READING if field is not None and field.place.part == "query" else CHANGING


def _acts(word: str, base: str) -> bool:
    """Whether WORD looks like a verb's form rather than the thing of that name."""
    return word != base and (word.endswith(("ing", "ed")) or word == participle(base))


def _is_doer(position: int, words: Sequence[str]) -> bool:
    """`a user issues ...`: somebody, not the thing it is about."""
    if stem(words[position]) not in _PEOPLE or position + 2 >= len(words):
        return False
    following = words[position + 1]
    return stem(following) in VERBS and not following.endswith("ed")


def _content(words: Sequence[str]) -> list[str]:
    return [w for w in words if w not in STOPWORDS and not w.lstrip("-").isdigit() and len(w) > 1]


def _best(
    ranked: Sequence[Scored], index: Index, read: _Read, *, field: InputField | None
) -> list[Scored]:
    """Those that are plausibly meant; empty when no word says what any is about."""
    about = [s for s in ranked if field is not None or _is_about(s, index, read)]
    if not about or (field is None and about[0].score <= 0):
        return []
    if not any(scored.matched for scored in about):
        return about[:OPERATIONS_MAX]  # only a field is named: every operation that has it
    floor = about[0].score * SHARE_OF_BEST if about[0].score > 0 else about[0].score - 3
    first = about[0]
    alike = [s for s in about if _means_as_much(s, first)]
    return [s for s in alike if s.score >= floor][:OPERATIONS_MAX]


def _means_as_much(scored: Scored, first: Scored) -> bool:
    """Whether it explains all that the best one does: the words, the verb, one or many."""
    return (
        scored.matched >= first.matched
        and scored.at_head >= first.at_head
        and scored.number >= first.number
        and (scored.verb >= first.verb / 2 or first.verb <= 0)
    )


def _is_about(scored: Scored, index: Index, read: _Read) -> bool:
    """Some word names what the operation is about; an everyday verb only where all is explained."""
    if any(word not in VERBS for word in scored.matched):
        return True
    explained = not _left_over(read, scored.matched, None)
    return explained and any(word in index.heads for word in scored.matched)


def _left_over(read: _Read, known: Collection[str], field: InputField | None) -> tuple[str, ...]:
    own = set(field.stems) if field else set()
    explained = set(mode_words(read.prompt))
    return tuple(
        word
        for word in dict.fromkeys(_content(read.words))
        if stem(word) not in known
        and stem(word) not in own
        and stem(word) not in VERBS
        and word not in explained
    )


def _nothing_fits(read: _Read, mode: ModeName, asked: Asked, index: Index) -> str:
    unknown = _left_over(read, asked.words, None)
    near = [s.operation.id for s in index.rank(asked)[:OFFERED_MAX]]
    understood = [mode, *([f"role {read.role}"] if read.role else []), *asked.words]
    return (
        f'no operation fits "{_cut(read.prompt)}"; understood: {", ".join(understood)}; '
        f"not understood: {', '.join(unknown) or 'nothing more'}. The nearest operations: "
        f"{'; '.join(near) or 'none'}. Failure modes: {offered()}"
    )


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."
