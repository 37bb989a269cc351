"""Findings as JUnit XML, SARIF and Allure results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

import msgspec

from premortem.analyse import excerpt
from premortem.analyse.excerpt import printable
from premortem.checks import CHECKS
from premortem.domain.run import Finding

TEXT_CHARS_MAX = 8_000
"""Of one finding's text."""
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"high": "error", "medium": "warning", "low": "note"}
_ALLURE = {"high": "critical", "medium": "normal", "low": "minor"}


def told(finding: Finding) -> str:
    """FINDING in lines of text."""
    lines = [
        f"{finding.id} [{finding.severity}, {finding.kind}] {finding.operation_id}: "
        f"{finding.title}",
        finding.verdict.evidence,
        f"{finding.kind}: {finding.kind_reason}" if finding.kind_reason else "",
        f"also in: {', '.join(finding.operations)}" if finding.operations else "",
        f"reproduced {finding.reproduced} of {finding.reproduction_tries} times",
        *(
            f"{number}. {case.request.method} {excerpt.target_of(case.request, chars_max=120)}"
            + (f" as {case.role}" if case.role else "")
            for number, case in enumerate(finding.sequence.cases, 1)
        ),
        finding.curl,
        f"premortem replay {finding.id}",
    ]
    return printable("\n".join(line for line in lines if line))[:TEXT_CHARS_MAX]


def junit(findings: Sequence[Finding]) -> str:
    """FINDINGS as JUnit XML: a failing test case for each; flaky ones and drift are told as
    skipped, so that they do not end a build."""
    suite = ET.Element("testsuite", name="premortem findings", tests=str(len(findings)))
    for finding in findings:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=printable(finding.operation_id).replace(".", "\u2024"),
            name=printable(f"{finding.check} {finding.id}"),
            time="0",
        )
        message = printable(f"{finding.title} ({finding.kind})")
        if finding.kind == "defect":
            made = ET.SubElement(case, "failure", message=message, type=finding.check)
            made.text = told(finding)
        else:
            ET.SubElement(case, "skipped", message=message)
            ET.SubElement(case, "system-out").text = told(finding)
    failed = sum(finding.kind == "defect" for finding in findings)
    suite.set("failures", str(failed))
    suite.set("skipped", str(len(findings) - failed))
    suite.set("errors", "0")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def sarif(findings: Sequence[Finding], *, version: str, document: str) -> str:
    """FINDINGS as SARIF 2.1.0 (OASIS). DOCUMENT: the file that results are pinned to, since they
    are about a running service: the specification."""
    known = {check.name: check.description for check in CHECKS}
    names = sorted({finding.check for finding in findings})
    rules = [
        {"id": name, "shortDescription": {"text": known.get(name, "a check of your own")}}
        for name in names
    ]
    run = {
        "tool": {"driver": {"name": "premortem", "version": version, "rules": rules}},
        "results": [_result(finding, names, document) for finding in findings],
        "columnKind": "unicodeCodePoints",
    }
    made = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"


def _result(finding: Finding, rules: list[str], document: str) -> dict[str, Any]:
    level = _LEVELS[finding.severity] if finding.kind == "defect" else "note"
    return {
        "ruleId": finding.check,
        "ruleIndex": rules.index(finding.check),
        "level": level,
        "message": {"text": told(finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": document},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [
                    {"fullyQualifiedName": operation, "kind": "function"}
                    for operation in (finding.operation_id, *finding.operations)
                ],
            }
        ],
        "partialFingerprints": {"premortem/v1": finding.id},
        "properties": {
            "kind": finding.kind,
            "reason": finding.kind_reason,
            "state": finding.state,
            "reproduced": f"{finding.reproduced}/{finding.reproduction_tries}",
        },
    }


def allure(findings: Iterable[Finding]) -> dict[str, str]:
    """File name -> text of an Allure 2 result for each of FINDINGS, and of its attachment."""
    made: dict[str, str] = {}
    for finding in findings:
        name = str(uuid5(NAMESPACE_URL, f"premortem {finding.id} {finding.run_id}"))
        shown = excerpt.request_text(finding.sent.request)
        if finding.sent.response is not None:
            shown += "\n\n" + excerpt.response_text(finding.sent.response)
        at = round(1000 * finding.first_seen_at)
        result = {
            "uuid": name,
            "historyId": finding.id,
            "testCaseId": finding.id,
            "fullName": f"{finding.operation_id} {finding.check}",
            "name": f"{finding.operation_id}: {finding.title}",
            "status": "failed" if finding.kind == "defect" else "broken",
            "statusDetails": {
                "message": f"{finding.title} ({finding.kind})",
                "trace": told(finding),
                "flaky": finding.kind == "flaky",
            },
            "stage": "finished",
            "start": at,
            "stop": at + round(finding.sent.duration_ms),
            "labels": [
                {"name": "suite", "value": "premortem"},
                {"name": "feature", "value": finding.operation_id},
                {"name": "story", "value": finding.check},
                {"name": "severity", "value": _ALLURE[finding.severity]},
                {"name": "tag", "value": finding.kind},
            ],
            "steps": [
                {
                    "name": f"{case.request.method} {case.request.path}",
                    "status": "passed",
                    "stage": "finished",
                }
                for case in finding.sequence.cases[:-1]
            ],
            "attachments": [
                {"name": "exchange", "type": "text/plain", "source": f"{name}-attachment.txt"}
            ],
        }
        text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
        made[f"{name}-result.json"] = text + "\n"
        made[f"{name}-attachment.txt"] = shown + "\n"
    return made
