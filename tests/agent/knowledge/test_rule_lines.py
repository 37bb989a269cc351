"""Rules that a blueprint writes as data, as lines that can be tried."""

from __future__ import annotations

import pytest

from premortem.agent.knowledge.rule_lines import RuleLines, rule_lines
from premortem.errors import InputError

NAMES = {
    "approve_leave": "POST /leaves/{leave_id}/approve",
    "ask_leave": "POST /leaves",
    "closeLeave": "POST /leaves/{leave_id}/close",
    "list_log": "GET /log",
    "day_report": "GET /reports/day",
}
APPROVE, ASK, CLOSE = NAMES["approve_leave"], NAMES["ask_leave"], NAMES["closeLeave"]


def read(text: str) -> RuleLines:
    return rule_lines(text.encode(), origin="leaves.yaml", names=NAMES)


def texts(text: str) -> list[str]:
    return [line.text for line in read(text).lines]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("{operation: close_leave, once: true}", f"{CLOSE}: once"),
        ("{handler: CloseLeaveHandler, only_once: yes}", f"{CLOSE}: once"),
        ("{operation: approve_leave, never_after: close_leave}", f"{APPROVE}: never after {CLOSE}"),
        ("{operation: ApproveLeave, four_eyes: ask_leave}", f"{APPROVE}: never by who did {ASK}"),
        (
            "{operation: close_leave, one_entry_in: 'list_log?leave={leave_id}'}",
            f"{CLOSE}: one entry in GET /log?leave={{leave_id}}",
        ),
        (
            "{operation: day_report, day: day, time_zone: zone, counts: ask_leave}",
            f"GET /reports/day: day by zone counts {ASK}",
        ),
        ("'POST /leaves/{leave_id}/close: once'", f"{CLOSE}: once"),
        (
            "{invariant: 'GET /reports/day: all == paid + unpaid'}",
            "GET /reports/day: all == paid + unpaid",
        ),
        ("a leave is closed by hand", None),
        ("{text: a leave is closed by hand}", None),
    ],
)
def test_a_rule_becomes_a_line(rule, line):
    assert texts(f"rules:\n  - {rule}\n") == ([line] if line else [])


def test_a_line_says_where_it_stands_and_in_which_words():
    (line,) = read(
        "rules:\n  - text: closed once\n    operation: closeLeave\n    once: true\n"
    ).lines
    assert line.why == "leaves.yaml:2 says 'closed once'"
    assert line.kind == "rule"


def test_an_operation_that_nobody_knows_is_said_with_its_line():
    found = read("rules:\n  - {operation: open_leave, once: true}\n")
    assert found.lines == ()
    assert found.left == ("leaves.yaml:2: nobody knows an operation called `open_leave`",)


def test_transitions_say_what_a_state_forbids():
    found = texts(
        "states:\n  leave:\n    transitions:\n"
        "      approve_leave: asked -> approved\n"
        "      close_leave: [asked -> closed, approved -> closed]\n"
    )
    assert found == [
        f"{APPROVE}: once",
        f"{APPROVE}: never after {CLOSE}",
        f"{CLOSE}: once",
    ]


def test_a_step_that_may_lead_to_several_states_forbids_nothing():
    found = texts(
        "states:\n  leave:\n    transitions:\n"
        "      approve_leave: [asked -> asked, asked -> approved]\n"
    )
    assert found == []


def test_handlers_of_the_blueprint_itself_are_known_by_their_routes():
    found = texts(
        'handlers:\n  OpenLeave: {route: "POST /leaves/{leave_id}/open"}\n'
        "rules:\n  - {operation: open_leave, once: true}\n"
    )
    assert found == ["POST /leaves/{leave_id}/open: once"]


def test_what_is_no_document_is_refused():
    with pytest.raises(InputError, match=r"leaves\.yaml"):
        read("rules: [")
