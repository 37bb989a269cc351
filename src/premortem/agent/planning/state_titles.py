"""What scenarios about state and order are called."""

from __future__ import annotations

import re

from premortem.agent.planning import titles
from premortem.agent.planning.titles import TITLE_CHARACTERS_MAX
from premortem.agent.understanding.words import article, participle, tokens
from premortem.domain.traffic import OperationProfile

_ALLOWED = re.compile(
    r"^(?P<thing>[\w '-]{2,60}?) (?:is |was |were |gets )?(?:allowed|possible|permitted) "
    r"(?P<when>(?:after|before|while|when|without|during)\b[\w '-]{2,60})$",
    re.IGNORECASE,
)
"""How a bug says it: `Refund allowed after approval`."""
_BUG = re.compile(r"^\s*(?:bug|issue|ticket|defect)?\s*#?\d+\s*:\s*", re.IGNORECASE)
_TRIES = re.compile(r"\b(?:tr(?:y|ies|ied)|attempts?|attempted|wants?) to\b", re.IGNORECASE)
_SUBMITTED = re.compile(r"\b(?:submit\w*|sen[dt]s?|resen[dt]\w*|post(?:ed|s)?)\b", re.IGNORECASE)
_REFUSALS = frozenset({"deny", "reject", "refuse", "decline"})
"""Decisions against something: what is decided twice is a decision, not a thing."""

_NOUN_FORMS = """
    approve approval, deny denial, refuse refusal, remove removal, renew renewal, pay payment,
    cancel cancellation, ship shipment, settle settlement, publish publication, deliver delivery,
    submit submission, confirm confirmation, close closure, reject rejection, expire expiry,
    authorize authorization, authorise authorisation, capture capture, refund refund,
    release release, dispatch dispatch, issue issue, transfer transfer, export export,
    import import, deploy deployment, enrol enrolment, suspend suspension, revoke revocation,
    verify verification, decline decline, finish completion, pause pause, start start
"""
_NOUNS = dict(pair.split() for pair in _NOUN_FORMS.split(","))
_BY_PARTICIPLE = {participle(verb): noun for verb, noun in _NOUNS.items()}
_NOUN_ENDINGS = ("al", "tion", "sion", "ment", "ing", "ure", "ry")


def noun_of(done: str) -> str:
    """The noun for what was done: `approved` -> `approval`, `locked` -> `locking`."""
    *before, word = tokens(done) or ["change"]
    return " ".join([*before, _noun(word)])


def _noun(word: str) -> str:
    if word in _NOUNS or word in _BY_PARTICIPLE:
        return _NOUNS.get(word) or _BY_PARTICIPLE[word]
    if not word.endswith("ed") or word.endswith(_NOUN_ENDINGS):
        return word
    base = word[:-2]
    if base.endswith(("at", "ct", "et")):
        return f"{base}ion"
    return f"{base[:-1]}ization" if base.endswith("iz") else f"{base}ing"


def transition(
    operation: OperationProfile,
    prompt: str = "",
    *,
    state: str,
    field: str = "",
    role: str = "",
    thing: str = "",
    after: str = "",
    refused: bool,
) -> str:
    """The title of OPERATION done in STATE (a participle; empty: unknown) to THING (empty: as its
    path calls it). AFTER: what brought the state about, as a sentence; empty: unknown.

    `Changing amount after approval`, `CFO cannot cancel approved refund`,
    `Prevent refund after approval`, else the words of PROMPT.
    """
    if found := prevented(prompt):
        return found
    thing = thing or titles.entity(operation)
    said = titles.from_prompt(prompt)
    if state and field and not role and operation.operation.method in ("PATCH", "PUT", "POST"):
        name = " ".join(tokens(field)) or field
        return _cut(f"Changing {name} after {noun_of(state)}")
    if state and role and refused and (_TRIES.search(prompt) or not said):
        who = role[:1].upper() + role[1:]
        return _cut(f"{who} cannot {titles.verb(operation)} {state} {thing}")
    if said:
        return said
    unnamed = f"after {after}" if after else "in a state that does not allow it"
    when = f"while {state}" if state else unnamed
    return _cut(f"{_passive(operation)} {when}")


def _passive(operation: OperationProfile) -> str:
    """`Refund request is paid out`."""
    return titles.happens(operation)


def prevented(prompt: str) -> str:
    """`Prevent refund after approval`, where a bug says what is allowed; empty: none does."""
    found = _ALLOWED.match(_statement(prompt))
    if found is None:
        return ""
    thing = found["thing"].removeprefix("The ").removeprefix("the ")
    return _cut(f"Prevent {thing[:1].lower()}{thing[1:]} {found['when'].lower()}")


def repeated(operation: OperationProfile, prompt: str, *, refused: bool) -> str:
    """What the question calls a repetition; empty: nothing better than its own words.

    `Duplicate payment request is rejected`: a request came twice. `Repeat refund denial
    handling`: a decision was made twice.
    """
    thing = titles.entity(operation)
    doing = titles.verb(operation).split(" ")[0]
    if doing in _REFUSALS:
        thing = thing.removesuffix(" request")
        return _cut(f"Repeat {thing} {_noun(doing)} handling")
    if _SUBMITTED.search(prompt) and doing == "create":
        end = "rejected" if refused else "handled"
        thing = thing.removesuffix(" request")
        return _cut(f"Duplicate {thing} request is {end}")
    return ""


def too_early(operation: OperationProfile, skipped: str) -> str:
    """`Refund request is paid out before approval`; SKIPPED: what the step left out makes of a
    thing, `approved`; empty: not known."""
    when = f"before {noun_of(skipped)}" if skipped else "before what it needs"
    return _cut(f"{_passive(operation)} {when}")


def unknown(operation: OperationProfile, thing: str, *, deleted: bool) -> str:
    """`Unknown invoice is approved`, `Payment is created for an unknown invoice`; THING: what is
    named, where it is another than what OPERATION is about."""
    which = "deleted" if deleted else "unknown"
    if thing and thing != titles.entity(operation):
        return _cut(f"{_passive(operation)} for {article(which)} {which} {thing}")
    return _cut(f"{which.capitalize()} {titles.thing(operation)} is {titles.done(operation)}")


def others(operation: OperationProfile, stranger: str, owner: str, *, above: str = "") -> str:
    """`bob reads a bucket made by alice`; ABOVE: what ALICE made, where that is another thing."""
    who = stranger or "Nobody signed in"
    below = titles.verb(operation) == "create" or titles.lists(operation)
    if below and above and above != titles.entity(operation):
        whose = f"for {titles.a(above)} made by {owner or 'others'}"
    else:
        whose = f"made by {owner or 'others'}"
    return _cut(f"{who} {titles.does(operation, whose)}")


def own(operation: OperationProfile, role: str) -> str:
    """`FinanceManager approves a refund request of their own`."""
    return _cut(f"{role} {titles.does(operation, 'of their own')}")


def apart(operation: OperationProfile) -> str:
    """`Statement shows nothing of another one`: of another customer, whatever it is about."""
    shown = titles.thing(operation)
    return _cut(f"{shown[:1].upper()}{shown[1:]} shows nothing of another one")


def read_after(operation: OperationProfile, done: OperationProfile) -> str:
    """`Tax is read after a refund is created`."""
    return _cut(f"{_passive(operation)} after {titles.asked(done)}")


def of_new(operation: OperationProfile) -> str:
    """`Statement is read with nothing in it yet`."""
    return _cut(f"{_passive(operation)} with nothing in it yet")


def in_ended_session(operation: OperationProfile) -> str:
    """`Invoice is read in a session that ended`."""
    return _cut(f"{_passive(operation)} in a session that ended")


def cut_day(operation: OperationProfile, zone: str) -> str:
    """`Daily is read for a day in Asia/Tokyo`."""
    return _cut(f"{_passive(operation)} for a day in {zone}")


def stale(operation: OperationProfile) -> str:
    """`Customer is changed based on an outdated version`."""
    return _cut(f"{_passive(operation)} based on an outdated version")


def at_once(operation: OperationProfile, times: int) -> str:
    """`Refund request is approved 2 times at once`."""
    return _cut(f"{_passive(operation)} {times} times at once")


def over_total(operation: OperationProfile) -> str:
    """`Partial refund over max limit`."""
    return _cut(f"Partial {titles.entity(operation)} over max limit")


def unavailable(operation: OperationProfile, service: str) -> str:
    """`Payment is created while bank is unavailable`; SERVICE: empty, where it has no name."""
    return _cut(f"{_passive(operation)} while {service or 'a service behind it'} is unavailable")


def _statement(prompt: str) -> str:
    """What PROMPT states, without what opens a question or names a bug."""
    stated = titles.from_prompt(prompt) or _BUG.sub("", prompt)
    return stated.strip(" .?!\"'")


def _cut(title: str) -> str:
    return title[:TITLE_CHARACTERS_MAX]
