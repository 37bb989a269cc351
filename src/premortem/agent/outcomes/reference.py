"""What a request is answered that names what is not there, or what belongs to somebody else."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from premortem.agent.planning.expectation import (
    DENIED,
    Evidence,
    Expectation,
    captured,
    facts_of,
    invalid_status,
    success_status,
)
from premortem.agent.understanding.words import stems
from premortem.checks import reason_of
from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import split_path, split_template
from premortem.domain.traffic import Exchange, OperationProfile

_GONE = (404, 410)
_OWN = re.compile(
    r"self(?!ies)|four.?eyes|same.?(?:user|person)|own.?(?:request|er$)|separation.?of.?dut",
    re.IGNORECASE,
)
"""Words of refusals for who decides about their own."""
_TWO_LOOK = (
    r"\bself-?(?:approv|review|confirm)\w*|\bfour.?eyes\b|\bseparation of dut(?:y|ies)\b|"
    r"\b(?:not|nobody|never|cannot|no one)\b[^.;]{0,40}\b(?:their|his|her|your|one's) own\b"
)
_TWO = re.compile(_TWO_LOOK, re.IGNORECASE)
"""How a specification says that two are to look at a thing."""
_SOMEBODY_ELSE = re.compile(
    rf"{_TWO_LOOK}|\b(?:some(?:one|body)) else\b|\bthe same (?:user|person|employee)\b",
    re.IGNORECASE,
)
"""The same in a summary, or in what a refusal means: short enough to be about nothing else."""
MADE_LEAVES_MAX = 60
"""Values of an answer that may name what was made."""


def of_missing(operation: OperationProfile, evidence: Evidence, *, in_body: bool) -> Expectation:
    """What OPERATION should answer when its path, or its body, names what is not there."""
    return (
        _captured_missing(operation, evidence)
        or _declared_missing(operation)
        or (_refused_body(operation, evidence) if in_body else None)
        or _missing_elsewhere(operation, evidence)
        or Expectation(
            status=404,
            because="convention: what is not there is not found (RFC 9110, 15.5.5)",
            source="convention",
            certain=False,
        )
    )


def of_deleted(
    operation: OperationProfile,
    evidence: Evidence,
    *,
    gone: bool,
    kept: bool,
    anew: bool = False,
) -> Expectation:
    """What OPERATION should answer after what its path names was deleted; GONE, KEPT: whether
    production showed that it is then, or is still there; ANEW: OPERATION puts it there again."""
    if anew:
        return Expectation(
            status=success_status(operation),
            because="convention: PUT makes what is not there (RFC 9110, 9.3.4)",
            source="convention",
            certain=False,
        )
    if kept and not gone:
        return Expectation(
            status=success_status(operation),
            because="production keeps what was deleted, and showed it",
            source="captured",
        )
    expected = of_missing(operation, evidence, in_body=False)
    if gone and expected.status not in _GONE:
        return Expectation(
            status=404, because="production answered so after a deletion", source="captured"
        )
    return expected


def _captured_missing(operation: OperationProfile, evidence: Evidence) -> Expectation | None:
    for status in _GONE:
        count = captured(operation, status)
        if count:
            alike = [e.response for e in evidence.of(operation) if e.response.status == status]
            return Expectation(
                status=status,
                because=f"production answered {status} to unknown ones ({count} captured)",
                source="captured",
                facts=facts_of(alike),
            )
    return None


def _declared_missing(operation: OperationProfile) -> Expectation | None:
    """A service that denies may hide by it what is not there."""
    denies = 403 in operation.declared or captured(operation, 403)
    for status in _GONE:
        if status in operation.declared:
            return Expectation(
                status=status,
                because=f"the specification declares {status}",
                source="specification",
                certain=not denies,
            )
    return None


def _refused_body(operation: OperationProfile, evidence: Evidence) -> Expectation:
    status, how = invalid_status(operation, evidence.profile)
    return Expectation(
        status=status,
        because=f"convention: a body that names what is not there is refused; {how}",
        source="convention",
        certain=False,
    )


def _missing_elsewhere(operation: OperationProfile, evidence: Evidence) -> Expectation | None:
    """Operations on the same things that production answered 404."""
    stem = _upto_parameter(operation.operation.template)
    for other in evidence.profile.operations:
        if other.id == operation.id or not captured(other, 404):
            continue
        if _upto_parameter(other.operation.template) == stem:
            return Expectation(
                status=404,
                because=f"{other.id} answers 404 for what is not there",
                source="sibling",
                certain=other.operation.method in SAFE_METHODS,
            )
    return None


def _upto_parameter(template: str) -> tuple[str, ...]:
    segments = tuple("{}" if "{" in s else s for s in split_template(template))
    opened = [i for i, segment in enumerate(segments) if segment == "{}"]
    return segments[: opened[-1] + 1] if opened else segments


def of_stranger(operation: OperationProfile, stranger: str, evidence: Evidence) -> Expectation:
    """What OPERATION should answer STRANGER about what somebody else made."""
    counts = crossings(operation, evidence)
    own = counts.get(stranger) or sum((c for c in counts.values()), Counter())
    refused = {s: n for s, n in own.items() if s in (*DENIED, 404)}
    allowed = sum(n for s, n in own.items() if 200 <= s < 300)
    if allowed and not refused:
        return Expectation(
            status=success_status(operation),
            because=f"production let others than who made it do this ({allowed} captured)",
            source="captured",
        )
    if refused:
        status = max(refused, key=lambda s: refused[s])
        return Expectation(
            status=status,
            because=f"production answered {status} to others than who made it "
            f"({refused[status]} captured)",
            source="captured",
            certain=not allowed,
        )
    return _stranger_untold(operation, stranger, evidence)


_ONLY_OWN = re.compile(
    r"[^.;]{0,80}\b(?:only\b[^.;]{0,40}\b(?:own|themselves|theirs)|(?:own|theirs)\b[^.;]{0,20}\bonly)\b",
    re.IGNORECASE,
)
"""`Patients see only their own file`."""


def own_only(
    operation: OperationProfile, roles: Iterable[str], beside: Iterable[OperationProfile] = ()
) -> tuple[str, ...]:
    """Those of ROLES of which the specification says that they may only with their own; BESIDE:
    operations on the same things, of which it may say so, too."""
    texts = (f"{one.summary}. {one.description}" for one in (operation, *beside))
    said = [found[0] for text in texts for found in _ONLY_OWN.finditer(text)]
    words = {stem for sentence in said for stem in stems(sentence)}
    named = tuple(role for role in roles if set(stems(role)) <= words)
    return named if said else ()


def _stranger_untold(operation: OperationProfile, stranger: str, evidence: Evidence) -> Expectation:
    for status in (403, 404):
        if status in operation.declared or captured(operation, status):
            return Expectation(
                status=status,
                because=_declared_for(operation, stranger, status)
                if status in operation.declared
                else f"production answered {status} to other requests of it",
                source="specification" if status in operation.declared else "captured",
                certain=status == 403 and bool(own_only(operation, (stranger,))),
            )
    spoken = {
        s: sum(captured(o, s) or s in o.declared for o in evidence.profile.operations)
        for s in (403, 404)
    }
    status = 404 if spoken[404] and not spoken[403] else 403
    return Expectation(
        status=status,
        because="convention: what others own is denied (OWASP API Security 2023, API1)",
        source="convention",
        certain=False,
    )


def _declared_for(operation: OperationProfile, stranger: str, status: int) -> str:
    if own_only(operation, (stranger,)):
        return f"the specification lets {stranger} see their own only, and declares {status}"
    return f"the specification declares {status}"


def of_self(operation: OperationProfile, role: str, evidence: Evidence) -> Expectation:
    """What OPERATION should answer ROLE about what ROLE made, where two are to look at it."""
    known = list(_known_makers(operation, evidence))
    own = [e for e, maker in known if maker == e.tags.role]
    said = (e for e in evidence.of(operation) if _OWN.search(reason_of(e.response)))
    refused = [e for e in (*_for_own(operation, known), *said) if e.response.status in DENIED]
    if refused:
        status = Counter(e.response.status for e in refused).most_common(1)[0][0]
        alike = [e.response for e in refused if e.response.status == status]
        return Expectation(
            status=status,
            because=f"production answered {status} to who made it ({len(alike)} captured)",
            source="captured",
            facts=facts_of(alike),
            certain=all(e.tags.role != role for e in own if e.response.status < 300),
        )
    if any(e.response.status < 300 for e in own):
        return Expectation(
            status=success_status(operation),
            because="production let who made it do this",
            source="captured",
        )
    declared = _said_of_self(operation)
    if declared is not None:
        return declared
    return Expectation(
        status=403,
        because="convention: nobody decides about their own (separation of duties)",
        source="convention",
        certain=False,
    )


def _for_own(operation: OperationProfile, known: list[tuple[Exchange, str]]) -> list[Exchange]:
    """Those of the KNOWN refusals that are for one's having made it: of roles that may do it
    otherwise, and for no reason that others were refused for."""
    may = {role for role, counts in operation.roles.items() if any(s[0] == "2" for s in counts)}
    reasons = {reason_of(e.response) for e, maker in known if maker != e.tags.role}
    return [
        e
        for e, maker in known
        if maker == e.tags.role in may
        and e.response.status in DENIED
        and (reason := reason_of(e.response))
        and reason not in reasons
    ]


def _said_of_self(operation: OperationProfile) -> Expectation | None:
    """What the specification says in words: that who made a thing does not decide about it."""
    for status in DENIED:
        meaning = operation.meaning(status)
        if _SOMEBODY_ELSE.search(meaning):
            return Expectation(
                status=status,
                because=f"the specification says of {status}: {meaning[:80]}",
                source="specification",
            )
    known = [s for s in DENIED if s in operation.declared or captured(operation, s)]
    said = ((_SOMEBODY_ELSE, operation.summary), (_TWO, operation.description))
    for words, text in said if known else ():
        if words.search(text):
            return Expectation(
                status=known[0],
                because=f"the specification says: {text[:80]}",
                source="specification",
            )
    return None


def crossings(operation: OperationProfile, evidence: Evidence) -> dict[str, Counter[int]]:
    """Role -> status -> how often production answered OPERATION so about what others made."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for exchange, maker in _known_makers(operation, evidence):
        role = exchange.tags.role
        if maker != role and role != "unknown":
            found[role][exchange.response.status] += 1
    return dict(found)


def _known_makers(
    operation: OperationProfile, evidence: Evidence
) -> Iterator[tuple[Exchange, str]]:
    """The exchanges of OPERATION about things of which it is known which role made them."""
    makers = _makers(evidence)
    last = _last_parameter(operation)
    for exchange in evidence.of(operation) if last >= 0 else ():
        segments = split_path(exchange.request.path)
        maker = makers.get(segments[last]) if last < len(segments) else None
        if maker and exchange.tags.role:
            yield exchange, maker


def _last_parameter(operation: OperationProfile) -> int:
    segments = split_template(operation.operation.template)
    return max((i for i, segment in enumerate(segments) if "{" in segment), default=-1)


def _makers(evidence: Evidence) -> dict[str, str]:
    """Text of an id -> the role that made what it names; the first one who did."""
    found: dict[str, str] = {}
    for operation in evidence.profile.operations:
        if operation.operation.method not in ("POST", "PUT"):
            continue
        for exchange in evidence.of(operation):
            if exchange.response.status in (200, 201) and exchange.tags.role:
                for text in _made(exchange):
                    found.setdefault(text, exchange.tags.role)
    return found


def _made(exchange: Exchange) -> Iterator[str]:
    """Texts by which what EXCHANGE made may be named later."""
    if exchange.request.method == "PUT":
        yield from split_path(exchange.request.path)[-1:]
    if exchange.response.status != 201 and exchange.request.method == "POST":
        return
    try:
        value = read_body(exchange.response)
    except ValueError:
        return
    for (place, leaf), _ in zip(leaves(value), range(MADE_LEAVES_MAX), strict=False):
        if place.tokens and place.tokens[-1].lower() in ("id", "uuid", "key", "name"):
            yield text_of(leaf)
