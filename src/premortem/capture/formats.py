"""What a value's own form says: known credentials, random strings, card numbers, IBANs.

All rules are about the value alone; what its name says is `names.py`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from math import log2
from operator import add

from premortem.capture.names import word_set

RUN_LENGTH_MIN = 20
"""Shorter strings are never taken for random secrets: ids, words and dates live there."""
HEX_LENGTH_MIN = 32
"""128 bits; 24 hex digits are a MongoDB id, and a UUID is recognised as such."""
RANDOM_LENGTH_MIN = 30
"""Of letters and digits: KSUID, ULID, CUID, nanoid and Stripe ids have 20 to 28."""
RANDOM_LENGTH_MAX = 4096
"""Longer ones are content: an encoded file, a proof, a key nobody types."""
WORD_LENGTH_MIN = 4
SAMPLE_LENGTH = 80
"""Characters that tell words from random ones."""
NATURAL_MIN = 0.5
"""Share of neighbouring characters that is common in words: words 0.87, random letters 0.3,
random letters and digits 0.2."""
ENTROPY_BITS_MIN = 2.9
"""Shannon entropy per character; 32 random hex digits have 3.2 to 3.9."""

RUN = re.compile(r"[A-Za-z0-9_+/\-]{20,}={0,2}")

_ISSUED = {
    "eyJ": r"[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){1,3}",  # RFC 7519, RFC 7516
    "AKIA|ASIA|AROA|AIDA": r"[A-Z0-9]{16}(?![A-Za-z0-9])",
    "sk_live_|sk_test_|rk_live_|rk_test_|pk_live_|pk_test_|sk_prod_": r"[A-Za-z0-9]{10,}",
    "sk-": r"(?:[a-z]{2,10}-)*[\w-]{20,}",
    "whsec_": r"[A-Za-z0-9+/=]{20,}",
    "ghp_|gho_|ghu_|ghs_|ghr_": r"[A-Za-z0-9]{30,}",
    "github_pat_": r"\w{22,}",
    "glpat-|glptt-|gldt-|glrt-|glsoat-|glft-|glcbt-|glagent-|glimt-": r"[\w-]{20,}",
    "xoxa-|xoxb-|xoxe-|xoxo-|xoxp-|xoxr-|xoxs-": r"[A-Za-z0-9-]{10,}",
    "xapp-": r"\d-[A-Za-z0-9-]{10,}",
    "AIza": r"[\w-]{35}",
    "ya29.|GOCSPX-|hvs.|figd_|dckr_pat_": r"[\w-]{20,}",
    "1//0": r"[\w-]{30,}",
    "SG.": r"[\w-]{16,}\.[\w-]{16,}",
    "key-|SK|AC": r"[0-9a-f]{32}(?![A-Za-z0-9])",
    "npm_|hf_|lin_api_": r"[A-Za-z0-9]{30,}",
    "pypi-": r"[\w-]{50,}",
    "shpat_|shpca_|shppa_|shpss_|dapi": r"[0-9a-fA-F]{32}",
    "sq0atp-|sq0csp-|sq0idp-": r"[\w-]{20,}",
    "dop_v1_|doo_v1_|dor_v1_": r"[0-9a-f]{60,}",
    "vault:v1:": r"[A-Za-z0-9+/=]{20,}",
    "AGE-SECRET-KEY-1": r"[A-Z0-9]{58}",
    "EAA": r"[A-Za-z0-9]{40,}",
    "ATATT": r"[\w=-]{40,}",
    "PMAK-": r"[0-9a-f]{24}-[0-9a-f]{34}",
    "$argon2": r"(?:id|i|d)\$[^\s\"'\\]{30,}",
    "$2a$|$2b$|$2y$": r"\d\d\$[./A-Za-z0-9]{53}",
    "pbkdf2_sha256$": r"\d+\$[^\s\"'\\]{20,}",
    ":AA": r"[\w-]{33}(?![\w-])",  # Telegram; its number before the colon is no secret
}
"""Credentials that their issuers made recognisable: how they begin -> how they go on."""
_KNOWN = {
    # the look-behind stands after the literal, which keeps the search for the literal fast
    head: re.compile(
        re.escape(head) + ("" if head[0] in ":$" else f"(?<![A-Za-z0-9]{re.escape(head)})") + rest,
        re.ASCII,
    )
    for heads, rest in _ISSUED.items()
    for head in heads.split("|")
}
_LONG_HEADS = tuple(head for head in _KNOWN if len(head) > 2 and head != ":AA")
_HASH_HEADS = ("$argon2", "$2a$", "$2b$", "$2y$", "pbkdf2_sha256$")
CUT_MARKS = ("SG.", "hvs.", "ya29.", "vault:v1:", *_HASH_HEADS, ":AA")
"""Heads that a run of letters and digits does not contain."""
_TWILIO = re.compile(r"(?:SK|AC|:AA)[0-9a-f]{32}")
HOOK = re.compile(
    r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]+"
    r"|(?<=/api/webhooks/)\d+/[\w-]{40,}"
)
"""Addresses that are credentials themselves."""

AT = re.compile(rb"[A-Za-z0-9._%+'\-]@[A-Za-z0-9\-]{1,63}\.[A-Za-z]")
"""What every address has around its sign."""
EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+'\-])[A-Za-z0-9][A-Za-z0-9._%+'\-]{0,63}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}([A-Za-z]{2,24})(?![A-Za-z0-9-])"
)
_FILE_ENDINGS = word_set(
    "png jpg jpeg gif svg webp ico css js mjs ts json html htm xml txt md py rb map woff pdf "
    "zip gz mp mp3 mp4 yaml yml git"
)
UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])"
)
DIGITS = re.compile(r"(?<![\w.+\-])\d(?:[ -]?\d){11,18}(?![\w\-]|\.\d)")
SSN = re.compile(r"(?<![\w.\-/])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w\-/]|\.\d)")
"""US social security number, as the Social Security Administration assigns them."""
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH CR HR LI LV",
        22: "BG BH DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
"""SWIFT IBAN registry, release 97."""

_COMMON_PAIRS = frozenset(f"{number:02}" for number in range(100)) | word_set(
    "ab ac ad ag ai al am an ap ar as at au ay ba be bi bl bo bu ca ce ch ci ck cl co cr ct cu da "
    "de di do dr ds du ea ec ed ee ef eg el em en ep er es et ev ew ex fa fe ff fi fl fo fr fu ge "
    "gi gr gs ha he hi ho ia ib ic id ie if ig il im in io ip ir is it iv iz ke la ld le li ll lo "
    "ls lt lu ly ma mb me mi mo mp na nc nd ne nf ng ni nk nn no ns nt nu nv ob oc od ol om on oo "
    "op or os ot ou ov ow pa pe pi pl po pp pr ps pt py qu ra rc rd re rg ri rm rn ro rr rs rt ru "
    "ry sa sc se sh si sl so sp ss st su sy ta tc te th ti tl to tp tr ts tt tu ty ub ue ui ul um "
    "un up ur us ut va ve vi wa we wi xt yp ze"
)
"""The 200 commonest pairs of letters in English words and program text, and all of digits."""

_SEPARATORS = re.compile(r"[-_/+=]+")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}|bc1[02-9ac-hj-np-z]{25,60}")
"""Public addresses of Ethereum (EIP-55) and Bitcoin (BIP 173)."""
_SECRET_KEY = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/]{40}")
"""An AWS secret access key, which is recognisable by its length alone."""
_LABELLED_HASH = re.compile(r"(?:sha(?:1|224|256|384|512)|md5|crc32c?)[-_/]", re.IGNORECASE)
_FILE_HEADS = tuple(
    word_set(
        "iVBORw0KGgo /9j/ R0lGOD JVBERi0 UEsDB H4sI UklGR d09GR T2dnUw AAAAIGZ0eX AAAAHGZ0eX "
        "AAAAB3NzaC1 AAAAC3NzaC1 AAAAE2VjZHNh MIIB MIIC MIID"
    )
)
"""Base64 of PNG, JPEG, GIF, PDF, ZIP, gzip, RIFF, WOFF, Ogg, MP4, SSH public keys, X.509."""


def replace_known(text: str, replacement: Callable[[re.Match[str]], str]) -> str:
    """TEXT with every credential of a known format replaced."""
    for head, pattern in _KNOWN.items():
        if head in text:
            text = pattern.sub(replacement, text)
    return text


class Look(IntEnum):
    """What a run of letters and digits looks like."""

    ORDINARY = 0
    RANDOM = 1
    ENCODED = 2
    """Base64 of a text."""
    KNOWN = 3
    """Perhaps a credential of a known format."""


@lru_cache(maxsize=200_000)
def look(run: str) -> Look:
    """What RUN, which `RUN` found, looks like at most: the exact rules come after."""
    if may_hold_known(run):
        return Look.KNOWN
    if decoded_base64(run) is not None:
        return Look.ENCODED
    return Look.RANDOM if looks_random(run) else Look.ORDINARY


def may_hold_known(text: str) -> bool:
    """TEXT holds the beginning of a credential of a known format; letters may precede it."""
    return any(map(text.__contains__, _LONG_HEADS)) or _TWILIO.search(text) is not None


def is_email(text: str) -> bool:
    """TEXT is one address, and not a file name like `logo@2x.png`."""
    found = EMAIL.fullmatch(text)
    return found is not None and email_ending(found[1])


def email_ending(label: str) -> bool:
    """LABEL, the last of a host name, is none of a file's."""
    return label.lower() not in _FILE_ENDINGS


def is_card(text: str) -> bool:
    """TEXT is a payment card number: an issuer's prefix and length, and Luhn (ISO/IEC 7812-1)."""
    digits = text.replace(" ", "").replace("-", "")
    size = len(digits)
    two, three, four = int(digits[:2]), int(digits[:3]), int(digits[:4])
    issued = (
        (digits[0] == "4" and size in (13, 16, 19))  # Visa
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)  # Mastercard
        or (two in (34, 37) and size == 15)  # American Express
        or ((four == 6011 or 644 <= three <= 659) and 16 <= size <= 19)  # Discover
        or ((300 <= three <= 305 or two in (36, 38, 39)) and size == 14)  # Diners Club
        or (3528 <= four <= 3589 and 16 <= size <= 19)  # JCB
        or (two == 62 and 16 <= size <= 19)  # UnionPay
        or (four in (5018, 5020, 5038, 6304, 6759, 6761, 6762, 6763) and 12 <= size <= 19)
    )
    return issued and len(set(digits)) > 1 and _luhn(digits)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_in(text: str) -> str:
    """The IBAN that TEXT begins with, blanks included; empty when there is none (ISO 13616)."""
    length = _IBAN_LENGTHS.get(text[:2])
    if length is None:
        return ""
    end = seen = 0
    while end < len(text) and seen < length:
        seen += text[end] != " "
        end += 1
    plain = text[:end].replace(" ", "")
    if seen < length or text[end : end + 1].isalnum():
        return ""
    turned = "".join(str(int(c, 36)) for c in plain[4:] + plain[:4])
    return text[:end] if int(turned) % 97 == 1 else ""


@lru_cache(maxsize=512)
def decoded_base64(run: str) -> str | None:
    """The text that RUN is the base64 of; None when it is no text."""
    body = run.rstrip("=")
    if len(body) % 4 == 1 or len(body) < 12:
        return None
    try:
        data = b64decode(body.replace("-", "+").replace("_", "/") + "=" * (-len(body) % 4))
        text = data.decode()
    except (Base64Error, ValueError):
        return None
    return text if text.isprintable() or text.replace("\n", "").isprintable() else None


def looks_random(run: str) -> bool:
    """RUN, which `RUN` found, is a long random string and nothing that is random by nature."""
    if len(run) > RANDOM_LENGTH_MAX or _LABELLED_HASH.match(run) or _ADDRESS.fullmatch(run):
        return False
    rest = UUID.sub("", run).strip("-_/+=")
    if len(rest) < RUN_LENGTH_MIN or run.startswith(_FILE_HEADS):
        return False
    segments = [part for part in _SEPARATORS.split(rest) if part]
    if any(len(s) >= HEX_LENGTH_MIN and _HEX.fullmatch(s) and _mixed(s) for s in segments):
        return True
    strange = [part for part in segments if _natural_share(part) < NATURAL_MIN]
    if not strange:
        return False
    if _SECRET_KEY.fullmatch(run):
        return 2 * sum(map(len, strange)) >= len(run)
    # whole words beside the random parts say nothing; short ones may be random by chance
    plain = "".join(part for part in segments if part in strange or not _is_word(part))
    if _HEX.fullmatch(plain):
        return False  # shorter than the hashes above
    shortest = RUN_LENGTH_MIN if _marked_base64(run, segments) else RANDOM_LENGTH_MIN
    return len(plain) >= shortest and _entropy(plain) >= ENTROPY_BITS_MIN


_RELATIVE = re.compile(r"/([A-Za-z][A-Za-z0-9_.\-]{0,24})(?:/|$)")


def is_relative(text: str) -> bool:
    """TEXT begins like the path of a URL: a slash and a word."""
    found = _RELATIVE.match(text)
    return found is not None and _natural_share(found[1]) >= NATURAL_MIN


def _marked_base64(run: str, segments: list[str]) -> bool:
    """Padding or a plus sign, which ids avoid and paths do not have."""
    return (run.endswith("=") and len(run) % 4 == 0) or ("+" in run and len(segments) > 1)


def _mixed(text: str) -> bool:
    return not text.isdigit() and not text.isalpha() and _entropy(text) >= ENTROPY_BITS_MIN


def _natural_share(text: str) -> float:
    """The share of TEXT's neighbouring characters that is common in words and numbers."""
    if len(text) < WORD_LENGTH_MIN or text.isdigit():
        return 1.0
    lower = text[:SAMPLE_LENGTH].lower()
    return sum(map(_COMMON_PAIRS.__contains__, map(add, lower, lower[1:]))) / (len(lower) - 1)


def _is_word(text: str) -> bool:
    return len(text) >= 7 and text.isalpha()


def _entropy(text: str) -> float:
    sample = text[:256]
    size = len(sample)
    return -sum(n / size * log2(n / size) for n in Counter(sample).values())
