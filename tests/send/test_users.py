"""Virtual users, as a service with sessions sees them."""

from __future__ import annotations

import itertools
import json
import threading

import pytest

from premortem.config import Config, Login, RoleConfig, TargetConfig
from premortem.domain.places import Place
from premortem.domain.run import Intent, Sequence
from premortem.errors import TargetError
from premortem.send.line import open_line
from tests.send.cases import case, get, post
from tests.send.server import Peer, answering, ok, serving

TOKENS = RoleConfig(login=Login(json={"user": "ann", "password": "${ANN}"}, token="/token"))
COOKIES = RoleConfig(login=Login(json={"user": "ann", "password": "${ANN}"}, token=""))


def line_to(url: str, *, users: int = 1, **roles: RoleConfig):
    config = Config(target=TargetConfig(base_url=url, disposable=True), roles=roles)
    return open_line(config, environment={"ANN": "word"}, users_per_role=users)


def field(request: bytes, name: str) -> str:
    for line in request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
        if line.startswith(name + ": "):
            return line.partition(": ")[2]
    return ""


class Shop:
    """Signs in with a token and a cookie; each answer to /basket sets another one."""

    def __init__(self) -> None:
        self.logins = itertools.count(1)
        self.baskets = itertools.count(1)
        self.ended: set[str] = set()
        self.seen: list[tuple[str, str, str]] = []
        """Path, token and cookies of each request but logins."""
        self._lock = threading.Lock()

    def reply(self, request: bytes) -> bytes:
        with self._lock:
            path = request.split(b" ")[1].decode()
            if path == "/login":
                n = next(self.logins)
                body = json.dumps({"token": f"t{n}"}).encode()
                return ok(body, headers=f"set-cookie: sid=s{n}; Path=/; HttpOnly\r\n")
            token, cookies = field(request, "authorization"), field(request, "cookie")
            self.seen.append((path, token, cookies))
            if any(f"sid={sid}" in cookies for sid in self.ended):
                return ok(b"{}", status="401 Unauthorized")
            if path == "/basket":
                lines = (
                    f"set-cookie: basket=b{next(self.baskets)}\r\nset-cookie: sid=x; Domain=a\r\n"
                )
                return ok(b"{}", headers=lines)
            return ok(b"{}")


def steps(*paths: str, role: str = "ann") -> Sequence:
    return Sequence(cases=tuple(case(get(path), role=role) for path in paths))


@pytest.fixture
def shop():
    made = Shop()
    with answering(made.reply) as server:
        made.url = server.url
        yield made


def test_a_login_s_cookies_go_with_each_request_of_its_user(shop):
    with line_to(shop.url, ann=COOKIES) as line:
        line.send_sequence(steps("/a", "/b/c"))
        line.send_case(case(get("/d")))
    assert shop.seen == [("/a", "", "sid=s1"), ("/b/c", "", "sid=s1"), ("/d", "", "")]


def test_a_token_and_the_cookies_beside_it_both_go_out(shop):
    with line_to(shop.url, ann=TOKENS) as line:
        line.send_sequence(steps("/a"))
    assert shop.seen == [("/a", "Bearer t1", "sid=s1")]


def test_a_login_that_sets_no_cookie_and_names_no_token_is_named(shop):
    with (
        answering(lambda _: ok()) as server,
        line_to(server.url, ann=COOKIES) as line,
        pytest.raises(TargetError, match="sets no cookie"),
    ):
        line.wait(line.client.sign_in(["ann"]))


def test_cookies_of_answers_go_with_the_later_cases_of_their_sequence_alone(shop):
    with line_to(shop.url, ann=TOKENS) as line:
        line.send_sequence(steps("/basket", "/pay"))
        line.send_sequence(steps("/pay"))
        line.send_sequence(steps("/basket", "/pay", role=""))
    assert [cookies for path, _, cookies in shop.seen if path == "/pay"] == [
        "sid=s1; basket=b1",
        "sid=s1",
        "basket=b2",
    ]


def test_each_user_of_a_role_signs_in_once_and_a_sequence_keeps_its_user(shop):
    with line_to(shop.url, users=3, ann=TOKENS) as line:
        for number in range(9):
            line.wait(line.client.send_sequence(steps("/a", "/b"), number=number))
    tokens = [token for _, token, _ in shop.seen]
    assert tokens[::2] == tokens[1::2], "both cases of a sequence"
    assert tokens[::2] == ["Bearer t1", "Bearer t2", "Bearer t3"] * 3


def test_a_recorded_cookie_is_not_doubled_the_live_one_takes_its_place(shop):
    recorded = (("cookie", "sid=recorded; theme=dark"),)
    with line_to(shop.url, ann=TOKENS) as line:
        line.send_case(case(get("/a", headers=recorded), role="ann"))
    assert shop.seen[0][2] == "sid=s1; theme=dark"


def test_a_session_that_ended_is_signed_in_again_once_for_its_user_alone(shop):
    with line_to(shop.url, users=2, ann=COOKIES) as line:
        for number in (0, 1):
            line.wait(line.client.send_sequence(steps("/a"), number=number))
        shop.ended.add("s1")
        for number in (0, 1, 0):
            sent = line.wait(line.client.send_sequence(steps("/basket", "/b"), number=number))
            assert {one.response.status for one in sent} == {200}
    assert next(shop.logins) == 4, "three logins, one of them anew"
    assert [c for p, _, c in shop.seen if p == "/b"] == [
        "sid=s3; basket=b1",
        "sid=s2; basket=b2",
        "sid=s3; basket=b3",
    ]


def test_a_case_about_credentials_or_a_cookie_is_not_mended(shop):
    missing = Intent(kind="adversarial", breaks="auth missing", expects="refusal")
    broken = Intent(
        kind="adversarial",
        breaks="cookie:basket maxLength",
        place=Place(part="cookie", name="basket"),
    )
    cases = (
        case(get("/basket"), role="ann"),
        case(get("/pay"), role="", intent=missing),
        case(get("/pay", headers=(("cookie", "basket=" + "x" * 9),)), role="ann", intent=broken),
    )
    with line_to(shop.url, ann=TOKENS) as line:
        line.send_sequence(Sequence(cases=cases))
    assert [cookies for _, _, cookies in shop.seen] == ["sid=s1", "", "basket=xxxxxxxxx; sid=s1"]


def test_what_ends_a_session_has_one_of_its_own_cookies_included(shop):
    with line_to(shop.url, ann=COOKIES) as line:
        line.send_sequence(
            Sequence(cases=tuple(case(post(p), role="ann") for p in ("/a", "/logout", "/b")))
        )
    assert [cookies for _, _, cookies in shop.seen] == ["sid=s1", "sid=s2", "sid=s1"]


def test_a_path_below_the_base_url_s_is_what_cookies_are_matched_with(shop):
    replies = iter([ok(headers="set-cookie: a=1; Path=/v1/x\r\n"), ok(), ok()])

    def reply(request: bytes) -> bytes:
        shop.seen.append((request.split(b" ")[1].decode(), "", field(request, "cookie")))
        return next(replies)

    with answering(reply) as server, line_to(server.url + "/v1") as line:
        line.send_sequence(steps("/x/1", "/x/2", "/y", role=""))
    assert shop.seen == [("/v1/x/1", "", ""), ("/v1/x/2", "", "a=1"), ("/v1/y", "", "")]


def test_the_last_of_a_sequence_can_go_apart_from_what_a_failure_brought_down():
    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"{}"))
        if peer.request():  # a second one on the same connection
            peer.reset()

    given = Sequence(cases=(case(post("/fails")), case(post("/fine"))))
    with serving(handle) as server, line_to(server.url) as line:
        assert line.send_sequence(given)[-1].fault is not None
        assert line.send_sequence(given, apart=True)[-1].response is not None
