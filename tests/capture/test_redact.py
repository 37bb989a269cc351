"""Redaction: what goes, what stays, and what joins requests."""

from __future__ import annotations

import base64
import csv
import json
from collections import Counter
from urllib.parse import parse_qsl, quote

import pytest

from premortem.capture import Redactor
from premortem.config import RedactConfig
from premortem.domain.tokens import holds_token, make_number_token, make_token
from premortem.domain.traffic import Exchange, Request, Response

KEY = b"k" * 32
JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
RANDOM = "wJ4rXUtnFEMIK7MDENGbPxRfiCYq2Zs8LmVtQ1oT"
SECRETS = [
    JWT,
    RANDOM,
    HEX,
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "4111111111111111",
    "DE89370400440532013000",
    "alice.jones@example.com",
    "123-45-6789",
]
"""Recognisable by themselves, wherever they stand."""
ORDINARY = [
    "550e8400-e29b-41d4-a716-446655440000",
    "507f1f77bcf86cd799439011",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "2026-01-02T03:04:05.678Z",
    "1456814984507",
    "a-slug-of-some-length-with-2026-in-it",
    "The quick brown fox: it jumps = over the lazy dog's pin.",
    "UHJvamVjdDoz",
    "RGF0YXNldFZlcnNpb246MTIzNDU2",
    "https://example.com/a/b?page=2&sort=-created_at#top",
    "/v1/buckets/tasks/collections/todos/records",
    "PRAW/4.0.0a1 prawcore/0.0.2 python-requests/2.34.2",
    "basic authentication and token types",
    "The password must hold eight characters",
    'W/"5-DlFKBmK8tp3IY5U9HOJu"',
    "0.4111111111111111",
    "+1 (2) 3",
    "logo@2x.png",
    "#aabbcc",
]


def redactor(**config):
    return Redactor(KEY, RedactConfig(**config))


def body(data, content_type="application/json", **config):
    raw = data if isinstance(data, bytes) else data.encode()
    request = Request(
        method="POST",
        origin="http://h",
        path="/",
        headers=(("content-type", content_type),),
        body=raw,
    )
    return redactor(**config).request(request).body.decode()


def document(value, **config):
    return json.loads(body(json.dumps(value), **config))


def request(**fields):
    return redactor().request(Request(method="GET", origin="http://h", **{"path": "/", **fields}))


def token(value):
    return make_token(KEY, value)


# By name


def test_secrets_go_by_name_at_their_length_and_all_else_stays_as_it_was():
    text = '{ "user":"bo",  "password" : "hunter2", "n": 1.50, "nested": {"apiKey":"abc\\u0041"}}'
    out = body(text)
    assert out == text.replace("hunter2", token("hunter2")).replace("abc\\u0041", token("abcA"))
    assert json.loads(out)["password"] == token("hunter2")
    assert len(token("hunter2")) == 7


def test_literals_masks_and_empty_values_stay():
    value = {"password": None, "token": "", "secret": "********", "pin": True, "cvv": False}
    assert document(value) == value


def test_numbers_under_secret_names_become_numbers_of_as_many_digits():
    out = document({"pin": 4711, "cvv": 123, "password": 90210, "max_tokens": 5, "balance": 17.5})
    assert out["pin"] != 4711
    assert 1000 <= out["pin"] <= 9999
    assert 100 <= out["cvv"] <= 999
    assert out["password"] == int(make_number_token(KEY, "90210"))
    assert (out["max_tokens"], out["balance"]) == (5, 17.5)


def test_lists_and_value_fields_inherit_from_the_secret_name():
    out = document(
        {
            "passwords": ["one-1", "two-2"],
            "secret": {"value": "abc", "created": "2026-01-01"},
            "secrets": [{"key": "MY_KEY", "value": "v4lue"}],
        }
    )
    assert out["passwords"] == [token("one-1"), token("two-2")]
    assert out["secret"] == {"value": token("abc"), "created": "2026-01-01"}
    assert out["secrets"] == [{"key": "MY_KEY", "value": token("v4lue")}]


def test_a_labelled_value_is_secret_in_either_order():
    out = document(
        [
            {"name": "DB_PASSWORD", "value": "hunter2"},
            {"value": "hunter2", "key": "api_key"},
            {"name": "colour", "value": "hunter2"},
        ]
    )
    assert [item["value"] for item in out] == [token("hunter2"), token("hunter2"), "hunter2"]


def test_a_schema_about_passwords_is_no_secret():
    schema = {"password": {"type": "string", "minLength": 8}, "token_type": "bearer"}
    assert document(schema) == schema


def test_json_inside_strings_is_redacted_at_every_depth():
    inner = json.dumps({"password": "hunter2", "n": 1})
    out = document({"payload": json.dumps({"data": inner, "plain": "x"})})
    decoded = json.loads(json.loads(out["payload"])["data"])
    assert decoded == {"password": token("hunter2"), "n": 1}


def test_forms_are_redacted_by_name_and_stay_as_they_were_elsewhere():
    out = body("user=b+o&password=h%C3%A9+2&next=%2Fa%3Fb", "application/x-www-form-urlencoded")
    assert out == f"user=b+o&password={token('hé 2')}&next=%2Fa%3Fb"


def test_multipart_fields_are_redacted_and_files_by_their_own_type():
    data = (
        '--BB\r\nContent-Disposition: form-data; name="password"\r\n\r\nhunter2\r\n'
        '--BB\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n'
        'Content-Type: application/json\r\n\r\n{"token":"hunter2"}\r\n'
        '--BB\r\nContent-Disposition: form-data; name="title"\r\n\r\nplain\r\n--BB--\r\n'
    )
    out = body(data, "multipart/form-data; boundary=BB")
    assert out == data.replace("hunter2", token("hunter2"))


def test_xml_yaml_and_settings_files_are_redacted_by_name():
    cases = {
        "<user><name>bo</name><password>hunter2</password></user>": "application/xml",
        '<login password="hunter2" user="bo"/>': "text/xml",
        '<input name="csrf_token" type="hidden" value="hunter2">': "text/html",
        "DB_PASSWORD=hunter2\nUSER=bo": "text/plain",
        "db:\n  password: hunter2\n  user: bo": "application/yaml",
        "run --password hunter2 --verbose now": "text/plain",
        'mutation { login(email: "x", password: "hunter2") { id } }': "application/graphql",
        "the password is hunter2, do not tell": "text/plain",
        'data: {"token":"hunter2"}\n\ndata: {"n":1}\n': "text/event-stream",
        '{"a":1}\n{"token":"hunter2"}\n': "application/x-ndjson",
        "Server=db;User Id=sa;Password=hunter2;": "text/plain",
    }
    for text, content_type in cases.items():
        assert body(text, content_type) == text.replace("hunter2", token("hunter2")), text


def test_tables_are_redacted_by_column():
    out = body('name,password\r\nbo,"a,b"\r\nal,hunter2\r\n', "text/csv")
    assert list(csv.reader(out.splitlines())) == [
        ["name", "password"],
        ["bo", token("a,b")],
        ["al", token("hunter2")],
    ]


# By place


def test_credential_headers_keep_their_scheme():
    basic = base64.b64encode(b"alice:alicepw").decode()
    headers = request(
        headers=(
            ("authorization", f"Bearer {JWT}"),
            ("proxy-authorization", f"Basic {basic}"),
            ("x-api-key", "abcdef"),
            ("x-my-secret", "abcdef"),
            ("cookie", "sid=abcdef; theme=dark"),
            ("accept", "*/*"),
            ("x-request-id", RANDOM),
        )
    ).headers
    assert dict(headers) == {
        "authorization": f"Bearer {token(JWT)}",
        "proxy-authorization": f"Basic {token(basic)}",
        "x-api-key": token("abcdef"),
        "x-my-secret": token("abcdef"),
        "cookie": f"sid={token('abcdef')}; theme=dark",
        "accept": "*/*",
        "x-request-id": RANDOM,
    }


def test_set_cookie_keeps_its_attributes():
    response = Response(status=200, headers=(("set-cookie", "sid=abcdef; Path=/; HttpOnly"),))
    assert redactor().response(response).headers == (
        ("set-cookie", f"sid={token('abcdef')}; Path=/; HttpOnly"),
    )


def test_queries_are_redacted_by_name_and_form():
    query = (
        ("access_token", "abc"),
        ("page", "2"),
        ("sig", "aB3dE5fG7hI9jK1lM3nO"),
        ("code", "404"),
        ("q", "hello world"),
        ("jwt_in", JWT),
    )
    assert request(query=query).query == (
        ("access_token", token("abc")),
        ("page", "2"),
        ("sig", token("aB3dE5fG7hI9jK1lM3nO")),
        ("code", "404"),
        ("q", "hello world"),
        ("jwt_in", token(JWT)),
    )


def test_paths_keep_ids_and_lose_credentials():
    for path in (
        f"/commits/{HEX[:40]}",
        f"/blobs/{HEX}",
        "/users/550e8400-e29b-41d4-a716-446655440000/pins",
        "/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit",
        "/tokens/42",
    ):
        assert request(path=path).path == path
    assert request(path=f"/password/reset/{RANDOM}").path == f"/password/reset/{token(RANDOM)}"
    assert request(path=f"/verify/{JWT}").path == f"/verify/{token(JWT)}"
    assert "alice" not in request(path="/users/alice@example.com/x").path
    assert "alice" not in request(path="/users/alice%40example.com/x").path


def test_urls_in_text_are_redacted_like_urls():
    out = document(
        {
            "next": f"https://h/a/{HEX}?token=abc&page=2",
            "db": "postgres://app:hunter2@db.test:5432/main",
            "note": f"see http://h/x?api_key=abc#access_token={JWT} there",
            "hook": "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx",
        }
    )
    assert out["next"] == f"https://h/a/{HEX}?token={token('abc')}&page=2"
    assert out["db"] == f"postgres://app:{token('hunter2')}@db.test:5432/main"
    assert out["note"] == f"see http://h/x?api_key={token('abc')}#access_token={token(JWT)} there"
    assert "abcdefghijklmnop" not in out["hook"]


# By form


@pytest.mark.parametrize("secret", SECRETS)
def test_a_recognisable_secret_goes_wherever_it_stands(secret):
    places = [
        (f'{{"note":"{secret}"}}', "application/json"),
        (f'["x", {{"a": ["{secret}"]}}]', "application/json"),
        (json.dumps({"a": f"line one\n{secret}\ttwo é"}), "application/json"),
        (json.dumps({"a": json.dumps({"b": secret})}), "application/json"),
        (f"note={quote(secret)}&x=1", "application/x-www-form-urlencoded"),
        (f"<a><b>{secret}</b></a>", "application/xml"),
        (f"it is {secret}, you know", "text/plain"),
        (f"a,b\n1,{secret}\n", "text/csv"),
        (
            json.dumps({"a": base64.b64encode(f"x {secret} y".encode()).decode()}),
            "application/json",
        ),
    ]
    for text, content_type in places:
        out = body(text, content_type)
        shown = (
            out
            + "".join(
                base64.b64decode(v).decode()
                for v in [json.loads(out).get("a", "")]
                if v[:2] == "eC"
            )
            if out.startswith('{"a": "eC')
            else out
        )
        assert secret not in shown, (text, out)
        assert quote(secret) not in shown
        assert len(out) == len(text) or "%" in text


@pytest.mark.parametrize("value", ORDINARY)
def test_ordinary_values_stay_wherever_they_stand(value):
    text = json.dumps({"note": value, "list": [value], "inner": json.dumps({"x": value})})
    assert body(text) == text
    assert body(value, "text/plain") == value
    assert parse_qsl(body(f"a={quote(value)}", "application/x-www-form-urlencoded")) == [
        ("a", value)
    ]


def test_hashes_stay_under_names_of_identities():
    value = {"sha256": HEX, "commit_id": HEX[:40], "etag": HEX, "next_cursor": RANDOM}
    assert document(value) == value
    text = f"commit {HEX[:40]} by bo, sha256:{HEX}"
    assert document({"log": text}) == {"log": text}


def test_private_keys_go_and_certificates_stay():
    lines = "\n".join(base64.b64encode(bytes(range(i, i + 48))).decode() for i in range(9))
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----\n"
    certificate = key.replace("RSA PRIVATE KEY", "CERTIFICATE")
    out = document({"a": key, "b": certificate})
    assert lines[:40] not in out["a"]
    assert out["b"] == certificate


def test_an_address_still_parses_as_one():
    from premortem.capture import formats

    for address in ("alice@example.com", "u0@ex.com", "first.last@mail.example.co.uk"):
        out = document({"email": address})["email"]
        assert formats.is_email(out)
        assert len(out) == len(address)
        assert [c for c in out if c in "@."] == [c for c in address if c in "@."]
        assert holds_token(out)


def test_protocol_buffers_and_other_binary_data_keep_their_length():
    data = b"\x0a\x17alice.jones@example.com\x00\xff" + JWT.encode() + b"\x00\x80"
    out = redactor().request(Request(method="POST", origin="", path="/", body=data)).body
    assert len(out) == len(data)
    assert b"alice" not in out
    assert JWT.encode() not in out


# What joins requests


def test_equal_values_become_equal_tokens_in_all_places():
    login = Exchange(
        request=Request(
            method="POST",
            origin="http://h",
            path="/login",
            headers=(("content-type", "application/x-www-form-urlencoded"),),
            body=f"password=hunter2&old_token={RANDOM}".encode(),
        ),
        response=Response(
            status=200,
            headers=(("set-cookie", f"sid={RANDOM}; Path=/"), ("content-type", "application/json")),
            body=json.dumps({"access_token": RANDOM, "deep": json.dumps({"t": RANDOM})}).encode(),
        ),
        started_at=0,
        duration_ms=1,
    )
    later = Request(
        method="GET",
        origin="http://h",
        path="/x",
        query=(("token", RANDOM),),
        headers=(("authorization", f"Bearer {RANDOM}"), ("cookie", f"sid={RANDOM}")),
    )
    one = redactor()
    counts = Counter()
    login = one.exchange(login, counts)
    later = one.request(later)
    expected = token(RANDOM)
    shown = json.loads(login.response.body)
    assert shown["access_token"] == expected
    assert json.loads(shown["deep"])["t"] == expected
    assert login.response.header("set-cookie") == f"sid={expected}; Path=/"
    assert later.query == (("token", expected),)
    assert dict(later.headers) == {
        "authorization": f"Bearer {expected}",
        "cookie": f"sid={expected}",
    }
    assert f"old_token={expected}".encode() in login.request.body
    assert counts["field"] == 3
    assert counts["cookie"] == 1


def test_another_key_makes_other_tokens():
    text = b'{"password":"hunter2"}'
    given = Request(method="POST", origin="", path="/", body=text)
    assert Redactor(b"a").request(given).body != Redactor(b"b").request(given).body


def test_the_configuration_adds_fields_and_headers_and_allows_names():
    text = json.dumps({"shoeSize": "44", "token": RANDOM, "mail": "a.b@example.com"})
    out = json.loads(body(text, fields=("shoe_size",), allow=("token", "mail")))
    assert out == {"shoeSize": token("44"), "token": RANDOM, "mail": "a.b@example.com"}
    one = redactor(headers=("X-Tenant",), allow=("x-api-key",))
    sent = Request(
        method="GET", origin="", path="/", headers=(("x-tenant", "acme"), ("x-api-key", "k1"))
    )
    assert one.request(sent).headers == (("x-tenant", token("acme")), ("x-api-key", "k1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("traceresponse", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("if-modified-since", "Sat, 21 Nov 2026 12:57:15 GMT"),
        ("content-md5", "Q2hlY2sgSW50ZWdyaXR5IQ=="),
        ("access-control-request-headers", "x-client-id,x-edition"),
        ("if-unmodified-since", "Sat, 21 Nov 2026 12:57:15 GMT"),
    ],
)
def test_headers_of_negotiation_and_identity_are_kept(name, value):
    request = Request(method="GET", origin="", path="/", headers=((name, value),))
    assert Redactor(b"k" * 32).request(request).headers == ((name, value),)
