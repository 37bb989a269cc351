"""The binding file that the sample service ships with holds against it."""

import msgspec
import pytest

from premortem import config as configuration
from premortem.agent.steps.bindings import load_bindings
from premortem.agent.steps.connection import client_factory
from premortem.agent.steps.engine import run_scenario
from premortem.domain.scenario import Scenario, ScenarioOrigin
from tests.agent.test_world_steps import steps
from tests.services import PASSWORDS, ledger
from tests.shared import ROOT

DRAFT = """
    Given the actor "ann" has role "Cashier"
    And the actor "cid" has role "CFO"
    And the actor "fin" has role "finance manager"
    And "ann" sends "POST" to "/invoices" with:
    {"customer": "Łódź Logistics", "amount": 119, "currency": "EUR", "due_date": "2026-07-01"}
    And the response field "/id" is saved as "invoice_id"
"""
INVOICE = 'the "invoice" "${invoice_id}"'


@pytest.fixture(scope="module")
def run():
    config = configuration.load(ROOT / "examples" / "ledger" / "premortem.toml")
    bindings = load_bindings(config)
    with ledger() as base:
        target = msgspec.structs.replace(config.target, base_url=base)
        factory = client_factory(
            msgspec.structs.replace(config, target=target), environment=PASSWORDS
        )

        def run(text):
            results = run_scenario(
                Scenario(title="t", feature="f", steps=steps(text), origin=ScenarioOrigin()),
                client_factory=factory,
                bindings=bindings,
                roles=config.roles,
                clock=lambda: 0.0,
                environment=PASSWORDS,
            )
            return [f"{r.status}: {r.detail}" for r in results if r.status != "passed"]

        yield run


@pytest.mark.parametrize("state", ["approved", "cancelled", "locked"])
def test_an_invoice_is_brought_into_a_state_and_seen_in_it(run, state):
    found = run(
        DRAFT
        + f"""
        And {INVOICE} should be in state "draft"
        And {INVOICE} is in state "{state}"
        When "ann" sends "PATCH" to "/invoices/${{invoice_id}}" with:
        {{"description": "another"}}
        Then the response status is 409
        And {INVOICE} should be in state "{state}"
        """
    )
    assert found == []


def test_edition_time_token_and_race_are_steps_of_its_own_world(run):
    found = run(
        DRAFT
        + """
        And the time is "2028-02-29T23:59:59Z"
        When "fin" approves the invoice "${invoice_id}"
        Then the response status is 200
        And the edition is "lite"
        And "cid" sends "POST" to "/invoices/${invoice_id}/lock"
        And the response status is 403
        And the actor "cid" presents a token with claim "signature" set to "broken"
        And "cid" sends "GET" to "/invoices/${invoice_id}"
        And the response status is 401
        """
    )
    assert found == []
    found = run(
        DRAFT
        + """
        When "cid" sends "POST" to "/invoices/${invoice_id}/approve" 6 times at once
        Then exactly 1 responses have status 200
        And exactly 5 responses have status 409
        """
    )
    assert found == []
