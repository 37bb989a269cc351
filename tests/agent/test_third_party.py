"""A third party that misbehaves behind the ledger: API10 of docs/security.md's table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import msgspec
import pytest

from premortem import config as configuration
from premortem.agent.steps.bindings import parse_bindings
from premortem.agent.steps.connection import client_factory
from premortem.agent.steps.engine import run_scenario
from premortem.domain.scenario import Scenario, ScenarioOrigin
from tests.agent.test_world_steps import steps
from tests.ledger.conftest import Ledger, start
from tests.services import PASSWORDS
from tests.shared import ROOT

BINDINGS = """
[services.bank]
command = 'printf %s "$PREMORTEM_VALUE" > bank-answers'
restore_command = "rm -f bank-answers"
"""
PAYOUT = """
    Given the actor "cfo" has role "CFO"
    And the actor "sam" has role "SupportAgent"
    And "cfo" sends "POST" to "/invoices" with:
    {"customer": "Łódź", "amount": 100, "currency": "EUR", "due_date": "2026-07-01"}
    And the response field "/id" is saved as "invoice"
    And "cfo" sends "POST" to "/invoices/${invoice}/approve"
    And "cfo" sends "POST" to "/invoices/${invoice}/payments" with:
    {"amount": 100, "method": "card"}
    And the response field "/id" is saved as "payment"
    And "sam" sends "POST" to "/payments/${payment}/refund-requests" with:
    {"amount": 10, "reason": "damaged"}
    And the response field "/id" is saved as "wish"
    And "cfo" sends "POST" to "/refund-requests/${wish}/approve"
    And the service "bank" answers with status STATUS
    When "sam" sends "POST" to "/refund-requests/${wish}/payout"
    Then the response status is 200
    And the response field "/status" equals "issued"
"""


class Bank(BaseHTTPRequestHandler):
    """Answers as the file says: 200 with a reference, everything else with a page."""

    folder: Path

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        said = self.folder / "bank-answers"
        status = int(said.read_text()) if said.exists() else 200
        body = b'{"reference": "b-1"}' if status == 200 else b"<h1>not now</h1>"
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("bank")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Bank,), {"folder": folder}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/payouts"
    (folder / "premortem.toml").write_text((ROOT / "examples/ledger/premortem.toml").read_text())
    for found in start(LEDGER_TEST_HOOKS="1", LEDGER_BANK_URL=address, **PASSWORDS):
        yield found, folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def outcome(base):
    address, folder = base
    config = configuration.load(folder / "premortem.toml")
    target = msgspec.structs.replace(config.target, base_url=address)
    config = msgspec.structs.replace(config, target=target)
    bindings = parse_bindings(BINDINGS.encode(), config)

    def outcome(status: int, *defects: str) -> str:
        with httpx.Client(base_url=address) as http:
            Ledger(http, {}).switch(*defects)
        results = run_scenario(
            Scenario(
                title="The bank misbehaves",
                feature="Payout",
                steps=steps(PAYOUT.replace("STATUS", str(status))),
                origin=ScenarioOrigin(),
            ),
            client_factory=client_factory(config, environment=PASSWORDS),
            bindings=bindings,
            roles=config.roles,
            clock=lambda: 0.0,
            environment=PASSWORDS,
        )
        last = next((r for r in results if r.status != "passed"), None)
        return "passed" if last is None else f"{last.status}: {last.detail}"

    return outcome


@pytest.mark.parametrize("status", [200, 204, 400, 500, 503])
def test_what_the_bank_answers_is_its_own_matter(outcome, status):
    assert outcome(status) == "passed"


@pytest.mark.parametrize("status", [204, 400, 500, 503])
def test_a_service_that_takes_its_word_for_granted_fails_with_it(outcome, status):
    assert outcome(200, "API10") == "passed"
    assert outcome(status, "API10").startswith("failed: the status is 500, not 200")
