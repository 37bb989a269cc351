"""What somebody of a certain role is answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from premortem.agent.planning.expectation import (
    DENIED,
    Evidence,
    Expectation,
    asks_for_none,
    captured,
    facts_of,
    success_status,
)
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import stems
from premortem.domain.run import SAFE_METHODS
from premortem.domain.traffic import OperationProfile, Profile

_WIDE = re.compile(r"\b(?:admin\w*|root|super\w*|owner)\b", re.IGNORECASE)


def of_role(
    operation: OperationProfile, role: str, evidence: Evidence, *, roles: Iterable[str]
) -> Expectation:
    """What OPERATION should answer to ROLE (`anonymous`: to nobody signed in)."""
    return (
        _captured_role(operation, role, evidence)
        or _declared_roles(operation, role)
        or _named_roles(operation, role, roles)
        or _open_to_all(operation)
        or _declared_open(operation, evidence.profile)
        or _widest(operation, role)
        or _known_denial(operation, _denial(role))
        or _elsewhere(operation, role, evidence.profile)
        # 403 is for who is signed in, 401 for who is not; services and documents mix them up.
        or _known_denial(operation, 403 if role == ANONYMOUS else 401)
        or Expectation(
            status=_denial(role),
            because="convention: the role was never seen doing this (RFC 9110, 15.5)",
            source="convention",
        )
    )


def _captured_role(
    operation: OperationProfile, role: str, evidence: Evidence
) -> Expectation | None:
    name = "" if role == ANONYMOUS else role
    counts = {int(s): n for s, n in operation.roles.get(name, {}).items() if n}
    # Where who is signed in but may not gets 403, a 401 is about a token that had ended.
    about_role = (403,) if name and _tells_apart(evidence.profile) else DENIED
    denied = {s: n for s, n in counts.items() if s in about_role}
    allowed = {s: n for s, n in counts.items() if 200 <= s < 300}
    if not denied and not allowed:
        return None
    # A role that is let through sometimes may do it: its denials had other reasons.
    chosen = allowed or denied
    status = max(chosen, key=lambda s: chosen[s])
    alike = [
        e.response
        for e in evidence.of(operation)
        if e.tags.role == name and e.response.status == status
    ]
    return Expectation(
        status=status,
        because=f"production answered {status} to {role} ({chosen[status]} captured)",
        source="captured",
        facts=facts_of(alike) if status >= 400 else (),
    )


def _tells_apart(profile: Profile) -> bool:
    """Whether production answered 403 to anybody signed in."""
    return any(
        role and "403" in statuses for o in profile.operations for role, statuses in o.roles.items()
    )


def _declared_roles(operation: OperationProfile, role: str) -> Expectation | None:
    """From the specification's own list of who may (`x-roles`)."""
    allowed = operation.allowed_roles
    if not allowed or role == ANONYMOUS:
        return None
    if role in allowed:
        return Expectation(
            status=success_status(operation),
            because=f"the specification lets {role} do this",
            source="roles",
        )
    known = _known_denial(operation, 403)
    if known is None and captured(operation, 401):
        known = _known_denial(operation, 401)
    # 401 is for who is not signed in; a document may forget 403 here and there.
    unsaid = known is None and bool(operation.declared)
    return Expectation(
        status=known.status if known else 403,
        because=f"the specification lets only {', '.join(allowed)} do this",
        source="roles",
        certain=not (unsaid and 401 in operation.declared),
    )


def of_credentials(operation: OperationProfile, evidence: Evidence) -> Expectation:
    """What OPERATION should answer to credentials that are worth nothing."""
    for name, who in (("unknown", "credentials that it did not know"), ("", "nobody signed in")):
        counts = {int(s): n for s, n in operation.roles.get(name, {}).items() if n}
        denied = {s: n for s, n in counts.items() if s in DENIED}
        if denied and sum(denied.values()) * 2 > sum(counts.values()):
            status = max(denied, key=lambda s: denied[s])
            return Expectation(
                status=status,
                because=f"production answered {status} to {who} ({denied[status]} captured)",
                source="captured",
            )
    open_ = _open_to_all(operation) or _declared_open(operation, evidence.profile)
    if open_ is not None:
        return open_
    elsewhere = _elsewhere(operation, "unknown", evidence.profile) or _elsewhere(
        operation, ANONYMOUS, evidence.profile
    )
    return (
        _known_denial(operation, 401)
        or elsewhere
        or Expectation(
            status=401,
            because="convention: credentials that are worth nothing are none (RFC 9110, 15.5.2)",
            source="convention",
        )
    )


_ENDS_CREDENTIALS = re.compile(
    r"\brevok\w*|\b(?:end|invalidat|terminat|kill|withdraw|destroy|expire)\w*\b[^.;]{0,40}\b(?:tokens?|"
    r"sessions?|credentials?|access)\b|\b(?:tokens?|sessions?)\b[^.;]{0,30}\b(?:no longer|not)\b",
    re.IGNORECASE,
)
"""How a specification says that credentials are worth nothing from then on."""


def of_ended(
    ender: OperationProfile, operation: OperationProfile, evidence: Evidence
) -> Expectation:
    """What OPERATION should answer in a session that ENDER ended."""
    known = of_credentials(operation, evidence)
    said = " ".join((ender.operation.template, ender.summary, ender.description))
    # A log out that leaves the token to its expiry is common; to delete a session is to end it.
    surely = ender.operation.method == "DELETE" or _ENDS_CREDENTIALS.search(said) is not None
    return replace(
        known,
        certain=known.certain and surely,
        because=f"{ender.id} ends the session; {known.because}",
    )


def _named_roles(
    operation: OperationProfile, role: str, roles: Iterable[str]
) -> Expectation | None:
    """From a summary like `Approve an invoice (FinanceManager, CFO)`."""
    said = stems(operation.summary)
    named = [r for r in roles if _within(stems(r), said)]
    if not named or role == ANONYMOUS:
        return None
    if role in named:
        return Expectation(
            status=success_status(operation),
            because=f"the specification's summary names {role}",
            source="roles",
        )
    return Expectation(
        status=403,
        because=f"the specification's summary names {', '.join(named)} only",
        source="roles",
    )


def _within(part: list[str], whole: list[str]) -> bool:
    span = len(part)
    return bool(part) and any(whole[i : i + span] == part for i in range(len(whole) - span + 1))


def _open_to_all(operation: OperationProfile) -> Expectation | None:
    """Nobody was ever refused, signed in or not, and the specification knows no refusal."""
    seen = {role: counts for role, counts in operation.roles.items() if role != "unknown"}
    everyone = len(seen) >= 2 and all(any(s[0] == "2" for s in c) for c in seen.values())
    refuses = any(captured(operation, s) or s in operation.declared for s in DENIED)
    strangers = {int(s): n for s, n in seen.get("", {}).items()}
    let_in = sum(n for s, n in strangers.items() if 200 <= s < 300)
    if not operation.secured and let_in > sum(n for s, n in strangers.items() if s in DENIED):
        return Expectation(
            status=success_status(operation),
            because=f"production let in who was not signed in ({let_in} captured)",
            source="captured",
        )
    if everyone and "" in seen and not operation.secured and not refuses:
        return Expectation(
            status=success_status(operation),
            because="production let everybody do this, signed in or not",
            source="captured",
        )
    return None


def _widest(operation: OperationProfile, role: str) -> Expectation | None:
    """A role that sounds as if it may do everything, where nothing says that it may not."""
    if _WIDE.search(role) is None:
        return None
    return Expectation(
        status=success_status(operation),
        because=f"convention: {role} sounds like who may do everything",
        source="convention",
        certain=False,
    )


def _declared_open(operation: OperationProfile, profile: Profile) -> Expectation | None:
    """The specification asks for credentials elsewhere, and not here: a login, a heartbeat.

    Documents forget that, too, so it is not certain.
    """
    refused = any(captured(operation, status) for status in DENIED)
    if refused or not asks_for_none(operation, profile):
        return None
    return Expectation(
        status=success_status(operation),
        because="the specification asks for no credentials here",
        source="specification",
        certain=False,
    )


def _known_denial(operation: OperationProfile, status: int) -> Expectation | None:
    """STATUS, if production answered it to somebody here or the specification declares it."""
    if captured(operation, status):
        return Expectation(
            status=status,
            because=f"production answered {status} to other callers of this operation",
            source="captured",
        )
    if status in operation.declared:
        return Expectation(
            status=status,
            because=f"the specification declares {status}",
            source="specification",
        )
    return None


def _elsewhere(operation: OperationProfile, role: str, profile: Profile) -> Expectation | None:
    """What the role was answered by operations that change data, or read it, alike."""
    name = "" if role == ANONYMOUS else role
    safe = operation.operation.method in SAFE_METHODS
    counts: Counter[int] = Counter()
    for other in profile.operations:
        if (other.operation.method in SAFE_METHODS) == safe:
            counts.update({int(s): n for s, n in other.roles.get(name, {}).items()})
    denied = {s: n for s, n in counts.items() if s in DENIED}
    allowed = sum(n for s, n in counts.items() if 200 <= s < 300)
    if not denied or sum(denied.values()) < allowed:
        return None
    status = max(denied, key=lambda s: denied[s])
    return Expectation(
        status=status,
        because=f"production answered {status} to {role} for operations like this",
        source="sibling",
    )


def _denial(role: str) -> int:
    return 401 if role == ANONYMOUS else 403
