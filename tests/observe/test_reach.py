"""How far a run reached: log, traces and code, as premortem.toml names them."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from premortem.config import Config, CoverageConfig, TargetConfig
from premortem.domain.run import Case, Origin
from premortem.domain.tracing import trace_id, traceparent
from premortem.domain.traffic import Request
from premortem.errors import ConfigError
from premortem.observe.otlp_traces import from_json, from_protobuf, plain_statement
from premortem.observe.reach import Reach

CASE = Case(
    request=Request(method="GET", origin="", path="/invoices/7"),
    operation_id="GET /invoices/{invoice_id}",
    origin=Origin(source="sample"),
)


def config(directory: Path, *, coverage: dict | None = None, **target: object) -> Config:
    return Config(
        target=TargetConfig(**target),
        coverage=CoverageConfig(**(coverage or {})),
        directory=str(directory),
    )


def exported(trace: str) -> dict:
    """An ExportTraceServiceRequest, as exporters write it in JSON."""
    statement = {"key": "db.statement", "value": {"stringValue": "SELECT * FROM t WHERE id = 42"}}
    system = {"key": "db.system", "value": {"stringValue": "sqlite"}}
    spans = [
        {"traceId": trace, "spanId": "0102030405060708", "name": "GET /invoices/{id}"},
        {"traceId": trace, "name": "select", "attributes": [statement, system]},
        {"traceId": "ab" * 16, "name": "somebody else's"},
    ]
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": spans}]}]}


def send(address: str, data: bytes, kind: str = "application/json", path: str = "/v1/traces"):
    request = urllib.request.Request(f"http://{address}{path}", data, {"content-type": kind})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status


def test_spans_and_statements_are_told_by_the_trace_of_their_request(tmp_path):
    with Reach(config(tmp_path, coverage={"traces": "127.0.0.1:0"}), [CASE.operation_id]) as reach:
        for _ in range(2):
            send(reach.listening, json.dumps(exported(trace_id(CASE))).encode())
        seen, _, notes = reach.settled()

    assert notes == ()
    assert [(s.kind, s.operation_id, s.name, s.hits, s.detail) for s in seen] == [
        ("span", CASE.operation_id, "GET /invoices/{id}", 2, ""),
        ("span", CASE.operation_id, "select", 2, ""),
        ("statement", CASE.operation_id, "SELECT * FROM t WHERE id = ?", 2, "sqlite"),
    ]


def test_what_is_no_trace_is_refused(tmp_path):
    with Reach(config(tmp_path, coverage={"traces": "127.0.0.1:0"})) as reach:
        for data, kind, path, status in (
            (b"{", "application/json", "/v1/traces", 400),
            (b"\xff\xff", "application/x-protobuf", "/v1/traces", 400),
            (b"{}", "text/plain", "/v1/traces", 415),
            (b"{}", "application/json", "/v1/metrics", 404),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                send(reach.listening, data, kind, path)
            assert refused.value.code == status


def nested(number: int, payload: bytes) -> bytes:
    """A field of protobuf that holds bytes, shorter than 16 KiB."""
    size = len(payload)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + payload


def test_protobuf_and_json_tell_the_same():
    trace = trace_id(CASE)
    text = nested(1, b"db.query.text") + nested(2, nested(1, b"SELECT 1"))
    span = nested(1, bytes.fromhex(trace)) + nested(5, b"select") + nested(9, text)
    body = nested(1, nested(1, b"") + nested(2, nested(1, b"") + nested(2, span)))
    attribute = {"key": "db.query.text", "value": {"stringValue": "SELECT 1"}}
    spans = [{"traceId": trace.upper(), "name": "select", "attributes": [attribute]}]
    given = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}

    (read,) = from_protobuf(body)

    assert [read] == list(from_json(json.dumps(given).encode()))
    assert (read.trace_id, read.statement) == (trace, "SELECT 1")


def test_a_trace_context_is_that_of_the_standard():
    version, trace, parent, flags = traceparent(CASE).split("-")

    assert (version, flags) == ("00", "01")
    assert (len(trace), len(parent)) == (32, 16)
    assert int(trace, 16)
    assert int(parent, 16)


@pytest.mark.parametrize(
    ("statement", "plain"),
    [
        ("SELECT a1 FROM t2 WHERE id = 42", "SELECT a1 FROM t2 WHERE id = ?"),
        ("insert into t values ('O''Hara', -1.5)", "insert into t values (?)"),
        ("select x from t\n  where id in ($1, $2)", "select x from t where id in (?)"),
        ("select x::int from t where a = :name", "select x::int from t where a = ?"),
    ],
)
def test_statements_are_equal_but_for_their_values(statement, plain):
    assert plain_statement(statement) == plain


def test_lines_of_the_log_are_counted_by_template(tmp_path):
    log = tmp_path / "service.log"
    log.write_text("INFO: from before the run\n")
    with Reach(config(tmp_path, log="service.log")) as reach:
        with log.open("a") as file:
            file.write("INFO: paid 1\nINFO: paid 2\nERROR: no such customer\n")
        seen, _, notes = reach.settled()

    assert notes == ()
    assert [(s.kind, s.name, s.hits, s.detail) for s in seen] == [
        ("log", "INFO: paid <*>", 2, "info"),
        ("log", "ERROR: no such customer", 1, "error"),
    ]


def test_a_log_that_is_not_there_is_said(tmp_path):
    with Reach(config(tmp_path, log="nowhere.log")) as reach:
        _, _, notes = reach.settled()

    assert len(notes) == 1
    assert "nowhere.log" in notes[0]


def test_code_is_read_after_its_command(tmp_path):
    report = {"files": {"app.py": {"summary": {"num_statements": 4, "covered_lines": 3}}}}
    (tmp_path / "made.json").write_text(json.dumps(report))
    command = f"{sys.executable} -c \"import shutil; shutil.copy('made.json', 'read.json')\""
    coverage = {"code": "read.json", "code_command": command}
    with Reach(config(tmp_path, coverage=coverage)) as reach:
        _, code, notes = reach.settled()

    assert notes == ()
    assert [(c.file, c.lines, c.lines_covered) for c in code] == [("app.py", 4, 3)]


def test_code_that_cannot_be_read_is_said_and_what_ran_before_stays(tmp_path):
    report = {"files": {"app.py": {"summary": {"num_statements": 4, "covered_lines": 3}}}}
    path = tmp_path / "c.json"
    path.write_text(json.dumps(report))
    with Reach(config(tmp_path, coverage={"code": "c.json"})) as reach:
        reach.settled()
        path.write_text(json.dumps(report).replace("3", "1"))
        _, after_reset, _ = reach.settled()
        path.unlink()
        _, code, notes = reach.settled()

    assert [c.lines_covered for c in (*after_reset, *code)] == [3, 3]
    assert "c.json" in notes[0]


def test_a_command_that_fails_is_said(tmp_path):
    coverage = {"code": "c.json", "code_command": "echo no tool >&2; exit 3"}
    with Reach(config(tmp_path, coverage=coverage)) as reach:
        _, _, notes = reach.settled()

    assert "ended with 3: no tool" in notes[0]


def test_other_machines_must_not_reach_the_door_for_traces(tmp_path):
    with pytest.raises(ConfigError, match=r"\[coverage\]"):
        Reach(config(tmp_path, coverage={"traces": "0.0.0.0:0"}))
