"""Everything that a report of one run says, in one value for all its forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from premortem.analyse.findings import SEVERITIES, alike
from premortem.checks import CHECKS
from premortem.domain.run import SAFE_METHODS, Finding, Result, RunSummary
from premortem.domain.source_findings import SourceFinding
from premortem.domain.traffic import OperationProfile, Profile
from premortem.store import StoredScenario

CLASSES = ("2xx", "3xx", "4xx", "5xx", "none")
"""Columns of the operations table; `none`: no answer came."""

WHY = {
    "server_error": "The service failed on its side. Whatever was sent, a client can do nothing "
    "about it, and an unhandled error often leaves data half changed.",
    "no_answer": "A client that gets no answer does not know whether its request was carried "
    "out; if it tries again, it may be carried out twice.",
    "auth_ignored": "Whoever can reach the service can do this without signing in.",
    "accepted_invalid": "A rule that is declared, or that production holds to, is not enforced: "
    "data that must not exist can come into being.",
    "undeclared_status": "Clients written or generated from the specification do not expect this "
    "answer and will mishandle it.",
    "response_shape": "Clients that rely on the promised shape fail when they read this answer.",
}


class OperationRow(Struct, frozen=True, kw_only=True):
    """What one operation got in the run."""

    operation_id: str
    recorded: int
    """Exchanges of production."""
    sent: int
    classes: Mapping[str, int]
    """One of CLASSES -> count."""
    findings: int


class Untested(Struct, frozen=True, kw_only=True):
    """Something that the run says nothing about."""

    subject: str
    why: str


class Report(Struct, frozen=True, kw_only=True):
    """One run, judged."""

    run: RunSummary
    base_url: str
    findings: tuple[Finding, ...]
    """Gravest first."""
    failing: frozenset[str]
    """Ids of those that make the run fail; the rest is known from the baseline."""
    unconfirmed: tuple[Finding, ...]
    ignored: int
    operations: tuple[OperationRow, ...]
    counted: bool
    """The rows count requests at all; without, nothing is known of what was sent."""
    complete: bool
    """The rows count everything that was sent, not only the results that were kept."""
    untested: tuple[Untested, ...]
    scenarios: tuple[StoredScenario, ...]
    title: str
    """Of the specification; empty: none."""
    alike: Mapping[tuple[str, str], int]
    """(check, signature) -> operations that show it, where they are more than one."""
    sources: tuple[SourceFinding, ...] = ()
    """What sources say against each other, and none of the findings shows."""

    @property
    def by_severity(self) -> dict[str, int]:
        """Severity -> findings, gravest first."""
        counts = Counter(finding.severity for finding in self.findings)
        return {severity: counts[severity] for severity in SEVERITIES if counts[severity]}


def compose_report(
    summary: RunSummary,
    *,
    findings: Iterable[Finding],
    profile: Profile | None = None,
    results: Iterable[Result] = (),
    scenarios: Iterable[StoredScenario] = (),
    failing: Collection[str] | None = None,
    unconfirmed: Iterable[Finding] = (),
    ignored: int = 0,
    base_url: str = "",
    notes: Mapping[str, str] | None = None,
    sources: Iterable[SourceFinding] = (),
) -> Report:
    """The report of the run that SUMMARY sums up.

    RESULTS are counted where the run itself did not count by operation. FAILING: ids that make
    the run fail; None: all. SOURCES: contradictions between them. NOTES: further things the run
    says nothing about -> why.
    """
    ordered = tuple(sorted(findings, key=_gravest_first))
    counts = summary.by_operation or count_operations(results)
    rows = tuple(_rows(counts, ordered, profile))
    more = (Untested(subject=s, why=w) for s, w in (notes or {}).items())
    return Report(
        run=summary,
        base_url=base_url,
        findings=ordered,
        failing=frozenset(f.id for f in ordered) if failing is None else frozenset(failing),
        unconfirmed=tuple(unconfirmed),
        ignored=ignored,
        operations=rows,
        counted=bool(counts),
        complete=bool(summary.by_operation),
        untested=(*_untested(summary, rows if counts else (), profile), *more),
        scenarios=tuple(scenarios),
        title=profile.spec_title if profile is not None else "",
        alike=alike(ordered),
        sources=tuple(sources),
    )


def _gravest_first(finding: Finding) -> tuple[int, str, str, str]:
    rank = SEVERITIES.index(finding.severity)
    return (rank, finding.operation_id, finding.check, finding.id)


def count_operations(results: Iterable[Result]) -> dict[str, dict[str, int]]:
    """Operation id -> one of CLASSES -> results."""
    counts: dict[str, Counter[str]] = {}
    for result in results:
        response = result.sent.response
        status_class = f"{response.status // 100}xx" if response is not None else "none"
        counts.setdefault(result.case.operation_id, Counter())[status_class] += 1
    return {operation_id: dict(count) for operation_id, count in counts.items()}


def _rows(
    counts: Mapping[str, Mapping[str, int]],
    findings: Sequence[Finding],
    profile: Profile | None,
) -> Iterable[OperationRow]:
    found = Counter(finding.operation_id for finding in findings)
    known = {o.id: o.count for o in profile.operations} if profile is not None else {}
    for operation_id in dict.fromkeys([*known, *counts]):
        classes = counts.get(operation_id, {})
        yield OperationRow(
            operation_id=operation_id,
            recorded=known.get(operation_id, 0),
            sent=sum(classes.values()),
            classes=classes,
            findings=found[operation_id],
        )


def _untested(
    run: RunSummary, rows: Sequence[OperationRow], profile: Profile | None
) -> Iterable[Untested]:
    operations = {o.id: o for o in profile.operations} if profile is not None else {}
    for row in rows:
        operation = operations.get(row.operation_id)
        if row.sent or operation is None:
            continue
        yield Untested(subject=row.operation_id, why=_why_not_sent(run, operation))
    if run.left:
        why = f"the run ended early ({run.stopped})" if run.stopped else "there was nothing to send"
        yield Untested(subject=f"{run.left:,} planned requests", why=why)
    if run.unknown:
        yield Untested(
            subject=f"{run.unknown:,} requests with unknown outcome",
            why="they went out and no answer came; they may have been carried out",
        )
    names = {check.name: check.description for check in CHECKS}
    for name in run.plan.checks_off:
        yield Untested(subject=f"check {name}", why=f"turned off: {names.get(name, '')}")


def _why_not_sent(run: RunSummary, operation: OperationProfile) -> str:
    method = operation.operation.method
    if run.plan.operations and operation.id not in run.plan.operations:
        return "not among the plan's operations"
    if method not in SAFE_METHODS and run.plan.safe_methods_only:
        return f"{method} may change data, and the plan has safe methods only"
    if not operation.count:
        return "declared, but never seen in production; nothing to start from"
    if not operation.exemplars:
        return "production showed no request of it that could be repeated"
    return "its turn did not come in this plan"
