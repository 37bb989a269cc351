from __future__ import annotations

import io

import pytest
from rich.console import Console

from premortem.analyse import (
    case_view,
    cases_table,
    exchange_view,
    finding_view,
    findings_table,
    plan_view,
    profile_view,
    run_view,
    scenario_view,
    traffic_table,
)
from premortem.domain.run import Plan
from premortem.store import TrafficRow
from tests.analyse.samples import (
    BROKEN,
    MAKE,
    case,
    exchange,
    finding,
    profile,
    scenario,
    sequence,
    summary,
    verdict,
)

HOSTILE = "[bold]x[/] [/nothing] \x1b[2J\x07 [link=http://evil]y"


def printed(renderable, *, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, highlight=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def row(**changes) -> TrafficRow:
    values = {
        "id": "0123456789abcdef", "method": "GET", "host": "prod", "path": "/invoices",
        "status": 200, "started_at": 1_790_000_000.0, "duration_ms": 3.0, "role": "clerk",
        "bytes": 12_345,
    }  # fmt: skip
    return TrafficRow(**{**values, **changes})


def test_findings_are_told_gravest_first_and_counted():
    low = finding(id="00000001", severity="low", title="small")
    text = printed(findings_table([low, finding()], unconfirmed=2))
    assert text.index("fails with 500") < text.index("small")
    assert "2 findings: 1 high, 1 low" in text
    assert "2 failed once and not again" in text
    assert "(known)" in printed(findings_table([finding()], failing=()))


def test_no_finding_is_said_plainly():
    assert printed(findings_table([])).strip() == "no finding"


def test_a_finding_shows_its_evidence_messages_and_line():
    text = printed(finding_view(finding(), alike_in=3))
    for part in (
        "POST /invoices/inv_1/pay",
        '"error": "boom"',
        "curl -sS -i",
        "replay",
        "3 operations",
    ):
        assert part in text
    assert "secret" not in text


def test_the_line_to_copy_is_not_broken():
    long = finding(curl="curl " + "a" * 500)
    for terminal in (True, False):
        out = Console(file=io.StringIO(), width=80, force_terminal=terminal, soft_wrap=not terminal)
        out.print(finding_view(long))
        assert "curl " + "a" * 500 in out.file.getvalue()  # type: ignore[attr-defined]


def test_a_run_adds_up_in_words():
    text = printed(run_view(summary(), "17 requests too few"))
    for part in (
        "600",
        "590",
        "98.3% as in production",
        "p99 48 ms",
        "17 requests too few",
        "4xx 118",
    ):
        assert part in text


def test_a_run_of_nothing_can_be_shown():
    empty = summary(answered=0, duration_s=0.0, statuses={}, faulted=0, unknown=0, latency_ms={})
    assert "planned" in printed(run_view(empty))


def test_a_plan_shows_what_it_sends():
    cases = [*sequence().cases, case(MAKE, "/invoices", source="mutate", intent=BROKEN)]
    text = printed(plan_view(Plan(), [type(sequence())(cases=tuple(cases))]))
    assert "3,000 requests" in text
    assert "1 adversarial" in text
    assert MAKE in text


def test_traffic_is_listed():
    text = printed(traffic_table([row(), row(status=500)]))
    assert "01234567" in text
    assert "12,345" in text
    assert printed(traffic_table([])).strip() == "no exchange"


def test_an_exchange_shows_both_messages_without_credentials():
    text = printed(exchange_view(exchange()))
    assert "POST /invoices" in text
    assert '"id": "inv_1"' in text
    assert "rdxabc" not in text


def test_cases_say_what_they_are_for():
    cases = [case(MAKE, "/invoices", source="mutate", intent=BROKEN), *sequence().cases[:1]]
    text = printed(cases_table([*cases, case(MAKE, "/invoices", setup=True)]))
    assert "break body:/amount minimum" in text
    assert text.count("POST /invoices") == 3
    assert "prepare others" in text
    assert "premortem generate" in printed(cases_table([]))


def test_a_case_shows_what_comes_before_it_and_its_live_values():
    text = printed(case_view(sequence()))
    assert "before it, 4 requests" in text
    assert "path:1 takes body:/id of request 1 (recorded inv_1)" in text
    assert "production answered 409" in text


def test_a_profile_teaches_the_api():
    text = printed(profile_view(profile()))
    for part in (
        "480 exchanges, 12 sessions",
        "Ledger",
        "POST /invoices",
        "Make an invoice",
        "201×290",
        "guest 403",
        "amount currency",
        "body:/id",
        "98%",
        "DELETE /invoices/{invoice_id}",
        "could be one operation or two",
        "7.8 requests/min",
    ):
        assert part in text


def test_one_operation_is_shown_in_depth():
    text = printed(profile_view(profile(), profile().operations[0]))
    for part in (
        "300 calls; in the specification; needs credentials",
        "EUR | USD",
        "0 to 20, half below 10",
        "who gets what",
        "guest",
        "gives",
        "how production got there",
    ):
        assert part in text
    assert "needs" in printed(profile_view(profile(), profile().operations[1]))


def test_values_that_are_no_closed_set_stay_unseen():
    first = profile().operations[0]
    assert "EUR" not in printed(profile_view(profile()))
    assert '"' not in printed(profile_view(profile(), first)).split("answers")[0]


@pytest.mark.parametrize("outcome", ["finding", "regression", "junk"])
def test_a_scenario_shows_each_step(outcome):
    item = scenario(outcome)
    text = printed(scenario_view(item.scenario, item.verdict))
    assert outcome in text
    assert "✗ Then the response status is 409" in text
    assert "fails under 1 of 2 injected faults" in text
    assert "Given the actor" in printed(scenario_view(item.scenario))


def test_captured_text_is_neither_markup_nor_control():
    told = verdict(title=HOSTILE, evidence=HOSTILE)
    bad = finding(title=HOSTILE, verdict=told, operation_id=HOSTILE, curl=HOSTILE)
    hostile = case(HOSTILE, "/" + HOSTILE, body=HOSTILE.encode(), role=HOSTILE)
    for renderable in (
        findings_table([bad]),
        finding_view(bad),
        run_view(summary(stopped=HOSTILE, plan=Plan(name=HOSTILE)), HOSTILE),
        traffic_table([row(path=HOSTILE, role=HOSTILE)]),
        cases_table([hostile]),
        case_view(type(sequence())(cases=(hostile, hostile))),
    ):
        text = printed(renderable)
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "[bold]x[/]" in "".join(text.split("\n"))
