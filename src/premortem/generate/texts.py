"""Texts that a schema allows: of a format, a pattern, a length; and formats at their limits."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.domain.shape import Branch
from premortem.generate.patterns import text_of_pattern

TEXT_MAX = 10_000
"""Longest text that is made to reach a declared length."""
UNICODE = "Zoë Ünï 中文 ✓ "
"""Letters of two, three bytes and of two words; none outside the basic plane."""

FORMATS: dict[str, tuple[str, ...]] = {
    "date": ("2024-02-29", "2023-12-31", "2024-01-01", "1999-12-31"),
    "date-time": (
        "2024-02-29T12:00:00Z",
        "2023-12-31T23:59:59Z",
        "2024-01-01T00:00:00+14:00",
        "2024-06-30T10:20:30.123456Z",
        "2024-06-30T10:20:30-12:00",
    ),
    "time": ("10:20:30Z", "23:59:59Z", "00:00:00+01:00"),
    "duration": ("P1D", "PT1S", "P1Y2M3DT4H5M6S"),
    "email": ("ann.example@example.com", "a@example.org", "first.last+tag@sub.example.com"),
    "idn-email": ("ann.example@example.com",),
    "hostname": ("example.com", "a.example.org", "xn--bcher-kva.example"),
    "idn-hostname": ("example.com",),
    "ipv4": ("203.0.113.7", "192.0.2.255", "198.51.100.0"),
    "ipv6": ("2001:db8::1", "2001:db8:0:0:0:0:0:ffff", "::1"),
    "uri": ("https://example.com/a", "https://example.com:8443/a/b?c=d&e=%20#f", "urn:isbn:0"),
    "uri-reference": ("/a/b", "https://example.com/a"),
    "iri": ("https://example.com/a",),
    "iri-reference": ("/a",),
    "uri-template": ("https://example.com/{id}",),
    "uuid": ("7f9c24e5-2d3f-4f7e-9d0a-0b6f3b6f6c11", "00000000-0000-4000-8000-000000000000"),
    "json-pointer": ("/a/b", ""),
    "relative-json-pointer": ("0", "1/a"),
    "regex": ("^a+$", "[a-z]*"),
    "byte": ("aGVsbG8=",),
}
"""Valid texts by format, an ordinary one first; the others are at a limit (a leap day, the last
second of a year, the widest zone)."""

WRONG: dict[str, tuple[str, ...]] = {
    "date": ("2023-02-29", "2024-13-01", "not-a-date", "2024-1-5"),
    "date-time": ("2024-13-45T99:00:00Z", "2023-02-29T12:00:00Z", "yesterday"),
    "time": ("25:00:00Z", "noon"),
    "duration": ("one day", "P"),
    "email": ("no-at-sign", "@", "a@"),
    "idn-email": ("no-at-sign",),
    "hostname": ("-not-a-host-", "a..b"),
    "idn-hostname": ("-not-a-host-",),
    "ipv4": ("999.1.1.1", "1.2.3"),
    "ipv6": ("2001:db8::zzzz", "1:2:3"),
    "uri": ("not a uri", "://"),
    "uri-reference": ("not a \\ uri",),
    "iri": ("not an iri",),
    "uri-template": ("{",),
    "uuid": ("not-a-uuid", "00000000-0000-0000-0000-00000000000g"),
    "json-pointer": ("a~2b",),
    "relative-json-pointer": ("/a",),
    "regex": ("(", "[a"),
}
"""Texts that are not of a format."""


def texts(branch: Branch, length: int | None = None) -> Iterator[str]:
    """Candidates for a text that BRANCH allows, of LENGTH where one is given; some may not fit."""
    low = min(int(branch.get("minLength", 0)), TEXT_MAX)
    high = int(branch.get("maxLength", max(low, 12)))
    wanted = length if length is not None else max(low, min(high, 8))
    pattern = branch.get("pattern")
    if isinstance(pattern, str):
        for turn in range(4):
            made = text_of_pattern(pattern, wanted, turn=turn)
            if made is not None:
                yield made
                yield padded(made, wanted)
    form = branch.get("format")
    if isinstance(form, str) and form in FORMATS:
        for text in FORMATS[form]:
            yield text if length is None else stretched(text, form, length)
    yield padded("abcdefgh"[: max(0, wanted)], wanted)
    yield padded("1", wanted)
    yield padded("aA1!", wanted)


def padded(text: str, length: int) -> str:
    """TEXT cut or repeated to LENGTH characters."""
    if length <= 0:
        return ""
    return ((text or "x") * (length // max(1, len(text)) + 1))[: min(length, TEXT_MAX + 1)]


def unicode_text(length: int) -> str:
    """LENGTH characters, few of them ASCII; no space at either end."""
    text = padded(UNICODE, length)
    return text[:-1] + "é" if text.endswith(" ") else text


def stretched(text: str, form: str, length: int) -> str:
    """TEXT of format FORM made as long as LENGTH where the format allows any length."""
    more = length - len(text)
    if more <= 0:
        return text
    if form in ("email", "idn-email"):
        name, _, host = text.rpartition("@")
        label = "a" * min(more, 64 - len(name))
        rest = more - len(label)
        labels = "".join(f"{'b' * min(60, rest - i - 1)}." for i in range(0, max(0, rest - 1), 61))
        return f"{name}{label}@{labels}{host}"
    if form in ("uri", "uri-reference", "iri", "iri-reference", "json-pointer"):
        return text + "/" * (not text.endswith("/")) + "a" * (more - (not text.endswith("/")))
    return text
