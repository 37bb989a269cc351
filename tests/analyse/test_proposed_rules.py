"""Rules that traffic or a specification suggests, and what keeps them silent."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from premortem.analyse.proposed_rules import forbidden_moves, proposed_rules
from premortem.analyse.states import state_views
from premortem.domain.relations import EventLog, Pairing, StateMachine, Transition
from premortem.domain.stated import parse_stated
from premortem.domain.traffic import Answer, Operation, OperationProfile, Profile, Timing
from tests.generate import small

ASK, APPROVE = "POST /leaves", "POST /leaves/{leave_id}/approve"
CLOSE, NOTE, EDIT = (f"POST /leaves/{{leave_id}}/{verb}" for verb in ("close", "notes", "edit"))
MOVE, EXTEND = (f"POST /leaves/{{leave_id}}/{verb}" for verb in ("move", "extend"))
LOG, REPORT = "GET /log", "GET /reports/day"


def operation(id_: str, summary: str = "", **more: object) -> OperationProfile:
    method, _, template = id_.partition(" ")
    return OperationProfile(
        operation=Operation(method=method, template=template),
        count=10,
        summary=summary,
        **more,  # type: ignore[arg-type]
    )


def profile(*operations: OperationProfile, **more: object) -> Profile:
    timing = Timing(first_at=0.0, last_at=1.0, rate_per_second=1.0, hours=(0,) * 24)
    return Profile(
        version="v",
        created_at=0.0,
        exchanges=1,
        sessions=1,
        origins=(),
        operations=operations,
        timing=timing,
        **more,  # type: ignore[arg-type]
    )


def texts(known: Profile) -> dict[str, bool]:
    return {rule.text: rule.certain for rule in proposed_rules(known)}


def approved(summary: str = "", **counts: object) -> Profile:
    pairing = Pairing(maker=ASK, doer=APPROVE, **counts)  # type: ignore[arg-type]
    return profile(operation(ASK), operation(APPROVE, summary), pairings=(pairing,))


FOUR_EYES = f"{APPROVE}: never by who did {ASK}"


def test_who_asked_was_refused_each_time_and_others_were_let_through():
    known = approved(others=9, refused_own=(("OwnLeave", 3),))
    assert texts(known) == {FOUR_EYES: True}
    assert parse_stated(FOUR_EYES).kind == "never by who did"


def test_words_of_the_specification_are_a_suspicion_as_long_as_traffic_agrees():
    assert texts(approved("Approve what someone else asked for", others=9)) == {FOUR_EYES: False}


@pytest.mark.parametrize(
    "known",
    [
        approved("Approve a leave", others=9),
        approved("Approve what someone else asked for", others=2),
        approved("Approve what someone else asked for", others=9, own=1),
        approved(others=9, refused_own=(("NotNow", 5),), refused_others=(("NotNow", 1),)),
        approved(others=9, refused_own=(("OwnLeave", 2),)),
    ],
    ids=["no word", "too few", "it passed once", "all are refused so", "too few refusals"],
)
def test_four_eyes_are_not_suggested(known):
    assert texts(known) == {}


def test_once_is_read_in_a_summary_and_in_the_name_of_a_refusal():
    codes = json.dumps({"properties": {"error": {"enum": ["LeaveAlreadyExtended", "Nothing"]}}})
    refusal = Answer(status=409, count=0, schema=codes, source="spec")
    known = profile(
        operation(CLOSE, "Close a leave, once"),
        operation(EXTEND, answers=(refusal,)),
        operation(MOVE, "Move a leave once it is approved"),
        operation(ASK, "Ask for a leave", answers=(refusal,)),
    )
    assert texts(known) == {f"{CLOSE}: once": False, f"{EXTEND}: once": False}


def test_names_that_are_taken_already_are_no_once():
    codes = json.dumps({"enum": ["LeaveAlreadyExists", "AlreadyExtended"]})
    refusal = Answer(status=409, count=0, schema=codes, source="spec")
    assert texts(profile(operation(EXTEND, answers=(refusal,)))) == {}


def log(**more: object) -> EventLog:
    changes = ((ASK, 10), (CLOSE, 4), (EDIT, 12))
    known = {"listings": 10, "things": 9, "changes": changes, **more}
    return EventLog(listing=LOG, parameter="leave", maker=ASK, **known)  # type: ignore[arg-type]


def test_a_log_that_never_missed_a_change_is_held_to_it_and_suspected_of_siblings():
    made = operation(NOTE, declared=(201,))
    known = profile(operation(CLOSE), operation(MOVE), made, operation(ASK), logs=(log(),))
    assert texts(known) == {
        f"{CLOSE}: one entry in {LOG}?leave={{leave_id}}": True,
        f"{MOVE}: one entry in {LOG}?leave={{leave_id}}": False,
    }


@pytest.mark.parametrize(
    "known", [log(failed=1), log(things=7), log(listings=7), log(changes=((ASK, 40), (CLOSE, 9)))]
)
def test_a_log_that_missed_one_or_was_hardly_read_says_nothing(known):
    assert texts(profile(operation(CLOSE), operation(ASK), logs=(known,))) == {}


def machine(*more: Transition) -> StateMachine:
    def refused(operation_id: str) -> Transition:
        return Transition(operation_id=operation_id, before="true", reason="LeaveFrozen", refused=2)

    freeze = "POST /leaves/{leave_id}/freeze"
    moves = (
        Transition(operation_id=freeze, before="false", after="true", passed=5),
        Transition(operation_id=CLOSE, before="false", after="false", passed=5),
        *map(refused, (CLOSE, EDIT, MOVE)),
        *more,
    )
    states = (("false", 20), ("true", 5))
    return StateMachine(maker=ASK, field="body:/frozen", things=5, states=states, transitions=moves)


FREEZE = "POST /leaves/{leave_id}/freeze"
OPERATIONS = tuple(map(operation, (ASK, FREEZE, CLOSE, EDIT, MOVE, EXTEND)))


def test_what_no_sibling_was_let_do_in_a_state_is_suspected_to_be_refused():
    known = profile(*OPERATIONS, machines=(machine(),))
    assert texts(known) == {f"{EXTEND}: never after {FREEZE}": False}
    assert {rule.text for rule in forbidden_moves(known)} == {f"{CLOSE}: never after {FREEZE}"}


def test_one_sibling_that_is_let_through_ends_the_suspicion():
    passes = Transition(operation_id=NOTE, before="true", after="true", passed=1)
    known = profile(*OPERATIONS, operation(NOTE), machines=(machine(passes),))
    assert texts(known) == {}


def test_a_refusal_that_speaks_of_something_else_is_no_state():
    moves = tuple(replace(t, reason="TooLate" if t.reason else "") for t in machine().transitions)
    known = profile(*OPERATIONS, machines=(replace(machine(), transitions=moves),))
    assert texts(known) == {}


def test_a_report_by_day_and_zone_is_read_by_its_parameters():
    zones = json.dumps({"enum": ["UTC", "Europe/Berlin"]})
    day = json.dumps({"type": "string", "format": "date"})
    report = operation(
        REPORT,
        parameter_schemas={"query:day": day, "query:zone": zones},
        answers=(
            Answer(
                status=200,
                count=1,
                schema=json.dumps({"properties": {"leaves": {"type": "integer"}}}),
            ),
        ),
    )
    makes = operation(ASK, exemplars=("a",), declared=(201,))
    found = texts(profile(report, makes))
    assert found == {f"{REPORT}: day by zone counts {ASK}": True}


def test_the_states_are_shown_with_what_moves_and_what_is_refused():
    (view,) = state_views(profile(*OPERATIONS, machines=(machine(),)))
    assert (view.field, view.maker, view.things) == ("frozen", ASK, 5)
    (frozen,) = [m for m in view.moves if m.operation_id == CLOSE and m.before == "true"]
    assert (frozen.refused, frozen.reasons, frozen.forbidden) == (2, ("LeaveFrozen",), True)
    lines = view.mermaid.splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert "    s0 --> s1: POST freeze (5)" in lines
    assert any("refused: POST close (LeaveFrozen, 2)" in line for line in lines)


def test_a_profile_without_any_of_it_suggests_nothing():
    assert proposed_rules(small.profile()) == ()
    assert state_views(small.profile()) == ()
