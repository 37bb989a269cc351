"""Order within sessions, when traffic comes, and pools of values."""

from __future__ import annotations

from datetime import UTC, datetime

from premortem.domain.tokens import make_token
from premortem.learn.facts import FactSheet
from premortem.learn.order import OPEN_SESSIONS_MAX, PAIRS_MAX, Sessions
from tests.learn.services import call
from tests.learn.test_profile import learn

KEY = b"k" * 32


def visits() -> list:
    made = []
    for n in range(10):
        at, session = n * 1000.0, f"s{n}"
        role = "clerk" if n % 2 else "boss"
        made.append(call("GET", "/inbox", session=session, role=role, at=at))
        made.append(call("POST", "/read", session=session, role=role, at=at + 2.0))
        if n < 4:
            made.append(call("POST", "/read", session=session, role=role, at=at + 3.0))
    return made


def test_sessions_tell_what_follows_what_by_role_with_start_and_end():
    follows = {(f.role, f.before, f.after): f for f in learn(visits()).follows}
    assert follows["boss", "", "GET /inbox"].count == 5
    assert follows["clerk", "GET /inbox", "POST /read"].count == 5
    assert follows["boss", "POST /read", "POST /read"].count == 2
    assert follows["clerk", "POST /read", ""].count == 5
    low, middle, high = follows["boss", "GET /inbox", "POST /read"].gap_ms
    assert 1_750 <= low <= middle <= high <= 2_250
    assert follows["clerk", "POST /read", ""].gap_ms == ()


def test_every_session_starts_and_ends_once():
    follows = learn(visits()).follows
    assert sum(f.count for f in follows if not f.before) == 10
    assert sum(f.count for f in follows if not f.after) == 10


def test_interleaved_sessions_do_not_follow_each_other():
    made = [call("GET", f"/{'ab'[n % 2]}", session=f"s{n % 2}", at=float(n)) for n in range(20)]
    steps = {(f.before, f.after) for f in learn(made).follows if f.before and f.after}
    assert steps == {("GET /a", "GET /a"), ("GET /b", "GET /b")}


def test_without_sessions_nothing_follows():
    assert learn([call("GET", "/a", session="", at=n) for n in range(5)]).follows == ()


def test_what_is_remembered_of_sessions_is_bounded():
    sessions = Sessions()
    for n in range(OPEN_SESSIONS_MAX + 100):
        sessions.add(f"s{n}", "", f"op{n}", float(n))
    assert len(sessions._last) == OPEN_SESSIONS_MAX
    assert len(sessions._steps) <= PAIRS_MAX


def test_days_and_gaps_are_counted():
    monday = datetime(2026, 5, 4, 9, tzinfo=UTC).timestamp()
    made = [call("GET", "/a", at=monday + n * 86_400.0) for n in range(9)]
    timing = learn(made).timing
    assert timing.weekdays == (2, 2, 1, 1, 1, 1, 1)
    assert sum(n for _, n in timing.gap_bins) == 8
    assert 80_000_000 < timing.gaps_ms[2] < 94_000_000


def test_of_a_long_stream_the_latest_are_kept():
    sheet = FactSheet(expected=500_000)
    assert sheet.depth == 0
    sheet.add(None)
    assert FactSheet(expected=200_000).depth == 1
    assert FactSheet(expected=10).depth == FactSheet().depth == 2


def test_one_customer_is_known_by_many_names():
    ids = [f"cus_{n:04x}f3a9" for n in range(6)]
    made = []
    for n, one in enumerate(ids):
        made.append(call("POST", "/customers", status=201, answer={"id": one}, at=n))
        made.append(call("GET", f"/customers/{one}", answer={"id": one}, at=n + 0.1))
        made.append(call("POST", "/orders", body={"customer_id": one, "n": n}, at=n + 0.2))
        found = {"id": f"ord_{n:04x}77b1", "customer": {"id": one}}
        made.append(call("GET", "/orders", answer={"items": [found]}, at=n + 0.3))
    pools = {pool.name: pool for pool in learn(made).pools}
    customers = pools["customer_id"]
    assert {value.strip('"') for value, _ in customers.values} == set(ids)
    assert customers.distinct == 6
    assert {place for _, place in customers.places} == {
        "path:customer_id",
        "body:/id",
        "body:/customer_id",
        "body:/items/*/customer/id",
    }


def test_an_action_is_no_collection():
    ids = [f"inv_{n:04x}f3a9" for n in range(6)]
    made = [
        call("POST", f"/invoices/{i}/approve", answer={"id": i}, at=n) for n, i in enumerate(ids)
    ]
    made += [call("GET", f"/invoices/{i}", answer={"id": i}, at=99.0) for i in ids]
    assert {pool.name for pool in learn(made).pools} == {"invoice_id"}


def test_redacted_values_are_in_no_pool():
    token = make_token(KEY, "someone@example.org")
    made = [
        call("POST", "/mails", body={"email": f"a{n}@example.org", "key": token}, at=n)
        for n in range(5)
    ]
    made.append(call("POST", "/mails", body={"email": f"x@{token}.org"}, at=9))
    pools = {pool.name: pool for pool in learn(made).pools}
    assert pools["email"].distinct == 5
    assert not any("rdx" in value for pool in pools.values() for value, _ in pool.values)


def test_currencies_and_countries_are_known_by_their_values():
    made = [
        call(
            "POST",
            "/prices",
            body={"cur": ("EUR", "USD")[n % 2], "country": ("DE", "FR")[n % 2], "dir": "asc"},
            at=n,
        )
        for n in range(8)
    ]
    assert {pool.name for pool in learn(made).pools} == {"currency", "country"}
