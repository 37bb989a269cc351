"""Ids that a service gave out: taken from the live answer, never sent as they were redacted."""

import pytest

from premortem.agent.planning.draft import CannotWrite
from premortem.agent.plans.supplies import refuse_lost, refuse_secrets, supplied
from premortem.domain.tokens import make_token
from premortem.domain.traffic import Exchange, Request, Response, Tags
from premortem.generate.replay import Replayer
from premortem.learn import learn_profile

KEY = b"supplies ".ljust(32, b"-")
SESSION, OTHER = (make_token(KEY, text) for text in ("5f0c2e6b9a17d3c8", "e1d04f7a62b9c853"))
JSON = (("content-type", "application/json"),)


def exchange(method, path, status, body=b"", *, at, sent=b"", role=""):
    return Exchange(
        request=Request(
            method=method,
            origin="http://gate",
            path=path,
            headers=JSON if sent else (),
            body=sent,
        ),
        response=Response(status=status, headers=JSON if body else (), body=body),
        started_at=at,
        duration_ms=1.0,
        tags=Tags(role=role, session=f"visit-{at}"),
    )


SIGN_IN = exchange(
    "POST",
    "/login",
    200,
    f'{{"session_id": "{SESSION}"}}'.encode(),
    at=1.0,
    sent=b'{"name": "ann"}',
)
SIGN_OUT = exchange("DELETE", f"/sessions/{SESSION}", 204, at=2.0, role="Clerk")
LISTED = exchange("GET", "/sessions", 200, f'{{"items": ["{OTHER}"]}}'.encode(), at=3.0)
OTHER_OUT = exchange("DELETE", f"/sessions/{OTHER}", 204, at=4.0, role="Clerk")
NAMED = exchange("GET", f"/accounts/{make_token(KEY, 'ann.miller')}", 200, b"{}", at=5.0)
EXCHANGES = {e.id: e for e in (SIGN_IN, SIGN_OUT, LISTED, OTHER_OUT, NAMED)}


@pytest.fixture(scope="module")
def replayer():
    # Enough of them that the last segment of the path is known to be open.
    more = [
        exchange(method, f"/{thing}/{make_token(KEY, f'{thing}{n:013}')}", 204, at=9.0 + n)
        for n in range(6)
        for method, thing in (("DELETE", "sessions"), ("GET", "accounts"))
    ]
    known = [*EXCHANGES.values(), *more]
    return Replayer(learn_profile(lambda: iter(known), spec=None, now=0.0))


def test_what_a_login_gave_is_taken_from_the_login_s_live_answer(replayer):
    lone = replayer.cases([(SIGN_OUT.id, SIGN_OUT)])
    login, out = supplied(lone, EXCHANGES, replayer)
    assert login.request.path == "/login"
    assert [(b.step, b.select.name, b.recorded) for b in out.bindings] == [
        (0, "/session_id", SESSION)
    ]
    refuse_lost((login, out), EXCHANGES)


def test_what_only_a_list_told_cannot_be_named_again(replayer):
    lone = replayer.cases([(OTHER_OUT.id, OTHER_OUT)])
    with pytest.raises(CannotWrite, match="redacted"):
        supplied(lone, EXCHANGES, replayer)


def test_a_name_that_clients_chose_stays(replayer):
    lone = replayer.cases([(NAMED.id, NAMED)])
    assert supplied(lone, EXCHANGES, replayer) == lone


def test_no_scenario_signs_in_with_a_recorded_password():
    body = f'{{"name":"ann","password":"{make_token(KEY, "wonderland")}"}}'.encode()
    login = exchange("POST", "/login", 200, b"{}", at=1.0, sent=body)
    reading = exchange("GET", "/accounts", 200, b"{}", at=2.0)
    profile = learn_profile(lambda: iter([login, reading]), spec=None, now=0.0)
    signs_in, reads = Replayer(profile).cases([(login.id, login), (reading.id, reading)])
    with pytest.raises(CannotWrite, match="password"):
        refuse_secrets((signs_in, reads), profile, passes=False)
    with pytest.raises(CannotWrite, match="password"):
        refuse_secrets((signs_in,), profile, passes=True)
    refuse_secrets((reads, signs_in), profile, passes=False)  # it is to be refused all the same
