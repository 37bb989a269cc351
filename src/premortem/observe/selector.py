"""Which series of a metric are meant: `http_requests_total{job="api", code=~"5.."}`.

Source: Prometheus, "Querying basics", time series selectors. Names and labels may have the dots
that OpenTelemetry gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

TEXT_CHARS_MAX = 2_000
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:./-]*")
_LABEL = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*")
_OPERATOR = re.compile(r"=~|!~|!=|=")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
"""A label's value as all the formats write it."""
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def unquoted(text: str) -> str:
    """What stands between quotes, without its escapes."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[0]), text)


class Matcher(Struct, frozen=True, kw_only=True):
    """What a label has to be; a label that is not there is empty."""

    label: str
    operator: str
    """`=`, `!=`, `=~` or `!~`; regular expressions are matched from end to end."""
    value: str

    def __call__(self, labels: Mapping[str, str]) -> bool:
        """Whether LABELS are such."""
        found = labels.get(self.label, "")
        same = (
            re.fullmatch(self.value, found) is not None
            if self.operator.endswith("~")
            else found == self.value
        )
        return same is not self.operator.startswith("!")


class Selector(Struct, frozen=True, kw_only=True):
    """A metric's name and what its labels have to be."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether a series of this name with LABELS is meant."""
        return all(matcher(labels) for matcher in self.matchers)


def parse_selector(text: str) -> Selector:
    """TEXT as a selector. Raises ValueError, which says where it goes wrong."""
    if len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"longer than {TEXT_CHARS_MAX} characters")
    text = text.strip()
    name = _NAME.match(text)
    if name is None:
        raise ValueError(f'{text[:80]!r} names no metric; write it like cpu_seconds{{job="api"}}')
    rest = text[name.end() :].strip()
    if not rest:
        return Selector(name=name[0])
    if not (rest.startswith("{") and rest.endswith("}")):
        raise ValueError(f"{rest[:80]!r} after {name[0]}: labels stand in braces")
    return Selector(name=name[0], matchers=tuple(_matchers(rest[1:-1])))


def _matchers(text: str) -> Iterator[Matcher]:
    place = 0
    while text[place:].strip():
        label = _LABEL.match(text, place)
        operator = _OPERATOR.match(text, label.end()) if label else None
        start = operator.end() if operator else place
        while start < len(text) and text[start] == " ":
            start += 1
        quoted = QUOTED.match(text, start)
        if label is None or operator is None or quoted is None:
            raise ValueError(f'{text[place:][:80]!r}: write labels like job="api", code=~"5.."')
        value = unquoted(quoted[1])
        if operator[0].endswith("~"):
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"{value!r} is no regular expression: {error}") from None
        yield Matcher(label=label[1], operator=operator[0], value=value)
        rest = text[quoted.end() :].lstrip()
        if rest and not rest.startswith(","):
            raise ValueError(f"{rest[:80]!r}: a comma has to stand between labels")
        place = len(text) - len(rest) + 1 if rest else len(text)
