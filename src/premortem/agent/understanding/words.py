"""English as questions about services use it: tokens, stems, verbs and what they do.

Light on purpose: a stem only has to be the same for the forms of one word. Nothing here knows
any service's own names; those come from its profile.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from premortem.domain.template import split_template

VerbClass = Literal["create", "change", "delete", "read", "put", "patch"]

_TOKEN = re.compile(r"-?\d+(?:\.\d+)?|[^\W\d_]+(?:'[a-z]+)?\d*")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
VERSION_SEGMENT = re.compile(r"v\d+(\.\d+)*|api|rest", re.IGNORECASE)
"""Path segments that say which API, not what it is about."""
_SHORT_VERB = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
"""One vowel between consonants: the last one is doubled (chat, chatted)."""
_VOWEL = re.compile(r"[aeiouy]")

_IRREGULAR_FORMS = """
    paid pay, sent send, sold sell, bought buy, made make, got get, gotten get, wrote write,
    written write, built build, taken take, took take, gave give, given give, ran run,
    children child, people person, saw see, seen see, put put, drew draw, drawn draw,
    withdrawn withdraw, withdrew withdraw, begun begin, began begin, hidden hide, left leave,
    held hold, indices index, criteria criterion, data data, media media, access access,
    process process, address address, status status, news news, alias alias, canvas canvas,
    series series, colour color, favour favor, licence license, catalogue catalog,
    programme program, centre center, behaviour behavior, sold sell, taught teach, chose choose,
    chosen choose, stuck stick, hung hang, spoke speak, broke break, stole steal, wore wear,
    threw throw, thrown throw, froze freeze, frozen freeze, rang ring, rung ring, drove drive,
    driven drive, forgot forget, forgotten forget, lost lose, won win, meant mean, met meet,
    sat sit, fell fall, fallen fall, flew fly, grew grow, knew know, known know, led lead,
    lay lie, rose raise, shook shake, shot shoot, shut shut, slid slide, split split, swept sweep,
    swore swear, thought think, understood understand, woke wake, wound wind, bound bind,
    undid undo, undone undo, withheld withhold, overwrote overwrite, overwritten overwrite,
    rewrote rewrite, rewritten rewrite, resent resend, reran rerun, repaid repay, overpaid overpay,
    found find, kept keep, told tell, brought bring, caught catch, fed feed, lent lend, spent spend
"""
_PARTICIPLE_FORMS = """
    read read, set set, send sent, pay paid, sell sold, put put, cancel cancelled, get got,
    buy bought, write written, run run, reset reset, submit submitted, ship shipped,
    stop stopped
"""
_NO_SUFFIX = frozenset(
    {
        *("comment", "document", "moment", "element", "segment", "environment", "string"),
        *("thing", "king", "ring", "spring", "need", "feed", "seed", "speed", "embed", "bed"),
        *("red", "version", "session", "region", "station", "million", "billion", "option"),
        *("ping", "sibling", "ceiling", "department", "apartment", "total", "goal", "local"),
        *("real", "deal", "animal", "terminal", "signal", "journal", "portal", "legal"),
    }
)


def _pairs(forms: str) -> dict[str, str]:
    """`paid pay, sent send` as a table."""
    return dict(pair.split() for pair in forms.split(","))


_IRREGULAR = _pairs(_IRREGULAR_FORMS)
_PARTICIPLES = _pairs(_PARTICIPLE_FORMS)

_STOP = """
    a an the this that these those there here what which who whom whose when where why how if
    happen happens happened suppose supposing assume imagine case is are was were be been being
    am do does did done doing has have had having can could may might must shall should will
    would i we you he she it they one someone somebody anyone anybody everyone me us him them
    my our your his her its their of in on at to from by for with without within as into onto
    over under about between through during before after and or but not no nor so than then too
    very just also only even still yet ever never same other another some any all each every
    both more most much many few while because until against per via let s t be able allowed
    permitted possible ok okay please try tries tried trying get gets got gotten getting give
    gives given accidentally somehow actually really simply by mistake exactly way far
    out off up down back over away new value field user's time times once now already again
    """
STOPWORDS = frozenset(_STOP.split())
"""Words that carry no meaning of their own in a question."""

_VERBS: dict[VerbClass, str] = {
    "create": "create add make issue submit post register place send upload insert record "
    "generate book enter raise start launch write publish store save open set attach import "
    "apply buy order push assign invite log fire give file mint provision compose author draft "
    "jot scribble plant lodge deposit dump feed ingest emit pin tack slap stick hang put append "
    "contribute reserve claim grab allocate schedule enrol enroll onboard sign propose initiate "
    "establish introduce build construct produce spawn trigger execute run kick pipe "
    "transmit forward deliver hand tie connect bind tag annotate label mark rate score "
    "vote fill punch commit stream shoot stash report announce declare",
    "put": "put replace overwrite",
    "patch": "patch",
    "change": "edit change update modify alter rename set correct patch overwrite adjust "
    "amend revise save fix switch mark turn raise lower increase reduce extend store write "
    "shorten block unblock move transfer enable disable reset restore tweak swap rewrite reword "
    "rephrase retitle relabel recolor repaint bump shift postpone prolong reschedule flip "
    "toggle override touch convert migrate substitute promote demote downgrade upgrade "
    "cut double halve backdate manipulate tamper mend polish refine redo tune configure "
    "point redirect reassign",
    "delete": "delete remove drop destroy erase discard purge unassign revoke wipe clear trash "
    "bin scrap detach unlink kill withdraw axe nuke zap ditch chuck toss strip untag unpin "
    "expunge prune shred retire evict cull sweep empty dispose eliminate deregister unregister "
    "dissolve dismantle disconnect unsubscribe",
    "read": "read view see list fetch show look retrieve download search query browse export "
    "find inspect access open ask pull print display refresh load scroll page count watch peek "
    "study filter sort request peruse consult glance skim examine dig eye spy snoop poke stare "
    "obtain poll preview check review leaf track monitor tally walk enumerate compare observe "
    "grep scan know learn",
}
"""What a verb may do to a thing; one may stand in several classes."""


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The stem of WORD (lower case): plural, tense and the commonest noun endings off."""
    irregular = _IRREGULAR.get(word) or _IRREGULAR.get(_singular(word))
    base = irregular or _singular(word)
    if base not in _NO_SUFFIX:
        base = _bare(base)
    if len(base) >= 4 and base[-1] == base[-2] and base[-1] not in "aeiou":
        base = base[:-1]
    return base


def _singular(word: str) -> str:
    if len(word) <= 3:
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _bare(word: str) -> str:
    for suffix, put in (("ied", "y"), ("ing", ""), ("ed", ""), ("ment", ""), ("al", "")):
        rest = word.removesuffix(suffix)
        if rest != word and len(rest) >= 3 and _VOWEL.search(rest):
            word = rest + put
            break
    else:
        if word.endswith("ion") and len(word) >= 6 and word[-4] in "st":
            word = word[:-3]
    if word.endswith("e") and len(word) >= 4 and word[:-1] not in STOPWORDS:
        word = word[:-1]
    if word.endswith("ator") and len(word) >= 7:
        word = word[:-2]  # an annotator annotates
    # Validation and validate, invitation and invite.
    if word.endswith("at") and len(word) >= 6:
        word = word[:-2]
    return word


def _verb_classes() -> dict[str, tuple[VerbClass, ...]]:
    found: dict[str, tuple[VerbClass, ...]] = {}
    for verb_class, words in _VERBS.items():
        for word in words.split():
            found[stem(word)] = (*found.get(stem(word), ()), verb_class)
    return found


VERBS: dict[str, tuple[VerbClass, ...]] = _verb_classes()
"""Stem -> what the verb may do to a thing."""

METHODS: dict[VerbClass, dict[str, float]] = {
    "create": {"POST": 1.0, "PUT": 0.4},
    "change": {"PATCH": 1.0, "PUT": 0.9, "POST": 0.1},
    "delete": {"DELETE": 1.0, "POST": 0.1},
    "read": {"GET": 1.0, "HEAD": 0.2},
    "put": {"PUT": 1.0, "PATCH": 0.4},
    "patch": {"PATCH": 1.0},
}
"""How well an HTTP method fits what a verb does, in [0, 1]; methods left out do not."""


def plain(text: str) -> str:
    """TEXT with compatibility forms, odd quotes, dashes and control characters made ordinary."""
    text = unicodedata.normalize("NFKC", text)
    text = text.translate({0x2019: "'", 0x2018: "'", 0x2013: "-", 0x2212: "-", 0x2014: "-"})
    return "".join(c if c.isprintable() else " " for c in text)


def split_camel(text: str) -> str:
    """TEXT with CamelCase and snake_case taken apart."""
    return _CAMEL.sub(" ", text.replace("_", " "))


def tokens(text: str) -> list[str]:
    """The words and numbers of TEXT in order, lower case; CamelCase and snake_case split."""
    return [found.lower().removesuffix("'s") for found in _TOKEN.findall(split_camel(text))]


def stems(text: str) -> list[str]:
    """The stems of TEXT's words, in order."""
    return [stem(word) for word in tokens(text)]


def singular(word: str) -> str:
    """WORD without its plural ending, for titles: `refunds` -> `refund`."""
    return {"people": "person", "children": "child"}.get(word, _singular(word))


def is_plural(word: str) -> bool:
    """Whether WORD looks like a plural."""
    return singular(word) != word


def third_person(verb: str) -> str:
    """`approve` -> `approves`."""
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "ch", "sh", "z", "o")) else "s")


def participle(verb: str) -> str:
    """`approve` -> `approved`."""
    if verb in _PARTICIPLES:
        return _PARTICIPLES[verb]
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ied"
    if _SHORT_VERB.fullmatch(verb):
        return verb + verb[-1] + "ed"
    return verb + "ed"


def article(noun: str) -> str:
    """`a` or `an` before NOUN."""
    return "an" if noun[:1] in "aeiou" else "a"


def spoken_segments(template: str) -> tuple[str, ...]:
    """The segments of TEMPLATE, with a custom method as one of its own: `{id}`, `restart` for
    `{id}:restart` (Google AIP-136)."""
    found = []
    for segment in split_template(template):
        name, _, verb = segment.partition(":")
        found += [name, verb] if name and verb and "{" not in verb else [segment]
    return tuple(found)


def is_action(method: str, segments: Sequence[str]) -> bool:
    """`POST /invoices/{id}/approve`: the last of SEGMENTS is a verb, not a collection."""
    if method != "POST" or not segments or "{" in segments[-1]:
        return False
    words = tokens(segments[-1])
    if not words or any(map(is_plural, words)):
        return False
    behind_thing = len(segments) > 1 and "{" in segments[-2]
    return behind_thing or (stem(words[0]) in VERBS and len(segments) > 1)
