"""Personal data: replaced in its own form, alike wherever and however it stands."""

from __future__ import annotations

import json
from ipaddress import ip_address
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem.capture.kinds import Kind
from premortem.capture.personal import CLASSES
from premortem.domain.check_digits import FORMS, form_of, iban_in, is_card
from premortem.domain.pseudonyms import BIRTH_YEARS, Pseudonyms
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Request
from tests.capture.test_redact import KEY, body, document, redactor

MADE = Pseudonyms(KEY)
NUMBERS = {
    "us-ssn": "123-45-6789",
    "uk-nino": "AB123456C",
    "es-dni": "12345678Z",
    "fr-nir": "2 55 08 14 168 025 38",
    "it-codice-fiscale": "RSSMRA85T10A562S",
    "br-cpf": "529.982.247-25",
    "in-aadhaar": "2345 6789 0124",
    "ch-ahv": "756.9217.0769.85",
    "be-rrn": "85.07.30-033.28",
    "se-personnummer": "811218-9876",
    "fi-hetu": "131052-308T",
    "cl-rut": "12.345.678-5",
    "cn-id": "11010519491231002X",
}
NAMES = """first_name lastName fullName vorname Nachname prénom apellidos cognome sobrenome voornaam
    efternamn nazwisko soyad фамилия 姓名 nameOnCard customer[first_name]""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", NAMES)
def test_names_of_persons_go_in_many_languages(name):
    out = document({name: "Alice Example"})[name]
    assert "Alice" not in out
    assert len(out) == len("Alice Example")
    assert not holds_token(out)  # services may be sent it


@pytest.mark.parametrize("form", NUMBERS)
def test_national_numbers_stay_valid_and_go_without_a_name(form):
    number = NUMBERS[form]
    note = document({"note": f"it is {number} here"})["note"].removeprefix("it is ")
    new = note.removesuffix(" here")
    assert new != number
    assert [c.isdigit() for c in new] == [c.isdigit() for c in number]
    plain = "".join(c for c in new if c.isalnum())
    found = form_of("".join(c for c in number if c.isalnum()))
    assert found is not None
    assert form_of(plain) is found


def test_every_form_has_a_name_of_its_own():
    assert len({form.name for form in FORMS}) == len(FORMS)


def test_cards_ibans_dates_addresses_and_positions_keep_their_form():
    out = document(
        {
            "card_number": "4111 1111 1111 1111",
            "iban": "DE89 3704 0044 0532 0130 00",
            "birth_date": "1987-03-12",
            "client_ip": "203.0.113.9",
            "last_ip": "2a00:1450::1",
            "device_id": "550e8400-e29b-41d4-a716-446655440000",
            "latitude": 48.85661,
            "phone": "+49 30 1234567",
        }
    )
    assert is_card(out["card_number"])
    assert iban_in(out["iban"]) == out["iban"] != "DE89 3704 0044 0532 0130 00"
    assert int(out["birth_date"][:4]) in BIRTH_YEARS
    assert ip_address(out["client_ip"]).version == 4
    assert out["client_ip"] != "203.0.113.9"
    assert out["device_id"][8] == "-"
    assert out["device_id"] != "550e8400-e29b-41d4-a716-446655440000"
    assert int(out["latitude"]) == 48
    assert out["latitude"] != 48.85661
    assert out["phone"].startswith("+49 ")


def test_a_name_alone_is_a_persons_only_beside_what_tells_a_person():
    person = {"name": "Alice Example", "email": "a@example.com"}
    product = {"name": "Alice Lamp", "price": 3, "sku": "A-1"}
    out = document({"a": person, "b": product, "customer": {"name": "Bo Li"}})
    assert out["a"]["name"] != "Alice Example"
    assert out["b"] == product
    assert out["customer"]["name"] != "Bo Li"
    shop = {"store": {"name": "Corner Shop", "city": "Ghent", "latitude": 51.0543}}
    assert document(shop) == shop


def test_the_order_of_members_does_not_matter():
    one = document({"name": "Alice Example", "city": "Ghent", "street": "5 Elm", "email": "a@b.io"})
    two = document({"email": "a@b.io", "street": "5 Elm", "city": "Ghent", "name": "Alice Example"})
    assert one == two
    assert one["city"] != "Ghent"


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (("+49 30 1234567", "030/1234567", "0049301234567", "+49 (0)30 1234567"), "phone"),
        (("+1 (212) 555-0123", "212-555-0123", "12125550123"), "phone"),
        (("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"), "iban"),
        (("1987-03-12", "12.03.1987", "19870312"), "birth_date"),
        (("123-45-6789", "123456789"), "ssn"),
        (("Alice Example", "ALICE EXAMPLE", "alice example"), "full_name"),
        (("A.Lice@Example.com", "a.lice@example.com"), "email"),
    ],
)
def test_one_value_written_differently_is_replaced_alike(texts, name):
    out = [document({name: text})[name] for text in texts]
    if name == "birth_date":
        assert sorted(out[0].split("-")) == sorted(out[1].split("."))
        assert out[2] == out[0].replace("-", "")
    elif name == "phone":
        ends = {"".join(c for c in text if c.isdigit())[-9:].lstrip("0") for text in out}
        assert len({end[-7:] for end in ends}) == 1
    else:
        plain = {"".join(c for c in text.lower() if c.isalnum()) for text in out}
        assert len(plain) == 1


def test_one_value_joins_all_carriers():
    phone = "+49 30 1234567"
    expected = document({"phone": phone})["phone"]
    assert json.loads(document({"x": json.dumps({"phone": phone})})["x"])["phone"] == expected
    for text, content_type in (
        (f"<a><phone>{phone}</phone></a>", "application/xml"),
        (f"id,phone\n1,{phone}\n", "text/csv"),
        (f"user:\n  phone: {phone}\n  n: 1\n", "application/yaml"),
        (f'level=info phone="{phone}" took=3ms', "text/plain"),
        (f'<input name="phone" value="{phone}">', "text/html"),
    ):
        assert body(text, content_type) == text.replace(phone, expected), text
    form = body("phone=" + quote(phone), "application/x-www-form-urlencoded")
    assert form == "phone=" + quote(expected)
    sent = redactor().request(
        Request(method="GET", origin="", path=f"/lookup/{quote(phone)}", query=(("phone", phone),))
    )
    assert sent.path == f"/lookup/{quote(expected)}"
    assert sent.query == (("phone", expected),)


def test_ordinary_values_under_personal_names_stay():
    value = {
        "phone": "iPhone 15",
        "address": "0x52908400098527886E0F7030069857D2E4169EE7",
        "ip": "not known",
        "fax": None,
        "birth_date": "",
        "mobile": True,
        "device_id": "web",
        "card_number": "**** 1111",
        "firmware": "1.2.3.4",
        "ean": "4006381333931",
        "server_ip": "10.0.0.1",
        "listen": "127.0.0.1",
    }
    assert document(value) == value


def test_settings_cookies_stay_and_sessions_go():
    cookie = "theme=dark; lang=de-CH; sid=abc; remember_me=yes1; _ga=GA1.2.3.4; x=9f86d081884c7d65"
    sent = Request(method="GET", origin="", path="/", headers=(("cookie", cookie),))
    parts = dict(p.split("=", 1) for p in redactor().request(sent).headers[0][1].split("; "))
    assert (parts["theme"], parts["lang"]) == ("dark", "de-CH")
    assert all(parts[name] not in cookie for name in ("remember_me", "_ga", "x"))
    assert "abc" not in parts["sid"]


def test_what_was_replaced_under_a_name_is_known_again_in_a_path():
    one = redactor()
    device = "550e8400-e29b-41d4-a716-446655440000"
    made = one.request(
        Request(
            method="POST",
            origin="",
            path="/d",
            headers=(("content-type", "application/json"),),
            body=json.dumps({"device_id": device}).encode(),
        )
    )
    token = json.loads(made.body)["device_id"]
    later = one.request(Request(method="GET", origin="", path=f"/devices/{device}/status"))
    assert later.path == f"/devices/{token}/status"
    other = "660e8400-e29b-41d4-a716-446655440000"
    assert one.request(Request(method="GET", origin="", path=f"/x/{other}")).path == f"/x/{other}"


def test_every_kind_has_a_class_to_turn_it_off():
    kinds = {kind for kinds in CLASSES.values() for kind in kinds}
    assert {Kind.NAME, Kind.PHONE, Kind.IP, Kind.NATIONAL} <= kinds


values = st.one_of(
    st.text("0123456789 +-/.()", min_size=1, max_size=24),
    st.text(max_size=20),
    st.dates().map(str),
    st.ip_addresses().map(str),
    st.emails(),
    st.from_regex(r"[A-Z]{2}\d{2}[A-Z0-9]{10,20}", fullmatch=True),
    st.uuids().map(str),
    st.floats(-180, 180).map(lambda number: f"{number:.6f}"),
    st.sampled_from(list(NUMBERS.values())),
)
fields = st.sampled_from(
    [
        *("full_name", "street", "zip", "phone", "birth_date", "client_ip", "latitude"),
        *("device_id", "ssn", "card_number", "iban", "diagnosis", "name", "city", "email"),
        "session_id",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(fields, values, max_size=5))
def test_personal_data_is_redacted_once_and_for_all(value):
    text = json.dumps(value)
    once = body(text)
    assert body(once) == once
    assert json.loads(once).keys() == value.keys()
    assert len(once) <= 2 * len(text) + 60 * len(value)


@settings(max_examples=200, deadline=None)
@given(fields, st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_stay_numbers(name, number):
    text = json.dumps({name: number})
    once = body(text)
    assert type(json.loads(once)[name]) is type(number)
    assert body(once) == once
