"""Credentials of roles, as a service sees them."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import quote_plus

import pytest

from premortem.config import Config, Login, RoleConfig, TargetConfig
from premortem.domain.run import Sequence
from premortem.domain.tokens import make_email_token, make_token
from premortem.errors import ConfigError, TargetError
from premortem.send.auth import Credentials
from premortem.send.line import open_line
from tests.send.cases import binding, case, get, post
from tests.send.server import answering, ok

KEY = b"k" * 32
LOGIN = RoleConfig(
    login=Login(request="POST /login", json={"user": "ann", "password": "${ANN}"}, token="/t/0")
)
ENV = {"ANN": "s3cret-word", "KEY": "api-key-1"}


class Service:
    """Signs in, and lets in whoever holds the last token."""

    def __init__(self, *, always_refuse: bool = False) -> None:
        self.logins = 0
        self.always_refuse = always_refuse
        self.lock = threading.Lock()

    def reply(self, request: bytes) -> bytes:
        if request.startswith(b"POST /login"):
            if json.loads(request.partition(b"\r\n\r\n")[2])["password"] != ENV["ANN"]:
                return ok(b'{"error":"no"}', status="403 Forbidden")
            with self.lock:
                self.logins += 1
            return ok(b'{"t":["tok-%d"]}' % self.logins)
        allowed = b"authorization: Bearer tok-%d\r\n" % self.logins in request
        if self.always_refuse or not allowed:
            return ok(b"{}", status="401 Unauthorized")
        return ok(b'{"id": 5}')


def config(url: str, **roles: RoleConfig) -> Config:
    return Config(target=TargetConfig(base_url=url, disposable=True), roles=roles)


def line_to(url: str, *, key: bytes = KEY, env: dict[str, str] = ENV, **roles: RoleConfig) -> Any:
    return open_line(config(url, **roles), redaction_key=key, environment=env)


def headers_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize(
    ("role", "name", "value"),
    [
        (RoleConfig(header={"X-Api-Key": "${KEY}"}), "x-api-key", "api-key-1"),
        (RoleConfig(basic="ann:${ANN}"), "authorization", "Basic YW5uOnMzY3JldC13b3Jk"),
        (RoleConfig(bearer="${KEY}"), "authorization", "Bearer api-key-1"),
        (RoleConfig(cookie="sid=${KEY}"), "cookie", "sid=api-key-1"),
        (RoleConfig(), "authorization", None),
    ],
)
def test_a_role_sends_its_credentials(role, name, value):
    with answering(lambda _: ok()) as server, line_to(server.url, r=role) as line:
        sent = line.send_case(case(get(), role="r"))
    assert headers_of(server.requests[0]).get(name) == value
    assert not sent.request.headers


def test_an_unknown_role_sends_credentials_that_are_refused():
    with answering(lambda _: ok()) as server, line_to(server.url) as line:
        line.send_case(case(get(), role="unknown", recorded_status=401))
    assert headers_of(server.requests[0])["authorization"] == "Bearer invalid"


def test_a_login_is_made_once_however_many_need_it_at_once():
    service = Service()
    cases = Sequence(cases=tuple(case(get(f"/{n}"), role="ann") for n in range(5)))
    with answering(service.reply) as server, line_to(server.url, ann=LOGIN) as line:
        threads = [threading.Thread(target=line.send_sequence, args=(cases,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {s.response.status for s in line.send_sequence(cases)} == {200}
    assert service.logins == 1


def test_an_expired_token_is_renewed_once_and_the_case_sent_again():
    service = Service()
    with answering(service.reply) as server, line_to(server.url, ann=LOGIN) as line:
        assert line.send_case(case(get(), role="ann")).response.status == 200
        service.logins += 10  # what it handed out is worth nothing now
        assert line.send_case(case(post(), role="ann")).response.status == 200
    assert service.logins == 12


def test_a_service_that_always_refuses_does_not_make_every_case_sign_in_again():
    service = Service(always_refuse=True)
    with answering(service.reply) as server, line_to(server.url, ann=LOGIN) as line:
        for _ in range(20):
            assert line.send_case(case(get(), role="ann")).response.status == 401
    assert service.logins == 2


def test_what_ends_its_session_has_one_of_its_own():
    tokens: list[str] = []

    class Sessions(Service):
        def reply(self, request: bytes) -> bytes:
            if request.startswith(b"POST /login"):
                return super().reply(request)
            tokens.append(headers_of(request)["authorization"])
            return ok(b"{}")

    service = Sessions()
    with answering(service.reply) as server, line_to(server.url, ann=LOGIN) as line:
        for path in ("/things", "/logout", "/things"):
            line.send_sequence(Sequence(cases=(case(get(path), role="ann"),)))
    assert tokens[0] == tokens[2] != tokens[1]
    assert service.logins == 2


def test_a_recorded_401_is_taken_as_it_is():
    service = Service(always_refuse=True)
    with answering(service.reply) as server, line_to(server.url, ann=LOGIN) as line:
        line.send_case(case(get(), role="ann", recorded_status=401))
    assert service.logins == 1


def test_a_role_that_cannot_sign_in_says_why():
    with answering(Service().reply) as server:
        with line_to(server.url, env={"ANN": "wrong"}, ann=LOGIN) as line:
            with pytest.raises(TargetError, match="POST /login answered 403"):
                line.wait(line.client.sign_in(["ann"]))
            fault = line.send_case(case(get(), role="ann")).fault
        assert (fault.kind, fault.sent) == ("unbound", False)
        with (
            line_to(server.url, env={}, ann=LOGIN) as line,
            pytest.raises(ConfigError, match="variable ANN"),
        ):
            line.wait(line.client.sign_in(["ann"]))
        with line_to(server.url) as line, pytest.raises(ConfigError, match=r"\[roles.boss\]"):
            line.wait(line.client.sign_in(["boss"]))


@pytest.mark.parametrize("pointer", ["/missing", "/t", "/t/3", ""])
def test_a_login_answer_without_the_token_is_named(pointer):
    login = Login(json={"password": "${ANN}"}, token=pointer)
    with (
        answering(Service().reply) as server,
        line_to(server.url, ann=RoleConfig(login=login)) as line,
        pytest.raises(TargetError, match="`token` under"),
    ):
        line.wait(line.client.sign_in(["ann"]))


def test_tokens_of_configured_credentials_are_sent_as_what_they_stand_for():
    token = make_token(KEY, ENV["ANN"])
    stranger = make_token(KEY, "somebody else")
    body = json.dumps({"password": token, "other": stranger}).encode()
    request = post(f"/u/{token}", body, query=(("p", token),), headers=(("x-p", f"a {token}"),))
    with answering(lambda _: ok()) as server, line_to(server.url, ann=LOGIN) as line:
        sent = line.send_case(case(request))
    seen = server.requests[0].decode()
    assert "/u/s3cret-word?p=s3cret-word" in seen
    assert "x-p: a s3cret-word" in seen
    assert json.loads(seen.partition("\r\n\r\n")[2]) == {
        "password": "s3cret-word",
        "other": stranger,
    }
    assert sent.request == request, "what is kept of it holds no credential"


def test_a_json_web_token_is_a_credential_like_any_other():
    token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJBcGlLZXk6MiJ9.4geDh1Cyy9S-b1RZ54026813"
    credentials = Credentials(
        {"ann": RoleConfig(bearer="${KEY}")}, redaction_key=KEY, environment={"KEY": token}
    )
    assert make_token(KEY, token) in credentials.tokens


def test_a_restored_credential_fits_into_the_body_it_stands_in():
    secret = 'a"b\\c&d e'
    token = make_token(KEY, secret)
    form = (("content-type", "application/x-www-form-urlencoded"),)
    role = RoleConfig(bearer="${S}")
    with (
        answering(lambda _: ok()) as server,
        line_to(server.url, env={"S": secret}, r=role) as line,
    ):
        line.send_case(case(post(body=json.dumps({"p": token}).encode())))
        line.send_case(case(post(body=f"p={token}&q=1".encode(), headers=form)))
    bodies = [r.partition(b"\r\n\r\n")[2] for r in server.requests]
    assert json.loads(bodies[0]) == {"p": secret}
    assert bodies[1] == b"p=a%22b%5Cc%26d+e&q=1"


def test_an_address_that_a_role_signs_in_with_is_restored_from_its_own_form_of_token():
    token = make_email_token(KEY, "ann@shop.example")
    form = (("content-type", "application/x-www-form-urlencoded"),)
    role = RoleConfig(login=Login(json={"email": "ann@shop.example", "password": "${S}"}))
    with (
        answering(lambda _: ok()) as server,
        line_to(server.url, env={"S": "s3cret-word"}, r=role) as line,
    ):
        line.send_case(case(post(body=json.dumps({"email": token}).encode())))
        line.send_case(case(post(body=f"e={quote_plus(token)}".encode(), headers=form)))
    bodies = [r.partition(b"\r\n\r\n")[2] for r in server.requests]
    assert json.loads(bodies[0]) == {"email": "ann@shop.example"}
    assert bodies[1] == b"e=ann%40shop.example"


def test_a_sequence_takes_live_values_from_its_own_answers():
    cases = Sequence(
        cases=(
            case(post("/things"), role="ann"),
            case(get("/things/old"), binding("body:/id", "path:1", "old"), role="ann"),
            case(get("/things/old"), binding("body:/none", "path:1", "old"), role="ann"),
        )
    )
    with answering(Service().reply) as server, line_to(server.url, ann=LOGIN) as line:
        sent = line.send_sequence(cases)
    assert sent[1].request.path == "/things/5"
    assert sent[2].fault.kind == "unbound"
    assert len(server.requests) == 3, "a login and two cases"
