"""A run's report as JUnit XML, in the shape that Jenkins, GitLab and the like read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from premortem.analyse.excerpt import printable
from premortem.analyse.report import Report
from premortem.checks import CHECKS
from premortem.domain.run import Finding

TEXT_CHARS_MAX = 8_000
"""Of one failure's text."""


def render_junit(report: Report) -> str:
    """REPORT as XML: one test case per operation and check, one per scenario.

    A finding that makes the run fail is a `failure`; one that is known before, contract drift
    and flaky ones are told in `system-out`. Operations that got no request are `skipped`.
    """
    root = ET.Element("testsuites", name="premortem")
    _suite(root, "checks", report, _check_cases(report))
    if report.run.judged:
        _suite(root, "thresholds", report, _threshold_cases(report))
    if report.sources:
        _suite(root, "sources", report, _source_cases(report))
    if report.scenarios:
        _suite(root, "scenarios", report, _scenario_cases(report))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{report.run.duration_s:.3f}")
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: ET.Element, name: str, report: Report, cases: Iterable[ET.Element]) -> None:
    run = report.run
    suite = ET.SubElement(root, "testsuite", name=f"premortem {printable(run.plan.name)} {name}")
    suite.extend(cases)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", f"{run.duration_s:.3f}" if name == "checks" else "0.000")
    started = datetime.fromtimestamp(run.started_at, UTC)
    suite.set("timestamp", started.strftime("%Y-%m-%dT%H:%M:%S"))
    suite.set("hostname", "localhost")


def _check_cases(report: Report) -> Iterable[ET.Element]:
    by_place: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        by_place.setdefault((finding.operation_id, finding.check), []).append(finding)
    sent = {row.operation_id: row.sent for row in report.operations}
    names = [check.name for check in CHECKS if check.name not in report.run.plan.checks_off]
    operations = dict.fromkeys([*sent, *(operation for operation, _ in by_place)])
    for operation_id in operations:
        found = [check for operation, check in by_place if operation == operation_id]
        for name in dict.fromkeys([*names, *found]):
            case = _case(operation_id, name)
            findings = by_place.get((operation_id, name), [])
            if findings:
                _tell(case, findings, report)
            elif report.counted and not sent.get(operation_id):
                ET.SubElement(case, "skipped", message="no request was sent to this operation")
            yield case


def _case(classname: str, name: str) -> ET.Element:
    # A dot would make Jenkins fold the path into packages.
    shown = printable(classname).replace(".", "\u2024")
    return ET.Element("testcase", classname=shown, name=printable(name), time="0")


def _tell(case: ET.Element, findings: list[Finding], report: Report) -> None:
    failing = [f for f in findings if f.id in report.failing and f.kind == "defect"]
    known = [f for f in findings if f not in failing]
    if failing:
        first, more = failing[0], len(failing) - 1
        message = f"{first.id} {first.title}" + (f" (and {more} more)" if more else "")
        failure = ET.SubElement(case, "failure", message=printable(message), type=first.check)
        failure.text = "\n\n".join(_text(finding) for finding in failing)[:TEXT_CHARS_MAX]
    if known:
        out = ET.SubElement(case, "system-out")
        text = "\n\n".join(f"{_word(finding, report)}: {_text(finding)}" for finding in known)
        out.text = text[:TEXT_CHARS_MAX]


def _word(finding: Finding, report: Report) -> str:
    """Why FINDING is no failure."""
    if finding.id not in report.failing:
        return "known before"
    return "contract drift" if finding.kind == "drift" else finding.kind


def _text(finding: Finding) -> str:
    lines = [
        f"{finding.id} [{finding.severity}, {finding.kind}] "
        f"{finding.operation_id}: {finding.title}",
        finding.verdict.evidence,
        f"{finding.kind}: {finding.kind_reason}" if finding.kind_reason else "",
        f"also in: {', '.join(finding.operations)}" if finding.operations else "",
        f"seen {finding.count} times, "
        f"reproduced {finding.reproduced} of {finding.reproduction_tries} times",
        finding.curl,
        f"premortem replay {finding.id}",
    ]
    return printable("\n".join(line for line in lines if line))


def _threshold_cases(report: Report) -> Iterable[ET.Element]:
    for threshold in report.run.judged:
        case = _case("thresholds", threshold.text)
        measured = "nothing" if threshold.value is None else f"{threshold.value:,.6g}"
        if not threshold.held:
            message = printable(f"{threshold.text}: measured {measured}")
            ET.SubElement(case, "failure", message=message, type="threshold")
        yield case


def _source_cases(report: Report) -> Iterable[ET.Element]:
    for one in report.sources:
        case = _case(one.operation_id, f"{one.check} {one.id} {one.role}")
        told = ET.SubElement(case, "system-out") if one.severity == "low" else None
        if told is None:
            message = printable(f"{one.id} {one.title}")
            told = ET.SubElement(case, "failure", message=message, type=one.check)
        told.text = printable(f"[{one.severity}] {one.title}\n{one.evidence}")[:TEXT_CHARS_MAX]
        yield case


def _scenario_cases(report: Report) -> Iterable[ET.Element]:
    for item in report.scenarios:
        scenario, verdict = item.scenario, item.verdict
        case = _case(f"scenario {scenario.feature}".strip(), scenario.title)
        if verdict.outcome == "finding":
            failure = ET.SubElement(
                case, "failure", message=printable(verdict.reason), type="scenario"
            )
            steps = (
                f"{r.status:9} {r.step.keyword} {r.step.text} {r.detail}" for r in verdict.steps
            )
            failure.text = printable("\n".join(steps))[:TEXT_CHARS_MAX]
        elif verdict.outcome == "junk":
            ET.SubElement(case, "skipped", message=printable(verdict.reason))
        yield case
