"""Where an expectation comes from when nothing was captured."""

import msgspec
import pytest

from premortem.agent.outcomes.reference import of_missing, of_self, of_stranger
from premortem.agent.outcomes.repetition import of_repetition
from premortem.agent.outcomes.state import as_asked, of_skipped, of_state
from premortem.agent.outcomes.version import of_outdated
from premortem.agent.planning.expectation import Evidence, class_of
from premortem.domain.relations import StateMachine, Transition
from premortem.domain.traffic import (
    Answer,
    Exchange,
    Operation,
    OperationProfile,
    Profile,
    Request,
    Response,
    Tags,
    Timing,
)


def operation(method="POST", template="/doors/{id}/close", **more):
    return OperationProfile(
        operation=Operation(method=method, template=template), count=0, in_spec=True, **more
    )


def evidence(*operations, machines=()):
    profile = Profile(
        version="0" * 12,
        created_at=0.0,
        exchanges=0,
        sessions=0,
        origins=(),
        operations=operations,
        timing=Timing(first_at=0, last_at=0, rate_per_second=0, hours=(0,) * 24),
        machines=machines,
    )
    return Evidence(profile, {})


def machine(*transitions):
    return StateMachine(
        maker="POST /doors",
        field="body:/state",
        things=9,
        states=(('"open"', 9), ('"shut"', 9)),
        transitions=transitions,
    )


CLOSE = "POST /doors/{id}/close"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(201, "accepted"), (302, "denied"), (401, "denied"), (404, "not_found"), (410, "not_found"),
     (409, "conflict"), (412, "conflict"), (423, "conflict"), (422, "invalid"),
     (503, "unavailable"), (500, "")],
)  # fmt: skip
def test_a_status_alone_says_its_outcome_class(status, outcome):
    assert class_of(status) == outcome


def test_a_state_that_production_refused_is_a_conflict_however_often_it_is_asked():
    known = machine(
        Transition(operation_id=CLOSE, before='"open"', after='"shut"', passed=5),
        Transition(operation_id=CLOSE, before='"shut"', reason="AlreadyShut", refused=3),
    )
    expected = of_state(operation(), [(known, '"shut"')], evidence(operation(), machines=(known,)))
    assert (expected.status, expected.source, expected.certain) == (409, "captured", True)


def test_a_state_that_production_let_through_is_no_conflict():
    known = machine(Transition(operation_id=CLOSE, before='"shut"', passed=2))
    expected = of_state(operation(declared=(200, 409)), [(known, '"shut"')], evidence(operation()))
    assert (expected.outcome_class, expected.source) == ("accepted", "captured")


def test_a_declared_conflict_is_sure_only_where_it_names_the_state():
    vague = operation(declared=(200, 409))
    clear = operation(declared=(200, 409), meanings=((409, "The door is locked"),))
    assert not of_state(vague, (), evidence(vague), words={"lock"}).certain
    expected = of_state(clear, (), evidence(clear), words={"lock"})
    assert expected.certain
    assert "The door is locked" in expected.because


def test_what_is_for_one_state_by_its_own_words_is_surely_refused_before_it():
    known = machine(Transition(operation_id=CLOSE, before='"open"', passed=9))
    of = operation(declared=(200, 409), summary="Close an open door")
    assert of_skipped(of, [(known, '"open"')], evidence(of)).certain
    assert not of_skipped(of, [(known, '"shut"')], evidence(of)).certain
    habit = operation(declared=(200, 409), summary="Close a door")
    assert not of_skipped(habit, [(known, '"open"')], evidence(habit)).certain


def test_what_was_refused_in_another_state_is_for_that_state_alone():
    known = machine(
        Transition(operation_id=CLOSE, before='"open"', passed=9),
        Transition(operation_id=CLOSE, before='"shut"', refused=1, reason="DoorNotOpen"),
    )
    of = operation(declared=(200, 409))
    assert of_skipped(of, [(known, '"open"')], evidence(of)).certain


def exchange(method, path, status, *, at, body=b"{}", role="Clerk"):
    return Exchange(
        request=Request(method=method, origin="http://doors", path=path),
        response=Response(
            status=status, headers=(("content-type", "application/json"),), body=body
        ),
        started_at=at,
        duration_ms=1.0,
        tags=Tags(role=role),
    )


def test_what_comes_after_something_else_was_done_to_the_thing_is_no_repetition():
    close, open_ = operation(), operation(template="/doors/{id}/open")
    closed = [exchange("POST", "/doors/d-1/close", 200, at=at) for at in (1.0, 3.0)]
    opened = exchange("POST", "/doors/d-1/open", 200, at=2.0)
    profile = evidence(close, open_).profile
    alone = Evidence(profile, {e.id: e for e in closed})
    between = Evidence(profile, {e.id: e for e in (*closed, opened)})
    assert of_repetition(close, alone).source == "captured"
    assert of_repetition(close, between).source == "convention"


def test_a_refusal_of_a_role_that_never_may_says_nothing_of_one_s_own():
    approve = operation(template="/doors/{id}/approve", declared=(200, 403))
    may = {"Chief": {"200": 3}, "Clerk": {"403": 2}}
    approve = msgspec.structs.replace(approve, roles=may)
    make = operation(template="/doors")
    made = exchange("POST", "/doors", 201, at=1.0, body=b'{"id": "d-1"}')
    refused = exchange("POST", "/doors/d-1/approve", 403, at=2.0, body=b'{"code": "ChiefsOnly"}')
    profile = evidence(approve, make).profile
    known = Evidence(profile, {e.id: e for e in (made, refused)})
    assert of_self(approve, "Clerk", known).source == "convention"


def test_a_put_that_is_repeated_finds_what_it_made():
    put = operation(method="PUT", template="/doors/{id}", declared=(201, 200))
    made = Answer(status=201, count=9, media_types=(), fields=(), schema="")
    put = msgspec.structs.replace(put, answers=(made,))
    assert of_repetition(put, evidence(put)).status == 200


def test_what_is_denied_may_be_what_is_not_there():
    hides, says = operation(declared=(200, 403, 404)), operation(declared=(200, 404))
    assert not of_missing(hides, evidence(hides), in_body=False).certain
    assert of_missing(says, evidence(says), in_body=False).certain


def test_without_any_evidence_a_conflict_is_convention_and_uncertain():
    expected = of_state(operation(), (), evidence(operation()))
    assert (expected.status, expected.source, expected.certain) == (409, "convention", False)


def test_a_refusal_for_lack_of_a_state_says_nothing_against_that_state():
    close = operation(declared=(200, 409))
    paint = operation(template="/doors/{id}/paint", declared=(200, 409))

    def refused(code):
        exchange = Exchange(
            request=Request(method="POST", origin="http://doors", path="/doors/d-1/paint"),
            response=Response(
                status=409,
                headers=(("content-type", "application/json"),),
                body=f'{{"code": "{code}"}}'.encode(),
            ),
            started_at=1.0,
            duration_ms=1.0,
        )
        known = evidence(close, paint)
        return of_state(close, (), Evidence(known.profile, {exchange.id: exchange}), words=["lock"])

    assert refused("DoorLocked").certain
    assert not refused("DoorNotLocked").certain


@pytest.mark.parametrize(
    ("said", "status", "certain"),
    [
        ({"summary": "Approve what someone else asked for"}, 403, True),
        ({"meanings": ((403, "Nobody approves a request of their own"),)}, 403, True),
        ({"description": "Follows the four-eyes principle."}, 403, True),
        ({"description": "Users may approve their own requests."}, 403, False),
        ({"description": "Somebody else may read it."}, 403, False),
        ({}, 403, False),
    ],
)
def test_two_have_to_look_where_the_specification_says_so(said, status, certain):
    approve = operation(template="/requests/{id}/approve", declared=(200, 403), **said)
    expected = of_self(approve, "Chief", evidence(approve))
    assert (expected.status, expected.certain) == (status, certain)


def test_the_question_s_own_outcome_wins_over_all_but_what_was_captured():
    guessed = of_state(operation(), (), evidence(operation()))
    assert as_asked(("not_found",), guessed).status == 404
    captured = of_missing(
        operation(answers=(Answer(status=410, count=2),)), evidence(operation()), in_body=False
    )
    assert as_asked(("conflict",), captured).status == 410


@pytest.mark.parametrize(
    ("of", "status", "outcome"),
    [
        (operation("DELETE", "/doors/{id}", declared=(204, 404)), 404, "not_found"),
        (
            operation(
                "DELETE", "/doors/{id}", declared=(204, 404), description="It is idempotent."
            ),
            204,
            "unchanged",
        ),
        (
            operation("DELETE", "/doors/{id}", declared=(204, 404), description="Not idempotent."),
            404,
            "not_found",
        ),
        (operation("PUT", "/doors/{id}", declared=(200,)), 200, "unchanged"),
        (operation(template="/doors", declared=(201,)), 201, "accepted"),
        (
            operation(
                template="/doors", declared=(200, 201), meanings=((200, "An existing door."),)
            ),
            200,
            "unchanged",
        ),
        (operation(declared=(200, 409)), 409, "conflict"),
    ],
)
def test_a_repetition_is_what_method_and_document_say(of, status, outcome):
    expected = of_repetition(of, evidence(of))
    assert (expected.status, expected.outcome_class) == (status, outcome)


def test_an_outdated_version_fails_its_condition():
    sure = operation("PATCH", "/doors/{id}", declared=(200, 412))
    assert of_outdated(sure, evidence(sure), header=True).certain
    unsure = operation("PATCH", "/doors/{id}", declared=(200,))
    expected = of_outdated(unsure, evidence(unsure), header=True)
    assert (expected.status, expected.certain) == (412, False)


def test_what_others_own_is_denied_or_said_not_to_be_there():
    barred = operation("GET", "/doors/{id}", declared=(200, 403, 404))
    assert of_stranger(barred, "ben", evidence(barred)).outcome_class == "denied"
    hidden = operation("GET", "/doors/{id}", declared=(200, 404))
    expected = of_stranger(hidden, "ben", evidence(hidden))
    assert (expected.status, expected.outcome_class, expected.certain) == (404, "not_found", False)
