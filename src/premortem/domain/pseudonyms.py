"""Replacements of personal data: of the value's own form, keyed, and known again.

Like a token (domain/tokens.py) a replacement is a keyed pseudo-random function of the value, so
equal values stay equal and nobody without the key can test a guess. Unlike a token it is what a
service would accept in the value's place: a date is a date, a card number passes the Luhn test.

One value written in several manners (`+49 30 1234567`, `030/1234567`) is replaced alike. A
replacement is its own replacement. It is known by its range where there is one that no living
person's data lies in, or else by a check over its last characters, which one foreign value in
1,000 (of nine characters) to 10,000 passes by chance and so remains as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import shake_256
from ipaddress import IPv6Address

from premortem.domain.check_digits import (
    Form,
    Limits,
    form_of,
    iban_in,
    iban_remainder,
    is_card,
    luhn,
)
from premortem.domain.tokens import keyed_digest, make_number_token

WORD_MARK = "Rdx"
"""Begins replaced words; of words of up to three letters, `Q` and consonants."""
_WORD = re.compile(r"[^\W\d_]+")
_MASKED_WORD = re.compile(r"Rdx[a-z]+|RDX[A-Z]+|Q[bcdfghjklmnpqrstvwxz]{0,2}")
_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_VOWELS = "aeiou"
BIRTH_YEARS = range(1900, 1910)
"""Years of replaced dates of birth: whoever was born then is dead, and most services accept it."""
_CHECK_MAX = 4
_TRIES_MAX = 400

_ISO = re.compile(r"(?<!\d)(\d{4})([-/.]?)(\d\d?)\2(\d\d?)(?!\d)")
_DAY_FIRST = re.compile(r"(?<!\d)(\d\d?)([-/. ])(\d\d?)\2(\d{4})(?!\d)")
_SHORT_YEAR = re.compile(r"(?<!\d)(\d\d?)([-/.])(\d\d?)\2(\d\d)(?!\d)")
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
_ONE_OR_TWO = re.compile(r"(?<!\d)\d\d?(?!\d)")

_CODES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 "
    "62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 "
    "225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 243 244 245 246 "
    "247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 "
    "290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 "
    "377 378 380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 "
    "509 590 591 592 593 594 595 596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 "
    "682 683 685 686 687 688 689 690 691 692 800 808 850 852 853 855 856 870 878 880 881 882 "
    "883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 979 992 "
    "993 994 995 996 998"
)
CALLING_CODES = frozenset(_CODES.split())
"""ITU-T E.164, list of assigned country codes."""
_NANP = re.compile(r"1[2-9]\d\d[2-9]\d{6}")


def is_masked(text: str) -> bool:
    """All words of TEXT are replaced ones, and there are some."""
    words = _WORD.findall(text)
    return bool(words) and all(map(_MASKED_WORD.fullmatch, words))


class Pseudonyms:
    """Makes the replacements of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def words(self, text: str) -> str:
        """TEXT, names or a postal address: its words and numbers replaced, length kept.

        A word is replaced alike in any case and beside any other, so first and last name join
        the full one.
        """
        if is_masked(text) or not _WORD.search(text):
            return text
        out = _WORD.sub(lambda found: self._word(found[0]), text)
        whole = text.casefold()
        stream = iter(self._stream("number", whole, len(text)))
        return re.sub(r"\d", lambda _: str(1 + next(stream) % 9), out)

    def _word(self, word: str) -> str:
        size = len(word)
        stream = self._stream("word", word.casefold(), size)
        if size <= len(WORD_MARK):
            return "Q" + "".join(_CONSONANTS[byte % 20] for byte in stream[: size - 1])
        letters = "".join(
            (_VOWELS if place % 2 == 0 else _CONSONANTS)[byte % (5 if place % 2 == 0 else 20)]
            for place, byte in enumerate(stream[: size - len(WORD_MARK)])
        )
        new = WORD_MARK + letters
        return new.upper() if word.isupper() and word.isascii() else new

    def birth(self, text: str) -> str:
        """TEXT with the date it holds, in any order, moved into `BIRTH_YEARS`."""
        found = _ISO.search(text)
        if found is not None and _is_day(found[3], found[4]):
            year, sign, month, day = found.groups()
            if int(year) in BIRTH_YEARS:
                return text
            y, m, d = self._day(int(year), int(month), int(day))
            new = f"{y}{sign}{m:0{len(month)}}{sign}{d:0{len(day)}}"
            return text[: found.start()] + new + text[found.end() :]
        found = _DAY_FIRST.search(text)
        if found is not None:
            return self._day_first(text, found)
        found = _SHORT_YEAR.fullmatch(text)
        if found is not None:
            return self._short(found)
        if len(text) == 8 and text.isdigit():
            day, month, year = text[:2], text[2:4], int(text[4:])
            if not _is_day(month, day) or year in BIRTH_YEARS:
                return text
            y, m, d = self._day(year, int(month), int(day))
            return f"{d:02}{m:02}{y}"
        return self._spelled(text)

    def _day_first(self, text: str, found: re.Match[str]) -> str:
        first, sign, second, year = found.groups()
        month_first = sign in "/-" and int(first) <= 12
        day, month = (second, first) if month_first else (first, second)
        if not _is_day(month, day):
            return self._spelled(text)
        if int(year) in BIRTH_YEARS:
            return text
        y, m, d = self._day(int(year), int(month), int(day))
        one, two = (m, d) if month_first else (d, m)
        new = f"{one:0{len(first)}}{sign}{two:0{len(second)}}{sign}{y}"
        return text[: found.start()] + new + text[found.end() :]

    def _short(self, found: re.Match[str]) -> str:
        """`12/03/87`: the year is one of ten, the first number a check of the others."""
        first, sign, second, year = found.groups()
        own = 1 + self._stream("check", f"{int(second)}{year}", 1)[0] % 12
        if year < "10" and int(first) == own:
            return found[0]
        stream = self._stream("birth", found[0], 2)
        month, short = 1 + stream[0] % 12, f"{stream[1] % 10:02}"
        own = 1 + self._stream("check", f"{month}{short}", 1)[0] % 12
        return f"{own:0{len(first)}}{sign}{month:0{len(second)}}{sign}{short}"

    def _spelled(self, text: str) -> str:
        """A date with its month in words, or the year alone."""
        year = _YEAR.search(text)
        if year is None or int(year[0]) in BIRTH_YEARS:
            return text
        stream = self._stream("birth", text.casefold(), 2)
        text = _ONE_OR_TWO.sub(str(1 + stream[0] % 28), text)
        return _YEAR.sub(str(BIRTH_YEARS[stream[1] % 10]), text)

    def epoch(self, text: str) -> str:
        """The number TEXT, seconds or milliseconds since 1970, as another in `BIRTH_YEARS`."""
        digits = text.lstrip("-")
        unit = 1000 if len(digits) > 10 else 1
        low, high = -2_208_988_800 * unit, -1_893_456_000 * unit
        if len(digits) < 8 or low <= int(text) < high:
            return text
        day = int.from_bytes(self._stream("birth", text, 4), "big") % 3652
        return str(low + day * 86_400 * unit)

    def _day(self, year: int, month: int, day: int) -> tuple[int, int, int]:
        stream = self._stream("birth", f"{year:04}-{month:02}-{day:02}", 3)
        return BIRTH_YEARS[stream[0] % 10], 1 + stream[1] % 12, 1 + stream[2] % 28

    def phone(self, text: str) -> str:
        """The phone number TEXT: signs, country code and trunk zero stay, other digits change."""
        places = [place for place, char in enumerate(text) if char.isdigit()]
        digits = "".join(text[place] for place in places)
        international = text.lstrip()[:1] == "+"
        own = significant(international, digits)
        if len(own) < 4:
            return text
        before = digits[: len(digits) - len(own)]
        american = _NANP.fullmatch("1" + own) is not None

        def valid(new: str) -> bool:
            return (
                new[0] in "23456789"
                and (not american or _NANP.fullmatch("1" + new) is not None)
                and len(significant(international, before + new)) == len(own)
            )

        new = self._checked("phone", own, valid)
        chars = list(text)
        for place, digit in zip(places[len(digits) - len(own) :], new, strict=True):
            chars[place] = digit
        return "".join(chars)

    def ipv4(self, text: str) -> str:
        """An address of the network for benchmarks (RFC 2544, 198.18.0.0/15)."""
        if text.startswith(("198.18.", "198.19.")):
            return text
        stream = self._stream("ip", text, 3)
        return f"198.{18 + stream[0] % 2}.{stream[1]}.{1 + stream[2] % 254}"

    def ipv6(self, address: IPv6Address) -> str:
        """An address of the network for benchmarks (RFC 5180, 2001:2::/48)."""
        text = address.exploded
        if text.startswith("2001:0002:0000"):
            return address.compressed
        stream = self._stream("ip", text, 10)
        groups = (int.from_bytes(stream[i : i + 2], "big") | 1 for i in range(0, 10, 2))
        return "2001:2:0:" + ":".join(f"{group:x}" for group in groups)

    def fraction(self, text: str) -> str:
        """The decimal number TEXT: what stands after its point changes, a hundredth on.

        Whole degrees stay, which leaves about 100 km.
        """
        whole, point, decimals = text.partition(".")
        if len(decimals) < 2 or len(decimals) > 20 or not decimals.isdigit():
            return text
        if whole.lstrip("-+") in ("90", "180"):
            return text
        free = len(decimals) - min(_CHECK_MAX, len(decimals) // 2)
        if decimals[free:] == self._digits(
            "check", f"{whole}.{decimals[:free]}", len(decimals) - free
        ):
            return text
        start = self._digits("position", text, free)
        return (
            whole + point + start + self._digits("check", f"{whole}.{start}", len(decimals) - free)
        )

    def card(self, text: str) -> str:
        """The card number TEXT: issuer, signs and the Luhn check stay."""
        plain, places = _plain(text)
        valid = is_card if is_card(plain) else luhn if luhn(plain) else _any
        return _put(text, places, self._checked("card", plain, valid, kept=min(4, len(plain) // 3)))

    def iban(self, text: str) -> str:
        """The IBAN TEXT: country and form stay, the check digits are right."""
        plain, places = _plain(text.upper())
        if not iban_in(plain):
            return self.shaped(text)
        own = self._checked("iban", plain[4:], _any, label="iban" + plain[:2])
        check = 98 - iban_remainder(plain[:2] + "00" + own)
        return _put(text, places, f"{plain[:2]}{check:02}{own}")

    def national(self, text: str) -> str:
        """A number that a state gave, in its form and with its check digits, signs as they were."""
        plain, places = _plain(text.upper())
        form = form_of(plain)
        if form is None:
            return _put(text, places, self._checked("id", plain, _any))
        return _put(text, places, self._checked("id", plain, _fits(form), limits=form.limits))

    def shaped(self, text: str, *, kept: int = 0) -> str:
        """Letters to letters, digits to digits, signs and the first KEPT characters as they are."""
        plain, places = _plain(text)
        if len(plain) >= 12 and _is_hex(plain):
            make = _hex_upper if plain.upper() == plain else _hex_lower
            new = self._checked("shape", plain, _is_hex, kept=kept, make=make)
        else:
            new = self._checked("shape", plain, _not_hex, kept=kept)
        return _put(text, places, new)

    def imei(self, text: str) -> str:
        """A device's number: as `shaped`, with its Luhn check when it had one."""
        plain, places = _plain(text)
        if len(plain) == 15 and plain.isdigit() and luhn(plain):
            return _put(text, places, self._checked("shape", plain, luhn))
        return self.shaped(text)

    def _checked(
        self,
        kind: str,
        plain: str,
        valid: Callable[[str], bool],
        *,
        kept: int = 0,
        label: str = "",
        make: Callable[[str, int], str] | None = None,
        limits: Limits = (),
    ) -> str:
        """PLAIN's replacement: its first KEPT characters, free ones, and the check of both.

        The check is the first of a keyed series that makes the whole VALID; so it is known again.
        """
        make = make or _char
        size = len(plain)
        count = min(_CHECK_MAX, size // 2)
        split = size - count
        if self._ending(label or kind, plain[:split], plain[split:], valid, make) == plain[split:]:
            return plain
        value = plain if make is _char else plain.lower()
        for attempt in range(_TRIES_MAX):
            stream = self._stream(kind, f"{attempt}{value}", split)
            free = [make(c, b) for c, b in zip(plain[:split], stream, strict=True)]
            for place, choices in limits:
                choice = choices[stream[place] % len(choices)]
                free[place : place + len(choice)] = choice
            start = plain[:kept] + "".join(free[kept:])
            if start[:1] == "0" != plain[:1]:  # a JSON number must not begin with it
                if limits:
                    continue
                start = "7" + start[1:]
            ending = self._ending(label or kind, start, plain[split:], valid, make)
            if ending:
                return start + ending
        return self._checked(kind, plain, _any, kept=kept, label=label, make=make)

    def _ending(
        self,
        kind: str,
        start: str,
        like: str,
        valid: Callable[[str], bool],
        make: Callable[[str, int], str],
    ) -> str:
        """What has to follow START, of the classes of LIKE; empty when nothing is valid there."""
        tries = 1 if valid is _any else _TRIES_MAX
        size = len(like)
        stream = self._stream("check" + kind, start, size * tries)
        for place in range(0, size * tries, size):
            ending = "".join(map(make, like, stream[place : place + size]))
            if valid is _any or valid(start + ending):
                return ending
        return ""

    def _stream(self, kind: str, value: str, size: int) -> bytes:
        text = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        return shake_256(keyed_digest(self._key, text)).digest(size)

    def _digits(self, kind: str, value: str, size: int) -> str:
        return "".join(str(byte % 10) for byte in self._stream(kind, value, size))


REPLACED_LENGTH_MIN = 6
"""Shorter replacements stand for too many values."""


def replacements(key: bytes, text: str) -> frozenset[str]:
    """All that may stand for TEXT in what was redacted with KEY, beside its token.

    What a value becomes depends on the name it stood under, which is not known here.
    """
    made = Pseudonyms(key)
    digits = sum(char.isdigit() for char in text)
    found: set[str] = set()
    if any(char.isalpha() for char in text):
        found.add(made.words(text))
    if digits >= 4 and "@" not in text:
        found |= {made.national(text), made.iban(text), made.birth(text), made.imei(text)}
        if 6 <= digits <= 17:
            found |= {made.phone(text), made.phone(f"+{text}")[1:]}
        if digits >= 12 and _plain(text)[0].isdecimal():
            found.add(made.card(text))
    if text.isdigit():
        found.add(make_number_token(key, text))
        found |= {"7" + new[1:] for new in found if new[0] == "0"}  # numbers of JSON
    return frozenset(new for new in found if new != text and len(new) >= REPLACED_LENGTH_MIN)


_HEX = re.compile(r"(?=.*\d)(?=.*[A-Fa-f])(?:[0-9a-f]+|[0-9A-F]+)")


def _is_hex(plain: str) -> bool:
    return _HEX.fullmatch(plain) is not None


def _not_hex(plain: str) -> bool:
    return not (len(plain) >= 12 and _is_hex(plain))


def _any(_: str) -> bool:
    return True


def _char(char: str, byte: int) -> str:
    if char.isdigit():
        return str(byte % 10)
    letter = chr(ord("a") + byte % 26)
    return letter.upper() if char.isupper() else letter


def _hex_upper(_: str, byte: int) -> str:
    return f"{byte % 16:X}"


def _hex_lower(_: str, byte: int) -> str:
    return f"{byte % 16:x}"


def _plain(text: str) -> tuple[str, list[int]]:
    """The ASCII letters and digits of TEXT and where they stand."""
    places = [place for place, char in enumerate(text) if char.isascii() and char.isalnum()]
    return "".join(text[place] for place in places), places


def _put(text: str, places: list[int], plain: str) -> str:
    chars = list(text)
    for place, char in zip(places, plain, strict=True):
        chars[place] = char.lower() if chars[place].islower() else char
    return "".join(chars)


@lru_cache(maxsize=64)
def _fits(form: Form) -> Callable[[str], bool]:
    return lambda plain: form_of(plain) is form


def _is_day(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def significant(international: bool, digits: str) -> str:
    """DIGITS of a phone number without country code and trunk zero (ITU-T E.164, 6.2).

    Without a plus sign or two zeros, digits are taken for a country code only where there are
    twelve of them or more.
    """
    if not international and digits.startswith("00"):
        international, digits = True, digits[2:]
    if not international and digits.startswith("0"):
        return digits.lstrip("0")
    if international or len(digits) >= 12:
        for size in (3, 2, 1):
            if digits[:size] in CALLING_CODES and len(digits) - size >= 4:
                rest = digits[size:]
                # `+49 (0)30`: the trunk zero, written although it is not dialled
                return rest.removeprefix("0") if rest[0] == "0" else rest
    return digits[1:] if _NANP.fullmatch(digits) else digits
