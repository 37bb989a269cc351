"""What scenarios and features are called."""

from __future__ import annotations

import re

from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import (
    VERBS,
    VERSION_SEGMENT,
    article,
    is_action,
    is_plural,
    participle,
    singular,
    spoken_segments,
    stem,
    third_person,
    tokens,
)
from premortem.domain.traffic import OperationProfile

TITLE_CHARACTERS_MAX = 90

_OPENING = re.compile(
    r"^(?:so |and |but )?(?:what (?:if|happens (?:if|when|to)|would happen (?:if|when))|"
    r"suppose(?: that)?|imagine(?: that)?|if|when)\s+",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_ADJECTIVES = frozenset({"negative", "null", "missing", "empty", "unknown"})
_PARTICLED = frozenset({"pay", "check", "log", "sign", "roll", "hold", "lay", "cash", "opt"})
"""What `out`, `in` and the like make other verbs of."""
_NOUN_ENDINGS = ("sion", "tion", "ment", "ance", "ence", "ity", "ness", "ship")
_ARE_VERBS = frozenset(
    {"audit", "capture", "charge", "credit", "dispute", "export", "import", "quote", "rate"}
    | {"refund", "release", "report", "request", "return", "review", "transfer", "upload"}
    | {"commission", "decommission", "recommission", "condition", "experiment", "function"}
    | {"implement", "mention", "partition", "petition", "position", "provision", "deprovision"}
    | {"question", "reposition", "requisition", "sanction", "section", "station", "supplement"}
    | {"transition", "ship", "finance", "balance", "enhance", "advance", "reference", "version"}
)
"""What is done to things, though it looks like a noun, or is one, too."""
_UNFINISHED = frozenset({"at", "by", "for", "from", "in", "of", "on", "since", "to", "until"})
"""Words that no name ends with: `starts_at` is written as it stands."""
_SPELLED_OUT = frozenset("AEFHILMNORSX")
"""Letters whose names begin with a vowel: an SLA."""
_PARTICLES = ("out", "off", "up", "in", "back", "down")
_METHOD_VERBS = {
    "POST": "create",
    "PUT": "replace",
    "PATCH": "change",
    "DELETE": "delete",
    "GET": "read",
    "HEAD": "read",
}


def entity(operation: OperationProfile) -> str:
    """The thing OPERATION is about, in the singular: `refund`, `content version`."""
    literal = _literal(operation)
    return _spoken(literal[-1] if literal and not _is_action(operation) else _owner(literal))


def verb(operation: OperationProfile) -> str:
    """What OPERATION does to it: `approve`, `create`."""
    if _is_action(operation):
        return " ".join(tokens(_literal(operation)[-1]))
    return _METHOD_VERBS.get(operation.operation.method, operation.operation.method.lower())


def feature(operation: OperationProfile) -> str:
    """The feature that scenarios about OPERATION belong to: `Refunds`."""
    literal = _literal(operation)
    if not literal:
        return "Service"
    name = literal[-1] if not _is_action(operation) else (literal[:-1] or literal)[-1]
    return " ".join(tokens(name)).capitalize() or "Service"


def from_prompt(prompt: str) -> str:
    """A title in the asker's own words, or empty when the question is no plain statement."""
    opening = _OPENING.match(prompt)
    if opening is None:
        return ""
    text = _ARTICLE.sub("", prompt[opening.end() :].strip().rstrip("?!. "))
    if not text or len(text) > TITLE_CHARACTERS_MAX or not re.fullmatch(r"[\w\s,'$%./-]+", text):
        return ""
    return text[0].upper() + text[1:]


def thing(operation: OperationProfile) -> str:
    """What OPERATION is about, as a sentence has it: `refund`; `SLA policy`, where its summary
    writes it so."""
    written = set(re.findall(r"\b[A-Z]{2,}\b", operation.summary))
    words = entity(operation).split(" ")
    return " ".join(word.upper() if word.upper() in written else word for word in words)


def a(noun: str) -> str:
    """`a refund`, `an invoice`, `an SLA policy`."""
    first = noun.split(" ")[0]
    spelled = len(first) > 1 and first.isupper()
    if spelled:
        return f"{'an' if noun[0] in _SPELLED_OUT else 'a'} {noun}"
    return f"{article(noun)} {noun}"


def lists(operation: OperationProfile) -> bool:
    """Whether OPERATION shows many things at once: `GET /refunds`."""
    last = spoken_segments(operation.operation.template)[-1:]
    words = tokens(last[0]) if last and "{" not in last[0] else []
    return operation.operation.method in ("GET", "HEAD") and bool(words) and is_plural(words[-1])


def several(operation: OperationProfile) -> str:
    """`refunds`, of an operation that lists them."""
    *before, last = thing(operation).split(" ")
    return " ".join([*before, tokens(_literal(operation)[-1])[-1] if last.islower() else last])


def happens(operation: OperationProfile) -> str:
    """What is done: `Refund is created`, `Refunds are listed`."""
    if lists(operation):
        return _cut(f"{_opened(several(operation))} are listed")
    return _cut(f"{_opened(thing(operation))} is {done(operation)}")


def asked(operation: OperationProfile, whose: str = "") -> str:
    """The same within a question: `a refund is created`; WHOSE: what follows the thing."""
    if lists(operation):
        return f"{several(operation)} are listed"
    one = f"{a(thing(operation))} {whose}".rstrip()
    return f"{one} is {done(operation)}"


def does(operation: OperationProfile, whose: str = "") -> str:
    """What its doer does: `approves an invoice`, `lists invoices`, `gives a cart a coupon`; WHOSE:
    what follows the thing, `made by alice`."""
    if lists(operation):
        return f"lists {several(operation)} {whose}".rstrip()
    one = f"{a(thing(operation))} {whose}".rstrip()
    if _gives(operation):
        return f"gives {one} {a(verb(operation))}"
    first, *rest = _parted(verb(operation))
    return " ".join([third_person(first), *rest, one])


def repeated(operation: OperationProfile) -> str:
    """`Refund is created twice`."""
    return _cut(f"{happens(operation)} twice")


def retried(operation: OperationProfile) -> str:
    """`Refund is created again with the same idempotency key`."""
    return _cut(f"{happens(operation)} again with the same idempotency key")


def by_role(operation: OperationProfile, role: str) -> str:
    """`Guest approves an invoice`."""
    who = "Nobody signed in" if role == ANONYMOUS else _opened(role)
    return _cut(f"{who} {does(operation)}")


def with_value(operation: OperationProfile, field: str, says: str) -> str:
    """`Refund with amount zero`, `Refund with negative amount`, `Negative refund amount`; changing
    it is said."""
    name = called(field)
    says = "empty" if says.strip() in ("", "of") else says
    value = f"{says} {name}" if says in _ADJECTIVES else f"{name} {says}"
    if operation.operation.method == "POST" and not _is_action(operation):
        if name.startswith(f"{entity(operation)} "):
            return _cut(_opened(value))
        return _cut(f"{_opened(thing(operation))} with {value}")
    return _cut(f"{happens(operation)} with {value}")


def called(field: str) -> str:
    """What FIELD is called in a sentence: `due date`; as it stands where that reads like none."""
    words = tokens(field)
    return " ".join(words) if words and words[-1] not in _UNFINISHED else field


def done(operation: OperationProfile) -> str:
    """What OPERATION makes of a thing: `approved`, `paid out`, `given a late fee`."""
    if _gives(operation):
        return f"given {a(verb(operation))}"
    first, *rest = _parted(verb(operation))
    return " ".join([participle(first), *rest])


def _gives(operation: OperationProfile) -> bool:
    """Whether what it is called is a thing that something is given: `late fee`, `coupon`."""
    if not _is_action(operation):
        return False
    first, *rest = verb(operation).split(" ")
    if (
        first in _ARE_VERBS
        or stem(first) in VERBS
        or any(first == base + p for base in _PARTICLED for p in _PARTICLES)
    ):
        return False
    if rest:
        return first not in _PARTICLED
    told = tokens(operation.summary)
    if first in told:
        return told[0] != first
    return first.endswith(_NOUN_ENDINGS)


def _parted(words: str) -> list[str]:
    """The verb WORDS with its particle apart: `pay out` for `payout`."""
    first, *rest = words.split(" ")
    for particle in _PARTICLES:
        base = first.removesuffix(particle)
        if base != first and (stem(base) in VERBS or base in _PARTICLED):
            return [base, particle, *rest]
    return [first, *rest]


def _opened(text: str) -> str:
    """TEXT as a sentence begins."""
    return text[:1].upper() + text[1:]


def _literal(operation: OperationProfile) -> list[str]:
    segments = spoken_segments(operation.operation.template)
    return [s for s in segments if "{" not in s and not VERSION_SEGMENT.fullmatch(s)]


def _is_action(operation: OperationProfile) -> bool:
    """`POST /invoices/{id}/approve`: its last segment is a verb, not a collection."""
    return is_action(operation.operation.method, spoken_segments(operation.operation.template))


def _owner(literal: list[str]) -> str:
    return literal[-2] if len(literal) > 1 else (literal or ["service"])[-1]


def _spoken(segment: str) -> str:
    words = tokens(segment)
    if not words:
        return "service"
    return " ".join([*words[:-1], singular(words[-1])])


def _cut(title: str) -> str:
    return title[:TITLE_CHARACTERS_MAX]
