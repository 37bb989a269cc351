"""Errors in a log behind answers that say all is well, on a service that writes one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from premortem.checks.log_error import NAME, judge_lines
from premortem.config import Config, TargetConfig
from premortem.domain.jobs import Count
from premortem.domain.log_error import LogLine
from premortem.domain.run import Case, Origin, Result, Sent, Sequence, Verdict
from premortem.domain.traffic import Request, Response
from premortem.pipeline.confirming import open_bench
from premortem.pipeline.log_errors import LogErrors
from premortem.run.happenings import Gathered
from premortem.send.line import Line, open_line
from tests.checks.judging import profile

TRACE = """ERROR could not book
Traceback (most recent call last):
  File "/srv/shop/booking.py", line 12, in book
    raise KeyError("account")
KeyError: 'account'
"""


class Service(ThreadingHTTPServer):
    """Answers 200 to everything; `/careless` writes a trace, `/chatty` a warning."""

    daemon_threads = True

    def __init__(self, log: Path) -> None:
        self.log = log
        super().__init__(("127.0.0.1", 0), _Handler)

    def write(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text)


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        if self.path == "/careless":
            self.server.write(TRACE)
        elif self.path == "/chatty":
            self.server.write("WARNING the cache is cold\n")
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "service.log").write_text(TRACE)
    with Service(tmp_path / "service.log") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def line(service: Service) -> Iterator[Line]:
    with open_line(Config(target=configured(service)), redaction_key=b"k" * 32) as opened:
        yield opened


def configured(service: Service) -> TargetConfig:
    return TargetConfig(base_url=f"http://127.0.0.1:{service.server_address[1]}")


def asking(path: str) -> Case:
    request = Request(method="GET", origin="", path=path)
    return Case(request=request, operation_id=f"GET {path}", origin=Origin(source="sample"))


def gathered(*paths: str, failed: int = 0) -> tuple[Gathered, dict[str, Sequence]]:
    sequences = [Sequence(cases=(asking(path),)) for path in paths]
    results = tuple(
        Result(
            case=sequence.cases[0],
            sequence_id=sequence.id,
            position=0,
            sent=Sent(request=sequence.cases[0].request, response=Response(status=200)),
        )
        for sequence in sequences
    )
    count = Count(
        second=0,
        operation_id="GET /x",
        source="sample",
        setup=False,
        recorded=0,
        status=500,
        outcome="answered",
        fault="",
        count=failed,
    )
    return Gathered(results=results, counts=(count,)), {s.id: s for s in sequences}


def suspicious(service: Service, line: Line, *paths: str, failed: int = 0) -> list[Result]:
    logged = LogErrors(service.log)
    service.write(TRACE)  # while the run goes on
    event, sequences = gathered(*paths, failed=failed)
    logged.take(event, sequences.get)
    return [result for result, _ in logged.suspicious(line, stop=lambda: False)]


def test_the_request_behind_which_the_log_tells_of_an_error_is_found(service, line):
    (found,) = suspicious(service, line, "/fine", "/careless", "/chatty")
    assert found.case.request.path == "/careless"
    (verdict,) = found.verdicts
    assert (verdict.check, verdict.severity) == (NAME, "medium")
    assert verdict.signature == "KeyError at shop/booking.py:book"


def test_errors_that_failed_answers_explain_send_nothing(service, line):
    assert not suspicious(service, line, "/careless", failed=1)


def test_a_service_without_a_log_is_not_asked(line):
    logged = LogErrors(None)
    event, sequences = gathered("/careless")
    logged.take(event, sequences.get)
    assert not list(logged.suspicious(line, stop=lambda: False))


def test_it_is_confirmed_when_it_comes_again_alone(service, line):
    config = Config(target=configured(service))
    bench = open_bench(line, profile(), config=config, fresh=lambda: None, log=service.log)
    verdict = Verdict(check=NAME, title="", signature="KeyError at shop/booking.py:book")
    assert bench.shows(Sequence(cases=(asking("/careless"),)), verdict) is not None
    assert bench.shows(Sequence(cases=(asking("/fine"),)), verdict) is None


@pytest.mark.parametrize(
    ("severity", "status", "told"),
    [("error", 200, ["low"]), ("warning", 200, []), ("error", 500, []), ("error", 404, [])],
)
def test_a_line_without_a_trace_counts_little_and_a_failed_answer_says_it_itself(
    severity, status, told
):
    given = Sent(request=asking("/x").request, response=Response(status=status))
    text = LogLine(template_id="0" * 8, severity=severity, text="cannot reach 10.0.0.7")
    assert [v.severity for v in judge_lines(given, [text, text])] == told
