"""Who signs in by a phone, a national number or a name: captured, replaced, and restored."""

from __future__ import annotations

import json

import pytest

from premortem.capture import Redactor
from premortem.config import Login, RoleConfig
from premortem.domain.traffic import Request
from premortem.send.auth import Credentials

KEY = b"k" * 32
FORM = "application/x-www-form-urlencoded"
IDENTITIES = [
    ("phone", "+49 30 5550 1234"),
    ("mobile_number", "4915207738812"),
    ("dni", "48217739R"),
    ("pesel", "85010112349"),
    ("ssn", "219-09-9999"),
    ("full_name", "Rosalinde Quastenberger"),
    ("email", "rosalinde@mail.example"),
    ("card_number", "4929123456789015"),
    ("date_of_birth", "1985-03-17"),
]


def login(name, value):
    role = RoleConfig(login=Login(request="POST /login", json={name: value, "password": "${S}"}))
    return Credentials({"guest": role}, redaction_key=KEY, environment={"S": "s3cret-word"})


def captured(name, value, media_type="application/json"):
    from urllib.parse import urlencode

    data = {name: value, "password": "s3cret-word", "keep": "yes"}
    body = urlencode(data) if media_type == FORM else json.dumps(data)
    headers = (("content-type", media_type),)
    request = Request(method="POST", origin="", path="/login", headers=headers, body=body.encode())
    return request, Redactor(KEY).request(request)


@pytest.mark.parametrize(("name", "value"), IDENTITIES)
@pytest.mark.parametrize("media_type", ["application/json", FORM])
def test_an_identity_of_a_role_is_replaced_on_capture_and_restored_when_sent(
    name, value, media_type
):
    request, stored = captured(name, value, media_type)
    assert value.encode() not in stored.body
    assert b"s3cret-word" not in stored.body
    assert login(name, value).restore(stored) == request


@pytest.mark.parametrize(("name", "value"), IDENTITIES)
def test_a_strangers_value_stays_replaced(name, value):
    _, stored = captured(name, value[:-3] + ("123" if value[-3:] != "123" else "456"))
    restored = login(name, value).restore(stored)
    assert json.loads(restored.body)[name] == json.loads(stored.body)[name]


def test_a_number_of_json_is_restored_as_a_number():
    body = b'{"phone": 4915207738812, "n": 49}'
    request = Request(method="POST", origin="", path="/login", body=body)
    stored = Redactor(KEY).request(request)
    assert stored.body != body
    assert login("phone", "4915207738812").restore(stored).body == body


def test_what_restores_is_known_to_those_who_leave_accounts_alone():
    _, stored = captured("phone", "+49 30 5550 1234")
    assert json.loads(stored.body)["phone"] in login("phone", "+49 30 5550 1234").tokens
