"""Tokens: same length, known again, and their own tokens."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.tokens import (
    holds_token,
    is_token,
    keyed_digest,
    make_email_token,
    make_number_token,
    make_token,
)

KEY = b"k" * 32
labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
addresses = st.builds(
    lambda local, host, end: ".".join(local) + "@" + ".".join([*host, end]),
    st.lists(labels, min_size=1, max_size=2),
    st.lists(labels, min_size=1, max_size=3),
    st.sampled_from(["com", "io", "example"]),
)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_the_keyed_digest_is_hmac_with_keys_of_any_length(key, data):
    assert keyed_digest(key, data) == hmac.digest(key, data, sha256)


@given(st.text(max_size=200))
def test_a_token_has_its_values_length_and_is_known_again(value):
    token = make_token(KEY, value)
    assert len(token) == len(value)
    assert not value or is_token(token)
    assert holds_token(token) == (len(value) > 3)


def test_tokens_depend_on_key_and_value_alone():
    assert make_token(KEY, "hunter2") == make_token(KEY, "hunter2")
    assert make_token(KEY, "hunter2") != make_token(KEY, "hunter3")
    assert make_token(KEY, "hunter2") != make_token(b"other", "hunter2")
    long = "x" * 5000
    assert make_token(KEY, long) != make_token(KEY, long[:-1] + "y")


@given(addresses)
def test_an_address_token_keeps_its_form(address):
    token = make_email_token(KEY, address)
    assert [len(part) for part in token.replace("@", ".").split(".")] == [
        len(part) for part in address.replace("@", ".").split(".")
    ]
    assert is_token(token)
    assert token.rpartition(".")[2].isalpha()


def test_short_addresses_stay_apart():
    tokens = {make_email_token(KEY, f"u{i}@ex.com") for i in range(10)}
    assert len(tokens) == 10
    assert all(map(holds_token, tokens))


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_token_is_a_number_of_as_many_digits_and_its_own_token(number):
    text = json.dumps(number)
    token = make_number_token(KEY, text)
    assert len(token) == len(text)
    assert [c for c in token if not c.isdigit()] == [c for c in text if not c.isdigit()]
    assert type(json.loads(token)) is type(number)
    assert make_number_token(KEY, token) == token


def test_most_numbers_change():
    for digits in (4, 6, 16):
        numbers = [str(10 ** (digits - 1) + 7 * i) for i in range(100)]
        changed = [make_number_token(KEY, n) for n in numbers if make_number_token(KEY, n) != n]
        assert len(changed) >= 97


@pytest.mark.parametrize("text", ["Bearer rdxabc", "<rdx1>", "a@b.rdx", "rdxabc@x.com"])
def test_tokens_are_found_inside_text(text):
    assert holds_token(text)


@pytest.mark.parametrize("text", ["", "rdx", "xrdxabc", "hardxyz", "a@rdxb"[:3], "Rdxabc"])
def test_other_text_holds_none(text):
    assert not holds_token(text)
