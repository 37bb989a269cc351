"""Redaction tokens: what stands in storage for a value that must not be stored.

A token is a keyed pseudo-random function of the value, so equal values stay equal and nobody
without the key can test a guess (HMAC-SHA-256, RFC 2104). It keeps type and length where the
length allows, and it can be told from a real value by its mark.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256

MARK = "rdx"
"""Starts every token of at least four characters; shorter ones are filled with `x`."""

_TOKEN = re.compile(rf"(?<![a-z0-9]){MARK}[a-z0-9]+")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def make_token(key: bytes, value: str) -> str:
    """The token of VALUE: same length, lower case letters and digits, starting with the mark."""
    length = len(value)
    if length <= len(MARK):
        return "x" * length
    out: list[str] = []
    counter = 0
    while len(out) < length - len(MARK):
        block = hmac.digest(key, counter.to_bytes(4, "big") + value.encode(), sha256)
        out += [_ALPHABET[byte % 36] for byte in block]
        counter += 1
    return MARK + "".join(out[: length - len(MARK)])


def holds_token(text: str) -> bool:
    """Whether a redaction token stands anywhere in TEXT."""
    return MARK in text and _TOKEN.search(text) is not None
