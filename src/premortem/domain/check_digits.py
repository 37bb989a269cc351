"""Numbers that are recognisable by themselves: their form and their check digits.

Each `Form` says of a text, without blanks and signs, whether it is such a number. Sources: ISO/IEC
7812-1 (Luhn), ISO 7064 and ISO 13616 (IBAN), Verhoeff 1969 (Aadhaar), and the issuing
authorities' own descriptions, named beside each.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

IBAN_LENGTHS = {
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


def luhn(digits: str) -> bool:
    """DIGITS end in their Luhn check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card(text: str) -> bool:
    """TEXT is a payment card number: an issuer's prefix and length, and Luhn (ISO/IEC 7812-1).

    Visa's numbers of 13 digits are left out: none were issued for twenty years, and one article
    number (EAN-13) in sixty looks like one.
    """
    digits = text.replace(" ", "").replace("-", "")
    size = len(digits)
    two, three, four = int(digits[:2]), int(digits[:3]), int(digits[:4])
    issued = (
        (digits[0] == "4" and size in (16, 19))  # Visa
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)  # Mastercard
        or (two in (34, 37) and size == 15)  # American Express
        or ((four == 6011 or 644 <= three <= 659) and 16 <= size <= 19)  # Discover
        or ((300 <= three <= 305 or two in (36, 38, 39)) and size == 14)  # Diners Club
        or (3528 <= four <= 3589 and 16 <= size <= 19)  # JCB
        or (two == 62 and 16 <= size <= 19)  # UnionPay
        or (four in (5018, 5020, 5038, 6304, 6759, 6761, 6762, 6763) and 15 < size <= 19)
        or (2200 <= four <= 2204 and 16 <= size <= 19)  # Mir
    )
    return issued and len(set(digits)) > 1 and luhn(digits)


def iban_in(text: str) -> str:
    """The IBAN that TEXT begins with, blanks included; empty when there is none (ISO 13616)."""
    length = IBAN_LENGTHS.get(text[:2])
    if length is None:
        return ""
    end = seen = 0
    while end < len(text) and seen < length:
        seen += text[end] not in " -"
        end += 1
    plain = text[:end].replace(" ", "").replace("-", "")
    if seen < length or text[end : end + 1].isalnum() or not plain.isascii():
        return ""
    return text[:end] if iban_remainder(plain) == 1 else ""


def iban_remainder(plain: str) -> int:
    """What is left of the IBAN PLAIN, letters and digits alone, modulo 97."""
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _dni(text: str) -> bool:
    number = text.translate(str.maketrans("XYZ", "012", "")) if text[0] in "XYZ" else text
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number[:-1]) % 23] == text[-1]


def _nir(text: str) -> bool:
    plain = text.replace("2A", "19").replace("2B", "18")
    return 97 - int(plain[:13]) % 97 == int(plain[13:15])


def _cpf(text: str) -> bool:
    if len(set(text)) == 1:
        return False
    for size in (9, 10):
        rest = _weighted(text, tuple(range(size + 1, 1, -1))) * 10 % 11 % 10
        if rest != int(text[size]):
            return False
    return True


_D5 = tuple(
    tuple(
        ((i + j) % 5 if j < 5 else 5 + (i + j) % 5)
        if i < 5
        else (5 + (i - j) % 5 if j < 5 else (i - j) % 5)
        for j in range(10)
    )
    for i in range(10)
)
"""The dihedral group of the pentagon."""
_TURNS = [tuple(range(10))]
for _ in range(7):
    _TURNS.append(tuple(_TURNS[-1][i] for i in (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)))


def verhoeff(digits: str) -> bool:
    """DIGITS end in their check digit (Verhoeff 1969)."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _D5[check][_TURNS[place % 8][int(digit)]]
    return check == 0


def _steuer_id(text: str) -> bool:
    """ISO 7064, mod 11,10; of the first ten digits one stands twice or thrice."""
    counts = sorted(text[:10].count(digit) for digit in set(text[:10]))
    if counts[-1] not in (2, 3) or counts[-2] != 1:
        return False
    product = 10
    for digit in text[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(text[10])


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18),
            *(20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ),
        strict=True,
    )
)


def _codice_fiscale(text: str) -> bool:
    total = sum(
        _ODD[c] if place % 2 == 0 else int(c, 36) - (10 if c.isalpha() else 0)
        for place, c in enumerate(text[:15])
    )
    return chr(ord("A") + total % 26) == text[15]


def _pesel(text: str) -> bool:
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
    return (10 - _weighted(text, weights) % 10) % 10 == int(text[10])


def _personnummer(text: str) -> bool:
    return luhn(text[-10:])


def _hetu(text: str) -> bool:
    number = int(text[:6] + text[7:10] if len(text) == 11 else text[:9])
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] == text[-1]


def _belgian(text: str) -> bool:
    number, check = int(text[:9]), int(text[9:])
    return check in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)


def _bsn(text: str) -> bool:
    return _weighted(text, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and text != "0" * 9


def _ahv(text: str) -> bool:
    return (10 - _weighted(text, (1, 3) * 6) % 10) % 10 == int(text[12])


def _nhs(text: str) -> bool:
    return 11 - _weighted(text, tuple(range(10, 1, -1))) % 11 in (int(text[9]), 11 + int(text[9]))


def _rut(text: str) -> bool:
    total = _weighted(text[-2::-1], (2, 3, 4, 5, 6, 7) * 2)
    return "0123456789K0"[11 - total % 11] == text[-1]


def _chinese(text: str) -> bool:
    weights = tuple(2 ** (17 - i) % 11 for i in range(17))
    return "10X98765432"[_weighted(text, weights) % 11] == text[17]


def _always(_: str) -> bool:
    return True


Limits = tuple[tuple[int, tuple[str, ...]], ...]
"""Places in a number that have few choices: from where on -> one of which texts."""


class Form(Struct, frozen=True, kw_only=True):
    """How one kind of number looks, and what its check digits say."""

    name: str
    pattern: re.Pattern[str]
    """Of its letters and digits, in capitals."""
    valid: Callable[[str], bool] = _always
    limits: Limits = ()
    loose: str = ""
    """The same without what must not stand before and after it."""
    written: re.Pattern[str] | None = None
    """How it stands in any text where it is distinct enough to be told without a name."""


def apart(pattern: str) -> re.Pattern[str]:
    """PATTERN where it is no part of a longer word, number or path."""
    return re.compile(rf"(?<![\w.\-/+])(?:{pattern})(?![\w\-/]|\.\w)")


def _form(
    name: str,
    pattern: str,
    valid: Callable[[str], bool] = _always,
    *,
    w: str = "",
    limits: Limits = (),
) -> Form:
    written = apart(w) if w else None
    return Form(
        name=name, pattern=re.compile(pattern), valid=valid, written=written, limits=limits, loose=w
    )


_MONTHS = tuple(f"{month:02}" for month in range(1, 13))
_DAYS = tuple(f"{day:02}" for day in range(1, 29))
_DAY, _MONTH = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"
FORMS: tuple[Form, ...] = (
    # United States, Social Security Administration: areas 000, 666 and 900 to 999 are not issued
    _form(
        "us-ssn",
        r"(?!000|666|9)\d{3}(?!00)\d\d(?!0000)\d{4}",
        w=r"(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}",
    ),
    # United Kingdom, HMRC manual NIM39110
    _form(
        "uk-nino",
        r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]",
        w=r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]",
    ),
    # Spain, Orden INT/2058/2008: DNI and NIE
    _form("es-dni", r"[XYZ\d]\d{7}[A-HJ-NP-TV-Z]", _dni, w=r"[XYZ\d]-?\d{7}-?[A-HJ-NP-TV-Z]"),
    # France, INSEE: sex, year, month, place, order, key
    _form(
        "fr-nir",
        r"[12]\d\d(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d\d|2[AB])\d{6}\d\d",
        _nir,
        limits=((0, ("1", "2")), (3, _MONTHS)),
        w=r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d",
    ),
    # Italy, DM 23/12/1976
    _form(
        "it-codice-fiscale",
        r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]",
        _codice_fiscale,
        limits=((8, tuple("ABCDEHLMPRST")), (9, _DAYS)),
        w=r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]",
    ),
    # Brazil, Receita Federal
    _form("br-cpf", r"\d{11}", _cpf, w=r"\d{3}\.\d{3}\.\d{3}-\d\d"),
    # India, UIDAI; PAN of the Income Tax Department, where P stands for a person
    _form("in-aadhaar", r"[2-9]\d{11}", verhoeff, w=r"[2-9]\d{3} \d{4} \d{4}"),
    _form(
        "in-pan", r"[A-Z]{3}P[A-Z]\d{4}[A-Z]", limits=((3, ("P",)),), w=r"[A-Z]{3}P[A-Z]\d{4}[A-Z]"
    ),
    # Germany, section 139b AO
    _form("de-steuer-id", r"[1-9]\d{10}", _steuer_id),
    # Switzerland, BSV: EAN-13 that begins with the country
    _form("ch-ahv", r"756\d{10}", _ahv, limits=((0, ("756",)),), w=r"756\.\d{4}\.\d{4}\.\d\d"),
    # Belgium, royal decree of 1984
    _form("be-rrn", r"\d{11}", _belgian, w=r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d"),
    # Sweden, Skatteverket SKV 704; Finland, DVV; Denmark, CPR-kontoret
    _form(
        "se-personnummer-12",
        rf"(?:19|20)\d\d{_MONTH}{_DAY}\d{{4}}",
        _personnummer,
        limits=((0, ("19",)), (4, _MONTHS), (6, _DAYS)),
        w=rf"(?:19|20)\d\d{_MONTH}{_DAY}[-+]\d{{4}}",
    ),
    _form(
        "se-personnummer",
        rf"\d\d{_MONTH}{_DAY}\d{{4}}",
        _personnummer,
        limits=((2, _MONTHS), (4, _DAYS)),
        w=rf"\d\d{_MONTH}{_DAY}[-+]\d{{4}}",
    ),
    _form(
        "fi-hetu",
        rf"{_DAY}{_MONTH}\d\d[A]?\d{{3}}[0-9A-FHJ-NPR-Y]",
        _hetu,
        limits=((0, _DAYS), (2, _MONTHS)),
        w=rf"{_DAY}{_MONTH}\d\d[-+A]\d{{3}}[0-9A-FHJ-NPR-Y]",
    ),
    _form(
        "dk-cpr",
        rf"{_DAY}{_MONTH}\d{{6}}",
        limits=((0, _DAYS), (2, _MONTHS)),
        w=rf"{_DAY}{_MONTH}\d\d-\d{{4}}",
    ),
    # Poland, MSWiA; the Netherlands, eleven test; United Kingdom, NHS data dictionary
    _form(
        "pl-pesel",
        rf"\d\d(?:[02468][1-9]|[13579][0-2]){_DAY}\d{{5}}",
        _pesel,
        limits=((2, _MONTHS), (4, _DAYS)),
    ),
    _form("nl-bsn", r"\d{9}", _bsn),
    _form("uk-nhs", r"\d{10}", _nhs),
    # Chile, Registro Civil; China, GB 11643; Mexico, RENAPO
    _form("cl-rut", r"\d{7,8}[\dK]", _rut, w=r"\d{1,2}\.\d{3}\.\d{3}-[\dK]"),
    _form(
        "cn-id",
        rf"\d{{6}}(?:19|20)\d\d{_MONTH}{_DAY}\d{{3}}[\dX]",
        _chinese,
        limits=((6, ("19",)), (10, _MONTHS), (12, _DAYS)),
        w=rf"\d{{6}}(?:19|20)\d\d{_MONTH}{_DAY}\d{{3}}[\dX]",
    ),
    _form(
        "mx-curp",
        rf"[A-Z]{{4}}\d\d{_MONTH}{_DAY}[HMX][A-Z]{{5}}[A-Z\d]\d",
        limits=((6, _MONTHS), (8, _DAYS), (10, ("H", "M", "X"))),
        w=rf"[A-Z]{{4}}\d\d{_MONTH}{_DAY}[HMX][A-Z]{{5}}[A-Z\d]\d",
    ),
)
"""National numbers of persons; where several fit, the first one says how its token is made."""


def form_of(plain: str) -> Form | None:
    """The form that PLAIN, letters and digits alone, has; None for any other."""
    for form in FORMS:
        if form.pattern.fullmatch(plain) and form.valid(plain):
            return form
    return None


def classes(mapping: dict[int, int]) -> bytes:
    """A translation table: characters to a letter for their class, all else to a point."""
    table = bytearray(b"." * 256)
    for char, letter in mapping.items():
        table[char] = letter
    return bytes(table)


NUMBER_CLASSES = classes(
    dict.fromkeys(b"0123456789", ord("d"))
    | dict.fromkeys(b" -", ord("s"))
    | {ord("."): ord("p")}
    | dict.fromkeys(range(ord("A"), ord("Z") + 1), ord("u"))
)
"""d: digit, s: blank or hyphen, u: capital letter, p: point."""
_SHAPES = (
    b"dddsddsdddd",
    b"uudddddd",
    b"uuddsdd",
    b"uusdd",
    b"uudduddu",
    b"uuuudddddd",
    b"dddddddu",
    b"dsdddddddsu",
    b"dddddddsu",
    b"usddddddd",
    b"d" * 15,
    b"dsddsdd",
    b"ddsddsdddsddd",
    b"dddpddds",
    b"dddpdddpddds",
    b"ddddsddddsdddd",
    b"uuuuudddd",
    b"dddpddddp",
    b"ddpddpdds",
    b"ddddddsdddd",
    b"dddddd.dddd",
    b"ddddddsddd",
    b"dddddduddd",
    b"dpdddpddds",
)
"""One of these stands in every number that a form of `FORMS` tells without a name."""
_SHORT = 32


def may_hold_form(text: str) -> bool:
    """A number that a form of `FORMS` tells without a name may stand in TEXT."""
    if len(text) <= _SHORT:
        return True
    shapes = text.encode("latin-1", "replace").translate(NUMBER_CLASSES)
    return any(shape in shapes for shape in _SHAPES)
