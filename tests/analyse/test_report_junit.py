from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from premortem.analyse import compose_report, render_junit, write_junit
from premortem.checks import CHECKS
from premortem.domain.access import contradictions, listed, merged
from premortem.domain.run import Plan
from premortem.domain.source_findings import source_findings
from tests.analyse.samples import MAKE, PAY, finding, profile, scenario, summary, verdict
from tests.domain.test_access import rule

SHAPE = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
        {"testcase"},
    ),
    "testcase": ({"classname", "name", "time"}, {"failure", "skipped", "system-out"}),
    "failure": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}
"""Attributes, all of which must be there, and children, as the Jenkins xunit schema has them."""


def parsed(**more) -> ET.Element:
    values = {"findings": [finding()], "profile": profile()}
    run = more.pop("run", summary())
    return ET.fromstring(render_junit(compose_report(run, **{**values, **more})))


def check_shape(element: ET.Element) -> None:
    attributes, children = SHAPE[element.tag]
    assert set(element.keys()) == attributes
    assert {child.tag for child in element} <= children
    for child in element:
        check_shape(child)


def test_the_file_has_the_shape_that_ci_reads():
    check_shape(parsed(scenarios=[scenario(), scenario("junk"), scenario("regression")]))


def test_counts_are_those_of_the_cases():
    root = parsed(scenarios=[scenario(), scenario("junk")])
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests")) == len(cases)
        assert int(element.get("failures")) == sum(c.find("failure") is not None for c in cases)
        assert int(element.get("skipped")) == sum(c.find("skipped") is not None for c in cases)
        assert element.get("errors") == "0"


def test_there_is_one_case_for_each_operation_and_check():
    root = parsed()
    cases = [(c.get("classname"), c.get("name")) for c in root.iter("testcase")]
    assert len(cases) == len(set(cases)) == len(profile().operations) * len(CHECKS)
    off = parsed(run=summary(plan=Plan(checks_off=("no_answer",))), findings=[])
    assert "no_answer" not in {c.get("name") for c in off.iter("testcase")}


def test_a_finding_fails_its_case_alone():
    (case,) = [c for c in parsed().iter("testcase") if c.find("failure") is not None]
    assert (case.get("classname"), case.get("name")) == (PAY, "server_error")
    failure = case.find("failure")
    assert failure.get("type") == "server_error"
    assert "premortem replay" in failure.text
    assert "curl -sS" in failure.text


def test_two_findings_of_one_case_are_one_failure():
    other = finding(id="00000001", signature="x", verdict=verdict(signature="x"))
    (failure,) = parsed(findings=[finding(), other]).iter("failure")
    assert "(and 1 more)" in failure.get("message")
    assert "00000001" in failure.text


def test_what_is_known_before_does_not_fail():
    root = parsed(failing=())
    assert not list(root.iter("failure"))
    (out,) = root.iter("system-out")
    assert out.text.startswith("known before: ")


def test_operations_without_a_request_are_skipped():
    skipped = {
        c.get("classname") for c in parsed().iter("testcase") if c.find("skipped") is not None
    }
    assert MAKE not in skipped
    assert "DELETE /invoices/{invoice_id}" in skipped


def test_without_counts_nothing_is_called_skipped():
    root = parsed(run=summary(by_operation={}))
    assert root.get("skipped") == "0"
    assert parsed(run=summary(by_operation={}), results=[]).get("failures") == "1"


@pytest.mark.parametrize("text", ["\x00\x1b\x0b", "\ud800", "\ufffe", "]]><x/>&<", "a\r\nb"])
def test_text_that_xml_cannot_hold_is_spelled_out(text):
    told = verdict(title=text, evidence=text)
    root = parsed(
        findings=[finding(title=text, curl=text, verdict=told, operation_id=f"GET /{text}")]
    )
    assert len(list(root.iter("failure"))) == 1


def test_a_report_is_a_file(tmp_path):
    write_junit(tmp_path / "r.xml", summary=summary(), findings=[finding()], profile=profile())
    assert ET.parse(tmp_path / "r.xml").getroot().tag == "testsuites"


def test_contradictions_between_sources_are_failures_but_low_ones():
    rules = [
        *listed(rule("blueprint", document="b.yaml"), ["CFO"]),
        rule("traffic", role="Guest"),
        rule("traffic", role="CFO", grant="denied", support=9),
    ]
    sources = source_findings(contradictions(merged(rules, roles=("Guest", "CFO"))))
    root = parsed(findings=[], sources=sources)
    check_shape(root)
    (suite,) = [s for s in root if s.get("name", "").endswith("sources")]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (failure,) = suite.findall("testcase/failure")
    assert "lets in Guest" in failure.get("message", "")
