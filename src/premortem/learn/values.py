"""What was seen at one value position: types, formats, lengths, quantiles, frequent values."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from premortem.domain.histogram import as_bins, bin_of
from premortem.domain.places import Place
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import VALUES_MAX, Field, Numbers
from premortem.learn.lexical import value_format

DISTINCT_MAX = 2000
"""Distinct values counted per field; beyond it only those already known are."""
NUMBERS_MAX = 2048
"""Numbers kept per field for its quantiles: every n-th, so that all of the traffic counts."""
NUMBER_MAX = 1e300
"""Larger ones count as this one: differences of quantiles must stay finite."""
VALUE_LENGTH_MAX = 512
"""Longer texts are measured, not kept."""
DECIMALS_MAX = 9
ENUMERATION_MAX = 24
"""Distinct values of a closed set."""
ENUMERATION_SEEN_MIN = 10
ENUMERATION_REPEATS_MIN = 3
"""Times a value of a closed set was seen on average."""
UNSEEN_SHARE_MAX = 0.1
"""Estimated chance that the next value is a new one: values seen once over all values seen
(Good 1953, The population frequencies of species, Biometrika 40)."""
QUANTILES = 21

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,14})")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})\.\d{1,9}")
_WIDER = {
    frozenset({"hex", "digits"}): "hex",
    frozenset({"token", "digits"}): "token",
    frozenset({"token", "hex"}): "token",
    frozenset({"token", "uuid"}): "token",
}


class Sampled:
    """Numbers thinned evenly: every `stride`-th of all that came, at most NUMBERS_MAX."""

    __slots__ = ("_count", "_stride", "kept")

    def __init__(self) -> None:
        self.kept: list[float] = []
        self._stride = 1
        self._count = 0

    def add(self, number: float) -> None:
        """Count NUMBER, and keep it if it is its turn."""
        if self._count % self._stride == 0:
            self.kept.append(max(-NUMBER_MAX, min(NUMBER_MAX, number)))
            if len(self.kept) >= NUMBERS_MAX:
                self.kept = self.kept[::2]
                self._stride *= 2
        self._count += 1


class Scalars:
    """The scalar values of one place."""

    __slots__ = (
        "_format",
        "_others",
        "_strings",
        "bins",
        "decimals",
        "distinct_max",
        "length_max",
        "length_min",
        "numbers",
        "redacted",
        "types",
    )

    def __init__(self, *, distinct_max: int = DISTINCT_MAX) -> None:
        self.types: Counter[str] = Counter()
        self.redacted = 0
        self.length_min = -1
        self.length_max = 0
        self.decimals = 0
        self.numbers: Sampled | None = None
        self.bins: dict[int, int] = {}
        self.distinct_max = distinct_max
        self._format: str | None = None
        self._strings: dict[str, int] = {}
        self._others: dict[str, int] = {}

    def add(self, value: Any) -> None:
        """Take in one JSON scalar."""
        if isinstance(value, str):
            self._add_text(value)
        elif value is None:
            self.types["null"] += 1
        elif isinstance(value, bool):
            self.types["boolean"] += 1
            self._count(self._others, "true" if value else "false")
        else:
            self._add_number(value, repr(value))

    def add_text(self, text: str) -> None:
        """Take in a text of a path, query, header or form, typed by what it parses as."""
        if _INTEGER.fullmatch(text):
            self._add_number(int(text), text)
        elif _NUMBER.fullmatch(text):
            self._add_number(float(text), text)
        elif text in ("true", "false"):
            self.types["boolean"] += 1
            self._count(self._others, text)
        else:
            self._add_text(text)

    def _add_number(self, number: float, text: str) -> None:
        self.types["integer" if isinstance(number, int) else "number"] += 1
        if self.numbers is None:
            self.numbers = Sampled()
        self.numbers.add(number)
        place = bin_of(number)
        self.bins[place] = self.bins.get(place, 0) + 1
        if "." in text and "e" not in text:
            self.decimals = max(self.decimals, len(text) - text.index(".") - 1)
        self._count(self._others, text)

    def _add_text(self, text: str) -> None:
        self.types["string"] += 1
        length = len(text)
        self.length_max = max(self.length_max, length)
        if self.length_min < 0 or length < self.length_min:
            self.length_min = length
        if holds_token(text):
            self.redacted += 1
            return
        if text and self._format != "":
            form = value_format(text) if length <= VALUE_LENGTH_MAX else ""
            if self._format is None or form == self._format:
                self._format = form
            else:
                self._format = wider_format(form, self._format)
        if length <= VALUE_LENGTH_MAX:
            self._count(self._strings, text)

    def _count(self, counts: dict[str, int], key: str) -> None:
        known = counts.get(key)
        if known is not None:
            counts[key] = known + 1
        elif len(counts) < self.distinct_max:
            counts[key] = 1

    @property
    def format(self) -> str:
        """As `Field.format` names it."""
        return self._format or ""

    def counts(self) -> dict[str, int]:
        """JSON text of every value that is known -> how often it came; redacted ones are not."""
        texts = {json.dumps(text, ensure_ascii=False): n for text, n in self._strings.items()}
        return texts | self._others

    @property
    def total(self) -> int:
        """Values taken in."""
        return sum(self.types.values())

    def field(self, place: Place, *, seen: int, presence: float, values_max: int) -> Field:
        """The Field of PLACE; `seen` and `presence` as Field says, VALUES_MAX values at most."""
        pool = sorted(self.counts().items(), key=lambda pair: (-pair[1], pair[0]))
        return Field(
            place=place,
            seen=seen,
            presence=presence,
            types=dict(sorted(self.types.items())),
            format=self._format or "",
            length_min=max(self.length_min, 0),
            length_max=self.length_max,
            numbers=self._quantiles(),
            values=tuple(pool[: min(values_max, VALUES_MAX)]),
            distinct=len(pool),
            enumeration=self._closed([n for _, n in pool]),
            redacted=self.redacted > 0,
        )

    def _quantiles(self) -> Numbers | None:
        if self.numbers is None:
            return None
        ordered = sorted(self.numbers.kept)
        top = len(ordered) - 1
        points = []
        for step in range(QUANTILES):
            low, part = divmod(top * step, QUANTILES - 1)
            high = min(low + 1, top)
            share = part / (QUANTILES - 1)
            points.append(float(ordered[low] + (ordered[high] - ordered[low]) * share))
        return Numbers(
            quantiles=tuple(points),
            integral=not self.types["number"],
            decimals=min(self.decimals, DECIMALS_MAX),
            bins=as_bins(self.bins),
        )

    def _closed(self, counts: list[int]) -> bool:
        return not (self.redacted or self._format) and closed_set(counts, self.types)


def closed_set(counts: Sequence[int], types: Mapping[str, int]) -> bool:
    """Whether values that came COUNTS times, of TYPES, look like a closed set."""
    seen = sum(counts)
    if not counts or len(counts) > ENUMERATION_MAX:
        return False
    if types.get("number") or set(types) <= {"boolean", "null"}:
        return False
    once = sum(n == 1 for n in counts)
    enough = seen >= max(ENUMERATION_SEEN_MIN, ENUMERATION_REPEATS_MIN * len(counts))
    return enough and once <= UNSEEN_SHARE_MAX * seen


def wider_format(a: str, b: str) -> str:
    """The format that values of both A and B have; empty when there is none."""
    return a if a == b else _WIDER.get(frozenset({a, b}), "")
