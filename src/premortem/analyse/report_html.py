"""A run's report as one HTML file that needs nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template
from markupsafe import Markup, escape
from msgspec import Struct

from premortem.analyse import excerpt
from premortem.analyse.pages import environment
from premortem.analyse.report import CLASSES, WHY, Report
from premortem.checks import CHECKS
from premortem.domain.run import Case, Finding
from premortem.errors import InputError

FINDINGS_MAX = 200
"""Cards on a page; the rest is counted."""
OPERATIONS_MAX = 2_000
SCENARIOS_MAX = 100
SOURCES_MAX = 200
UNTESTED_MAX = 200
STEPS_MAX = 20
"""Requests of a finding's sequence that are listed."""
BAR_WIDTH = 720


class Segment(Struct, frozen=True, kw_only=True):
    """A part of a bar."""

    name: str
    count: int
    percent: float
    x: float
    width: float


def render_html(report: Report) -> str:
    """REPORT as a page: no script, no address of anything outside, all captured text escaped."""
    return _template().render(
        report=report,
        run=report.run,
        plan=report.run.plan,
        verdict=_verdict(report),
        bar=_bar(report),
        quantiles=_quantiles(report),
        started=moment(report.run.started_at),
        classes=CLASSES,
        rows=_sorted_rows(report),
        cards=[_card(f, report) for f in report.findings[:FINDINGS_MAX]],
        unconfirmed=[_card(f, report) for f in report.unconfirmed[:FINDINGS_MAX]],
        more_findings=max(0, len(report.findings) - FINDINGS_MAX),
        sources=report.sources[:SOURCES_MAX],
        more_sources=max(0, len(report.sources) - SOURCES_MAX),
        scenarios=report.scenarios[:SCENARIOS_MAX],
        untested=report.untested[:UNTESTED_MAX],
        more_untested=max(0, len(report.untested) - UNTESTED_MAX),
    )


def write_file(path: Path, text: str) -> None:
    """TEXT into the file PATH. Raises InputError when it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; name another file") from None


def moment(at: float) -> str:
    """Seconds since the epoch as date and time, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@cache
def _template() -> Template:
    made = environment()
    made.filters["coded"] = coded
    made.filters["milliseconds"] = milliseconds
    return made.get_template("report.html")


def coded(text: str) -> Markup:
    """TEXT, escaped, with what stands between backticks as code."""
    parts = excerpt.printable(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    shown = (
        escape(p) if i % 2 == 0 else Markup("<code>%s</code>") % p for i, p in enumerate(parts)
    )
    return Markup("").join(shown)


def milliseconds(value: float) -> str:
    """`0.8 ms`, `12 ms`, `1.4 s`."""
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def _verdict(report: Report) -> dict[str, str]:
    said = _of_findings(report)
    against = len(report.sources)
    if not against:
        return said
    words = f"{against} contradiction{'s' if against > 1 else ''} between sources"
    detail = f"{said['detail']}; {words}" if report.findings else words
    return {**said, "detail": detail, "tone": "doubt" if said["tone"] == "good" else said["tone"]}


def _of_findings(report: Report) -> dict[str, str]:
    count = len(report.findings)
    if not count:
        if not report.run.answered:
            return {"tone": "doubt", "headline": "Nothing was answered", "detail": ""}
        detail = "Every check passed on every answer, or what failed did not come again."
        return {"tone": "good", "headline": "No finding", "detail": detail}
    new = sum(f.id in report.failing for f in report.findings)
    parts = [f"{n} {severity}" for severity, n in report.by_severity.items()]
    detail = ", ".join(parts)
    headline = f"{count} finding{'s' if count > 1 else ''}"
    if new < count:
        detail += f"; {count - new} known before"
    tone = "bad" if new else "doubt"
    return {"tone": tone, "headline": headline, "detail": detail}


def _bar(report: Report) -> list[Segment]:
    """Answers by status class and what came without one, as parts of one bar."""
    run = report.run
    counts = [(name, run.statuses.get(name, 0)) for name in ("1xx", *CLASSES[:-1])]
    counts.append(("none", run.faulted + run.unknown))
    total = sum(count for _, count in counts)
    segments: list[Segment] = []
    x = 0.0
    for name, count in counts:
        if count:
            width = BAR_WIDTH * count / total
            segments.append(
                Segment(name=name, count=count, percent=100 * count / total, x=x, width=width)
            )
            x += width
    return segments


def _quantiles(report: Report) -> list[Segment]:
    """Latencies; widths on a scale where the largest fills the bar."""
    # The slowest of all is told beside it: as a bar it would dwarf the others.
    values = {name: ms for name, ms in report.run.latency_ms.items() if name != "max"}
    largest = max(values.values(), default=0) or 1
    return [
        Segment(name=name, count=0, percent=values[name], x=0, width=360 * values[name] / largest)
        for name in ("p50", "p90", "p99")
        if name in values
    ]


def _sorted_rows(report: Report) -> list[Any]:
    rows = sorted(report.operations, key=lambda row: (-row.findings, -row.sent, row.operation_id))
    return rows[:OPERATIONS_MAX]


def _card(finding: Finding, report: Report) -> dict[str, Any]:
    """What the template says of FINDING."""
    sent = finding.sent
    case = finding.sequence.cases[-1]
    response = sent.response
    descriptions = {check.name: check.description for check in CHECKS}
    return {
        "finding": finding,
        "known": finding.id not in report.failing,
        "what": descriptions.get(finding.check, ""),
        "why": WHY.get(finding.check, ""),
        "request": excerpt.request_text(sent.request),
        "status": response.status if response is not None else "",
        "response": excerpt.response_text(response) if response is not None else "",
        "fault": sent.fault,
        "duration": milliseconds(sent.duration_ms),
        "case": case,
        "intent": _intent(case),
        "steps": [_step(c) for c in finding.sequence.cases[:-1][-STEPS_MAX:]],
        "more_steps": max(0, len(finding.sequence.cases) - 1 - STEPS_MAX),
        "alike": report.alike.get((finding.check, finding.signature), 0),
    }


def _intent(case: Case) -> str:
    if case.intent.kind == "adversarial":
        return f"made by {case.origin.source} to break {case.intent.breaks}"
    if case.recorded_status:
        return f"recorded in production, which answered {case.recorded_status}"
    return f"made by {case.origin.source}, like production's"


def _step(case: Case) -> str:
    role = f" as {case.role}" if case.role else ""
    return f"{case.request.method} {excerpt.target_of(case.request, chars_max=120)}{role}"
