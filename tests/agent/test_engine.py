import asyncio
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from premortem.agent.steps.bind import bind
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.connection import client_factory
from premortem.agent.steps.engine import refuse_unsafe, run_scenario
from premortem.agent.steps.hooks import HookRequest, StateHook
from premortem.config import Config, RoleConfig, TargetConfig
from premortem.domain.run import Fault
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step
from premortem.errors import UnsafeTarget
from tests.agent.small import ScriptedClient, answer

ROLES = {"Packer": RoleConfig(bearer="packer-token"), "Nobody": RoleConfig()}
BINDINGS = Bindings(
    states={
        "order": {
            "shipped": StateHook(
                role="Packer",
                requests=(HookRequest(request="POST /orders/${id}/ship", json={"by": "${id}"}),),
                read="GET /orders/${id}",
                field="/state",
            ),
            "lost": StateHook(requests=("POST /nowhere/${id}",)),
        }
    }
)


def scenario(text):
    """Steps as lines; a line that starts with a brace is the docstring of the one before."""
    steps = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line[0] in "{[":
            last = steps.pop()
            steps.append(Step(keyword=last.keyword, text=last.text, docstring=line))
        else:
            keyword, _, rest = line.partition(" ")
            steps.append(Step(keyword=keyword, text=rest))
    return Scenario(title="t", feature="f", steps=tuple(steps), origin=ScenarioOrigin())


class Shop(BaseHTTPRequestHandler):
    """Orders in memory; one that was shipped cannot be shipped again."""

    protocol_version = "HTTP/1.1"
    orders: ClassVar[dict[str, dict]] = {}
    seen: ClassVar[list[tuple[str, str, dict, bytes]]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        Shop.seen.append(("POST", self.path, dict(self.headers.items()), body))
        parts = self.path.strip("/").split("/")
        if parts == ["orders"]:
            order = {"id": f"o {len(Shop.orders)}", "state": "open", **json.loads(body or b"{}")}
            Shop.orders[order["id"]] = order
            return self.reply(201, order)
        order = Shop.orders.get(parts[1].replace("%20", " ")) if len(parts) == 3 else None
        if order is None:
            return self.reply(404, {"code": "NoOrder"})
        if order["state"] == "shipped":
            return self.reply(409, {"code": "AlreadyShipped"})
        order["state"] = "shipped"
        return self.reply(200, order)

    def do_GET(self):
        Shop.seen.append(("GET", self.path, dict(self.headers.items()), b""))
        order = Shop.orders.get(self.path.split("/")[2].split("?")[0].replace("%20", " "))
        return self.reply(200 if order else 404, order or {})

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def base():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(base):
    Shop.orders.clear()
    Shop.seen.clear()
    config = Config(target=TargetConfig(base_url=base, disposable=True), roles=ROLES)
    factory = client_factory(config, environment=os.environ)

    def run(text, **more):
        results = run_scenario(
            scenario(text),
            client_factory=factory,
            bindings=BINDINGS,
            roles=ROLES,
            clock=lambda: 0.0,
            **more,
        )
        return [r.status for r in results], [r.detail for r in results if r.detail]

    return run


ORDER = """
    Given the actor "ann" has role "Packer"
    And the actor "bob" is not signed in
    And "ann" sends "POST" to "/orders" with:
    {"item": "tea", "pieces": 2}
    And the response field "/id" is saved as "order_id"
"""


def test_a_scenario_runs_against_a_real_server(run):
    statuses, details = run(
        ORDER
        + """
        When "ann" sends "POST" to "/orders/${order_id}/ship"
        Then the response status is 200
        And the response field "/state" equals "shipped"
        And the response field "pieces" equals "2"
        And the response field "/id" equals "${order_id}"
        And the response header "Content-Type" equals "application/json"
        And the response time is under 20000 ms
        And the response matches:
        {"item": "tea", "id": "${order_id}"}
        """
    )
    assert set(statuses) == {"passed"}, details


def test_saved_values_are_encoded_in_paths_and_keep_their_type_in_bodies(run):
    statuses, details = run(
        ORDER
        + """
        And the response field "/pieces" is saved as "pieces"
        When "ann" sends "POST" to "/orders" with:
        {"pieces": "${pieces}", "note": "again ${order_id}", "list": ["${pieces}"]}
        Then the response matches:
        {"pieces": 2, "note": "again o 0", "list": [2]}
        And "ann" sends "GET" to "/orders/${order_id}?of=${order_id}"
        And the response status is 200
        """
    )
    assert set(statuses) == {"passed"}, details
    assert Shop.seen[-1][1] == "/orders/o%200?of=o%200" or Shop.seen[-1][1].startswith(
        "/orders/o%200?of=o+0"
    )


def test_credentials_come_from_the_role_and_nobody_has_none(run):
    run(ORDER + 'When "bob" sends "POST" to "/orders"\nThen the response status is 201')
    headers = [{k.lower(): v for k, v in seen[2].items()} for seen in Shop.seen]
    assert headers[0]["authorization"] == "Bearer packer-token"
    assert "authorization" not in headers[1]


def test_a_repetition_sends_the_same_request_so_many_times(run):
    statuses, _ = run(
        ORDER
        + """
        And "ann" sends "POST" to "/orders/${order_id}/ship"
        When the last request is repeated 2 times
        Then the response status is 409
        And the response field "code" equals "AlreadyShipped"
        """
    )
    assert set(statuses) == {"passed"}
    assert [seen[1] for seen in Shop.seen[1:]] == ["/orders/o%200/ship"] * 3


def test_only_the_same_idempotency_key_is_the_same_request(run):
    keys = iter("abcdef")
    run(
        ORDER
        + """
        When the last request is repeated 1 times
        And the last request is repeated with the same idempotency key
        Then the response status is 201
        """,
        new_key=lambda: next(keys),
    )
    sent = [{k.lower(): v for k, v in seen[2].items()}["idempotency-key"] for seen in Shop.seen]
    assert sent == ["a", "b", "b"]


def test_without_such_a_step_no_key_is_sent(run):
    run(ORDER + "When the last request is repeated 1 times\nThen the response status is 201")
    assert not any("idempotency-key" in map(str.lower, seen[2]) for seen in Shop.seen)


def test_states_are_brought_about_and_looked_at_by_hooks(run):
    statuses, details = run(
        ORDER
        + """
        And the "order" "${order_id}" is in state "shipped"
        When "ann" sends "POST" to "/orders/${order_id}/ship"
        Then the response status is 409
        And the "order" "${order_id}" should be in state "shipped"
        And the response status is 409
        """
    )
    assert set(statuses) == {"passed"}, details
    assert json.loads(Shop.seen[1][3]) == {"by": "o 0"}


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        ("Then the response status is 200", "failed", "201, not 200"),
        ('Then the response field "/state" equals "shipped"', "failed", '"open"'),
        ('Then the response field "/nothing" equals "1"', "failed", "no field"),
        ('Then the response field "/pieces" equals "true"', "failed", "not"),
        ('Then the response header "x-none" equals "1"', "failed", "no header"),
        ("Then the response time is under 0 ms", "failed", "not under"),
        ('Then the response matches:\n{"pieces": 3}', "failed", "/pieces is 2, not 3"),
        ('Then the response matches:\n{"price": 3}', "failed", "/price is missing"),
        ('When "carl" sends "GET" to "/orders/1"', "broken", "who"),
        ('When "ann" sends "GET" to "/orders/${nothing}"', "broken", "nothing was saved"),
        ('Given "ann" sends "GET" to "/orders/9"', "broken", "did not come about: 404"),
        ('Given the "order" "9" is in state "lost"', "broken", "answered 404"),
    ],
)
def test_what_does_not_hold_fails_and_what_cannot_be_done_is_broken(run, lines, status, said):
    statuses, details = run(ORDER + lines + "\nAnd the response status is 201")
    assert statuses[-2:] == [status, "skipped"]
    assert said in details[0]


def test_an_unbound_scenario_is_not_sent_at_all(run):
    statuses, details = run(ORDER + 'When "ann" ships the order\nThen the response status is 200')
    assert (statuses[-2], statuses[0]) == ("undefined", "skipped")
    assert "the nearest is" in details[0]
    assert Shop.seen == []


def scripted(text, *answers):
    client = ScriptedClient(*answers)
    return run_scenario(
        scenario(text),
        client_factory=lambda: client,
        bindings=BINDINGS,
        roles=ROLES,
        clock=lambda: 0.0,
    )


@pytest.mark.parametrize(
    ("kind", "status"),
    [("timeout", "failed"), ("reset", "failed"), ("connect", "broken"), ("unbound", "broken")],
)
def test_no_answer_to_the_question_fails_only_where_the_target_took_it(kind, status):
    fault = Fault(kind=kind, detail="gone", sent=True)
    results = scripted(
        'Given the actor "ann" has role "Packer"\nWhen "ann" sends "GET" to "/x"', fault
    )
    assert results[-1].status == status


def test_an_answer_that_is_no_json_has_no_fields():
    html = answer(200)
    results = scripted(
        """Given the actor "ann" has role "Packer"
        When "ann" sends "GET" to "/x"
        Then the response field "/a" equals "1" """,
        html,
    )
    assert (results[-1].status, "not JSON" in results[-1].detail) == ("failed", True)


def test_data_is_not_changed_on_a_target_that_nobody_marked_disposable():
    bound = bind(scenario(ORDER), bindings=BINDINGS, roles=ROLES)
    with pytest.raises(UnsafeTarget, match="POST"):
        refuse_unsafe(bound, BINDINGS, target="http://production")
    hooked = scenario('Given the "order" "1" is in state "shipped"')
    with pytest.raises(UnsafeTarget, match="disposable"):
        refuse_unsafe(bind(hooked, bindings=BINDINGS, roles=ROLES), BINDINGS, target="http://p")


def test_the_engine_leaves_no_loop_behind(run):
    run(ORDER)
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


ORDERED = """
    Given the actor "pia" has role "Packer"
    When "pia" sends "POST" to "/orders" with:
    {"paid": 10, "fee": 4, "net": 6, "lines": [{"price": 3}, {"price": 7}]}
"""


@pytest.mark.parametrize(
    ("comparison", "status"),
    [
        ("net == paid - fee", "passed"),
        ("paid == sum(lines.price)", "passed"),
        ("net == paid + fee", "failed"),
        ("net == paid - tip", "broken"),
    ],
)
def test_a_comparison_of_the_answer_s_fields_holds_or_does_not(run, comparison, status):
    statuses, _ = run(f'{ORDERED}\n    Then in the response "{comparison}" holds')
    assert statuses[-1] == status


def test_what_was_saved_can_be_calculated_with(run):
    kept = 'When the response field "/fee" is saved as "fee_before"'
    statuses, _ = run(
        f"{ORDERED}\n{kept}\n{ORDERED}\n"
        '    Then in the response "fee + 2 == ${fee_before} + 2" holds'
    )
    assert statuses[-1] == "passed"


def test_what_is_no_comparison_does_not_bind():
    text = 'Then in the response "import os" holds'
    assert "comparison" in bind(scenario(text), bindings=BINDINGS, roles=ROLES)[0].problem
