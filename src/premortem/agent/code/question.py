"""What a what-if question says about code: who does what to what, in which state, with what.

By grammar, without a profile: the words that decide come from the handler's name, its data
transfer object, the enums of the code, and the failure modes' own cues.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec import Struct

from premortem.agent.knowledge.values import Condition
from premortem.agent.modes.mode import SAYS
from premortem.agent.understanding.boundaries import asked as edges_asked
from premortem.agent.understanding.boundaries import left_out
from premortem.agent.understanding.failure_modes import ANONYMOUS, weights
from premortem.agent.understanding.words import VERBS, participle, plain, singular, stem, tokens
from premortem.domain.proposal import Dto, FailureModeName
from premortem.domain.scenario import Understanding
from premortem.errors import InputError

PROMPT_CHARACTERS_MAX = 2_000

_OPENING = re.compile(
    r"^(?:so |and |but )?(?:what (?:if|happens (?:if|when|to)|would happen (?:if|when))|"
    r"suppose(?: that)?|imagine(?: that)?|can|could|if|when)\s+",
    re.IGNORECASE,
)
_ARTICLES = frozenset({"a", "an", "the", "its", "their", "his", "her", "same", "some", "any"})
_ENDS = frozenset(
    {
        *("after", "before", "while", "when", "twice", "again", "for", "of", "in", "with", "at"),
        *("during", "that", "which", "who", "because", "then", "without", "on", "from", "to", "by"),
        *("until", "once", "already", "more", "does", "do", "did"),
    }
)
_BE = r"(?:is|are|was|were|gets?|got|has been|have been|being)"
_TRIES = (
    r"(?:(?:tries|try|tried|attempts?|attempted|wants?|wanted|is able|is going) to |can |could )"
)
_ADVERBS = r"(?:\w+ly |already |then |also |just )*"
_ANONYMOUS = re.compile(
    r"\b(?:(?:an? |the )?(?:anonymous|unauthenticated)(?: (?:user|visitor|client|caller|person))?"
    r"|nobody(?: signed in)?|someone (?:who is )?not (?:signed|logged) in)\b",
    re.IGNORECASE,
)
_UNSIGNED = re.compile(
    r"\s*\b(?:without (?:signing|logging) in|(?:while |when )?not (?:signed|logged) in"
    r"|without (?:an? |any )?(?:token|credentials|login))\b",
    re.IGNORECASE,
)
_CAUSED = re.compile(
    r"\b(?:caus\w+|trigger\w+|hits?|rais\w+|gets?|got)\b.*"
    r"(?:null ?ref\w*|exception|crash\w*|error|\b5\d\d\b)",
    re.IGNORECASE,
)
_CONDITIONS: dict[str, Condition] = {
    "negative": "Negative",
    "zero": "Zero",
    "null": "Null",
    "missing": "Missing",
    "empty": "Empty",
    "blank": "Empty",
    "too_long": "TooLong",
    "too_short": "TooShort",
    "maximum": "Maximum",
    "too_large": "TooHigh",
    "too_small": "TooLow",
    "wrong_type": "WrongType",
    "malformed": "Malformed",
    "unknown": "Unknown",
}
_MUTE_E = re.compile(r"(?:[vcuz]|(?<!s)s|g|at|et|(?<!d)it|[uio]r|(?<!e)ar|(?<!o)in|ul|[bdgptf]l)$")
"""Ends of a participle without `ed` whose verb ends in `e`: approv(e), creat(e), captur(e)."""
_PEOPLE = re.compile(
    r"^(?:we|i|you|they|someone|somebody|anyone|people|(?:an?|the|our|some|one of the) "
    r"(?:users?|clients?|callers?|persons?|scripts?|people|colleagues?|customers?|members?))\b"
    r"(?! (?:is|are|was|were|be|been|gets?|got|has been|have been)\b)",
    re.IGNORECASE,
)
"""Who does something, where no role is meant."""
_PARTICIPLE = re.compile(r"(?:[a-z]{2,}ed|paid|sent|sold|held|drawn|frozen|open|done|lost|void)$")
THING_WORDS_MAX = 3
"""Longer ones are no names of things but sentences that were read wrongly."""
_PREDICATE = re.compile(
    r"\b(?:already|exist(?:s|ed)?|has|have|had|do(?:es)?|did|exceed(?:s|ed)?|contains?|belongs?)\b"
)
_BY_MODE: dict[FailureModeName, Condition] = {
    "missing_value": "Missing",
    "wrong_type": "WrongType",
    "unknown_value": "Unknown",
}
_NOMINAL = (("ation", ""), ("ssion", "t"), ("al", "e"), ("ment", ""), ("ion", ""), ("ure", "ure"))


class CodeQuestion(Struct, frozen=True, kw_only=True):
    """A question as test methods need it."""

    prompt: str
    failure_mode: FailureModeName
    entity: str
    """The thing it is about, in words: `refund`."""
    verb: str = ""
    """What is done to it, in its base form: `issue`."""
    role: str = ""
    """Who does it; `anonymous`: nobody signed in."""
    state: str = ""
    """`Approved`, as the code's enum has it."""
    state_of: str = ""
    """What is in that state, where it is another thing."""
    field: str = ""
    """As the data transfer object has it, or in PascalCase."""
    condition: Condition | None = None
    exists: bool = False
    """It is there already, in these words."""
    known_field: bool = False
    """FIELD is one of the data transfer object's."""


class _Clause(Struct, frozen=True, kw_only=True):
    """Subject, verb, object."""

    subject: str = ""
    verb: str = ""
    thing: str = ""
    adjective: str = ""
    passive: bool = False


def read_code_question(
    prompt: str,
    *,
    handler: str = "",
    dto: Dto | None = None,
    roles: Collection[str] = (),
    states: Sequence[str] = (),
    understood: Understanding | None = None,
) -> CodeQuestion:
    """What PROMPT asks, where HANDLER and its DTO would answer it.

    STATES: values of the code's enums; UNDERSTOOD: what the agent made of the question, whose
    failure mode and role then count. Raises InputError for an empty or overlong question, and
    when it names nothing that can go wrong.
    """
    text = _checked(prompt)
    opening = _OPENING.match(text)
    body = text[opening.end() :] if opening else text
    body = body.rstrip("?!. ")
    role, without = _role(body, roles)
    caused = bool(role and _CAUSED.search(text))
    # What a role brought about unawares says nothing of what it tried to do.
    people = without if role else _PEOPLE.sub("Someone", without)
    clause = _Clause() if caused else _clause(people, is_role="Someone" in people)
    owner_verb, owner = handler_words(handler)
    state, state_of = _state(without, clause, states)
    thing = _thing(clause, owner, dto)
    mode = _mode(text, clause, role=role, state=state, caused=caused, understood=understood)
    if understood is not None and mode == "forbidden_role":
        role = role or understood.role
    edges = (*edges_asked(text), *(("missing",) if left_out(text) else ()))
    condition = next((_CONDITIONS[e] for e in edges if e in _CONDITIONS and not caused), None)
    condition = condition or _BY_MODE.get(mode)
    field, known = _field(without, clause, dto, thing) if condition else ("", False)
    return CodeQuestion(
        prompt=text,
        failure_mode=mode,
        entity=thing,
        verb=clause.verb or owner_verb,
        role=role,
        state=state,
        state_of=state_of if stem(state_of) != stem(thing) else "",
        field=field,
        condition=condition,
        exists=bool(re.search(r"\bexist(?:s|ed|ing)?\b", body, re.IGNORECASE)),
        known_field=known,
    )


def handler_words(handler: str) -> tuple[str, str]:
    """Verb and entity of a handler's name: `IssueRefundHandler` is (`issue`, `refund`)."""
    bare = re.sub(r"(?:Command|Query|Request)?(?:Handler|Controller|Service|UseCase)$", "", handler)
    words = tokens(bare)
    if len(words) > 1:
        return words[0], " ".join(words[1:])
    return "", " ".join(words)


def _checked(prompt: str) -> str:
    if len(prompt) > PROMPT_CHARACTERS_MAX:
        raise InputError(
            f"the question has {len(prompt)} characters; at most {PROMPT_CHARACTERS_MAX} are read"
        )
    text = " ".join(plain(prompt).split())
    if not text:
        raise InputError('the question is empty; ask something like "What if ... twice?"')
    return text


def _role(body: str, roles: Collection[str]) -> tuple[str, str]:
    """The role that BODY names, and BODY with `Someone` in its place."""
    unsigned = _UNSIGNED.search(body)
    if unsigned is not None or _ANONYMOUS.search(body):
        return ANONYMOUS, _ANONYMOUS.sub("Someone", _UNSIGNED.sub("", body), count=1)
    for role in sorted(roles, key=len, reverse=True):
        spoken = r"[ _-]?".join(map(re.escape, tokens(role)))
        found = re.search(rf"\b(?:an? |the )?{spoken}s?\b(?: users?)?", body, re.IGNORECASE)
        if found:
            return role, f"{body[: found.start()]}Someone{body[found.end() :]}"
    found = re.match(
        rf"(?:[Aa]n? |[Tt]he )?([A-Z][A-Za-z]+)(?: user)? (?={_TRIES}|[a-z]+(?:s|ed)\b)", body
    )
    # A capital in the middle of a question names somebody: a role that nobody listed.
    if found and not re.match(rf"{_BE}\b", body[found.end() :]):
        return found[1], f"Someone {body[found.end() :]}"
    return "", body


def _clause(body: str, *, is_role: bool) -> _Clause:
    if is_role and "Someone" in body:
        after = body.split("Someone", 1)[1].strip()
        doing = re.match(r"(?:on|in|when|for|while) (\w+ing)\s*(.*)", after)
        if doing:
            thing, adjective = _noun(doing[2])
            return _Clause(verb=_base_of_gerund(doing[1].lower()), thing=thing, adjective=adjective)
        found = re.match(rf"(?:{_TRIES})?{_ADVERBS}(\w+)\s*(.*)", after)
        if not found:
            return _Clause()
        thing, adjective = _noun(found[2])
        tried = re.match(_TRIES, after)
        verb = found[1].lower() if tried else _base(found[1].lower())
        return _Clause(verb=verb, thing=thing, adjective=adjective)
    passive = re.match(rf"(.+?) {_BE} {_ADVERBS}(?:re-?)?(\w+)", body, re.IGNORECASE)
    if passive:
        said = passive[2].lower()
        thing, adjective = _noun(passive[1])
        verb = _base_of_participle(said) if re.search(r"(?:ed|id|t|n|de|ne)$", said) else ""
        return _Clause(
            subject=passive[1], verb=verb, thing=thing, adjective=adjective, passive=True
        )
    thing, adjective = _noun(re.split(_PREDICATE, body)[0])
    return _Clause(subject=body, thing=thing, adjective=adjective)


def _noun(text: str) -> tuple[str, str]:
    """The noun phrase that TEXT begins with, and the participle before its noun."""
    words: list[str] = []
    for word in tokens(text):
        if word in _ENDS or word in ("it", "them") or (words and word in _ARTICLES):
            break
        if word not in _ARTICLES:
            words.append(word)
    if not words:
        return "", ""
    states = [w for w in words[:-1] if re.search(r"(?:ed|paid|sent)$", w)]
    kept = [w for w in words if w not in states]
    return " ".join([*kept[:-1], singular(kept[-1])]) if kept else "", states[0] if states else ""


def _base(verb: str) -> str:
    """`approves` as `approve`."""
    return verb[:-3] + "y" if verb.endswith("ies") else singular(verb)


def _base_of_gerund(said: str) -> str:
    """`creating` as `create`, `shipping` as `ship`."""
    bare = said.removesuffix("ing")
    if len(bare) > 3 and bare[-1] == bare[-2] and bare[-1] not in "sl":
        return bare[:-1]
    return f"{bare}e" if _MUTE_E.search(bare) else bare


def _base_of_participle(said: str) -> str:
    """`approved` as `approve`: the base whose participle it is."""
    irregular = stem(said)
    if participle(irregular) == said and (not said.endswith("ed") or said != f"{irregular}ed"):
        return irregular
    if said.endswith("ied"):
        return f"{said[:-3]}y"
    bare = said.removesuffix("ed")
    if bare == said:
        return irregular
    if len(bare) > 3 and bare[-1] == bare[-2] and bare[-1] not in "sl":
        return bare[:-1]
    known = next((base for base in (bare, bare[:-1]) if participle(base) == said), "")
    if known and known != bare:
        return known
    return f"{bare}e" if _MUTE_E.search(bare) else bare


def _thing(clause: _Clause, owner: str, dto: Dto | None) -> str:
    """What the question is about; a mere field of the handler's object is not."""
    if not clause.thing or clause.thing in ("request", "someone"):
        return owner or clause.thing
    last = stem(clause.thing.split()[-1])
    fields = dto.fields if dto is not None else ()
    is_field = any(stem(tokens(f.name)[-1]) == last for f in fields if tokens(f.name))
    if owner and (is_field or stem(clause.thing.split()[0]) == stem(owner.split()[0])):
        return owner
    words = clause.thing.split()
    if len(words) > THING_WORDS_MAX or any(not re.fullmatch(r"[a-z]{2,30}", w) for w in words):
        return owner
    return words[-1] if len(words) > 1 and owner and words[-1] == owner else clause.thing


def _state(body: str, clause: _Clause, states: Sequence[str]) -> tuple[str, str]:
    """The state that something is in before, and what is in it."""
    low = body.lower()
    been = r"(?:is|was|were|are|has been|had been|have been|got|gets)(?: already| half| partly)*"
    found = re.search(
        rf"\b(?:after|while|once|when|although|even though|if) (?:the |an? |its |their )?"
        rf"(\w+(?: \w+)?) {been} (\w+)",
        low,
    )
    found = found or re.search(rf"\b(\w+) (?:that|which|who) {been} (\w+)", low)
    if found:
        named = "" if found[1] in ("it", "they", "that") else found[1].split()[-1]
        return _state_named(found[2], states), named
    found = re.search(r"\b(?:while|when|once) (?:already )?(\w+ed|paid|sent)\b", low)
    if found:
        return _state_named(found[1], states), ""
    found = re.search(r"\b(?:after|post|following|past)[ -](?:the |its )?(?:\w+ )??(\w+)$", low)
    if found and _nominal(found[1], states):
        return _nominal(found[1], states), ""
    found = re.search(r"\balready[ -](\w+ed|paid|sent)\b", low)
    if found:
        return _state_named(found[1], states), ""
    if clause.adjective:
        return _state_named(clause.adjective, states), ""
    return "", ""


def _state_named(word: str, states: Sequence[str]) -> str:
    """The state that WORD names: the code's own, or what reads as a participle; else empty."""
    known = next((s for s in states if stem(s.lower()) == stem(word)), "")
    return known or (word.capitalize() if _PARTICIPLE.fullmatch(word) else "")


def _nominal(noun: str, states: Sequence[str]) -> str:
    """`approval` as `Approved`; a noun that names no state: empty."""
    known = next((s for s in states if stem(s.lower()) == stem(noun)), "")
    if known:
        return known
    for suffix, put in _NOMINAL:
        if noun.endswith(suffix) and len(noun) - len(suffix) >= 4:
            base = noun.removesuffix(suffix) + put
            return participle(base).capitalize()
    return ""


def _mode(
    text: str,
    clause: _Clause,
    *,
    role: str,
    state: str,
    caused: bool,
    understood: Understanding | None,
) -> FailureModeName:
    if understood is not None:
        return understood.failure_mode  # type: ignore[return-value]
    if caused:
        return "forbidden_role"
    # Somebody edits a page: the page is the thing, no sign of paging.
    told = re.sub(rf"\b{re.escape(clause.thing)}\b", "", text) if role and clause.thing else text
    weighed = weights(told)
    if re.search(r"\balready exists?\b", text.lower()):
        return "duplicate"
    if state and not (weighed.get("duplicate", 0) and not role):
        return "forbidden_transition"
    clear = {mode for mode, weight in weighed.items() if weight >= SAYS}
    if role and not clear - {"forbidden_role", "wrong_order"}:
        return "forbidden_role"
    if weighed:
        return max(weighed, key=lambda mode: weighed[mode])
    if left_out(text):
        return "missing_value"
    raise InputError(
        f'"{text[:120]}" names nothing that can go wrong; say how it goes wrong: twice, negative, '
        f"null, after approval, as a role that may not"
    )


def _field(body: str, clause: _Clause, dto: Dto | None, thing: str) -> tuple[str, bool]:
    """The field that BODY speaks of: the one of DTO most of whose words occur."""
    said = {stem(w) for w in tokens(body)}
    best: tuple[int, str] = (0, "")
    for field in dto.fields if dto is not None else ():
        words = [stem(w) for w in tokens(field.name)]
        own = [w for w in words if w not in {stem(t) for t in thing.split()}] or words
        if all(w in said for w in own):
            best = max(best, (sum(w in said for w in words), field.name), key=lambda b: b[0])
    if best[1]:
        return best[1], True
    spoken = clause.subject if clause.passive else clause.thing
    words = [w for w in tokens(spoken) if w not in _ARTICLES]
    itself = " ".join(words) == thing and not clause.passive
    if not words or itself or (len(words) == 1 and stem(words[0]) in VERBS):
        return "", False
    return "".join(w.capitalize() for w in words), False
