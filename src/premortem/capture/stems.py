"""Whether bytes name a secret as plain text does: `password=`, `Bearer ...`, `-u name`.

To look for each of many short stems takes one pass over the bytes per stem. Here all are looked
for at once: each byte value has one bit per group of stems that may have it at their first,
second, third or fourth place; the four tables, each one place further on, are joined by `and`.
What remains set says which groups may be there, and only their stems are looked for. After
"Teddy", G. Langdale's search for many literals (Hyperscan; NSDI 2019, 4.2).
"""

from __future__ import annotations

import re

import numpy as np

WINDOW_BYTES = 64 * 1024
"""Looked at in one go: it stays in the processor's cache, and memory stays flat."""
GRAM = 4

_OTHER = bytes(byte for byte in range(256) if not re.match(rb"\w", bytes((byte,))))
_EQUALS = b"=:2"
Gram = tuple[bytes, bytes, bytes, bytes]
"""Which bytes may stand at each of four places, one after the other; small letters for both."""


def _gram(text: bytes) -> Gram:
    first, second, third, fourth = (text[place : place + 1] for place in range(GRAM))
    return first, second, third, fourth


_STEMS: tuple[tuple[int, Gram, bytes, bytes], ...] = (
    (0, _gram(b"pass"), b"pass", rb"pass(?:w|phr|c|=|:)"),
    (0, _gram(b"-use"), b"-u", rb"-user"),
    (1, (b"p", b"w", b"d", _OTHER), b"pwd", rb"pwd\W"),
    (1, (b"s", b"s", b"n", _OTHER), b"ssn", rb"ssn\W"),
    (1, _gram(b" -u "), b"-u", rb"(?<= )-u "),
    (2, (b"p", b"i", b"n", _EQUALS), b"pin", rb"pin[=:]"),
    (2, (b"o", b"t", b"p", _EQUALS), b"otp", rb"otp[=:]"),
    (2, _gram(b"key="), b"key=", b""),
    (2, (b"c", b"v", b"vc", _EQUALS), b"cv", rb"cv[vc]2?[=:]"),
    (3, _gram(b"oken"), b"oken", rb"oken(?:[ =:]|\\*[\"'](?!\s*:)|s=)"),
    (4, _gram(b"bear"), b"bearer", b""),
    (4, _gram(b"iban"), b"iban", b""),
    (5, _gram(b"secr"), b"secret", b""),
    (5, _gram(b"mnem"), b"mnemonic", b""),
    (6, _gram(b"basi"), b"basic ", b""),
    (6, _gram(b"riza"), b"authorization", b""),
    (7, (b"a", b"p", b"i", b"_-k"), b"api", rb"api[_-]?key"),
)
"""Group, four bytes that stand in what is looked for, its beginning, and how it goes on.

JSON names are looked at one by one elsewhere. A group has stems whose bytes, place by place, do
not mix to common words: of `pin` and `key`, also `pey` would pass.
"""
_GROUPS = tuple(
    tuple((stem, re.compile(sure) if sure else None) for at, _, stem, sure in _STEMS if at == group)
    for group in range(8)
)


def _table(place: int) -> bytes:
    table = bytearray(256)
    for group, gram, _, _ in _STEMS:
        for byte in gram[place] + gram[place].upper():
            table[byte] |= 1 << group
    return bytes(table)


_TABLES = tuple(map(_table, range(GRAM)))


def names_secret(data: bytes) -> bool:
    """One of the stems stands in DATA, in letters of any case, and goes on as it has to."""
    groups = _may_hold(data)
    if not groups:
        return False
    lower = data.lower()
    return any(
        stem in lower and (sure is None or sure.search(lower) is not None)
        for group, stems in enumerate(_GROUPS)
        if groups >> group & 1
        for stem, sure in stems
    )


def _may_hold(data: bytes) -> int:
    """The groups, as bits, of which one stem may stand in DATA."""
    groups = 0
    for start in range(0, len(data) - GRAM + 1, WINDOW_BYTES):
        part = data[start : start + WINDOW_BYTES + GRAM - 1]
        first, second, third, fourth = (
            np.frombuffer(part.translate(table), dtype=np.uint8) for table in _TABLES
        )
        found = first[:-3] & second[1:-2]
        found &= third[2:-1]
        found &= fourth[3:]
        groups |= int(np.bitwise_or.reduce(found))
    return groups
