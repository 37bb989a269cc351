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

from premortem.capture.kinds import word_set
from premortem.domain.check_digits import iban_in as iban_in
from premortem.domain.check_digits import is_card as is_card

RUN_LENGTH_MIN = 20
"""Shorter strings are never taken for random secrets: ids, words and dates live there."""
HEX_LENGTH_MIN = 32
"""128 bits; 24 hex digits are a MongoDB id, and a UUID is recognised as such."""
RANDOM_LENGTH_MIN = 30
"""Of letters and digits: KSUID, ULID, CUID, nanoid and Stripe ids have 20 to 28."""
MIXED_LENGTH_MIN = 24
"""Of small and capital letters and digits without any sign, unless it is a KSUID."""
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

RUN = re.compile(r"(?<![A-Za-z0-9_+/\-])[A-Za-z0-9_+/\-]{20,}={0,2}")
"""The look-behind changes nothing but the time: inside of a short word no other search begins."""

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

AT = re.compile(rb"[A-Za-z0-9._%+'\-\x80-\xff]@[A-Za-z0-9\-\x80-\xff]{1,250}\.[A-Za-z\x80-\xff]")
"""What every address has around its sign."""
EMAIL = re.compile(
    r"(?<![\w.%+'\-])[^\W_][\w.%+'\-]{0,63}@"
    r"(?:[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?\.){1,8}(xn--[a-z0-9-]{2,40}|[^\W\d_]{2,24})(?![\w-])"
)
"""RFC 5321, 4.1.2, without quoted local parts; RFC 6531 for letters beyond ASCII."""
_FILE_ENDINGS = word_set(
    "png jpg jpeg gif svg webp ico css js mjs ts json html htm xml txt md py rb map woff pdf "
    "zip gz mp mp3 mp4 yaml yml git"
)
UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])"
)
DIGITS = re.compile(r"(?<![\w.+\-])\d(?:[ -]?\d){11,18}(?![\w\-]|\.\d)")
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_COMMON_PAIRS = frozenset(f"{number:02}" for number in range(100)) | word_set(
    "ab ac ad ag ai ak al am an ap ar as at au ba be bi bl br bu ca ce ch ci ck cl co cr ct cu da "
    "dd de di dl do dr ds du ea ec ed ee ef eg el em en ep eq er es et eu ev ex fa fe ff fi fl fo "
    "fr ft fu ga ge gi gs ha he hi ho ia ic id ie if ig il im in io ip ir is it iv iz ke la ld le "
    "li ll lo ls lt lu ly ma mb me mi mm mo mp mu na nc nd ne ng ni no ns nt nu oa ob oc od ol om "
    "on oo op or os ot ou ov ow pa pe pi pl po pp pr pt qu ra rc rd re rg ri rm rn ro rr rs rt ru "
    "ry sa sc se sh si so sp ss st su sy ta tc te th ti to tr ts tt tu ty ua ub uc ue ui ul um un "
    "up ur us ut va ve vi wa wi wr xt yp yt ze"
)
"""The 200 commonest pairs of letters, and all of digits.

Counted in the words and names of Python's standard library (docstrings and identifiers of some
sixty modules, each word by the square root of its count) and, for a fifth of the weight, in
common words of eight European languages; not in any recording.
"""

_SEPARATORS = re.compile(r"[-_/+=]+")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}|bc1[02-9ac-hj-np-z]{25,60}")
"""Public addresses of Ethereum (EIP-55) and Bitcoin (BIP 173)."""
_SECRET_KEY = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/]{40}")
"""An AWS secret access key, which is recognisable by its length alone."""
_THREE_CLASSES = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9]+")
_KSUID = re.compile(r"[0-6][0-9A-Za-z]{26}")
"""Its first character moves on every four years; 6 lasts to 2040 (segmentio/ksuid)."""
_LABELLED_HASH = re.compile(r"(?:sha(?:1|224|256|384|512)|md5|crc32c?)[-_/]", re.IGNORECASE)
_FILE_HEADS = tuple(
    word_set(
        "iVBORw0KGgo /9j/ R0lGOD JVBERi0 UEsDB H4sI UklGR d09GR T2dnUw AAAAIGZ0eX AAAAHGZ0eX "
        "AAAAB3NzaC1 AAAAC3NzaC1 AAAAE2VjZHNh MIIB MIIC MIID"
    )
)
"""Base64 of PNG, JPEG, GIF, PDF, ZIP, gzip, RIFF, WOFF, Ogg, MP4, SSH public keys, X.509."""


_SIGN = re.compile(r"[@=:<{\[]")
_LONG = re.compile(
    r"(?:[A-Za-z0-9_+/\-]{0,19}+[^A-Za-z0-9_+/\-]++)*+[A-Za-z0-9_+/\-]{20}",
)
"""From a text's start on: a run as in `RUN` stands in it."""
_BEGUN = re.compile(
    # One class of characters first: so the search passes over all others quickly.
    r"[\dA-Z%bstp](?:(?<=\d)[\d\-. ()/]{6}|(?<=[A-Z])[A-Z]\d\d ?[A-Z0-9]|(?<=%)7[Bb]|"
    r"(?<=[Bb])(?:earer|asic) |(?<=B)(?:EARER|ASIC) |(?<=[Tt])oken |"
    r"(?<=[Pp])(?:ass(?:word|code|phrase)|in) |(?<=[Ss])ecret )"
)
"""A number, an account, JSON in a URL, or a word before a secret."""


def of_interest(text: str) -> bool:
    """TEXT holds something that one of the rules for values could change."""
    return (
        _SIGN.search(text) is not None
        or (len(text) >= RUN_LENGTH_MIN and _LONG.match(text) is not None)
        or _BEGUN.search(text) is not None
    )


def replace_known(text: str, replacement: Callable[[re.Match[str]], str]) -> str:
    """TEXT with every credential of a known format replaced."""
    for head, pattern in _KNOWN.items():
        if head in text:
            text = pattern.sub(replacement, text)
    return text


_NO_LOCAL = frozenset(("", *" \n\t\"'/(<>[]{}:;,&=@|"))
"""What stands before an `@` that is no address's."""


_HOST = re.compile(r"@[^\W_](?:[^\W_]|-){0,62}\.[^\W_]")


def replace_emails(text: str, replacement: Callable[[re.Match[str]], str]) -> str:
    """TEXT with every address replaced; looks around each `@` alone."""
    out: list[str] = []
    last = 0
    at = text.find("@")
    while at >= 0:
        found = None
        if _HOST.match(text, at) is not None and text[at - 1 : at] not in _NO_LOCAL:
            found = EMAIL.search(text, max(last, at - 64), min(len(text), at + 260))
        if found is not None and found.start() < at < found.end():
            out += (text[last : found.start()], replacement(found))
            last = found.end()
        at = text.find("@", max(at + 1, last))
    return "".join([*out, text[last:]]) if out else text


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
    shortest = RANDOM_LENGTH_MIN
    if _marked_base64(run, segments):
        shortest = RUN_LENGTH_MIN
    elif len(segments) == 1 and _THREE_CLASSES.fullmatch(run) and not _KSUID.fullmatch(run):
        shortest = MIXED_LENGTH_MIN
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


UNEXPLAINED_LENGTH = range(12, 200)


def unexplained(text: str) -> bool:
    """TEXT is one random word of no known kind: neither a UUID nor a number, nor made of words."""
    if len(text) not in UNEXPLAINED_LENGTH or not _ONE_WORD.fullmatch(text) or UUID.search(text):
        return False
    letters = sum(map(str.isalpha, text))
    if not letters or letters == len(text) or "rdx" in text:
        return False
    return _natural_share(text) < NATURAL_MIN and _entropy(text) >= ENTROPY_BITS_MIN


_ONE_WORD = re.compile(r"[A-Za-z0-9_\-+/=.]+")
