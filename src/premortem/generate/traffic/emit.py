"""Tokens -> values, a column at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.random import Generator

from premortem.domain.shape import Branch, Shape
from premortem.domain.traffic import Field
from premortem.domain.traffic_model import Column, Token
from premortem.generate import fresh
from premortem.generate.columns import leaf
from premortem.generate.fresh import Draw
from premortem.generate.traffic.texts import Writer
from premortem.generate.traffic.tokens import DIGIT, NOTHING_THERE, day_text, digest

TEXT_MAX = 2_000
WIDE = 3.0
"""From so many times its lower end on, a range is wide."""
TRIES_MAX = 4
"""Draws of a number that nobody alone sent, before the nearest such one is looked for."""
NEAR_MAX = 200
"""Steps from a number to the nearest one that nobody alone sent."""
LENGTH_MORE = 8
"""Characters by which a new text may be longer than all recorded ones."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the values of one row may refer to."""

    day: int
    """Of the request it starts from, counted from the epoch."""
    told: Mapping[str, Any]


class Emitter:
    """Makes the values of one column."""

    def __init__(self, column: Column, field: Field | None, shape: Shape | None) -> None:
        self.column = column
        self._seen = frozenset(column.seen)
        self._writer = Writer(column.texts, self._is_seen) if column.texts is not None else None
        self._atoms = [
            msgspec.json.decode(t.text) if t.kind == "atom" else None for t in column.tokens
        ]
        ranges = [t for t in column.tokens if t.kind == "number"]
        self._low = min((t.low for t in ranges), default=0.0)
        self._high = max((t.high for t in ranges), default=0.0)
        self._longest = _longest(field, shape)
        self._new = _new_draw(field, shape)
        self._suffixes = [text for text, _ in column.suffixes] or [""]
        weights = np.array([float(n) for _, n in column.suffixes] or [1.0])
        self._suffix_shares = weights / weights.sum()

    def values(self, tokens: Sequence[int], known: Sequence[Known], rng: Generator) -> list[Any]:
        """What each of TOKENS becomes in its row."""
        out: list[Any] = [None] * len(tokens)
        rows: dict[int, list[int]] = {}
        for row, token in enumerate(tokens):
            rows.setdefault(token, []).append(row)
        for index, where in rows.items():
            made = self._made(index, [known[row] for row in where], rng)
            for row, value in zip(where, made, strict=True):
                out[row] = value
        return out

    def _made(self, index: int, known: Sequence[Known], rng: Generator) -> list[Any]:
        token, count = self.column.tokens[index], len(known)
        if token.kind == "absent":
            return [NOTHING_THERE] * count
        if token.kind == "atom":
            return self._whole(self._atoms[index], known)
        if token.kind == "number":
            return self._numbers(token, known, rng)
        if token.kind == "pattern":
            return [self._refilled(token, rng) for _ in known]
        if token.kind == "day":
            return self._days(token, known, rng)
        if token.kind == "copy":
            return [self._copied(one.told.get(token.text, NOTHING_THERE)) for one in known]
        if token.kind == "text":
            return self._texts(count, rng)
        made = self._new(rng, count) if self._new is not None else [NOTHING_THERE] * count
        return list(made)

    def _whole(self, value: Any, known: Sequence[Known]) -> list[Any]:
        if (
            not self.column.relative
            or isinstance(value, bool)
            or not isinstance(value, int | float)
        ):
            return [value] * len(known)
        return [self._share(one, float(value)) for one in known]

    def _share(self, known: Known, share: float) -> Any:
        limit = known.told.get(self.column.relative)
        if not isinstance(limit, int | float) or isinstance(limit, bool):
            return NOTHING_THERE
        return limit if share == 1.0 else self._written(limit * share)

    def _copied(self, value: Any) -> Any:
        return self._written(value) if isinstance(value, float) else value

    def _written(self, number: float) -> Any:
        rounded = round(number, self.column.decimals)
        return int(rounded) if rounded.is_integer() and self.column.whole else rounded

    def _refilled(self, token: Token, rng: Generator) -> str:
        """The pattern with digits: one number within its range, several as they come."""
        text = ""
        for _ in range(TRIES_MAX):
            if token.high > 0:
                count = token.text.count(DIGIT)
                number = str(int(rng.integers(int(token.low), int(token.high) + 1))).zfill(count)
                text = token.text.replace(DIGIT * count, number)
            else:
                digits = iter(rng.integers(10, size=len(token.text)).tolist())
                text = "".join(str(next(digits)) if c == DIGIT else c for c in token.text)
            if not self._is_seen(text):
                break
        return text

    def _is_seen(self, value: Any) -> bool:
        return digest(value) in self._seen

    def _numbers(self, token: Token, known: Sequence[Known], rng: Generator) -> list[Any]:
        if self.column.relative:
            points = rng.uniform(token.low, token.high, len(known)).tolist()
            return [self._share(one, point) for one, point in zip(known, points, strict=True)]
        made: list[Any] = [NOTHING_THERE] * len(known)
        rows = list(range(len(known)))
        for _ in range(TRIES_MAX):
            for row, number in zip(rows, self._drawn(token, len(rows), rng), strict=True):
                made[row] = number
            rows = [row for row in rows if self._is_seen(made[row])]
            if not rows:
                break
        for row in rows:
            made[row] = self._unseen(made[row], token)
        return made

    def _unseen(self, number: float, token: Token) -> Any:
        """The number nearest to NUMBER, in steps of TOKEN's, that nobody alone sent; NUMBER where
        there is none. Of a narrow range every number may have been sent by somebody alone."""
        step = next((step for step, _ in token.steps if step > 0), 10.0**-self.column.decimals)
        for away in range(1, NEAR_MAX + 1):
            for near in (number + away * step, number - away * step):
                written = self._written(near)
                if self._low <= near <= self._high and not self._is_seen(written):
                    return written
        return number

    def _drawn(self, token: Token, count: int, rng: Generator) -> list[Any]:
        points = _points(token, count, rng)
        steps = [step for step, _ in token.steps]
        weights = np.array([float(n) for _, n in token.steps])
        picked = rng.choice(len(steps), size=count, p=weights / weights.sum()).tolist()
        return [
            self._written(_on_step(point, steps[i], token))
            for point, i in zip(points, picked, strict=True)
        ]

    def _days(self, token: Token, known: Sequence[Known], rng: Generator) -> list[Any]:
        offsets = rng.integers(int(token.low), int(token.high) + 1, len(known)).tolist()
        ends = rng.choice(len(self._suffixes), size=len(known), p=self._suffix_shares).tolist()
        return [
            day_text(one.day + offset) + self._suffixes[end]
            for one, offset, end in zip(known, offsets, ends, strict=True)
        ]

    def _texts(self, count: int, rng: Generator) -> list[Any]:
        if self._writer is None:
            return [NOTHING_THERE] * count
        made: list[Any] = [self._writer.write(rng, self._longest) for _ in range(count)]
        empty = [row for row, text in enumerate(made) if not text]
        if empty and self._new is not None:
            for row, text in zip(empty, self._new(rng, len(empty)), strict=True):
                made[row] = text
        return made


def _points(token: Token, count: int, rng: Generator) -> list[float]:
    """Numbers within TOKEN's range; a wide one is drawn by order of magnitude, as amounts lie."""
    if token.low > 0 and token.high > WIDE * token.low:
        wide: list[float] = np.exp(
            rng.uniform(np.log(token.low), np.log(token.high), count)
        ).tolist()
        return wide
    points: list[float] = rng.uniform(token.low, token.high, count).tolist()
    return points


def _on_step(point: float, step: float, token: Token) -> float:
    """The multiple of STEP next to POINT within TOKEN's range."""
    if step <= 0:
        return point
    number = round(point / step) * step
    if number < token.low - 1e-9:
        number += step
    elif number > token.high + 1e-9:
        number -= step
    return number


def _longest(field: Field | None, shape: Shape | None) -> int:
    branch: Branch = (shape.branch("string") or {}) if shape is not None else {}
    seen = field.length_max + LENGTH_MORE if field is not None else TEXT_MAX
    return int(min(TEXT_MAX, branch.get("maxLength", TEXT_MAX), max(seen, 1)))


def _new_draw(field: Field | None, shape: Shape | None) -> Draw | None:
    """Texts of the place's format that nobody sent yet."""
    if field is None:
        return leaf(None, shape, novel=True) if shape is not None else None
    if field.redacted or shape is not None:
        found = leaf(field, shape, novel=True)
        if found is not None:
            return found
    texts = [msgspec.json.decode(text) for text, _ in field.values]
    known = [text for text in texts if isinstance(text, str)]
    return fresh.like(known, field.format, field.length_min, field.length_max + LENGTH_MORE)
