import msgspec
import pytest

from premortem.agent.steps.bindings import Bindings
from premortem.agent.verdicts.verdict import RUNS, judge
from premortem.domain.run import Sent
from premortem.domain.scenario import UNCERTAIN, Scenario, ScenarioOrigin, Step
from premortem.errors import UnsafeTarget
from tests.agent.small import answer

GIVEN = (("Given", 'the actor "ann" has role "Packer"'),)
LOOK = (
    ("And", '"ann" sends "GET" to "/parcels"'),
    ("And", 'the response field "/parcels" is saved as "parcels_before"'),
)
ASK = (("When", '"ann" sends "POST" to "/parcels"'),)
REFUSED = (("Then", "the response status is 409"),)
UNCHANGED = (
    ("And", '"ann" sends "GET" to "/parcels"'),
    ("And", 'the response field "/parcels" equals "${parcels_before}"'),
)


def scenario(*lines):
    steps = tuple(Step(keyword=keyword, text=text) for keyword, text in lines)
    return Scenario(title="t", feature="f", steps=steps, origin=ScenarioOrigin())


class Parcels:
    """A service of one kind; CORRECT ones refuse the second parcel."""

    def __init__(self, *, correct=True, flaky=False, honest=True, once=False, crashes=False):
        self.correct, self.flaky, self.honest = correct, flaky, honest
        self.once, self.crashes = once, crashes
        self.parcels, self.resets, self.sent = [1], 0, 0

    def reset(self):
        self.parcels, self.resets = [1], self.resets + 1

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def send_case(self, case, answers, intended_at):
        self.sent += 1
        if case.request.method == "GET":
            response = answer(200, {"parcels": self.parcels})
        elif self.crashes:
            response = answer(500)
        elif self.once and len(self.parcels) > 1:
            response = answer(409, {"code": "AlreadyPacked"})
        elif self.correct and not (self.flaky and self.resets % 2 == 0):
            if not self.honest:
                self.parcels = [*self.parcels, 2]
            response = answer(409, {"code": "AlreadyPacked"})
        else:
            self.parcels = [*self.parcels, 2]
            response = answer(201, {"id": 2})
        return Sent(request=case.request, response=response, duration_ms=1.0)


def verdict(service, *lines, **more):
    return judge(
        scenario(*lines),
        client_factory=lambda: service,
        reset=service.reset,
        bindings=Bindings(),
        roles=["Packer"],
        clock=lambda: 0.0,
        **more,
    )


def test_stable_green_that_faults_turn_red_is_a_regression():
    service = Parcels()
    found = verdict(service, *GIVEN, *LOOK, *ASK, *REFUSED, *UNCHANGED)
    assert (found.outcome, found.runs) == ("regression", ("green",) * RUNS)
    assert len(found.faults_killed) == 4
    assert found.faults_survived == ()
    assert found.faults_killed[0] == "the check is dropped: the refusal becomes a success"


def test_every_run_starts_from_a_fresh_state():
    service = Parcels()
    found = verdict(service, *GIVEN, *ASK, *REFUSED)
    assert service.resets == RUNS + len(found.faults_killed) + len(found.faults_survived)


def test_without_a_second_look_a_secret_effect_survives_and_that_is_said():
    found = verdict(Parcels(), *GIVEN, *ASK, *REFUSED)
    assert found.outcome == "regression"
    assert ["done all the same" in fault for fault in found.faults_survived] == [True]


def test_stable_red_is_a_finding_that_says_where():
    found = verdict(Parcels(correct=False), *GIVEN, *LOOK, *ASK, *REFUSED, *UNCHANGED)
    assert (found.outcome, found.runs) == ("finding", ("red",) * RUNS)
    assert "the status is 201, not 409" in found.reason


def test_red_where_the_evidence_is_mixed_is_no_finding():
    service = Parcels(correct=False)
    unsure = msgspec.structs.replace(scenario(*GIVEN, *ASK, *REFUSED), tags=(UNCERTAIN,))
    ruled = judge(
        unsure,
        client_factory=lambda: service,
        reset=service.reset,
        bindings=Bindings(),
        roles=["Packer"],
        clock=lambda: 0.0,
    )
    assert ruled.outcome == "junk"
    assert ruled.reason.startswith("unclear")


def test_a_refusal_that_changed_something_all_the_same_is_a_finding():
    found = verdict(Parcels(honest=False), *GIVEN, *LOOK, *ASK, *REFUSED, *UNCHANGED)
    assert found.outcome == "finding"
    assert "/parcels is [1,2], not [1]" in found.reason


def test_what_differs_from_run_to_run_is_junk():
    found = verdict(Parcels(flaky=True), *GIVEN, *ASK, *REFUSED)
    assert found.outcome == "junk"
    assert "flaky" in found.reason
    assert set(found.runs) == {"green", "red"}


def test_where_nothing_brings_the_target_back_a_flaky_one_says_so():
    service = Parcels(correct=False, once=True)
    found = judge(
        scenario(*GIVEN, *ASK, ("Then", "the response status is 201")),
        client_factory=lambda: service,
        reset=lambda: False,
        bindings=Bindings(),
        roles=["Packer"],
        clock=lambda: 0.0,
    )
    assert found.outcome == "junk"
    assert "no `[target.reset]` is configured" in found.reason


def test_a_check_that_sees_nothing_is_junk():
    lines = (("Then", 'the response header "content-type" equals "application/json"'),)
    found = verdict(Parcels(), *GIVEN, *ASK, *lines)
    assert (found.outcome, found.faults_killed) == ("junk", ())
    assert "whatever happens" in found.reason


def test_what_fails_before_the_question_is_no_finding():
    lines = (("Given", '"ann" sends "GET" to "/parcels"'), ("And", "the response status is 500"))
    found = verdict(Parcels(), *GIVEN, *lines, *ASK, *REFUSED)
    assert (found.outcome, found.runs) == ("junk", ("broken",))


def test_a_crash_on_the_way_to_the_question_is_a_finding_all_the_same():
    given = (*GIVEN, ("Given", '"ann" sends "POST" to "/parcels"'))
    found = verdict(Parcels(crashes=True), *given, *ASK, *REFUSED)
    assert (found.outcome, found.runs) == ("finding", ("red",) * RUNS)
    assert "500" in found.reason


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((*GIVEN, *REFUSED), "no When"),
        ((*GIVEN, *ASK), "no concrete Then"),
        ((*GIVEN, *REFUSED, *ASK), "no concrete Then"),
        ((*GIVEN, *ASK, ("Then", "the response time is under 9 ms")), "no concrete Then"),
        ((*GIVEN, ("When", "ann packs"), *REFUSED), "unbound"),
    ],
)
def test_what_is_no_scenario_is_junk_and_nothing_is_sent(lines, said):
    service = Parcels()
    found = verdict(service, *lines)
    assert (found.outcome, found.runs, service.sent) == ("junk", (), 0)
    assert said in found.reason


def test_nothing_is_sent_to_a_target_whose_data_must_not_change():
    service = Parcels()
    with pytest.raises(UnsafeTarget):
        verdict(service, *GIVEN, *ASK, *REFUSED, unsafe_target="http://production")
    assert service.sent == 0


def test_an_expected_answer_is_killed_by_a_refusal_and_by_a_crash():
    lines = (("Then", "the response status is 201"),)
    found = verdict(Parcels(correct=False), *GIVEN, *ASK, *lines)
    assert (found.outcome, len(found.faults_killed)) == ("regression", 2)
    assert [fault.partition(":")[0] for fault in found.faults_survived] == [
        "a duplicated effect",
        "a lost effect",
    ]


def test_who_counts_what_came_of_it_sees_it_done_twice_and_not_at_all():
    lines = (("Then", "the response status is 201"), *UNCHANGED[:1])
    lines = (*lines, ("And", 'the response field "/parcels" equals "[1, 2]"'))
    found = verdict(Parcels(correct=False), *GIVEN, *ASK, *lines)
    assert (found.outcome, found.faults_survived) == ("regression", ())
    assert len(found.faults_killed) == 4


def test_a_fault_that_the_target_wards_off_counts_neither_way():
    service = Parcels(correct=False, once=True)
    found = verdict(service, *GIVEN, *ASK, ("Then", "the response status is 201"))
    tried = (*found.faults_killed, *found.faults_survived)
    assert found.outcome == "regression"
    assert not any("carried out twice" in fault for fault in tried)


def test_the_evidence_is_the_requests_and_answers_of_the_run():
    heard = verdict(Parcels(), *GIVEN, *LOOK, *ASK, *REFUSED, *UNCHANGED).evidence.heard
    assert [(one.phase, one.request, one.status) for one in heard] == [
        ("before", "GET /parcels", 200),
        ("question", "POST /parcels", 409),
        ("after", "GET /parcels", 200),
    ]
    assert {one.role for one in heard} == {"Packer"}
    assert heard[1].answer == '{"code": "AlreadyPacked"}'


def test_an_answer_that_breaks_a_promise_is_a_finding_though_every_step_passes():
    def notice(case, sent):
        if sent.response.status == 409:
            yield "answers 409, which nobody declared"

    found = verdict(Parcels(), *GIVEN, *LOOK, *ASK, *REFUSED, *UNCHANGED, notice=notice)
    assert found.outcome == "finding"
    assert found.evidence.noticed == ("answers 409, which nobody declared",)
    assert "every step passes" in found.reason


def test_what_is_noticed_before_the_question_or_now_and_then_is_no_finding():
    seen = []

    def notice(case, sent):
        seen.append(case)
        if len(seen) == 1:
            yield "only once"

    found = verdict(Parcels(), *GIVEN, *LOOK, *ASK, *REFUSED, notice=notice)
    assert (found.outcome, found.evidence.noticed) == ("regression", ())
    assert {case.request.method for case in seen} == {"POST"}


def test_a_crash_is_a_finding_even_where_the_evidence_is_mixed():
    service = Parcels(crashes=True)
    ruled = judge(
        msgspec.structs.replace(scenario(*GIVEN, *ASK, *REFUSED), tags=(UNCERTAIN,)),
        client_factory=lambda: service,
        reset=service.reset,
        bindings=Bindings(),
        roles=["Packer"],
        clock=lambda: 0.0,
    )
    assert ruled.outcome == "finding"
    assert "500" in ruled.reason
