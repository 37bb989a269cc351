"""Invented secrets and personal data of the right shape: no real person's, no working key.

Everything is drawn from one seed per kind, so that the corpus is the same on every machine.
Tokens of known providers are put together from parts: no line of this file looks like one.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from itertools import count

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
B64 = ALNUM + "+/"
URL64 = ALNUM + "-_"

FIRST = [
    "Ilvara",
    "Tomek",
    "Sunniva",
    "Bartholo",
    "Maelys",
    "Dragan",
    "Oighrig",
    "Yaroslava",
    "Keoni",
    "Anneliese",
    "Thibault",
    "Zuzanna",
    "Farouk",
    "Nerea",
    "Caoimhe",
    "Björn",
    "Šárka",
    "Łukasz",
    "Inês",
    "Håkon",
    "Zoë",
    "Émilie",
    "Øystein",
    "Ağça",
]
LAST = [
    "Quillmere",
    "Wodzinsky",
    "Harfjeld",
    "Castellonga",
    "Brindlemoor",
    "Vashchenko",
    "Okwuosa",
    "Lindqvarn",
    "Tessaroli",
    "Pfeffermann",
    "Dubrowicz",
    "Hallgrimsen",
    "Estevanez",
    "Marchbanke",
    "Iwanowitz",
    "Sørbekk",
    "Müllerich",
    "Garçonnet",
    "Nuñezal",
    "Ó'Dalaigh",
    "Żelaznow",
    "Kovačik",
    "Åströmer",
    "Benítezo",
]
STREETS = (
    "Thistlewick Lane",
    "Kastanienwinkel",
    "rue des Trois Moulinets",
    "Calle Almendrillo",
    "Brodzka Zatoka",
    "Via del Pozzetto",
    "Old Tannery Row",
    "Nordre Fjæregate",
)
WORDS = [
    "otter",
    "maple",
    "cobalt",
    "lantern",
    "ferry",
    "gravel",
    "saffron",
    "walrus",
    "pepper",
    "glacier",
    "thimble",
    "rocket",
]
MAIL_HOSTS = (
    "ostermark.example",
    "mail.fjordpost.example",
    "example.org",
    "brisk.example.net",
    "bücherwurm.example",
    "corp.example.com",
)


def luhn(prefix: str, length: int, rng: random.Random) -> str:
    """PREFIX filled with digits to LENGTH so that the Luhn sum is 0 (ISO/IEC 7812-1)."""
    digits = prefix + "".join(rng.choices(string.digits, k=length - len(prefix) - 1))
    total = 0
    for index, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if index % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return digits + str(-total % 10)


def iban(country: str, bban: str) -> str:
    """The IBAN of BBAN with its check digits (ISO 13616)."""
    number = "".join(str(int(c, 36)) for c in bban + country + "00")
    return f"{country}{98 - int(number) % 97:02d}{bban}"


def _text(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choices(alphabet, k=length))


def _digits(rng: random.Random, length: int) -> str:
    return str(rng.randint(1, 9)) + _text(rng, string.digits, length - 1)


def _card(rng: random.Random, index: int) -> str:
    prefix, length = (
        ("400012", 16),
        ("555512", 16),
        ("378212", 15),
        ("601112", 16),
        ("353012", 16),
        ("305612", 14),
    )[index % 6]
    return luhn(prefix, length, rng)


def _card_spaced(rng: random.Random, index: int) -> str:
    digits = luhn("400000" if index % 2 else "222112", 16, rng)
    return ("-" if index % 3 == 2 else " ").join(digits[i : i + 4] for i in range(0, 16, 4))


def _iban(rng: random.Random, index: int) -> str:
    country, letters, digits = (
        ("DE", 0, 18),
        ("GB", 4, 14),
        ("NL", 4, 10),
        ("FR", 0, 23),
        ("ES", 0, 20),
        ("PL", 0, 24),
        ("NO", 0, 11),
        ("CH", 0, 17),
        ("AT", 0, 16),
        ("BE", 0, 12),
    )[index % 10]
    made = iban(country, _text(rng, string.ascii_uppercase, letters) + _digits(rng, digits))
    return " ".join(made[i : i + 4] for i in range(0, len(made), 4)) if index % 4 == 3 else made


def _email(rng: random.Random, index: int) -> str:
    first, last = rng.choice(FIRST).lower(), rng.choice(LAST).lower().replace("'", "")
    local = (f"{first}.{last}", f"{first[0]}{last}{index}", f"{first}+orders{index}", last)[
        index % 4
    ]
    return f"{local}{index if index % 4 in (0, 3) else ''}@{MAIL_HOSTS[index % 6]}"


def _phone(rng: random.Random, index: int) -> str:
    two, three = f"{rng.randint(10, 99)}", f"{rng.randint(100, 999)}"
    return (
        f"+1202555{two}{three[0]}{three[1]}",
        f"(212) 555-01{two}",
        f"+44 20 7946 0{three}",
        f"020 7946 0{three}",
        f"+493023125{three}",
        f"030 / 23125 {three}",
        f"+33 1 99 00 {two} {three[:2]}",
        f"01 99 00 {two} {three[1:]}",
        f"+34 600 {three} 0{two}",
        f"+5511955{three}{two}",
    )[index % 10]


def _steuer_id(rng: random.Random) -> str:
    digits = "".join(rng.sample("123456789", 8)) + "0"
    digits = digits + digits[rng.randint(0, 7)]
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return digits + str((11 - product) % 10)


def _nir(rng: random.Random) -> str:
    year, month = rng.randint(50, 99), rng.randint(1, 12)
    place, order = rng.randint(100, 999), rng.randint(100, 999)
    number = f"{rng.randint(1, 2)}{year}{month:02d}75{place}{order}"
    return f"{number}{97 - int(number) % 97:02d}"


def _cpf(rng: random.Random) -> str:
    digits = [int(c) for c in _digits(rng, 9)]
    for _ in range(2):
        rest = sum(d * w for d, w in zip(digits, range(len(digits) + 1, 1, -1), strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def _aadhaar(rng: random.Random) -> str:
    """Twelve digits whose last is a Verhoeff check digit (Verhoeff 1969)."""

    def times(a: int, b: int) -> int:
        if a < 5 and b < 5:
            return (a + b) % 5
        if a < 5:
            return (a + b - 5) % 5 + 5
        return (a - b) % 5 + (5 if b < 5 else 0)

    permutation = [list(range(10))]
    for _ in range(7):
        permutation.append([permutation[-1][i] for i in (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)])
    digits = str(rng.randint(2, 9)) + _text(rng, string.digits, 10)
    state = 0
    for index, digit in enumerate(reversed(digits), start=1):
        state = times(state, permutation[index % 8][int(digit)])
    check = next(c for c in range(10) if times(state, c) == 0)
    text = digits + str(check)
    return f"{text[:4]} {text[4:8]} {text[8:]}"


def _national(kind: str) -> Callable[[random.Random, int], str]:
    def dni(rng: random.Random) -> str:
        number = int(_digits(rng, 8))
        return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"

    def ssn(rng: random.Random) -> str:
        return f"{rng.randint(101, 665)}-{rng.randint(11, 99)}-{rng.randint(1001, 9999)}"

    def nino(rng: random.Random) -> str:
        d = _digits(rng, 6)
        first, second, last = rng.choice("ABCEGHJ"), rng.choice("ABCEHJK"), rng.choice("ABCD")
        return f"{first}{second} {d[:2]} {d[2:4]} {d[4:]} {last}"

    made = {
        "ssn": ssn,
        "nino": nino,
        "steuer_id": _steuer_id,
        "nir": _nir,
        "dni": dni,
        "cpf": _cpf,
        "aadhaar": _aadhaar,
    }[kind]
    return lambda rng, _: made(rng)


def _provider(rng: random.Random, index: int) -> str:
    makers: tuple[Callable[[], str], ...] = (
        lambda: "gh" + "p_" + _text(rng, ALNUM, 36),
        lambda: "xo" + f"xb-{_digits(rng, 12)}-{_digits(rng, 12)}-" + _text(rng, ALNUM, 24),
        lambda: "sk" + "_li" + "ve_" + _text(rng, ALNUM, 24),
        lambda: "AK" + "IA" + _text(rng, string.ascii_uppercase + "234567", 16),
        lambda: "AI" + "za" + _text(rng, URL64, 35),
        lambda: _text(rng, B64, 86) + "==",
        lambda: "S" + "K" + _text(rng, HEX, 32),
        lambda: "np" + "m_" + _text(rng, ALNUM, 36),
        lambda: "py" + "pi-" + "AgEIcHlwaS5vcmc" + _text(rng, URL64, 70),
        lambda: "gl" + "pat-" + _text(rng, URL64, 20),
        lambda: "S" + "G." + _text(rng, URL64, 22) + "." + _text(rng, URL64, 43),
        lambda: _text(rng, B64, 40),
    )
    return makers[index % len(makers)]()


def _segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _jwt(rng: random.Random, index: int) -> str:
    head = {"alg": ("HS256", "RS256", "ES256")[index % 3], "typ": "JWT"}
    body = {"sub": str(rng.randint(10**5, 10**6)), "iat": 1730000000 + index, "scope": "orders"}
    return f"{_segment(head)}.{_segment(body)}.{_text(rng, URL64, 86 if index % 2 else 43)}"


def _pem(rng: random.Random, index: int) -> str:
    label = ("PRIVATE", "RSA PRIVATE", "EC PRIVATE", "OPENSSH PRIVATE")[index % 4] + " KEY"
    lines = [_text(rng, B64, 64) for _ in range(6)] + [_text(rng, B64, 38) + "=="]
    return "\n".join(["-----" + f"BEGIN {label}-----", *lines, f"-----END {label}" + "-----"])


def _password(rng: random.Random, index: int) -> str:
    a, b, c = rng.sample(WORDS, 3)
    n = rng.randint(10, 99)
    shape = (f"{a.title()}{b}{n}!", f"{a}-{b}-{c}-{n}", f"{n}{c.upper()}#{a}", f"{b}{c}{n}{index}")
    return shape[index % 4]


def _ip(rng: random.Random, index: int) -> str:
    if index % 5 == 4:
        return f"2001:db8:{rng.randint(4096, 65535):x}::{rng.randint(4096, 65535):x}"
    return f"{('203.0.113', '198.51.100', '192.0.2')[index % 3]}.{index + 10}"


def _device(rng: random.Random, index: int) -> str:
    raw = _text(rng, HEX, 32)
    uuid = f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}".upper()
    mac = ":".join(raw[i : i + 2] for i in range(0, 12, 2))
    return (uuid, luhn("354900", 15, rng), mac, raw[:16])[index % 4]


MAKERS: dict[str, Callable[[random.Random, int], str]] = {
    "email": _email,
    "phone": _phone,
    "card": _card,
    "card_spaced": _card_spaced,
    "iban": _iban,
    "provider": _provider,
    "jwt": _jwt,
    "pem": _pem,
    "password": _password,
    "token": lambda rng, i: _text(rng, ALNUM, 20 + i * 7 % 45),
    "hex": lambda rng, i: _text(rng, HEX, (32, 40, 64)[i % 3]),
    "pin": lambda rng, i: _digits(rng, 4 + i % 3),
    "ip": _ip,
    "device": _device,
    "first": lambda rng, i: FIRST[i % len(FIRST)] + ("" if i < len(FIRST) else "-Rue"),
    "last": lambda rng, i: LAST[i % len(LAST)] + ("" if i < len(LAST) else "-Holm"),
    "name": lambda rng, i: f"{FIRST[(i * 7 + 3) % len(FIRST)]} {LAST[(i * 5 + 1) % len(LAST)]}",
    "street": lambda rng, i: f"{STREETS[i % 8]} {rng.randint(101, 989)}",
    "born": lambda rng, i: (
        f"19{rng.randint(40, 99)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    ),
    "lat": lambda rng, i: f"{rng.uniform(36, 60):.4f}1",
    "lon": lambda rng, i: f"{rng.uniform(2, 30):.4f}3",
    **{k: _national(k) for k in ("ssn", "nino", "steuer_id", "nir", "dni", "cpf", "aadhaar")},
}
SECRET = {"provider", "jwt", "pem", "token", "hex"}
CREDENTIAL = {"password", "pin"}


def class_of(kind: str) -> str:
    """`secret`, `credential` or `personal`."""
    return "secret" if kind in SECRET else "credential" if kind in CREDENTIAL else "personal"


def supply(seed: str, *, distinct_max: int = 10_000) -> Callable[[str], str]:
    """A function that gives the next invented value of a kind, never the same twice."""
    streams: dict[str, Iterator[str]] = {}
    given: set[str] = set()

    def stream(kind: str) -> Iterator[str]:
        rng = random.Random(f"{seed}/{kind}")
        for index in count():
            if index > distinct_max:
                raise AssertionError(f"no further {kind}")
            value = MAKERS[kind](rng, index)
            if value not in given:
                given.add(value)
                yield value

    return lambda kind: next(streams.setdefault(kind, stream(kind)))
