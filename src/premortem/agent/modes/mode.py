"""What the catalogue says of one failure mode, and the small language of its cues."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from premortem.domain.proposal import FailureModeName, OutcomeClass

NAMES, SAYS, HINTS = 3.0, 2.0, 1.0
"""How clearly a cue speaks: it names the mode; it describes it; it fits others, too."""
WORDS_BETWEEN_MAX = 4
"""Words that ` .. ` in a cue stands for."""

_WORDS = {
    "state": (
        "approved|paid|cancell?ed|closed|locked|frozen|shipped|delivered|completed?|finished|"
        "archived|published|released|rejected|denied|declined|settled|refunded|expired|submitted|"
        "finali[sz]ed|signed off|processed|held|on hold|inactive|disabled|deactivated|suspended|"
        "blocked|banned|paused|started|ended|draft|drafted|part(?:ly|ially)?[ -]paid|"
        "half[ -]paid|paid out|paid off|booked|withdrawn|resolved|merged|retired|fulfilled|"
        "dispatched|returned|revoked|terminated|decided|turned down|checked out|voided|running|"
        "in progress|refused|confirmed|charged|on its way|handed over"
    ),
    "ending": (
        "approval|approving|payment|paying|cancell?ation|cancell?ing|closing|closure|completion|"
        "shipping|shipment|delivery|publication|publishing|settlement|locking|archiving|"
        "release|rejection|denial|refund|checkout|submission|payout|expiry|deadline"
    ),
    "moment": "moment|time|instant|second|millisecond|minute|tick",
    "month": (
        "january|february|march|april|may|june|july|august|september|october|november|december|"
        "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    ),
    "money": (
        "dollars?|usd|euros?|eur|pounds?|gbp|sterling|yen|jpy|(?:swiss )?francs?|chf|rupees?|inr|"
        "kron(?:a|er)|sek|yuan|cny|pesos?|r(?:o)?ubles?|lira|zloty|forint|shekels?|dinars?"
    ),
    "key": (
        "tokens?|jwts?|cookies?|credentials?|api[ -]?keys?|keys?|passwords?|bearer|signature|"
        "log-?in|sessions?(?: ids?)?|access tokens?|certificates?|passcode|pin"
    ),
    "spoiled": (
        "expired|stale|old|revoked|tampered(?: with)?|forged|faked?|stolen|leaked|invalid|broken|"
        "malformed|truncated|manipulated|garbled|wrong|incomplete|outdated|modified|bad|"
        "cut[ -]off|half|random|made-?up|edited|changed|rotated|withdrawn|disabled|mistyped|"
        "copied|altered|replaced|corrupted|incorrect"
    ),
    "else": (
        "some(?:one|body) else|another (?:user|customer|tenant|client|person|account|company|team|"
        "member|colleague|organi[sz]ation|branch|merchant|patient|employee|owner|department|"
        "student|one|agent|seller|shop)|other (?:users?|customers?|tenants?|people|clients|"
        "companies|colleagues?|members?|teams?|accounts?|person|owners?)|"
        "(?:an?|the|his|her|their|my) (?:different (?:user|customer|tenant|team|account|company)|"
        "colleague|neighbou?r|competitor|stranger|rival|coworker|co-worker|boss|ex)"
    ),
    "behind": (
        "relay|scanner|smtp|ldap|interface|sync|feed|printer|bureau|carrier|provider|bank|storage|"
        "queue|broker|cache|database|backend|processor|directory|gateway|supplier|webhook|mailer|"
        "(?:mail|sms|payment|map|search|index|file|print|download|image|push|weather|tax|fraud|"
        "credit|address|identity) (?:server|service|system|provider|engine|api)"
    ),
    "list": (
        "currenc(?:y|ies)|status(?:es)?|state|kind|type|value|method|locale|language|country|"
        "category|role|verb|option|mode|level|sort|order|unit|code|enum|filter|format|action|"
        "operation|channel|colou?r|provider|model|priority|permission|timezone|scope|event"
    ),
    "own": (
        "id|ids|status|state|role|total|owner|created_at|creation date|is_?admin|version|balance|"
        "number|price|identifier|timestamp|author|account|creator|user id|verified|flag|etag|"
        "last[ _-]modified|invoice number|limit|discount|count"
    ),
}
"""What `<name>` in a cue stands for."""


class Cue(Struct, frozen=True, kw_only=True):
    """A way in which people speak of a failure mode."""

    weight: float
    """One of NAMES, SAYS, HINTS."""
    pattern: str
    """Regular expression over the question in lower case."""


class FailureMode(Struct, frozen=True, kw_only=True):
    """One way in which a service may be used wrongly."""

    name: FailureModeName
    meaning: str
    cues: tuple[Cue, ...]
    """Words for edge values are `agent.boundaries`' and count besides."""
    examples: tuple[str, ...]
    """Words that name it, for messages."""
    needs: str
    """What the operation must have, in words; `preconditions` decide it."""
    plan: tuple[str, ...]
    """The planned steps, in words."""
    expectation: tuple[str, ...]
    """Where the expected outcome comes from, the strongest first."""
    outcomes: tuple[OutcomeClass, ...]
    """What correct services usually do, the most usual first."""
    tag: Literal["edge", "security"]
    refines: tuple[FailureModeName, ...] = ()
    """Modes that it is a case of: where it is named outright, those are not meant."""


def names(phrases: str) -> Cue:
    """A cue that names its mode outright: one of PHRASES, a line each (see `pattern_of`)."""
    return Cue(weight=NAMES, pattern=pattern_of(phrases))


def says(phrases: str) -> Cue:
    """A cue that describes its mode."""
    return Cue(weight=SAYS, pattern=pattern_of(phrases))


def hints(phrases: str) -> Cue:
    """A cue that fits other modes, too."""
    return Cue(weight=HINTS, pattern=pattern_of(phrases))


def pattern_of(phrases: str) -> str:
    """PHRASES as one regular expression over whole words.

    A line is a regular expression in which ` .. ` stands for up to WORDS_BETWEEN_MAX words, `~`
    for any ending, `<name>` for the words of that name. A line that ends in a backslash goes on
    in the next one.
    """
    whole = re.sub(r"\\\n\s*", "", phrases.strip())
    lines = [line.strip() for line in whole.splitlines()]
    return rf"\b(?:{'|'.join(_pattern(line) for line in lines)})(?!\w)"


def _pattern(line: str) -> str:
    line = re.sub(r"<(\w+)>", lambda found: f"(?:{_WORDS[found[1]]})", line)
    between = rf"(?: [\w'’,-]+){{0,{WORDS_BETWEEN_MAX}}}? "
    return line.replace(" .. ", between).replace("~", r"\w*")
