"""The lines are run: by the real shell, with the real curl, against a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from premortem.analyse import curl_line
from premortem.analyse.curl import BODY_BYTES_MAX, variable_of
from premortem.config import Login, RoleConfig
from premortem.domain.traffic import Request

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


class Recorder(BaseHTTPRequestHandler):
    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, headers, self.rfile.read(length)))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server():
    made = HTTPServer(("127.0.0.1", 0), Recorder)
    made.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def arrives(server):
    """What the server gets when the line for a request is run."""

    def send(request: Request, *, prefix: str = "", environment=None, **more):
        line = curl_line(request, base_url=f"http://127.0.0.1:{server.server_port}{prefix}", **more)
        bare = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        run = subprocess.run(
            ["/bin/sh", "-c", line],
            env={**bare, **(environment or {})},
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert run.returncode == 0, (line, run.stderr)
        return server.seen.pop()

    return send


def request(method: str = "POST", path: str = "/x", **more) -> Request:
    return Request(method=method, origin="", path=path, **more)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "PATCH"])
def test_methods_arrive_without_a_body(arrives, method):
    seen = arrives(request(method, "/invoices/7"))
    assert seen[:2] == (method, "/invoices/7")
    assert seen[3] == b""
    assert "content-type" not in seen[2]


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "O\'Brien $HOME `id` \\\\ \\"x\\" !"}',
        b"@/etc/hostname",
        "Ünïcödé ✓ 中文\nnext line\r\nand \t tab".encode(),
        b"\x00\x01binary\xff\\%s %d'\n",
        b"a" * BODY_BYTES_MAX,
        b"100% of $(it)",
    ],
    ids=["quotes", "at", "unicode", "binary", "long", "percent"],
)
def test_bodies_arrive_to_the_byte(arrives, body):
    seen = arrives(request(headers=(("content-type", "application/json"),), body=body))
    assert seen[3] == body
    assert seen[2]["content-type"] == "application/json"


def test_a_body_of_no_media_type_gets_none(arrives):
    assert "content-type" not in arrives(request(body=b"x"))[2]


def test_a_body_that_no_line_can_hold_is_a_file():
    line = curl_line(request(body=b"a" * (BODY_BYTES_MAX + 1)), base_url="http://h")
    assert "--data-binary @body.bin" in line
    assert len(line) < 500


def test_query_path_and_headers_arrive(arrives):
    sent = request(
        "GET",
        "/a%20b/../{c}[1]/d'e",
        query=(("q", "x & y=z"), ("q", "'\"$PATH"), ("ids[]", "1")),
        headers=(("x-note", "it's $HOME"), ("x-empty", ""), ("host", "prod"), ("connection", "x")),
    )
    method, path, headers, _ = arrives(sent)
    assert method == "GET"
    assert path == "/a%20b/../%7Bc%7D%5B1%5D/d'e?q=x%20%26%20y%3Dz&q=%27%22%24PATH&ids%5B%5D=1"
    assert headers["x-note"] == "it's $HOME"
    assert headers["x-empty"] == ""
    assert headers["host"].startswith("127.0.0.1")


@pytest.mark.parametrize("path", ["/v1/x", "/x"])
def test_the_prefix_of_the_base_url_stands_once(arrives, path):
    assert arrives(request("GET", path), prefix="/v1")[1] == "/v1/x"


class TestCredentials:
    SECRET = "hunter2 $HOME"

    def sent(self, arrives, config: RoleConfig | None, role: str = "Night Clerk", **environment):
        given = request("GET", headers=(("authorization", "Bearer real"), ("cookie", "s=real")))
        roles = {role: config} if config is not None else {}
        seen = arrives(given, role=role, roles=roles, environment=environment)
        assert "real" not in str(seen)
        return seen[2]

    def test_of_a_login_are_a_variable_named_after_the_role(self, arrives):
        config = RoleConfig(login=Login(header="X-Session", prefix="Token "))
        assert variable_of("Night Clerk") == "NIGHT_CLERK_TOKEN"
        headers = self.sent(arrives, config, NIGHT_CLERK_TOKEN=self.SECRET)
        assert headers["x-session"] == f"Token {self.SECRET}"

    def test_of_an_unknown_configuration_are_a_bearer_token(self, arrives):
        headers = self.sent(arrives, None, NIGHT_CLERK_TOKEN=self.SECRET)
        assert headers["authorization"] == f"Bearer {self.SECRET}"

    def test_keep_the_variables_of_the_configuration(self, arrives):
        config = RoleConfig(
            basic='an"n:${PASSWORD}', header={"X-Key": "k$1-${KEY}"}, cookie="sid=${SID}"
        )
        headers = self.sent(arrives, config, PASSWORD="p", KEY="7", SID="8")
        assert headers["authorization"] == "Basic YW4ibjpw"
        assert headers["x-key"] == "k$1-7"
        assert headers["cookie"] == "sid=8"

    def test_that_are_written_out_do_not_go_into_a_report(self, arrives):
        config = RoleConfig(bearer="hunter2-literal", header={"X-Key": "literal"})
        headers = self.sent(arrives, config, NIGHT_CLERK_TOKEN="t")
        assert headers["authorization"] == "Bearer t"
        assert headers["x-key"] == "t"
        line = curl_line(request(), base_url="http://h", role="r", roles={"r": config})
        assert "literal" not in line

    def test_of_strangers_mean_nothing(self, arrives):
        assert self.sent(arrives, None, role="unknown")["authorization"] == "Bearer invalid"

    def test_of_nobody_are_none(self, arrives):
        headers = arrives(request("GET", headers=(("authorization", "Bearer real"),)))[2]
        assert "authorization" not in headers
