from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.learn.lexical import identifier, numbered, singular, split_extension, value_format

WORDS = [
    "v1",
    "v2",
    "v1.40",
    "s3",
    "oauth2",
    "otlpv1",
    "user_flair_v2",
    "2fa",
    "access_token",
    "getUserById",
    "GetOrders",
    "openai_evals",
    "jsonl",
    "incomplete-runs",
    "__api__",
    "k8s",
    "i18n",
    "HTMLParser",
    "iPhone",
    "contribute.json",
    "asset.json",
    "refund",
    "reports",
    "spam",
    "about",
    "mp3",
    "top-10",
    "Q1",
    "log4j",
    "utf8",
    "facade",
]
IDENTIFIERS = [
    "7827987a-c998-11e4-a0b9-22000b6a88d2",
    "35b4b523d7ee40cb",
    "2024-01-05",
    "a@b.co",
    "42",
    "-1",
    "12.5",
    "RGF0YXNldDox",
    "VXNlcjoz",
    "Q2F0ZWdvcmljYWxBbm5vdGF0aW9uQ29uZmlnOjI=",
    "cus_NffrFeUfNV2Hib",
    "inv_0f3c9a",
    "widget_128bgmfs9jr74",
    "INV-2024-0001",
    "my-app-6d4cf56db6-abcde",
    "dQw4w9WgXcQ",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "2gmzqe",
    "ga3dbk",
    "a,b,c",
    "192.168.1.10",
]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_no_identifier(word):
    assert identifier(word) == ""


@pytest.mark.parametrize("text", IDENTIFIERS)
def test_an_identifier_is_seen_for_what_it_is(text):
    assert identifier(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("7827987a-c998-11e4-a0b9-22000b6a88d2", "uuid"),
        ("2024-01-05", "date"),
        ("2024-01-05T10:00:00.5Z", "date-time"),
        ("2024-01-05T10:00:00+02:00", "date-time"),
        ("a@b.co", "email"),
        ("https://x.test/y", "uri"),
        ("10.0.0.1", "ipv4"),
        ("0012", "digits"),
        ("0a1b2c3d4e", "hex"),
        ("inv_0f3c9a", "token"),
        ("plain words", ""),
        ("", ""),
    ],
)
def test_formats_are_those_that_fields_name(text, form):
    assert value_format(text) == form


def test_numbered_names_split_into_stem_and_number():
    assert numbered("post-12") == ("post-", "12")
    assert numbered("v2") is None
    assert numbered("user_flair_v2") is None
    assert numbered("post") is None


def test_only_an_identifier_sheds_its_ending():
    assert split_extension("0a1b2c3d4e.png") == ("0a1b2c3d4e", ".png")
    assert split_extension("contribute.json") == ("contribute.json", "")


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("invoices", "invoice"),
        ("categories", "category"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("status", "status"),
        ("news", "new"),
        ("data", "data"),
    ],
)
def test_plurals_lose_their_ending(plural, one):
    assert singular(plural) == one


@given(st.text(max_size=60))
def test_any_text_can_be_asked_about(text):
    assert isinstance(identifier(text), str)
    assert isinstance(value_format(text), str)


@given(st.uuids())
def test_every_uuid_is_one(value):
    assert identifier(str(value)) == "uuid"
