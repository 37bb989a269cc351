"""A run's report written to files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from premortem.analyse.access_html import render_access_html
from premortem.analyse.coverage_html import render_coverage_html
from premortem.analyse.coverage_map import CoverageMap
from premortem.analyse.report import compose_report
from premortem.analyse.report_html import render_html, write_file
from premortem.analyse.report_junit import render_junit
from premortem.domain.access_matrix import AccessMatrix
from premortem.domain.run import Finding, Result, RunSummary
from premortem.domain.source_findings import SourceFinding
from premortem.domain.traffic import Profile
from premortem.store import StoredScenario


def write_html(
    path: Path,
    *,
    summary: RunSummary,
    findings: Iterable[Finding],
    profile: Profile | None = None,
    results: Iterable[Result] = (),
    scenarios: Iterable[StoredScenario] = (),
    failing: Collection[str] | None = None,
    unconfirmed: Iterable[Finding] = (),
    ignored: int = 0,
    base_url: str = "",
    sources: Iterable[SourceFinding] = (),
) -> None:
    """Write the HTML report; see `compose_report`.

    Raises InputError when PATH cannot be written.
    """
    report = compose_report(
        summary,
        findings=findings,
        profile=profile,
        results=results,
        scenarios=scenarios,
        failing=failing,
        unconfirmed=unconfirmed,
        ignored=ignored,
        base_url=base_url,
        sources=sources,
    )
    write_file(path, render_html(report))


def write_junit(
    path: Path,
    *,
    summary: RunSummary,
    findings: Iterable[Finding],
    profile: Profile | None = None,
    results: Iterable[Result] = (),
    scenarios: Iterable[StoredScenario] = (),
    failing: Collection[str] | None = None,
    sources: Iterable[SourceFinding] = (),
) -> None:
    """Write the JUnit report; see `compose_report`.

    Raises InputError when PATH cannot be written.
    """
    report = compose_report(
        summary,
        findings=findings,
        profile=profile,
        results=results,
        scenarios=scenarios,
        failing=failing,
        sources=sources,
    )
    write_file(path, render_junit(report))


def write_coverage_html(path: Path, found: CoverageMap) -> None:
    """Write the page of what was covered. Raises InputError when PATH cannot be written."""
    write_file(path, render_coverage_html(found))


def write_access_html(
    path: Path,
    matrix: AccessMatrix,
    contradictions: Sequence[SourceFinding],
    *,
    sources: Sequence[str] = (),
) -> None:
    """Write the page that shows who may do what. Raises InputError when PATH cannot be written."""
    write_file(path, render_access_html(matrix, contradictions, sources=sources))
