"""What values look like."""

from __future__ import annotations

import base64
import random
import string
import uuid

import pytest

from premortem.capture import formats

ALNUM = string.ascii_letters + string.digits


def share_random(make, count=2000):
    seen = 0
    for _ in range(count):
        found = formats.RUN.search(make())
        seen += found is not None and formats.looks_random(found[0])
    return seen / count


def pick(rng, alphabet, size):
    return "".join(rng.choices(alphabet, k=size))


@pytest.mark.parametrize(
    ("alphabet", "size"),
    [
        (ALNUM, 32),
        (ALNUM, 43),
        (ALNUM + "+/", 40),
        (ALNUM + "-_", 43),
        ("0123456789abcdef", 32),
        ("0123456789ABCDEF", 40),
        ("0123456789abcdef", 64),
        (string.ascii_lowercase + string.digits, 32),
        (string.ascii_uppercase + "234567", 32),
    ],
)
def test_random_strings_are_told(alphabet, size):
    rng = random.Random(1)
    assert share_random(lambda: pick(rng, alphabet, size)) > 0.99


def test_padded_base64_is_told_from_24_characters_on():
    rng = random.Random(1)
    assert share_random(lambda: base64.b64encode(rng.randbytes(16)).decode()) > 0.93


@pytest.mark.parametrize(
    "make",
    [
        lambda r: str(uuid.UUID(int=r.getrandbits(128))),
        lambda r: f"order-{uuid.UUID(int=r.getrandbits(128))}",
        lambda r: pick(r, "0123456789abcdef", 24),
        lambda r: pick(r, ALNUM + "-_", 21),
        lambda r: "01" + pick(r, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
        lambda r: pick(r, "0123456", 1) + pick(r, ALNUM, 26),
        lambda r: "cus_" + pick(r, ALNUM, 24),
        lambda r: "c" + pick(r, string.ascii_lowercase + string.digits, 24),
        lambda r: pick(r, string.digits, 40),
        lambda r: "sha256-" + base64.b64encode(r.randbytes(32)).decode(),
    ],
    ids="uuid prefixed-uuid objectid nanoid ulid ksuid stripe cuid digits integrity".split(),  # noqa: SIM905
)
def test_ids_and_hashes_that_say_so_are_ordinary(make):
    rng = random.Random(2)
    assert share_random(lambda: make(rng)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "how-to-write-a-load-test-for-your-service",
        "getUserAccountSettingsByOrganisationIdentifier",
        "com/example/service/internal/RequestHandlerFactoryBean",
        "2026-01-02T03-04-05-678901-000000-episode",
        "ACCESS_CONTROL_ALLOW_CREDENTIALS_HEADER_NAME",
        "Donaudampfschifffahrtsgesellschaftskapitaen",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_words_and_files_are_ordinary(text):
    assert not any(formats.looks_random(run) for run in formats.RUN.findall(text))


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
        "6200000000000005",
    ],
)
def test_card_numbers_are_told(number):
    assert formats.is_card(number)


@pytest.mark.parametrize(
    "number", ["4111111111111112", "1456814984507123", "0000000000000000", "9111111111111111"]
)
def test_other_long_numbers_are_no_cards(number):
    assert not formats.is_card(number)


def test_ibans_are_told():
    assert formats.iban_in("DE89370400440532013000") == "DE89370400440532013000"
    assert formats.iban_in("GB82 WEST 1234 5698 7654 32 is it") == "GB82 WEST 1234 5698 7654 32"
    assert formats.iban_in("DE89370400440532013001") == ""
    assert formats.iban_in("ZZ89370400440532013000") == ""


def test_email_addresses_are_told_from_file_names():
    assert formats.is_email("a.b+c@mail.example.co.uk")
    for text in ("logo@2x.png", "a@b", "@scope/pkg@1.2.3", "user@localhost", "x@1.2"):
        assert not formats.is_email(text)
