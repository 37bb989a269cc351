"""Session, client, role and trace of exchanges, read before redaction."""

from __future__ import annotations

import base64
import json

from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config, Login, RoleConfig
from tests.capture.recording import entry, json_content, json_post, write


def tags(tmp_path, *entries, roles=None, environment=None, **capture):
    path = write(tmp_path / "a.har", list(entries))
    config = Config(capture=CaptureConfig(**capture), roles=roles or {})
    stream = capture_har(
        path,
        config=config,
        redaction_key=b"k",
        counts=CaptureCounts(),
        environment=environment or {},
    )
    return [exchange.tags for exchange in stream]


def sent(**headers):
    return entry(headers={name.replace("_", "-"): value for name, value in headers.items()})


def basic(user, password="pw"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def jwt(**claims):
    def coded(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"Bearer {coded({'alg': 'none'})}.{coded(claims)}.c2lnbmF0dXJl"


def test_a_session_is_told_by_its_header_then_credentials_then_cookies_then_agent(tmp_path):
    a, b, c, d, e, f, g = tags(
        tmp_path,
        sent(x_session="1", authorization="Bearer one"),
        sent(x_session="1", authorization="Bearer two"),
        sent(authorization="Bearer one", cookie="theme=dark"),
        sent(authorization="Bearer one", cookie="theme=light"),
        sent(cookie="sid=abc; theme=dark", user_agent="x"),
        sent(cookie="sid=abc; theme=light", user_agent="y"),
        sent(user_agent="x"),
        session_header="X-Session",
    )
    assert a.session == b.session
    assert c.session == d.session != a.session
    assert e.session == f.session != c.session
    assert g.session not in ("", a.session, c.session, e.session)


def test_tags_say_nothing_about_the_credentials(tmp_path):
    (tag,) = tags(tmp_path, sent(authorization=basic("alice", "alicepw")))
    for text in (tag.session, tag.client):
        assert len(text) == 16
        assert "alice" not in text


def test_a_request_without_anything_has_no_session(tmp_path):
    (tag,) = tags(tmp_path, entry())
    assert (tag.session, tag.client, tag.role, tag.trace_id) == ("", "", "", "")


def test_the_trace_is_that_of_traceparent(tmp_path):
    trace = "0af7651916cd43dd8448eb211c80319c"
    one, two = tags(
        tmp_path,
        sent(traceparent=f"00-{trace}-b7ad6b7169203331-01"),
        sent(traceparent="garbage"),
    )
    assert (one.trace_id, two.trace_id) == (trace, "")


def test_no_credentials_no_role_and_unexplained_ones_are_unknown(tmp_path):
    none, unknown, cookie, preference = tags(
        tmp_path,
        entry(),
        sent(authorization="Bearer x"),
        sent(cookie="sessionid=1"),
        sent(cookie="theme=dark; _ga=GA1.2; csrftoken=5"),
    )
    assert [t.role for t in (none, unknown, cookie, preference)] == ["", "unknown", "unknown", ""]


def test_a_role_header_decides(tmp_path):
    one, two, three = tags(
        tmp_path,
        sent(x_role="cashier", authorization="Bearer x"),
        sent(x_role="Stranger"),
        sent(authorization="Bearer x"),
        roles={"Cashier": RoleConfig(bearer="${T}")},
        role_header="X-Role",
    )
    assert [t.role for t in (one, two, three)] == ["Cashier", "Stranger", "unknown"]


def test_a_role_is_told_by_its_basic_user(tmp_path):
    one, two = tags(
        tmp_path,
        sent(authorization=basic("alice")),
        sent(authorization=basic("bob")),
        roles={"Admin": RoleConfig(basic="alice:${PW}")},
    )
    assert [t.role for t in (one, two)] == ["Admin", "unknown"]


def test_a_role_is_told_by_its_static_credentials_where_the_environment_has_them(tmp_path):
    roles = {
        "Bot": RoleConfig(bearer="${BOT}"),
        "Key": RoleConfig(header={"X-Api-Key": "${KEY}"}),
        "Web": RoleConfig(cookie="sid=${SID}"),
        "Lost": RoleConfig(bearer="${NOT_SET}"),
    }
    found = tags(
        tmp_path,
        sent(authorization="Bearer b0t"),
        sent(x_api_key="k3y"),
        sent(cookie="sid=s1d; a=b"),
        sent(authorization="Bearer other"),
        roles=roles,
        environment={"BOT": "b0t", "KEY": "k3y", "SID": "s1d"},
    )
    assert [t.role for t in found] == ["Bot", "Key", "Web", "unknown"]


def test_a_role_is_told_by_a_claim(tmp_path):
    one, two = tags(
        tmp_path,
        sent(authorization=jwt(role="cfo")),
        sent(authorization=jwt(role="guest")),
        roles={"CFO": RoleConfig(match='"role": "cfo"')},
    )
    assert [t.role for t in (one, two)] == ["CFO", "unknown"]


def login(user, answer, *, status=200, path="/auth/login", **more):
    return entry(
        "POST",
        f"http://api.test{path}",
        post=json_post({"username": user, "password": "pw"}),
        status=status,
        content=json_content(answer),
        **more,
    )


LOGIN = RoleConfig(
    login=Login(
        request="POST /auth/login",
        json={"username": "carla", "password": "${PW}"},
        token="/data/token",
    )
)


def test_a_role_is_learned_from_the_login_that_handed_the_token_out(tmp_path):
    before, signing_in, after, failed, refreshed = tags(
        tmp_path,
        sent(authorization="Bearer t0ken-1"),
        login("carla", {"data": {"token": "t0ken-1", "refresh_token": "r-1"}}),
        sent(authorization="Bearer t0ken-1"),
        login("carla", {"data": {"token": "t0ken-2"}}, status=401),
        sent(authorization="Bearer t0ken-2"),
        roles={"Clerk": LOGIN},
    )
    assert [t.role for t in (before, after, refreshed)] == ["unknown", "Clerk", "unknown"]
    assert signing_in.role == ""
    assert failed.role == ""


def test_another_users_login_teaches_nothing(tmp_path):
    _, after = tags(
        tmp_path,
        login("mallory", {"data": {"token": "t1"}}),
        sent(authorization="Bearer t1"),
        roles={"Clerk": LOGIN},
    )
    assert after.role == "unknown"


def test_a_login_by_form_that_sets_a_cookie_is_learned(tmp_path):
    role = RoleConfig(login=Login(request="POST /login", form={"user": "carla", "pw": "${PW}"}))
    signing_in = entry(
        "POST",
        "http://api.test/login",
        post={"mimeType": "application/x-www-form-urlencoded", "text": "user=carla&pw=x"},
        status=302,
        response_headers={"Set-Cookie": "session=s3ss; Path=/; HttpOnly"},
    )
    first, after = tags(tmp_path, signing_in, sent(cookie="session=s3ss"), roles={"Clerk": role})
    assert after.role == "Clerk"
    assert first.role == ""
