"""One line in a service records it; the service does not notice."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from premortem.capture.middleware import record
from premortem.capture.spool import read_spool
from premortem.config import CaptureConfig, Config
from premortem.errors import ConfigError
from tests.capture.wsgi_app import KEY, app
from tests.services import PASSWORDS, free_port, running
from tests.shared import ROOT

LEDGER = """
import os

import premortem
from ledger.defects import Defects
from ledger.web.app import create_app

app = create_app(defects=Defects.parse(""), environment=os.environ)
app = premortem.record(app, directory={spool!r}, key=b"k" * 32)
"""


def asked(url: str, body: bytes | None = None, **headers: str) -> bytes:
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.read()


def wrapped(application, spool: Path, **options):
    config = Config(capture=options.pop("capture", CaptureConfig()))
    return record(application, directory=spool, key=KEY, config=config, **options)


def spooled(recorder, spool: Path):
    recorder.recording.close()
    return list(read_spool(spool, key=KEY)) if spool.exists() else []


def called(recorder, path: str, body: bytes = b"", **environ: str) -> list[bytes]:
    """The pieces that a WSGI server would send."""
    base = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
    }
    answer = recorder({**base, **environ}, lambda *_: None)
    pieces = list(answer)
    answer.close()
    return pieces


def test_a_wsgi_service_is_recorded_until_its_process_ends(tmp_path):
    port, spool = free_port(), tmp_path / "spool"
    command = [sys.executable, "-m", "tests.capture.wsgi_app", str(port), str(spool)]
    base = f"http://127.0.0.1:{port}"
    with running(command, cwd=ROOT, ready=f"{base}/ready"):
        typed = {"Content-Type": "application/json"}
        assert asked(f"{base}/a?q=1", b"[1]", **typed) == b'{"got":[1]}'
        assert asked(f"{base}/stream") == b"0\n1\n2\n"
        asked(f"{base}/broken")
        asked(f"{base}/caf%C3%A9", b'{"password":"hunter2hunter2"}', **typed)
    exchanges = {one.request.path: one for one in read_spool(spool, key=KEY)}
    assert set(exchanges) - {"/ready"} == {"/a", "/stream", "/broken", "/caf%C3%A9"}
    first = exchanges["/a"]
    assert first.request.origin == base
    assert first.request.query == (("q", "1"),)
    assert (first.request.body, first.response.body) == (b"[1]", b'{"got":[1]}')
    assert exchanges["/broken"].response.status == 500
    assert b"hunter2" not in exchanges["/caf%C3%A9"].request.body


def test_the_ledger_under_uvicorn_is_recorded_by_each_of_its_processes(tmp_path):
    pytest.importorskip("uvicorn")
    port, spool = free_port(), tmp_path / "spool"
    (tmp_path / "recorded.py").write_text(LEDGER.format(spool=str(spool)))
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "recorded:app", "--port", str(port)]
    path = os.pathsep.join([str(tmp_path), str(ROOT / "examples" / "ledger"), str(ROOT / "src")])
    command += ["--workers", "2", "--log-level", "error"]
    settings = {"PYTHONPATH": path, "LEDGER_TEST_HOOKS": "1", **PASSWORDS}
    with running(command, cwd=tmp_path, ready=f"{base}/health", **settings):
        for number in range(40):
            asked(f"{base}/invoices?page={number}")
        login = json.dumps({"username": "cashier", "password": "cashier-secret"}).encode()
        answer = asked(f"{base}/login", login, **{"Content-Type": "application/json"})
    exchanges = list(read_spool(spool, key=KEY))
    listed = [one for one in exchanges if one.request.path == "/invoices"]
    assert {one.request.query for one in listed} == {(("page", str(n)),) for n in range(40)}
    (signed_in,) = [one for one in exchanges if one.request.path == "/login"]
    assert b"cashier-secret" not in signed_in.request.body
    assert signed_in.response.status == 200
    assert b"token" in answer
    token = json.loads(answer).get("token", "")
    assert token
    assert token.encode() not in signed_in.response.body
    owners = {path.name.split("-")[1] for path in spool.iterdir()}
    assert len(owners) in (1, 2), "each process writes segments of its own"


async def serve(recorder, messages, *, path: str = "/a", type_: str = "http", **headers: str):
    scope = {
        "type": type_,
        "method": "POST",
        "path": path,
        "query_string": b"x=1",
        "scheme": "https",
        "headers": [(b"host", b"shop.example")]
        + [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 5),
    }
    incoming = iter(messages)
    sent: list[dict] = []

    async def receive():
        return next(incoming)

    async def send(message):
        sent.append(message)

    await recorder(scope, receive, send)
    return sent


async def echoing(scope, receive, send):
    if scope["type"] != "http":
        await send({"type": "websocket.accept"})
        return
    if scope["path"] == "/broken":
        raise RuntimeError("a fault of the app")
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x", b"1")]})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def test_an_asgi_app_streams_as_it_did_and_is_recorded(tmp_path):
    recorder = wrapped(echoing, tmp_path)
    pieces = [
        {"type": "http.request", "body": b"[1", "more_body": True},
        {"type": "http.request", "body": b",2]", "more_body": False},
    ]
    sent = asyncio.run(serve(recorder, pieces, **{"content-length": "5"}))
    assert [message.get("body") for message in sent] == [None, b"[1", b",2]"]
    with pytest.raises(RuntimeError, match="fault of the app"):
        asyncio.run(serve(recorder, [], path="/broken"))
    asyncio.run(serve(recorder, [], type_="websocket"))
    first, second = spooled(recorder, tmp_path)
    assert first.request.origin == "https://shop.example"
    assert (first.request.body, first.response.body) == (b"[1,2]", b"[1,2]")
    assert (first.response.status, second.response.status) == (201, 500)
    assert recorder.recording.copies.held == 0


def test_a_body_over_the_limit_passes_and_is_not_copied(tmp_path):
    recorder = wrapped(app, tmp_path, capture=CaptureConfig(body_bytes_max=100))
    big = b'"' + b"x" * 1000 + b'"'
    assert b"".join(called(recorder, "/a", big)) == b'{"got":' + big + b"}"
    (exchange,) = spooled(recorder, tmp_path)
    assert (exchange.request.body, exchange.response.body) == (b"", b"")


def test_a_client_that_leaves_within_an_answer_leaves_nothing(tmp_path):
    recorder = wrapped(app, tmp_path)
    answer = recorder({"PATH_INFO": "/stream", "REQUEST_METHOD": "GET"}, lambda *_: None)
    assert next(iter(answer)) == b"0\n"
    answer.close()
    assert spooled(recorder, tmp_path) == []
    assert recorder.recording.copies.held == 0


def test_a_spool_that_cannot_be_written_is_nothing_to_the_app(tmp_path, caplog):
    (tmp_path / "spool").write_text("in the way")
    recorder = wrapped(app, tmp_path / "spool")
    assert called(recorder, "/a", b"1") == [b'{"got":', b"1", b"}"]
    recorder.recording.close()
    assert "premortem does not record" in caplog.text


def test_a_key_that_is_none_is_said_and_the_app_serves(tmp_path, caplog):
    environment = {"PREMORTEM_SPOOL_KEY": "no key"}
    recorder = record(app, directory=tmp_path, config=Config(), environment=environment)
    assert called(recorder, "/a", b"1") == [b'{"got":', b"1", b"}"]
    recorder.recording.close()
    assert "premortem spool key" in caplog.text


def test_a_share_that_is_none_is_said_at_once(tmp_path):
    with pytest.raises(ConfigError, match="share"):
        wrapped(app, tmp_path, sample=7)


def test_nothing_is_recorded_of_clients_outside_the_sample(tmp_path):
    recorder = wrapped(app, tmp_path, sample=0.0)
    assert list(recorder({"PATH_INFO": "/stream"}, lambda *_: None)) == [b"0\n", b"1\n", b"2\n"]
    assert spooled(recorder, tmp_path) == []


def test_a_fork_records_into_segments_of_its_own(tmp_path):
    recorder = wrapped(app, tmp_path)
    called(recorder, "/parent", b"1")
    child = os.fork()
    if not child:
        called(recorder, "/child", b"2")
        recorder.recording.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    called(recorder, "/parent-again", b"3")
    paths = sorted(one.request.path for one in spooled(recorder, tmp_path))
    assert paths == ["/child", "/parent", "/parent-again"]


def test_what_the_app_has_besides_stays_reachable(tmp_path):
    class Application:
        state = "own"

        async def __call__(self, scope, receive, send):
            await echoing(scope, receive, send)

    recorder = wrapped(Application(), tmp_path)
    assert recorder.state == "own"
    assert asyncio.run(serve(recorder, [{"type": "http.request", "body": b""}]))[0]["status"] == 201
