"""What names say about their values."""

from __future__ import annotations

import pytest

from premortem.capture.kinds import HIDDEN
from premortem.capture.names import Kind, Names, parts

SECRET = HIDDEN - {Kind.EMAIL}
"""Credentials, and personal data that is replaced whatever it looks like."""


@pytest.mark.parametrize(
    "name",
    """password passwd pwd newPassword user[password] PASSWORD_CONFIRMATION db.password
    oldpassword passwordHash secret client_secret clientSecret secretKey token accessToken
    access_token refresh-token id_token authToken accesstoken X-Auth-Token csrf_token
    csrfmiddlewaretoken api_key apiKey apikey API-KEY aws_secret_access_key private_key
    authorization Authorization ssn socialSecurityNumber cardNumber card_number cvv cvc cvv2 pin
    user_pin iban IBAN accountNumber otp otp_code verificationCode phone phoneNumber mobile
    mobile_phone passport_number credentials db_pass jwt security_answer
    encryptionKey webhook_secret passphrase tax_id""".split(),  # noqa: SIM905
)
def test_names_of_secrets(name):
    assert Names().kind(name) in SECRET


@pytest.mark.parametrize(
    "name",
    """token_type tokenType expires_in token_count max_tokens maxTokens total_tokens
    prompt_tokens next_page_token pageToken tokenizer passwordless password_policy passport_required
    compass bypass pinned pinterest spin opinion ping secretary public_key primary_key foreign_key
    cache_key key keyboard monkey author authority authored authentication_method accountant
    card discard cardinality has_password is_secret password_changed_at token_url secret_name
    two_factor_enabled name title id status amount currency description created_at mobile_settings
    sort_key translation_key token_expires_at api_key_id passed passenger panel company
    has_verified_email email_verified""".split(),  # noqa: SIM905
)
def test_names_of_other_things(name):
    assert Names().kind(name) not in SECRET


@pytest.mark.parametrize("name", "id user_id uuid etag sha256 commit_hash cursor requestId".split())  # noqa: SIM905
def test_names_of_identities(name):
    assert Names().kind(name) is Kind.IDENTITY


def test_parts_of_every_spelling_are_one():
    expected = ("user", "access", "token")
    for name in ("userAccessToken", "user_access_token", "USER-ACCESS-TOKEN", "user[access_token]"):
        assert parts(name) == expected


def test_the_configuration_adds_and_allows_names():
    names = Names(secret=["internal_note", "shoe-size"], allow=["token"])
    assert names.kind("internalNote") is Kind.SECRET
    assert names.kind("shoeSize") is Kind.SECRET
    assert names.kind("token") is Kind.ALLOWED
    assert names.kind("access_token") in SECRET
