"""Stems of plain text that names a secret, looked for all at once: the same as one by one."""

from __future__ import annotations

import random
import re

import pytest

from premortem.capture import stems
from premortem.capture.stems import names_secret

ONE_BY_ONE = re.compile(
    rb"pass(?:w|phr|c|=|:)|secret|oken(?:[ =:]|\\*[\"'](?!\s*:)|s=)|pwd\W|bearer|basic |iban"
    rb"|authorization|cv[vc]2?[=:]|ssn\W|pin[=:]|otp[=:]|key=|api[_-]?key|mnemonic|-user|(?<= )-u ",
    re.IGNORECASE,
)
PIECES = (
    *(b"pass w phr c = : secret secr et oken s pwd _ bearer basic auth riza tion iban cv v 2 ssn "
      b"pin otp key= key api - mnemonic -u ser a k PASS Token PIN= API KEY Basic").split(),
    b" ", b"\n", b'"', b"'", b"\\", b"\0", b"\xe9",
)  # fmt: skip


def texts(count: int) -> list[bytes]:
    rng = random.Random(7)
    return [b"".join(rng.choices(PIECES, k=rng.randint(0, 9))) for _ in range(count)]


def test_all_at_once_finds_what_one_by_one_finds():
    found = [names_secret(text) for text in texts(20_000)]
    assert found == [ONE_BY_ONE.search(text) is not None for text in texts(20_000)]
    assert 0.1 < sum(found) / len(found) < 0.9


@pytest.mark.parametrize("word", [b"password", b"Bearer ", b"pin=", b"api_key", b" -u ", b"cvc2:"])
def test_a_word_is_found_where_two_windows_meet(word: bytes):
    for shift in range(-len(word) - 1, 2):
        before = b"." * (stems.WINDOW_BYTES + shift)
        assert names_secret(before + word + b".")
        assert not names_secret(before + b"." * len(word))


def test_words_that_only_look_alike_are_left():
    text = (
        b"a passage of pinned keys: because the author tokenizes it, in Pakistan -unlike his piano"
    )
    assert not names_secret(text)
    assert not names_secret(b"")
