"""A question taken apart: its words with their weight, who acts, whose thing it is, the edition.

What stands in a main clause counts more than what stands beside it: in "What if support pays out
a request before anyone has approved it?" something is paid out, not approved.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec import Struct

from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.thesaurus import phrasal
from premortem.agent.understanding.words import VERBS, is_plural, plain, split_camel, stem, stems
from premortem.domain.traffic import Profile
from premortem.errors import InputError

PROMPT_CHARACTERS_MAX = 2_000
BESIDE = 0.45
"""What a word in a subordinate clause counts; of the main clause: 1."""
MEANWHILE = 0.8
"""What a word of `while updating ...` counts."""
STORY = 0.6
"""What a word counts that stands before the question proper."""
AFTERTHOUGHT = 0.5
"""What a word counts in a closing question: `Do we end up with two?`"""
EVERYDAY = 0.35
"""What a word counts that every service's people use: request, call, system."""

QUOTED = 0.4
"""What a word counts that stands in quotes: it is a value or a name."""
_QUOTED = re.compile(r"(?<![\w])(?:\"[^\"]{1,80}\"|'[^']{1,80}'|\u201c[^\u201d]{1,80}\u201d)(?!\w)")
_WORD = re.compile(r"-?\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[a-z]+)?\d*|[.,;:!?]| - ")
MAIN_WORDS_MIN = 4
"""Words after the comma of `If it was cancelled, can we still ...` that make a main clause."""
_ASKS = frozenset({"what", "then", "does", "do", "is", "who", "how", "where", "should"})
_BREAK = frozenset(".;:!?")
_JOIN = frozenset({",", "and", "but", "so", "then", "-"})
_SUBORDINATE = frozenset(
    [
        "that",
        "which",
        "who",
        "whose",
        "whom",
        "after",
        "before",
        "since",
        "while",
        "because",
        "although",
        "though",
        "once",
        "until",
        "till",
        "when",
        "whenever",
        "unless",
        "whether",
        "where",
        "if",
        "like",
        "than",
        "from",
        "without",
        "despite",
        "during",
    ]
)
_SUBJECTS = frozenset(["i", "we", "he", "she", "they", "nobody", "someone", "somebody", "you"])
_NAMES = frozenset(stems("number id name one list amount value code link thing version"))
_EVERYDAY = frozenset(
    stems("request call api endpoint system service server client job script thing way field")
)
_ANONYMOUS = re.compile(
    r"\b(?:(?:an? )?(?:anonymous(?:ly)?|unauthenticated)(?: (?:user|visitor|client|caller|person|"
    r"request))?|(?:not|without|isn't|isnt|aren't|hasn't|haven't|wasn't|never|nobody)"
    r"(?: (?:being|even|having|been))* "
    r"(?:signed|logged|signing|logging)[ -]in(?: at all)?|"
    r"(?:without|no) (?:an? |any |valid |sending )*(?:access )?(?:token|credentials?|login|log-in|"
    r"authentication|auth|sign-in|authorization header|account)|"
    r"(?:while|when|being|is|are|who is) (?:signed|logged) out|"
    r"(?:signed|logged)[ -]out (?:user|visitor|person|client|customer)|"
    r"unless (?:\w+ (?:is|are) )?(?:signed|logged)[ -]in|"
    r"only (?:when|if) (?:signed|logged)[ -]in)\b"
)
_SHORTHAND = re.compile(r"(?<![\w/])w/(o)?(?= |$)", re.IGNORECASE)
_THATS = re.compile(r"\b(that|what|there|who)s\b", re.IGNORECASE)
_CODED = re.compile(r"(?<![\w.${-])(?:[a-z]+(?:[A-Z][a-z0-9]*)+|[a-z]+(?:_[a-z0-9]+)+)(?!\w)")
_INSTRUCTION = re.compile(
    r"^(?:(?:please|pls|hi|hello|hey)[ ,]+)?(?:(?:can|could) (?:you|we) )?(?:please )?"
    r"(?:(?:add|write|create|generate|give me|make|we need|i need|need|draft|propose|cover)"
    r"(?: me| us)? (?:(?:an?|some|another|the|more) )?(?:[\w-]+ ){0,3}?"
    r"(?:scenario|test|case|check)s?(?: (?:case|scenario)s?)?\b(?: (?:for|on|about|that|where|of|"
    r"in which|when|with|around|covering))?|"
    r"(?:test|try|check|simulate|verify|make sure|ensure|cover|see)\b(?: out)?"
    r"(?: (?:that|whether|if|what happens (?:when|if)|how|for))?)\s+",
    re.IGNORECASE,
)
_LACKS = re.compile(
    r"\b(?:lacks?|has no|have no|misses|needs) (?:an? )?((?:[\w-]+ ){1,5}?)"
    r"(?:test|scenario|case)s?\b",
    re.IGNORECASE,
)
_KIND = re.compile(
    r"\b(?:negative|positive|edge[ -]case|unit|integration|bdd) (?=test|scenario|case)"
)
_OPENING = re.compile(
    r"\b(?:what (?:if|happens (?:if|when|to|with)|would happen (?:if|when)|about)|"
    r"how about|suppose(?: that)?|imagine(?: that)?)\s+",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?<=[.!?,-]) +((?:do|does|did|can|could|will|would|is|are|was|should|who|which|what|how|"
    r"where)\b(?! if\b| happens\b)[^.!?]{0,80}\??)$",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^[^.!?:]{12,90}:(?= )")
_TURN = re.compile(
    r"(?:[.!]|,? and (?:then|afterwards|later|after that)|, (?:but|so|then)|\bso that|"
    r" - (?:but|so|then))\s+",
    re.IGNORECASE,
)
_PAYLOAD = re.compile(
    r"'?\s*\)*;?\s*\b(?:drop|truncate|alter) table\b(?: [\w;-]+)?|\bunion(?: all)? select\b.*|"
    r"<[^>]{1,200}>?|\{\{.*?\}\}|(?:\.\./)+[\w/]*|'? ?\bor\b ?'?1'? ?= ?'?1",
    re.IGNORECASE,
)
_EDITION = re.compile(
    r"\b(?:(?:in|on|of|for) (?:the )?)?"
    r"(?:edition [\"']?([a-z]+)[\"']?|[\"']?([a-z]+)[\"']? edition)\b"
)
_NO_EDITION = frozenset(
    ["the", "an", "in", "which", "this", "that", "our", "any", "each", "every", "other", "another"]
)
_ARTICLES = frozenset(["a", "an", "the", "same", "new", "another"])
_BE = frozenset(["is", "are", "was", "were", "be", "been", "gets", "get", "got", "being"])
_ALLOWED = frozenset(["allowed", "permitted", "able", "authorized", "authorised", "signed"])
_THROUGH = frozenset(["by", "as", "for"])


class Word(Struct, frozen=True, kw_only=True):
    """One word of a question."""

    text: str
    """Lower case."""
    stem: str
    weight: float
    clause: int
    plural: bool = False
    possessive: bool = False
    quoted: bool = False
    particle: bool = False
    """Belongs to a verb of two words, which says it all."""
    meaning: str = ""
    """The stem of what a verb of two words means; empty: it is none."""

    @property
    def means(self) -> str:
        """The stem that counts."""
        return self.meaning or self.stem


class Reading(Struct, frozen=True, kw_only=True):
    """A question taken apart."""

    prompt: str
    told: str
    """What tells of failure modes: lower case, without who acts unseen and the kind of test."""
    words: tuple[Word, ...]
    """In order, without those that name roles and the edition."""
    role: str = ""
    owner: str = ""
    edition: str = ""
    asked_about: str = ""
    """The part of the question that says what is done, in lower case."""
    coded: frozenset[str] = frozenset()
    """Names that are written as code writes them: `agentId`, `due_date`."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The words as they stand."""
        return tuple(word.text for word in self.words)


def checked(prompt: str) -> str:
    """PROMPT in one line without odd characters. Raises InputError when it cannot be a question."""
    text = " ".join(plain(prompt[: PROMPT_CHARACTERS_MAX + 1]).split())
    text = _SHORTHAND.sub(lambda found: "without" if found[1] else "with", text)
    text = _THATS.sub(r"\1's", text)
    if not text:
        raise InputError('the question is empty; ask something like "What if ... twice?"')
    if len(prompt) > PROMPT_CHARACTERS_MAX:
        raise InputError(
            f"the question has {len(prompt)} characters; at most {PROMPT_CHARACTERS_MAX} are "
            f"read: ask about one thing at a time"
        )
    return text


def known_roles(profile: Profile, configured: Collection[str]) -> tuple[str, ...]:
    """Configured roles, then those that traffic and specification show besides."""
    seen = {role for o in profile.operations for role in (*o.roles, *o.allowed_roles)}
    return (*configured, *sorted(seen - set(configured) - {"", "unknown"}))


def known_editions(profile: Profile) -> frozenset[str]:
    """Editions that the traffic shows, in lower case."""
    seen = {e for o in profile.operations for e in (*o.editions, *o.allowed_editions)}
    return frozenset(edition.lower() for edition in seen - {"", "unknown"})


def read(
    text: str, *, roles: Sequence[str], editions: Collection[str] = (), named: Collection[str] = ()
) -> Reading:
    """TEXT, as `checked` gives it, taken apart. NAMED: stems of the service's own nouns."""
    rest = _LACKS.sub(r"\1", _INSTRUCTION.sub("", _PAYLOAD.sub(" ", text), count=1))
    found = _ANONYMOUS.search(rest.lower()) or _ANONYMOUS.search(text.lower())
    anonymous = found is not None
    rest = split_camel(rest)
    rest = _ANONYMOUS.sub(" ", rest.lower()) if anonymous else rest
    edition, rest = _edition(rest, editions)
    words, clauses = _words(rest, named)
    role, owner = (ANONYMOUS, "") if anonymous else ("", "")
    actor, other, used = _people(words, roles, named)
    if anonymous:
        owner = actor or other
    else:
        role, owner = actor, other
    kept = [word for at, word in enumerate(words) if at not in used]
    return Reading(
        prompt=text,
        told=_ANONYMOUS.sub(" ", _LACKS.sub(r"\1", _KIND.sub(" ", text.lower()))),
        words=tuple(kept),
        role=role,
        owner=owner,
        edition=edition,
        asked_about=clauses,
        coded=frozenset(_CODED.findall(text)),
    )


def _edition(text: str, known: Collection[str]) -> tuple[str, str]:
    low = text.lower()
    found = _EDITION.search(low)
    name = (found[1] or found[2]) if found is not None else ""
    if found is not None and name not in _NO_EDITION:
        return name, text[: found.start()] + " " + text[found.end() :]
    for edition in known:
        place = re.search(rf"\b(?:in|on|under) {re.escape(edition)}\b", low)
        if place is not None:
            return edition, text[: place.start()] + " " + text[place.end() :]
    return "", text


def _words(text: str, named: Collection[str]) -> tuple[list[Word], str]:
    """The words of TEXT with their weights, and TEXT from the question proper on."""
    openings = list(_OPENING.finditer(text))
    opening = openings[-1] if openings else None
    proper = opening.end() if opening is not None else 0
    turn = _turn(text, proper, named)
    closing = _CLOSING.search(text)
    afterwards = closing.start(1) if closing is not None and closing.start(1) > proper + 30 else -1
    found = list(_WORD.finditer(text))
    owned = [m.group().lower().endswith("'s") for m in found]
    raw = [m.group().strip().lower().removesuffix("'s") for m in found]
    meanings, particles = _two_word_verbs(raw)
    quoted = [m.span() for m in _QUOTED.finditer(text)]
    words: list[Word] = []
    clause, inside = 0, False
    main = text.partition(",")[2].split()
    leads = len(main) >= MAIN_WORDS_MIN and main[0].lower() not in _ASKS
    for at, token in enumerate(raw):
        if opening is not None and opening.start() <= found[at].start() < proper:
            inside = False
            continue
        if token in _BREAK or token in _JOIN:
            # `the collection that she made and shared` goes on; a new sentence never does.
            clause, inside = clause + 1, False
            continue
        if token in _SUBORDINATE and at not in particles:
            begins = at > 0 and raw[at - 1] in _BREAK and token in ("if", "when", "whenever")
            inside = (bool(words) and not begins) or (not words and leads)
            clause += 1
            words.append(Word(text=token, stem=stem(token), weight=0.0, clause=clause))
            continue
        if token in _SUBJECTS and at and not inside and stem(raw[at - 1]) in {*named, *_NAMES}:
            clause, inside = clause + 1, bool(words)  # `a number we never gave out`
        weight = BESIDE if inside else 1.0
        if inside and raw[at - 1] == "while" and token.endswith("ing"):
            weight = MEANWHILE
        if found[at].start() < turn[0] or found[at].start() > turn[1]:
            weight *= STORY
        if 0 <= afterwards <= found[at].start():
            weight *= AFTERTHOUGHT
        base = stem(token)
        in_quotes = any(start < found[at].start() < end for start, end in quoted)
        if in_quotes:
            weight *= QUOTED
        if base in _EVERYDAY and at not in meanings and not token.endswith(("ed", "ing")):
            weight *= EVERYDAY
        words.append(
            Word(
                text=token,
                stem=base,
                weight=weight,
                clause=clause,
                plural=is_plural(token) and not _one_of(raw, at),
                possessive=owned[at],
                quoted=in_quotes,
                particle=at in particles,
                meaning=meanings.get(at, ""),
            )
        )
    return words, text[proper:].lower()


def _two_word_verbs(raw: Sequence[str]) -> tuple[dict[int, str], set[int]]:
    """Where verbs of two words begin and what they mean, and where their particles stand."""
    meanings: dict[int, str] = {}
    particles: set[int] = set()
    for at in range(len(raw)):
        two = phrasal(raw, at) if at not in particles else None
        if two is not None:
            meanings[at] = two[0]
            particles.add(two[1])
    return meanings, particles


def _one_of(raw: Sequence[str], at: int) -> bool:
    """`one of alice's records` is one."""
    return any(
        raw[back] in ("one", "any", "either") and raw[back + 1] == "of"
        for back in range(max(at - 5, 0), at - 1)
    )


def _turn(text: str, proper: int, named: Collection[str]) -> tuple[int, int]:
    """Between which positions of TEXT the question itself stands: the rest is its story."""
    if proper:
        return proper, len(text)
    heading = _HEADING.match(text)
    if heading is not None and set(stems(heading.group())) & set(named):
        return 0, heading.end()
    if heading is not None:
        return heading.end(), len(text)
    turns = [found.end() for found in _TURN.finditer(text) if found.end() < len(text) - 15]
    acting = [at for at in turns if _does_something(text[at:].lower())]
    return (acting[-1] if acting else 0), len(text)


def _does_something(text: str) -> bool:
    return any(stem(word) in VERBS for word in re.findall(r"[a-z]+", text))


def _people(
    words: Sequence[Word], roles: Sequence[str], named: Collection[str]
) -> tuple[str, str, set[int]]:
    """Who acts, whose thing it is, and the positions of the words that say so."""
    mentions: list[tuple[int, int, str]] = []
    stemmed = [word.stem for word in words]
    for role in sorted(roles, key=len, reverse=True):
        name = stems(role)
        for at in range(len(words) - len(name) + 1):
            taken = any(start <= at < end for start, end, _ in mentions)
            said = bool(name) and stemmed[at : at + len(name)] == name
            if said and not taken and not _is_value(words, at):
                mentions.append((at, at + len(name), role))
    mentions += _shortened(words, roles, mentions, named)
    actor, owner = "", ""
    used: set[int] = set()
    for start, end, role in sorted(mentions):
        possessive = _is_possessive(words, start, end, role, named)
        if possessive or (actor and role != actor):
            owner = owner or (role if role != actor else "")
            used |= set(range(start, end))
        elif role == actor:
            used |= set(range(start, end))
        elif not _is_object(words, start, end, named):
            actor = role
            used |= set(range(start, end))
            if end < len(words) and words[end].text in ("user", "role", "account", "users"):
                used.add(end)  # `a Guest user`
    articles = {at - 1 for at in used if at and words[at - 1].text in _ARTICLES}
    return actor, owner if owner != actor else "", used | articles


def _is_value(words: Sequence[Word], at: int) -> bool:
    """`gives him the role 'admin'`: what is put into a field, nobody who does something."""
    before = [word.text for word in words[max(0, at - 3) : at]]
    return words[at].quoted and before[-1:] == ["role"] and "as" not in before


def _shortened(
    words: Sequence[Word],
    roles: Sequence[str],
    mentions: Sequence[tuple[int, int, str]],
    named: Collection[str],
) -> list[tuple[int, int, str]]:
    """`support pays out`: the first word of SupportAgent, where nothing else is called so."""
    if mentions:
        return []
    for at, word in enumerate(words[:-1]):
        following = words[at + 1]
        if not following.text.endswith("s") or word.stem in named:
            continue
        for role in roles:
            name = stems(role)
            if len(name) > 1 and name[0] == word.stem and (following.stem in VERBS or at == 0):
                return [(at, at + 1, role)]
    return []


def _is_possessive(
    words: Sequence[Word], start: int, end: int, role: str, named: Collection[str]
) -> bool:
    """`alice's account`, `alices account`, `a bucket of bob`."""
    after = words[end] if end < len(words) else None
    before = words[start - 1].text if start else ""
    last = words[end - 1].text
    if words[end - 1].possessive:
        return any(word.stem in named for word in words[end : end + 3])
    if before in ("of", "to") and start > 1 and words[start - 2].stem in (*named, "belong"):
        return True
    plural = last.endswith("s") and not role.lower().endswith("s")
    return plural and after is not None and after.stem in named and len(stems(role)) == 1


def _is_object(words: Sequence[Word], start: int, end: int, named: Collection[str]) -> bool:
    """Whether something is done to words[START:END]: `a guest is deleted`, `delete a guest`."""
    if start and words[start - 1].text in _THROUGH:
        return False
    before = [word for word in words[:start] if word.text not in _ARTICLES]
    after = [word.text for word in words[end : end + 2]]
    passive = (
        len(after) == 2
        and after[0] in _BE
        and after[1].endswith(("ed", "en", "id"))
        and after[1] not in _ALLOWED
    )
    governed = bool(before) and before[-1].stem in VERBS and before[-1].text not in _BE
    return (passive or governed) and any(word.stem in named for word in words[start:end])
