"""Redaction tokens: what stands in storage for a value that must not be stored.

A token is a keyed pseudo-random function of the value, so equal values stay equal and nobody
without the key can test a guess (HMAC-SHA-256, RFC 2104). It keeps type and length where the
length allows, and it can be told from a real value by its mark.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256, shake_256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

MARK = "rdx"
"""Starts every token of at least four characters; shorter ones are filled with `x`."""

_TOKEN = re.compile(rf"(?<![a-z0-9]){MARK}[a-z0-9]+|@(?:[a-z0-9-]+\.)+{MARK}(?![a-z0-9])")
_WHOLE = re.compile(rf"{MARK}[a-z0-9]+|x{{1,{len(MARK)}}}")
_FILLED = re.compile(r"[x.]+@[x.]+")
_LETTER_OF = bytes(b"abcdefghijklmnopqrstuvwxyz0123456789"[byte % 36] for byte in range(256))
_BLOCK_BYTES = sha256().block_size
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


@lru_cache(maxsize=8)
def _begun(key: bytes) -> tuple[_Hash, _Hash]:
    """The inner and the outer hash, begun with KEY (RFC 2104)."""
    block = (key if len(key) <= _BLOCK_BYTES else sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))


def keyed_digest(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256 of DATA; of a key that was used before in a third of `hmac.digest`'s time."""
    inner, outer = _begun(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(data)
    outer.update(inner.digest())
    return outer.digest()


def make_token(key: bytes, value: str) -> str:
    """The token of VALUE: same length, lower case letters and digits, starting with the mark."""
    length = len(value)
    if length <= len(MARK):
        return "x" * length
    out = keyed_digest(key, value.encode("utf-8", "surrogatepass"))
    if length - len(MARK) > len(out):
        out = shake_256(out).digest(length - len(MARK))  # FIPS 202, extends the keyed digest
    return MARK + out[: length - len(MARK)].translate(_LETTER_OF).decode("ascii")


def holds_token(text: str) -> bool:
    """Whether a redaction token stands anywhere in TEXT."""
    return MARK in text and _TOKEN.search(text) is not None


def is_token(text: str) -> bool:
    """Whether TEXT is, as a whole, what `make_token` or `make_email_token` returns."""
    if "@" in text:
        return _FILLED.fullmatch(text) is not None or holds_token(text)
    return _WHOLE.fullmatch(text) is not None


def make_email_token(key: bytes, value: str) -> str:
    """The token of the address VALUE: same length, `@` and `.` where they were.

    The longest label carries the mark. The last label stays as it is, for it has to be one that
    may end a host name, unless it is the longest: then it becomes the mark and letters. Where no
    label has room for the mark, all are filled with `x`. Case makes no difference.
    """
    local, _, host = value.rpartition("@")
    names = local.split(".")
    labels = [*names, *host.split(".")]
    sizes = [len(label) for label in labels]
    last = len(labels) - 1
    marked = max(range(last), key=lambda i: sizes[i])
    if sizes[marked] <= len(MARK):
        marked = last if sizes[last] >= len(MARK) else -1
    stream = make_token(key, value.lower() + "@" * len(MARK))[len(MARK) :]
    out = []
    for index, size in enumerate(sizes):
        piece, stream = stream[:size], stream[size:]
        if marked < 0:
            piece = "x" * size
        elif index == marked:
            piece = MARK + piece[len(MARK) :]
        if index == last and marked >= 0:
            piece = labels[last] if marked != last else piece.translate(_LETTERS)
        out.append(piece)
    return ".".join(out[: len(names)]) + "@" + ".".join(out[len(names) :])


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def make_number_token(key: bytes, text: str) -> str:
    """The token of a JSON number: as many digits, sign, point and exponent where they were.

    The later half of the digits is a keyed check of the earlier one, by which a token is known
    again; so a number of n digits is its own token once in 10 ** ceil(n / 2).
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    sign, zero, digits, rest = found.groups()
    places = [place for place, char in enumerate(digits) if char != "."]
    if not places:
        return text
    plain = "".join(digits[place] for place in places)
    free = len(plain) // 2
    token = plain[:free] + _check(key, plain[:free], len(plain) - free)
    if token != plain:
        start = _digits(key, "n" + plain, free)
        token = start + _check(key, start, len(plain) - free)
    out = list(digits)
    for place, char in zip(places, token, strict=True):
        out[place] = char
    return f"{sign}{zero}{''.join(out)}{rest}"


_NUMBER = re.compile(r"(-?)(0?)([\d.]*)((?:[eE][+-]?\d+)?)")


def _check(key: bytes, start: str, count: int) -> str:
    return _digits(key, "c" + start, count)


def _digits(key: bytes, text: str, count: int) -> str:
    """COUNT digits that KEY makes of TEXT; the first is not zero."""
    out = ""
    counter = 0
    while len(out) < count:
        block = keyed_digest(key, counter.to_bytes(4, "big") + text.encode())
        out += str(int.from_bytes(block[:16], "big") % 10**18).rjust(18, "0")
        counter += 1
    if out[:1] == "0":
        out = "7" + out[1:]
    return out[:count]
