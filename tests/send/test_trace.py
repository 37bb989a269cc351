"""`trace = true`: requests say by `traceparent` which case they are; nothing of it is kept."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from premortem.config import Config, TargetConfig
from premortem.domain.run import Case, Origin
from premortem.domain.tracing import traceparent
from premortem.domain.traffic import Request
from premortem.send.line import open_line

CASE = Case(
    request=Request(method="GET", origin="", path="/invoices/7"),
    operation_id="GET /invoices/{invoice_id}",
    origin=Origin(source="sample"),
)


@pytest.fixture
def seen():
    heard: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.headers.get("traceparent"))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("trace", [True, False])
def test_a_request_carries_its_trace_context_where_that_is_asked_for(seen, trace):
    base, heard = seen
    with open_line(Config(target=TargetConfig(base_url=base, trace=trace))) as line:
        sent = line.send_case(CASE)

    assert heard == [traceparent(CASE) if trace else None]
    assert sent.request == CASE.request
