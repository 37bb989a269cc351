"""Contradictions between sources as findings of their own: with an id, a title and how grave."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from premortem.domain.access import NOBODY, OBSERVED, AccessRule, Contradiction, Source, folded
from premortem.domain.run import Finding

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
_CODE: frozenset[Source] = frozenset({"csharp", "python"})
_RUNS_TOO = _CODE | OBSERVED
"""Sources that show what the service does, or will do: what they let in, comes in."""
ABOUT_ACCESS = frozenset(
    {"accepted_invalid", "auth_ignored", "unexpected_change", "revoked_access", "forged_token"}
)
"""Checks whose findings say of an operation and a role what a contradiction with a run says."""


class SourceFinding(Struct, frozen=True, kw_only=True):
    """Two sources that cannot both be right, told like what a run finds."""

    id: str
    """8 hex digits of the operation, the role and the two sources; the same until one is mended."""
    operation_id: str
    role: str
    editions: tuple[str, ...]
    """Empty: in all."""
    kind: Literal["let_in", "kept_out"]
    severity: Severity
    title: str
    evidence: str
    trusted: AccessRule
    """What counts."""
    against: AccessRule

    @property
    def check(self) -> str:
        """What it stands under in a baseline and in reports."""
        return "contradiction"


def source_findings(
    contradictions: Iterable[Contradiction], *, shown: Iterable[Finding] = ()
) -> tuple[SourceFinding, ...]:
    """CONTRADICTIONS as findings, the gravest first, each once.

    SHOWN: a run's findings; what the target was seen to do is left out where one of them says of
    the same operation that it let somebody through, for it would be counted twice.
    """
    known = {
        operation
        for finding in shown
        if finding.check in ABOUT_ACCESS
        for operation in (finding.operation_id, *finding.operations)
    }
    made: dict[str, SourceFinding] = {}
    for one in contradictions:
        if one.against.source == "run" and one.operation_id in known:
            continue
        found = _finding(one)
        made.setdefault(found.id, found)
    return tuple(sorted(made.values(), key=lambda f: SEVERITIES.index(f.severity)))


def failing_sources(
    found: Iterable[SourceFinding], *, known: Collection[str] = ()
) -> tuple[SourceFinding, ...]:
    """Those of FOUND that make a run fail: high and medium ones that are not KNOWN before."""
    return tuple(f for f in found if f.severity != "low" and f.id not in known)


def as_data(found: SourceFinding) -> Mapping[str, object]:
    """FOUND with its check, for machines."""
    return {"check": found.check, **{n: getattr(found, n) for n in found.__struct_fields__}}


def _finding(one: Contradiction) -> SourceFinding:
    where = f" in {', '.join(one.editions)}" if one.editions else ""
    verb = "lets in" if one.kind == "let_in" else "keeps out"
    other = "refuses" if one.kind == "let_in" else "lets in"
    named = "nobody signed in" if one.role == NOBODY else one.role
    return SourceFinding(
        id=_id(one),
        operation_id=one.operation_id,
        role=one.role,
        editions=one.editions,
        kind=one.kind,
        severity=_severity(one),
        title=f"{_name(one.against)} {verb} {named}{where}, {_name(one.trusted)} {other}",
        evidence=f"{one.trusted.grant} by {one.trusted.words}; "
        f"{one.against.grant} by {one.against.words}",
        trusted=one.trusted,
        against=one.against,
    )


def _severity(one: Contradiction) -> Severity:
    """Who comes in that must not is worse than who stays out that might; what the service does is
    worse than what is written about it."""
    does = one.against.source in _RUNS_TOO
    if one.kind == "let_in":
        return "high" if does else "medium"
    return "medium" if does and one.against.source != "traffic" else "low"


def _id(one: Contradiction) -> str:
    rules = (_lasting(one.trusted), _lasting(one.against))
    parts = (one.operation_id, folded(one.role), one.kind, *sorted(one.editions), *rules)
    return sha256("\n".join(("contradiction", *parts)).encode()).hexdigest()[:8]


def _lasting(rule: AccessRule) -> str:
    """What of RULE's place is the same tomorrow: a profile's version is not, nor is a line."""
    return rule.source if rule.source in OBSERVED else f"{rule.source} {rule.document}"


_NAMES: Mapping[Source, str] = {
    "run": "the target",
    "traffic": "recorded traffic",
    "openapi": "the specification",
}


def _name(rule: AccessRule) -> str:
    return _NAMES.get(rule.source) or rule.document or rule.source.replace("_", " ")
