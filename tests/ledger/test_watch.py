"""What is told of every request: a line of JSON, and spans that go on where the caller's began."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.ledger.conftest import FOLDER, Ledger, environment, invoice, sign_in, start

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
WAIT_S_MAX = 20


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted to it; stands for a bank and for a collector of spans."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.posted.append((self.path, headers, json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def collector():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.posted = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def watched(collector, tmp_path_factory):
    """A ledger that tells everything: (ledger, its log, its spans' file)."""
    folder: Path = tmp_path_factory.mktemp("watched")
    log, traces = folder / "requests.jsonl", folder / "spans.jsonl"
    address = f"http://127.0.0.1:{collector.server_address[1]}"
    settings = {
        "LEDGER_LOG": str(log),
        "LEDGER_TRACES": str(traces),
        "LEDGER_DEFECTS": "L01",
        "LEDGER_BANK_URL": f"{address}/payouts",
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    for base in start(**settings):
        with httpx.Client(base_url=base) as http_client:
            users = {"CFO": "cfo", "SupportAgent": "support"}
            tokens = {role: sign_in(http_client, user) for role, user in users.items()}
            yield Ledger(http_client, tokens), log, traces


def after(log: Path, trace_id: str, count: int) -> list[dict]:
    """The COUNT lines after that of TRACE_ID: a line is written when its answer is out."""
    give_up_at = time.monotonic() + WAIT_S_MAX
    while True:
        told = [json.loads(line) for line in log.read_text().splitlines()]
        places = [place for place, line in enumerate(told) if line["trace_id"] == trace_id]
        if places and len(told) == places[0] + 1 + count:
            return told[places[0] + 1 :]
        assert time.monotonic() < give_up_at, "a line is missing"
        time.sleep(0.02)


def test_each_request_is_one_line(watched):
    ledger, log, _ = watched
    marked = ledger.get("", "/nowhere/yet").headers["traceresponse"].split("-")[1]
    made = ledger.post("CFO", "/invoices", invoice(), headers=CALLER)
    ledger.get("CFO", "/audit", headers={"X-Edition": "lite"})
    ledger.get("CFO", "/invoices?limit=0")
    ledger.get("", "/nowhere")
    written, lacking, crashed, nowhere = after(log, marked, 4)
    assert list(written) == [
        *("time", "level", "method", "path", "route", "status", "duration_ms"),
        *("trace_id", "role", "edition", "error"),
    ]
    assert (written["level"], written["status"], written["trace_id"]) == ("info", 201, TRACE)
    assert made.headers["traceresponse"].startswith(f"00-{TRACE}-")
    assert (written["role"], written["edition"]) == ("CFO", "enterprise")
    assert (lacking["level"], lacking["error"]) == ("warning", "EditionFeatureMissing")
    assert (crashed["level"], crashed["error"]) == ("error", "InternalServerError")
    assert (nowhere["route"], nowhere["error"], nowhere["role"]) == ("", "NotFound", None)
    assert written["time"].endswith("Z")
    assert len({line["trace_id"] for line in (lacking, crashed, nowhere)}) == 3


def spans_of(batches: list[dict]) -> list[dict]:
    return [
        span
        for batch in batches
        for resource in batch["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def test_a_trace_goes_on_through_the_ledger_to_the_bank(watched, collector):
    ledger, _, traces = watched
    invoice_id = ledger.approved()
    payment_id = ledger.pay(invoice_id, 100).json()["id"]
    path = f"/refund-requests/{ledger.granted(payment_id)}/payout"
    assert ledger.post("SupportAgent", path, headers=CALLER).status_code == 200
    name = "POST /refund-requests/{request_id}/payout"
    give_up_at = time.monotonic() + WAIT_S_MAX
    posted: list[dict] = []
    while name not in {span["name"] for span in posted}:  # the file is written before
        assert time.monotonic() < give_up_at, "no span was posted"
        time.sleep(0.05)
        posted = spans_of([body for where, _, body in collector.posted if where == "/v1/traces"])
    written = spans_of([json.loads(line) for line in traces.read_text().splitlines()])
    served = [span for span in written if span["name"] == name]
    (server,) = served
    (call,) = [span for span in written if span["name"] == "bank.pay_out"]
    assert (server["traceId"], server["parentSpanId"], server["kind"]) == (TRACE, SPAN, 2)
    assert (call["traceId"], call["parentSpanId"], call["kind"]) == (TRACE, server["spanId"], 3)
    told = {one["key"]: one["value"] for one in server["attributes"]}
    assert told["http.response.status_code"] == {"intValue": "200"}
    assert told["ledger.role"] == {"stringValue": "SupportAgent"}
    (payout,) = [headers for where, headers, _ in collector.posted if where == "/payouts"]
    assert payout["traceparent"] == f"00-{TRACE}-{call['spanId']}-01"
    assert server in posted


def test_without_an_address_or_a_file_opentelemetry_is_not_even_imported():
    program = (
        "import os, sys; from ledger.defects import Defects; from ledger.web.app import create_app;"
        "create_app(defects=Defects(), environment={});"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.sdk')]"
    )
    subprocess.run(
        [sys.executable, "-c", program], cwd=FOLDER, env=environment(), check=True, timeout=30
    )


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({"LEDGER_EDITION": "gold"}, "gold"), ({"LEDGER_LOG": f"{os.sep}nowhere/log"}, "nowhere")],
)
def test_what_the_environment_asks_for_in_vain_is_said_at_the_start(settings, complaint):
    ended = subprocess.run(
        [sys.executable, "-m", "ledger", "--port", "0"],
        cwd=FOLDER,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 2
    assert complaint in ended.stderr
