"""Contradictions between sources as findings: how grave, under which id, and none counted twice."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from premortem.domain.access import ANYONE, NOBODY, contradictions, listed, merged
from premortem.domain.source_findings import failing_sources, source_findings
from tests.analyse.samples import finding
from tests.domain.test_access import APPROVE, ROLES, rule, seen

POLICY = listed(rule("authorization_map", document="AuthorizationMap.yaml", line=3), ["CFO"])


def found(*against, shown=()):
    table = merged([*POLICY, *against], roles=ROLES)
    return source_findings(contradictions(table), shown=shown)


@pytest.mark.parametrize(
    ("against", "kind", "severity"),
    [
        ([seen("Guest")], "let_in", "high"),
        ([rule("run", role="Guest")], "let_in", "high"),
        (listed(rule("csharp"), ["CFO", "Guest"]), "let_in", "high"),
        (listed(rule("openapi"), ["CFO", "Guest"]), "let_in", "medium"),
        (listed(rule("blueprint"), ["CFO", "Guest"]), "let_in", "medium"),
        ([rule("run", role="CFO", grant="denied")], "kept_out", "medium"),
        ([rule("python", role="CFO", grant="denied")], "kept_out", "medium"),
        ([seen("CFO", grant="denied", support=9)], "kept_out", "low"),
        ([rule("openapi", role="CFO", grant="denied")], "kept_out", "low"),
    ],
)
def test_who_comes_in_is_graver_than_who_stays_out_and_deeds_than_words(against, kind, severity):
    (one,) = found(*against)
    assert (one.kind, one.severity) == (kind, severity)
    assert one.title
    assert "AuthorizationMap.yaml:3" in one.evidence


def test_the_gravest_come_first_and_low_ones_fail_no_run():
    three = found(
        *listed(rule("openapi", document="openapi.json"), ["CFO", "Guest"]),
        seen("CFO", grant="denied", support=9),
        rule("run", role=NOBODY),
    )
    assert [one.severity for one in three] == ["high", "medium", "low"]
    assert [one.severity for one in failing_sources(three)] == ["high", "medium"]
    assert failing_sources(three, known=[one.id for one in three]) == ()


def test_the_id_stays_while_lines_versions_and_counts_change_and_no_two_share_it():
    (one,) = found(seen("Guest", document="traffic of profile a", support=1))
    (again,) = found(seen("Guest", document="traffic of profile b", support=9))
    assert one.id == again.id
    (other,) = found(rule("run", role="Guest"))
    assert other.id != one.id
    moved = [replace(r, line=40) for r in POLICY]
    (later,) = source_findings(contradictions(merged([*moved, seen("Guest")], roles=ROLES)))
    assert later.id == one.id


def test_what_a_finding_of_the_run_shows_is_not_counted_twice():
    shown = replace(finding(), operation_id=APPROVE, check="accepted_invalid")
    run, traffic = rule("run", role="Guest"), seen("Guest")
    assert found(run, shown=[shown]) == ()
    assert [one.against.source for one in found(run, traffic, shown=[shown])] == ["traffic"]
    assert found(run, shown=[replace(shown, check="server_error")])
    assert found(run, shown=[replace(shown, operation_id="GET /other")])
    assert ANYONE not in {one.role for one in found(run)}
