"""How a recording's own account-making is told from logins and everything else."""

from __future__ import annotations

from premortem.config import Login, RoleConfig
from premortem.domain.tokens import make_token
from premortem.domain.traffic import Exchange, Request, Response
from premortem.pipeline.accounts import account_changes, account_ids

KEY = b"k" * 32
TOKEN = make_token(KEY, "ann-secret")
ROLES = {
    "Ann": RoleConfig(login=Login(request="POST /login", json={"user": "ann", "password": "${P}"}))
}


def exchange(method: str, path: str, at: float, *, body: str = "", status: int = 201) -> Exchange:
    return Exchange(
        request=Request(method=method, origin="", path=path, body=body.encode()),
        response=Response(status=status),
        started_at=at,
        duration_ms=1.0,
    )


def ids(*exchanges: Exchange) -> list[Exchange]:
    by_id = {exchange.id: exchange for exchange in exchanges}
    return [by_id[i] for i in account_ids(by_id, roles=ROLES, tokens={TOKEN})]


def test_what_gave_a_role_its_password_is_sent_again_in_recorded_order():
    password = f'{{"password": "{TOKEN}"}}'
    later = exchange("PUT", "/accounts/bea", 2.0, body=password)
    first = exchange("PUT", "/accounts/ann", 1.0, body=password)
    assert ids(later, first) == [first, later]


def test_a_login_makes_no_account_and_neither_does_what_was_refused():
    password = f'{{"user": "ann", "password": "{TOKEN}"}}'
    login = exchange("POST", "/login", 1.0, body=password, status=200)
    refused = exchange("PUT", "/accounts/ann", 2.0, body=password, status=403)
    other = exchange("PUT", "/accounts/eve", 3.0, body='{"password": "rdxsomebody"}')
    assert ids(login, refused, other) == []


def test_an_account_made_twice_is_made_once():
    password = f'{{"password": "{TOKEN}"}}'
    first = exchange("PUT", "/accounts/ann", 1.0, body=password)
    again = exchange("PUT", "/accounts/ann", 5.0, body=password)
    assert ids(again, first) == [first]


def test_what_changes_an_account_of_a_role_is_told():
    deleted = exchange("DELETE", "/accounts/ann", 1.0, status=200)
    refused = exchange("DELETE", "/accounts/ann", 2.0, status=403)
    read = exchange("GET", "/accounts/ann", 3.0, status=200)
    other = exchange("DELETE", "/accounts/annabel", 4.0, status=200)
    by_id = {e.id: e for e in (deleted, refused, read, other)}
    assert account_changes(by_id, {"ann"}) == {deleted.id}
