"""What a question's own words ask for: new things, ended sessions, logs, promises, days."""

import pytest

from premortem.agent.planning.planner import plan_scenarios
from premortem.agent.planning.promised import promises_of
from premortem.agent.steps.bind import bind
from premortem.agent.steps.engine import run_scenario
from premortem.agent.verdicts.hearing import Hearing, heard
from premortem.domain.scenario import UNCERTAIN, Understanding
from premortem.errors import InputError
from tests.agent.bureau import BINDINGS, ROLES, Bureau, Client, learned, production

CLOSE, SUMMARY = "POST /accounts/{account_id}/close", "GET /accounts/{account_id}/summary"
END, VAT, DAY = "DELETE /sessions/{session_id}", "GET /reports/vat", "GET /reports/day"
BOOK, OPEN, LIST = "POST /accounts/{account_id}/bookings", "POST /accounts", "GET /accounts"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    exchanges = production()
    return learned(exchanges, tmp_path_factory.mktemp("bureau")), exchanges


@pytest.fixture
def plan(recorded):
    profile, exchanges = recorded

    def made(mode, operation, prompt, **said):
        understood = Understanding(
            prompt=prompt, failure_mode=mode, operation_ids=(operation,), **said
        )
        return plan_scenarios(understood, profile=profile, exchanges=exchanges, roles=ROLES)

    return made


def run(scenario, *defects, said=None):
    """`green`, or the first step that is not, with its detail."""
    bureau = Bureau(defects=frozenset(defects))
    results = run_scenario(
        scenario,
        client_factory=lambda: Client(bureau),
        bindings=BINDINGS,
        roles=ROLES,
        clock=lambda: 0.0,
        environment={},
        wrap=None if said is None else lambda client, world: Hearing(client, world, said),
    )
    odd = next((r for r in results if r.status != "passed"), None)
    return f"{odd.status}: {odd.step.text}: {odd.detail}" if odd else "green"


CASES = [
    ("forbidden_transition", SUMMARY, "What if the summary of a brand-new account is read?",
     "fresh"),
    ("invalid_token", END, "What if a session is used after it ended?", "session"),
    ("invalid_token", LIST, "What if the accounts are listed after the session was closed, with "
     "the same token?", "session"),
    ("duplicate", CLOSE, "What if an account is closed twice?", "log"),
    ("wrong_order", BOOK, "What if something is booked before the vat report is read?", "net"),
    ("time_edge", DAY, "What if the day's report is read in another time zone?", "zone"),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "operation", "prompt", "defect"), CASES)
def test_it_is_green_on_a_correct_service_and_red_on_one_that_does_not_look(
    plan, mode, operation, prompt, defect
):
    scenario = plan(mode, operation, prompt)[0]
    assert [s.problem for s in bind(scenario, bindings=BINDINGS, roles=ROLES) if s.problem] == []
    assert run(scenario) == "green"
    assert run(scenario, defect).startswith("failed: ")
    assert UNCERTAIN not in scenario.tags


def test_nobody_sees_the_password_or_the_session_that_a_scenario_signs_in_with(plan):
    scenario = plan("invalid_token", END, "What if a session is used after it ended?")[0]
    said = []
    assert run(scenario, said=said) == "green"
    shown = next(h for h in heard(said) if h.request == "POST /login")
    assert (shown.body, shown.answer, shown.status) == ("", "", 200)


def test_a_role_without_a_login_cannot_sign_in_anew(plan):
    scenario = plan("invalid_token", END, "What if a session is used after it ended?")[0]
    without = type(BINDINGS)()
    problems = [s.problem for s in bind(scenario, bindings=without, roles=ROLES) if s.problem]
    assert any("login" in problem for problem in problems)


def test_a_log_speaks_of_an_operation_by_the_entries_that_its_things_have(plan):
    scenario = plan("duplicate", CLOSE, "What if an account is closed twice?")[0]
    asked = [s.text for s in scenario.steps if "/log?" in s.text]
    assert asked == ['"head" sends "GET" to "/log?thing=${account_id}&event=account.closed"']


def test_a_document_promises_what_its_prose_calculates(recorded):
    profile, _ = recorded
    assert promises_of(profile.operation(VAT)) == ("net == gross - vat",)
    assert promises_of(profile.operation(LIST)) == ()


@pytest.mark.parametrize(
    ("mode", "operation", "lacks"),
    [
        ("wrong_order", OPEN, "names nothing that is made before"),
        ("others_data", OPEN, "nothing that somebody could own"),
        ("forbidden_transition", OPEN, "about nothing that could be in a state"),
        ("over_total", CLOSE, "whole"),
        ("stale_change", OPEN, "something new"),
        ("time_edge", CLOSE, "no date"),
        ("unit_switch", LIST, "no currency"),
        ("concurrent_change", LIST, "changes nothing"),
    ],
)
def test_what_makes_no_sense_of_an_operation_is_said_with_what_it_lacks(
    plan, mode, operation, lacks
):
    with pytest.raises(InputError, match=f"{mode} does not apply: .*{lacks}"):
        plan(mode, operation, "What if something odd happens?")
