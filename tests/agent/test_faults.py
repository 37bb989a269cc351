"""Which fault is tried on which kind of question, and what it does to the traffic."""

import asyncio

import msgspec
import pytest

from premortem.agent.steps.bind import bind
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.world import World
from premortem.agent.verdicts.faults import FAULTS, FaultyClient, faults_for, with_another_key
from premortem.agent.verdicts.question import Question, question_of
from premortem.domain.run import Case, Origin, Sent
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step
from premortem.domain.traffic import Request
from tests.agent.small import answer

CASE = Case(
    request=Request(
        method="POST", origin="", path="/parcels", headers=(("idempotency-key", "k1"),), body=b"{}"
    ),
    operation_id="POST /parcels",
    origin=Origin(source="scenario"),
)
READ = msgspec.structs.replace(
    CASE, request=Request(method="GET", origin="", path="/parcels"), operation_id="GET /parcels"
)


def question(outcome, *, mode="", method="POST", status=0):
    return Question(outcome=outcome, mode=mode, method=method, status=status)


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        (question("invalid", mode="boundary"), "the check is dropped"),
        (question("denied", mode="forbidden_role"), "the check is dropped"),
        (question("not_found", mode="others_data", method="GET"), "another's data is given out"),
        (question("conflict", mode="stale_change", method="PATCH"), "a lost update"),
        (question("unchanged", mode="retry_after_timeout"), "a duplicated effect"),
        (question("unchanged", mode="mass_assignment"), "what should be ignored is taken over"),
        (question("one_wins", mode="concurrent_change"), "all of them win"),
        (question("accepted", mode="boundary"), "a duplicated effect"),
        (question("accepted", mode="unit_switch", method="PUT"), "a lost effect"),
        (question("accepted", mode="pagination_edge", method="GET"), "another's data"),
    ],
)
def test_the_modes_own_way_of_going_wrong_is_tried_first(asked, first):
    assert faults_for(asked)[0].name.startswith(first)


def test_every_kind_of_question_is_tried_by_a_crash_and_none_by_the_same_fault_twice():
    for outcome in ("accepted", "invalid", "denied", "not_found", "conflict", "unchanged"):
        names = [fault.name for fault in faults_for(question(outcome))]
        assert "the request in question ends in a server error" in names
        assert len(set(names)) == len(names)


def test_where_a_table_is_looked_at_a_changed_answer_proves_nothing():
    seen = question("conflict", mode="duplicate")
    elsewhere = msgspec.structs.replace(seen, looks_elsewhere=True)
    left_out = {f.name for f in faults_for(seen)} - {f.name for f in faults_for(elsewhere)}
    assert left_out == {"refused, but done all the same: what is read afterwards has changed"}
    table = ("And", 'nothing changed in the table "parcels"')
    refused = ("Then", "the response status is 409")
    assert asked_by(SEND, refused, table).looks_elsewhere
    assert not asked_by(SEND, refused).looks_elsewhere


def test_an_outage_is_a_refusal_that_nothing_may_be_done_behind():
    asked = asked_by(SEND, ("Then", "the response status is 503"))
    assert (asked.outcome, asked.refused) == ("unavailable", True)
    names = {fault.name for fault in faults_for(asked)}
    assert "the check is dropped: the refusal becomes a success" in names
    assert "refused, but done all the same: what is read afterwards has changed" in names


def test_every_fault_has_a_question_that_it_fits():
    modes = ("", "duplicate", "others_data", "stale_change", "mass_assignment")
    outcomes = ("accepted", "invalid", "unchanged", "one_wins")
    fitting = {
        fault.name
        for mode in modes
        for outcome in outcomes
        for method in ("POST", "GET")
        for fault in faults_for(question(outcome, mode=mode, method=method))
    }
    assert fitting == {fault.name for fault in FAULTS}


class Counting:
    """Answers 201 to everything, and keeps what reached it."""

    def __init__(self, status=201):
        self.cases, self.status = [], status

    async def send_case(self, case, answers, intended_at):
        self.cases.append(case)
        return Sent(request=case.request, response=answer(self.status, {"id": len(self.cases)}))


def sent_under(name, asked, *cases, status=201, remembered=(), phase="question"):
    fault = next(f for f in FAULTS if f.name.endswith(name))
    world, inner = World(), Counting(status)
    client = FaultyClient(inner, world, fault, question=asked, remembered=remembered)
    sent = []
    for case in cases:
        world.phase = phase if case is not READ else "after"
        sent.append(asyncio.run(client.send_case(case, (), 0.0)))
    return inner, client, sent


def test_carried_out_twice_reaches_the_target_twice_under_different_keys():
    inner, client, _ = sent_under("carried out twice", question("accepted"), CASE)
    assert [case.request.header("idempotency-key") for case in inner.cases] == ["k1", "k1-anew"]
    assert client.happened


def test_a_lost_effect_never_reaches_the_target_and_is_answered_as_before():
    before = answer(201, {"id": "before"})
    inner, client, sent = sent_under(
        "nothing is done", question("accepted"), CASE, remembered=[before]
    )
    assert (inner.cases, sent[0].response, client.happened) == ([], before, True)


def test_a_key_that_is_not_looked_at_is_another_one_for_the_target():
    inner, client, _ = sent_under(
        "key is not looked at", question("unchanged", mode="duplicate"), CASE
    )
    assert inner.cases[0].request.header("idempotency-key") == "k1-anew"
    assert client.happened


def test_without_a_key_there_is_none_that_could_be_overlooked():
    keyless = msgspec.structs.replace(CASE, request=READ.request)
    assert with_another_key(keyless) is keyless
    _, client, _ = sent_under(
        "key is not looked at", question("unchanged", mode="duplicate"), keyless
    )
    assert not client.happened


def test_when_all_win_each_refusal_becomes_the_success_that_was_asked_for():
    asked = question("one_wins", status=200)
    _, _, sent = sent_under("answered with success", asked, CASE, CASE, status=409)
    assert [one.response.status for one in sent] == [200, 200]


def test_what_happens_before_the_question_is_left_alone():
    _, _, sent = sent_under("server error", question("accepted"), CASE, phase="before")
    assert sent[0].response.status == 201


def test_what_is_read_afterwards_has_changed_though_it_was_refused():
    _, _, sent = sent_under("done all the same: what is read afterwards has changed",
                            question("conflict"), CASE, READ, status=200)  # fmt: skip
    assert sent[0].response.body == b'{"id": 1}'
    assert sent[1].response.body == b'{"id":3}'


def asked_by(*lines, **origin):
    steps = [
        Step(keyword="Given", text='the actor "ann" has role "Packer"'),
        *(Step(keyword=keyword, text=text) for keyword, text in lines),
    ]
    scenario = Scenario(title="t", feature="f", steps=tuple(steps), origin=ScenarioOrigin(**origin))
    bound = bind(scenario, bindings=Bindings(), roles=["Packer"])
    return question_of(bound, scenario.origin)


SEND = ("When", '"ann" sends "POST" to "/parcels"')


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(201, "accepted"), (400, "invalid"), (403, "denied"), (404, "not_found"), (412, "conflict")],
)
def test_where_nobody_says_the_outcome_the_status_does(status, outcome):
    asked = asked_by(SEND, ("Then", f"the response status is {status}"))
    assert (asked.outcome, asked.status, asked.method) == (outcome, status, "POST")


def test_what_the_plan_says_counts_as_long_as_the_status_agrees():
    refused = ("Then", "the response status is 403")
    assert asked_by(SEND, refused, outcome="not_found").outcome == "not_found"
    assert asked_by(SEND, refused, outcome="accepted").outcome == "denied"
    fine = ("Then", "the response status is 201")
    assert asked_by(SEND, fine, outcome="unchanged").outcome == "unchanged"
    assert asked_by(SEND, fine, outcome="conflict").outcome == "accepted"


def test_of_several_at_once_the_success_is_what_is_asked_for():
    race = ("When", '"ann" sends "POST" to "/parcels" 3 times at once')
    asked = asked_by(
        race,
        ("Then", "exactly 2 responses have status 409"),
        ("And", "exactly 1 responses have status 201"),
    )
    assert (asked.outcome, asked.status, asked.method) == ("one_wins", 201, "POST")


def test_a_repetition_has_the_method_of_what_it_repeats():
    asked = asked_by(
        ("Given", '"ann" sends "PUT" to "/parcels/1"'),
        ("When", "the last request is repeated 1 times"),
        ("Then", "the response status is 200"),
    )
    assert asked.method == "PUT"
