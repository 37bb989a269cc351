"""What a text looks like: a format, an identifier, or a word somebody chose."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from functools import lru_cache

FORMATS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("uuid", re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    (
        "date-time",
        re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?"),
    ),
    ("date", re.compile(r"\d{4}-\d\d-\d\d")),
    ("email", re.compile(r"[^@\s/]+@[^@\s/]+\.[A-Za-z]{2,}")),
    ("uri", re.compile(r"[a-z][a-z0-9+.-]*://\S+")),
    ("ipv4", re.compile(r"\d{1,3}(\.\d{1,3}){3}")),
    ("digits", re.compile(r"\d+")),
    ("hex", re.compile(r"(?=.*\d)(?:[0-9a-f]{8,}|[0-9A-F]{8,})")),
)
"""In this order: the first that fits the whole text names it."""

HEX_LETTERS_MIN = 12
"""Hexadecimal text without a digit is a word unless it is this long."""
TOKEN_MIN = 8
"""Characters from which mixed case or mixed digits make a token."""
MIXED_MIN = 5
"""Characters from which a digit before a letter makes an identifier: `2fa` is a word."""
TOKEN_MAX = 256
"""Longer texts are content."""
CACHE_MAX = 65_536
"""Texts and keys whose reading is remembered."""
DIGITS_MIN = 6
"""Digits in the purely numeric parts of a segment that make it an identifier: `inv-2024-07`."""

_FORMAT_SIGN = re.compile(r"[\d@:]")
_SIGNED = re.compile(r"-?\d+(\.\d+)?")
_VERSION = re.compile(r"v\d+([._]\d+)*([a-z]+\d*)?", re.IGNORECASE)
_PARTS = re.compile(r"[-_.~]+")
_WORD_PART = re.compile(r"[A-Za-z]+\d{0,2}")
_SPELLED = re.compile(r"([a-z]{3,})\d{1,2}([a-z]|[a-z]{3,})")
"""`log4j`, `base64url`: a number between two words."""
_DIGIT_THEN_LETTER = re.compile(r"\d[A-Za-z]")
_LETTER_DIGIT = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9]+")
_CAMEL = re.compile(r"[A-Z]*[a-z]+(?:[A-Z]+[a-z]+|[A-Z]+(?=[A-Z][a-z]|$))*\d{0,2}")
_NUMBERED = re.compile(r"(.*?[^\d])(\d+)")
_EXTENSION = re.compile(r"(.+)(\.[a-z][a-z0-9]{1,4})")
_UNUSUAL = re.compile(r"[,;@ |\\<>\"']")
_RARE_PAIR = re.compile(
    "bq|bx|cj|cv|cx|dx|fq|fx|gq|gx|hx|j[b-df-hj-np-tv-z]|kq|kz|mq|mx|pq|q(?:[^u]|$)|sx|v[b-df-hj-np-qtw-xz]"
    "|wq|wv|wx|xj|xz|yq|z[bfgjnpqrsvwx]|lx|qz|zx|vv|uu|iw|uw|hj|fz|fv|pz|tq|hq|kx|rx|jj|kk|ww|yy"
)
"""Letter pairs that ordinary English words do without."""
_ONSETS = frozenset(
    {
        *("bl", "br", "ch", "cl", "cr", "dr", "dw", "fl", "fr", "gh", "gl", "gn", "gr", "kn"),
        *("kr", "ph", "pl", "pn", "pr", "ps", "qu", "rh", "sc", "sh", "sk", "sl", "sm", "sn"),
        *("sp", "sq", "st", "sv", "sw", "th", "tr", "ts", "tw", "wh", "wr", "xy", "sy", "my"),
        *("ty", "by", "gy", "hy", "cy"),
    }
)
_VOWELS = frozenset("aeiouy")


def value_format(text: str) -> str:
    """The format of TEXT as `Field.format` names it, or empty."""
    form = _format(text)
    if form is not None:
        return form
    return "token" if len(text) <= TOKEN_MAX and identifier(text) not in ("", "text") else ""


def _format(text: str) -> str | None:
    """The first of FORMATS that fits; most texts lack the character that all of them need."""
    if not _FORMAT_SIGN.search(text):
        return None
    return next((name for name, pattern in FORMATS if pattern.fullmatch(text)), None)


@lru_cache(maxsize=CACHE_MAX)
def identifier(segment: str) -> str:
    """Why SEGMENT can only be a value, in a word (`uuid`, `digits`, `mixed`), or empty.

    Empty does not say it is none: names and slugs look like words.
    """
    if not segment or segment.isalpha():
        return _letters_class(segment)
    if (form := _format(segment)) is not None:
        return form
    if _UNUSUAL.search(segment):
        return "text"
    if _VERSION.fullmatch(segment):
        return ""
    if segment.endswith("=") or readable_base64(segment):
        return "base64"
    if _SIGNED.fullmatch(segment):
        return "digits"
    parts = [part for part in _PARTS.split(segment) if part]
    if sum(len(part) for part in parts if part.isdigit()) >= DIGITS_MIN:
        return "digits"
    return next((kind for part in parts if (kind := _part_class(part, len(parts)))), "")


def _letters_class(segment: str) -> str:
    if len(segment) >= TOKEN_MIN and readable_base64(segment):
        return "base64"
    if len(segment) >= HEX_LETTERS_MIN and re.fullmatch("[0-9a-f]+|[0-9A-F]+", segment):
        return "hex"
    scrambled = len(segment) >= TOKEN_MIN and not _CAMEL.fullmatch(segment)
    return "token" if scrambled and case_changes(segment) >= 3 else ""


def _part_class(part: str, parts: int) -> str:
    if not _LETTER_DIGIT.fullmatch(part) or _VERSION.fullmatch(part):
        return _letters_class(part) if part.isalpha() and parts == 1 else ""
    if _WORD_PART.fullmatch(part) and (part.islower() or _CAMEL.fullmatch(part)):
        return "" if pronounceable(part.rstrip("0123456789")) or len(part) < MIXED_MIN else "mixed"
    spelled = _SPELLED.fullmatch(part)
    if spelled is not None and all(pronounceable(letters) for letters in spelled.groups()):
        return ""
    if len(part) >= MIXED_MIN and (_DIGIT_THEN_LETTER.search(part) or digit_share(part)):
        return "mixed"
    return "mixed" if parts > 1 and len(part) >= MIXED_MIN - 1 and part[0].isdigit() else ""


def digit_share(text: str) -> bool:
    """Whether digits make up a third of TEXT or more."""
    return sum(c.isdigit() for c in text) * 3 >= len(text)


def case_changes(text: str) -> int:
    """How often the case changes from one letter to the next."""
    return sum(a.islower() != b.islower() for a, b in itertools.pairwise(text))


def readable_base64(text: str) -> bool:
    """Whether TEXT is base64 of printable ASCII: by chance one word of eight letters in 400."""
    if len(text) < TOKEN_MIN or text.islower() or not re.fullmatch(r"[\w+/-]+={0,2}", text):
        return False
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return all(32 <= byte < 127 for byte in plain)


def numbered(segment: str) -> tuple[str, str] | None:
    """(stem, number) of `post-12` or `item7`; None for versions and for plain words."""
    found = _NUMBERED.fullmatch(segment)
    if found is None or _VERSION.fullmatch(re.split(r"[-_.]", segment)[-1]):
        return None
    return found[1], found[2]


def split_extension(segment: str) -> tuple[str, str]:
    """`12.json` -> (`12`, `.json`); (`segment`, ``) when the rest would not be an identifier."""
    found = _EXTENSION.fullmatch(segment)
    if found is not None and identifier(found[1]):
        return found[1], found[2]
    return segment, ""


def pronounceable(word: str) -> bool:
    """Whether WORD could be an English word or a name: says no only to letter salad."""
    text = word.lower()
    if not text.isalpha() or len(text) <= 3:
        return True
    if _RARE_PAIR.search(text) or not _VOWELS & set(text):
        return False
    onset = text[0] in _VOWELS or text[1] in _VOWELS or text[:2] in _ONSETS
    return onset and re.search(r"[b-df-hj-np-tv-xz]{5}", text) is None


@lru_cache(maxsize=CACHE_MAX)
def words_in(segment: str) -> tuple[str, ...]:
    """The parts of a segment or key between separators and humps, lower case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", segment)
    return tuple(part.lower() for part in re.split(r"[^A-Za-z0-9]+", spaced) if part)


@lru_cache(maxsize=CACHE_MAX)
def singular(word: str) -> str:
    """The singular of a plural English noun, by its ending."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(ss|sh|ch|x|z)es$", word):
        return word[:-2]
    if word.endswith("s") and not re.search(r"(ss|us|is)$", word) and len(word) > 2:
        return word[:-1]
    return word
