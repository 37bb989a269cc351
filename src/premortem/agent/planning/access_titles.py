"""What scenarios of access are called: `Guest user attempts approval`."""

from __future__ import annotations

from premortem.agent.planning import titles
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import article, singular
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile

_NOUNS = {
    "approve": "approval",
    "cancel": "cancellation",
    "delete": "deletion",
    "deny": "denial",
    "refuse": "refusal",
    "reject": "rejection",
    "remove": "removal",
    "confirm": "confirmation",
    "activate": "activation",
    "publish": "publication",
    "close": "closure",
    "release": "release",
    "review": "review",
    "transfer": "transfer",
    "pay": "payment",
    "pay out": "payout",
    "payout": "payout",
    "submit": "submission",
    "verify": "verification",
    "archive": "archiving",
    "capture": "capture",
    "refund": "refund",
}
"""What is done, as a thing; where it is not here, the deed is said with its verb."""
_NEVER_THINGS = frozenset(_NOUNS) - {"capture", "payout", "refund", "release", "review", "transfer"}


def spoken(operation: OperationProfile) -> tuple[str, str]:
    """What OPERATION does, and to what: `approve`, `invoice`, of `/api/invoice/approve` too."""
    verb, thing = titles.verb(operation), titles.entity(operation)
    before = [s for s in split_template(operation.operation.template)[:-1] if "{" not in s]
    if verb == "create" and thing in _NEVER_THINGS and before:
        return thing, singular(before[-1].lower())
    return verb, thing


def attempt(operation: OperationProfile, role: str) -> str:
    """`Guest user attempts approval`, `Guest user attempts refund`, `Guest user attempts to read a
    report`."""
    who = "Anonymous user" if role == ANONYMOUS else f"{role} user"
    return f"{who} attempts {deed(operation)}"


def deed(operation: OperationProfile) -> str:
    """What OPERATION does, as a thing that can be attempted."""
    verb, thing = spoken(operation)
    if verb in _NOUNS:
        return _NOUNS[verb]
    if verb == "create":
        return thing
    if titles.lists(operation):
        return f"to list {titles.several(operation)}"
    return f"to {verb} {article(thing)} {thing}"


def feature(operation: OperationProfile) -> str:
    """The feature of who may: `Invoice approval access control`."""
    verb, thing = spoken(operation)
    about = f"{thing} {_NOUNS[verb]}" if verb in _NOUNS else thing
    return f"{about[:1].upper()}{about[1:]} access control"


def question(operation: OperationProfile, role: str) -> str:
    """What people would ask: `What happens if Guest user tries to approve invoice?`"""
    who = "somebody who is not signed in" if role == ANONYMOUS else f"{role} user"
    verb, thing = spoken(operation)
    return f"What happens if {who} tries to {verb} {thing}?"
