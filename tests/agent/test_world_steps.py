"""The steps about what surrounds a request, against a service that has it."""

import sqlite3

import pytest

from premortem import config as configuration
from premortem.agent.steps.bindings import load_bindings
from premortem.agent.steps.connection import client_factory
from premortem.agent.steps.engine import run_scenario
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step
from tests.agent.till import environment, till


def steps(text):
    """Lines as steps; `|` begins a table's row, `{` a docstring."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line[0] == "|":
            row = tuple(cell.strip() for cell in line.strip("|").split("|"))
            last = found.pop()
            found.append(Step(keyword=last.keyword, text=last.text, table=(*last.table, row)))
        elif line[0] in "{[":
            last = found.pop()
            found.append(Step(keyword=last.keyword, text=last.text, docstring=line))
        else:
            keyword, _, rest = line.partition(" ")
            found.append(Step(keyword=keyword, text=rest))
    return tuple(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("till")
    with till(folder):
        yield folder


@pytest.fixture
def run(folder):
    config = configuration.load(folder / "premortem.toml")
    bindings = load_bindings(config)
    factory = client_factory(config, environment=environment())

    def run(text):
        with sqlite3.connect(folder / "till.db") as connection:
            connection.executescript("delete from sales; delete from outbox")
        results = run_scenario(
            Scenario(title="t", feature="f", steps=steps(text), origin=ScenarioOrigin()),
            client_factory=factory,
            bindings=bindings,
            roles=config.roles,
            clock=lambda: 0.0,
            environment=environment(),
        )
        last = next((r for r in results if r.status != "passed"), None)
        return "passed" if last is None else f"{last.status}: {last.detail}"

    return run


SALE = """
    Given the actor "ann" has role "the cashier"
    And "ann" sends "POST" to "/sales" with:
    {"amount": 12.5, "currency": "EUR"}
    And the response field "/id" is saved as "sale_id"
"""


@pytest.mark.parametrize(
    ("lines", "came"),
    [
        ("", "401, not 200"),
        (
            'And the actor "ann" presents a token with claim "exp" set to "2036-01-01T00:00:00Z"',
            "passed",
        ),
        ('And the actor "ann" presents a token with claim "role" set to "Auditor"', "passed"),
        ('And the actor "ann" presents a token with claim "exp" set to "2026-05-31"', "401"),
        ('And the actor "ann" presents a token with claim "signature" set to "x"', "401"),
    ],
)
def test_a_token_with_another_claim_is_signed_and_a_broken_one_is_not(run, lines, came):
    who = "is not signed in" if not lines else 'has role "Cashier"'
    said = run(
        SALE
        + f"""
        And the actor "ann" {who}
        {lines}
        When "ann" sends "GET" to "/sales/${{sale_id}}"
        Then the response status is 200
        """
    )
    assert came in said


def test_an_edition_is_told_with_every_request_from_then_on(run):
    sell = """
        When "ann" sends "POST" to "/sales" with:
        {"amount": 3, "currency": "USD"}
        Then the response status is 403
        """
    assert "201, not 403" in run(SALE + 'And the edition is "pro"' + sell)
    assert run(SALE + 'And the edition is "lite"' + sell) == "passed"


def test_the_time_is_the_one_that_was_set(run):
    assert (
        run(
            """
            Given the actor "ann" has role "Cashier"
            And the time is "2028-02-29T23:59:59Z"
            When "ann" sends "POST" to "/sales" with:
            {"amount": 3, "currency": "EUR"}
            Then the response field "/made" equals "2028-02-29T23:59:59Z"
            And the table "sales" has 1 rows where:
            | made                 | gift  | amount |
            | 2028-02-29T23:59:59Z | false | 3.00   |
            """
        )
        == "passed"
    )


def test_a_service_behind_fails_as_long_as_the_scenario_runs(run):
    down = """
        Given the actor "ann" has role "Cashier"
        And the service "bank" answers with status 503
        When "ann" sends "POST" to "/sales" with:
        {"amount": 3, "currency": "EUR"}
        Then the response status is 502
        And the response field "/said" equals "503"
        And the table "sales" has 0 rows
        """
    assert run(down) == "passed"
    assert run(SALE) == "passed"


def test_states_are_set_and_seen_in_the_database(run):
    assert (
        run(
            SALE
            + """
            And the "sale" "${sale_id}" is in state "refunded"
            When "ann" sends "POST" to "/sales/${sale_id}/refund"
            Then the response status is 409
            And the "sale" "${sale_id}" should be in state "refunded"
            And nothing changed in the table "sales"
            """
        )
        == "passed"
    )
    assert "not 'open'" in run(
        SALE
        + """
        When "ann" sends "POST" to "/sales/${sale_id}/refund"
        Then the "sale" "${sale_id}" should be in state "open"
        """
    )


def test_a_table_is_filled_and_counted_by_what_its_columns_mean(run):
    assert (
        run(
            """
            Given the actor "ann" has role "Cashier"
            And the table "sales" contains:
            | id | amount | currency | state | made                | gift  |
            | 7  | 10.50  | EUR      | open  | 2026-01-01T00:00:00 | true  |
            | 8  | 10.5   | null     | open  | 2026-01-01T00:00:00 | false |
            And the table "sales" contains:
            [{"id": 8, "amount": 11, "state": "old"}]
            When "ann" sends "POST" to "/sales/7/refund"
            Then the table "sales" has 2 rows
            And the table "sales" has 1 rows where:
            | id | state    | amount | currency | gift |
            | 7  | refunded | 10.5   | EUR      | true |
            And the table "sales" has 1 rows where:
            {"currency": null, "state": "old", "amount": 11}
            """
        )
        == "passed"
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('Then nothing changed in the table "sales"', "1 rows are new, 1 gone"),
        ('Then the table "sales" has 2 rows', "has 1 such rows, not 2"),
        ('Then the table "sales" has 1 rows where:\n| colour |\n| red |', "no column 'colour'"),
        ('Then the table "sales" has 1 rows where:\n| id |\n| seven |', "no value for id"),
        ("Then exactly 1 responses have status 409", "0 have 409, not 1: 1 x 201"),
        ('Then the event "SaleMade" is recorded 1 times', "0 times, not 1"),
    ],
)
def test_what_is_not_so_is_said(run, lines, said):
    assert said in run(SALE + 'When "ann" sends "POST" to "/sales/${sale_id}/refund"\n' + lines)


@pytest.mark.parametrize("event", ["SaleRefunded", "SaleMade", "SaleAudited"])
def test_events_are_counted_from_the_first_request_in_question(run, event):
    expected = {"SaleRefunded": 1, "SaleMade": 0, "SaleAudited": 0}[event]
    assert (
        run(
            SALE
            + f"""
            When "ann" sends "POST" to "/sales/${{sale_id}}/refund"
            And the last request is repeated 2 times
            Then the event "{event}" is recorded {expected} times
            And exactly 2 responses have status 409
            """
        )
        == "passed"
    )


def test_of_several_at_once_one_wins(run):
    assert (
        run(
            SALE
            + """
            When "ann" sends "POST" to "/sales/${sale_id}/refund" 8 times at once
            Then exactly 1 responses have status 201
            And exactly 7 responses have status 409
            And the event "SaleRefunded" is recorded 1 times
            """
        )
        == "passed"
    )


def test_a_phrase_runs_as_the_steps_it_stands_for(run):
    assert (
        run(
            """
            Given a sale of "12.50" was made
            When "ann" refunds the sale 3 times at once
            Then exactly 1 responses have status 201
            """
        )
        == "passed"
    )
    assert "nobody accepted" in run("Given the till is opened\nThen the response status is 200")
    assert "no JSON" in run('Given a sale of "a lot" was made\nThen the response status is 200')


def test_headers_are_kept_and_carried_by_one_request(run):
    assert (
        run(
            SALE
            + """
            And the response header "ETag" is saved as "version"
            And the next request carries the header "if-match" set to "${version}"
            When "ann" sends "GET" to "/sales/${sale_id}"
            Then the response header "etag" equals "${version}"
            """
        )
        == "passed"
    )
