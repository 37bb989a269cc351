"""Drawing many requests of one operation at once, under its schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.random import Generator

from premortem.domain.conform import Conformance, compiled
from premortem.domain.shape import Shape
from premortem.domain.traffic import Field
from premortem.domain.traffic_model import Column, Group, Level, Token
from premortem.generate.traffic.emit import Emitter, Known
from premortem.generate.traffic.parents import BACK_OFF, SURE_TIMES
from premortem.generate.traffic.rows import Row, body_place_tokens
from premortem.generate.traffic.tokens import NOTHING_THERE

SITUATIONS_MAX = 4_096
"""Situations of one column whose distribution is remembered."""

Codes = np.ndarray[Any, Any]


class Chances:
    """What a column will hold, given what the ones before it hold."""

    def __init__(self, column: Column, allowed: Codes) -> None:
        """ALLOWED: shape (tokens,), 1 where the schema lets one stand there, else 0."""
        self._levels = column.levels
        self._tables = [dict(level.counts) for level in column.levels]
        self._size = len(column.tokens)
        self._allowed = allowed
        self._known: dict[tuple[int, ...], Codes] = {}

    def drawn(self, above: Sequence[Codes], rows: int, rng: Generator) -> Codes:
        """A token for each of ROWS; ABOVE: those of earlier columns, by index."""
        points = rng.random(rows)
        out = np.zeros(rows, dtype=np.int64)
        parents = [level.parent for level in self._levels if level.parent >= 0]
        if not parents:
            return np.searchsorted(self._ends(()), points, side="right").astype(np.int64)
        held = np.stack([above[parent] for parent in parents], axis=1)
        situations, which = np.unique(held, axis=0, return_inverse=True)
        which = which.reshape(-1)
        for index, situation in enumerate(situations.tolist()):
            where = np.flatnonzero(which == index)
            ends = self._ends(tuple(situation))
            out[where] = np.searchsorted(ends, points[where], side="right")
        return np.minimum(out, self._size - 1)

    def _ends(self, situation: tuple[int, ...]) -> Codes:
        """Chances of each token or one before it; shape (tokens,)."""
        found = self._known.get(situation)
        if found is None:
            shares = self._shares(situation) * self._allowed
            total = shares.sum()
            if total <= 0:
                shares, total = self._allowed.copy(), self._allowed.sum()
            found = np.cumsum(shares / total) if total > 0 else np.ones(self._size)
            if len(self._known) < SITUATIONS_MAX:
                self._known[situation] = found
        return found

    def _shares(self, situation: tuple[int, ...]) -> Codes:
        shares = np.full(self._size, 1.0 / max(1, self._size))
        depth = 0
        for level, table in zip(self._levels, self._tables, strict=True):
            depth += _looks(level)
            counts = table.get(situation[:depth])
            if counts is None:
                break
            seen = np.zeros(self._size)
            for token, times in counts:
                seen[token] = times
            total, kinds = seen.sum(), len(counts)
            sure = total >= SURE_TIMES * kinds or level.parent < 0
            back = 0.0 if sure else BACK_OFF * kinds
            shares = (seen + back * shares) / (total + back)
        return shares


def _looks(level: Level) -> int:
    return int(level.parent >= 0)


class Pen:
    """Writes the columns of one group."""

    def __init__(
        self, group: Group, fields: Mapping[str, Field], shape: Shape | None, above: str = ""
    ) -> None:
        self.columns = group.columns
        self._chances: list[Chances | None] = []
        self._spares: list[Chances | None] = []
        """Of columns that copy: the same without copies."""
        self._emitters: list[Emitter | None] = []
        self._inner: list[Pen | None] = []
        for column in group.columns:
            place = f"{above}{column.place}"
            pointer = place.partition(":")[2] if place.startswith("body:") else None
            inner = shape.at(body_place_tokens(pointer)) if shape and pointer is not None else None
            if column.given:
                self._chances.append(None)
                self._spares.append(None)
                self._emitters.append(None)
                self._inner.append(None)
                continue
            allowed = _allowed(column, inner, must=_required(shape, pointer))
            copies = np.array([token.kind == "copy" for token in column.tokens])
            self._chances.append(Chances(column, allowed))
            self._spares.append(
                Chances(column, np.where(copies, 0.0, allowed)) if copies.any() else None
            )
            self._emitters.append(Emitter(column, fields.get(place), inner))
            self._inner.append(
                Pen(column.items, fields, shape, f"{place}/*") if column.items is not None else None
            )

    def write(
        self,
        given: Sequence[Codes],
        values: Sequence[Sequence[Any] | None],
        known: Sequence[Known],
        rng: Generator,
        above: Sequence[Codes] = (),
    ) -> list[Row]:
        """A row for each of KNOWN. GIVEN: by column, tokens that stand already, -1 where one is
        drawn; VALUES: what these stand for, None: they are not written. ABOVE: tokens of what an
        item stands in."""
        rows: list[Row] = [{} for _ in known]
        codes: list[Codes] = list(above)
        for index, column in enumerate(self.columns):
            fixed = given[index] if index < len(given) else np.full(len(known), -1)
            tokens = fixed.copy()
            free = np.flatnonzero(fixed < 0)
            chances, emitter = self._chances[index], self._emitters[index]
            if chances is not None and emitter is not None and len(free):
                before = [found[free] for found in codes]
                tokens[free] = chances.drawn(before, len(free), rng)
                where = free.tolist()
                self._without_copies(index, tokens, where, known, codes, rng)
                picked = tokens[free].tolist()
                made = emitter.values(picked, [known[row] for row in where], rng)
                lists = [column.tokens[token].kind == "length" for token in picked]
                for row, value, is_list in zip(where, made, lists, strict=True):
                    if not is_list and value is not NOTHING_THERE:
                        rows[row][column.place] = value
                self._write_lists(index, where, picked, rows, known, [*codes, tokens], rng)
            held = values[index] if index < len(values) else None
            if held is not None:
                for row in np.flatnonzero(fixed >= 0).tolist():
                    if held[row] is not NOTHING_THERE:
                        rows[row][column.place] = held[row]
            codes.append(tokens)
        return rows

    def _without_copies(
        self,
        index: int,
        tokens: Codes,
        where: Sequence[int],
        known: Sequence[Known],
        codes: Sequence[Codes],
        rng: Generator,
    ) -> None:
        """Something else for rows that would copy what no answer said."""
        column, spare = self.columns[index], self._spares[index]
        if spare is None:
            return
        lost = [row for row in where if _lost(column.tokens[tokens[row]], known[row])]
        if lost:
            at = np.array(lost)
            tokens[at] = spare.drawn([found[at] for found in codes], len(lost), rng)

    def _write_lists(
        self,
        index: int,
        where: Sequence[int],
        picked: Sequence[int],
        rows: list[Row],
        known: Sequence[Known],
        codes: Sequence[Codes],
        rng: Generator,
    ) -> None:
        column, inner = self.columns[index], self._inner[index]
        owners: list[int] = []
        positions: list[int] = []
        for row, token in zip(where, picked, strict=True):
            if column.tokens[token].kind != "length":
                continue
            rows[row][column.place] = []
            count = int(column.tokens[token].low)
            owners += [row] * count
            positions += [min(at, 2) for at in range(count)]
        if not owners or inner is None:
            return
        at = np.array(owners)
        above = [*(found[at] for found in codes), np.array(positions)]
        items = inner.write((), (), [known[row] for row in owners], rng, above)
        for row, item in zip(owners, items, strict=True):
            rows[row][column.place].append(item)


def _lost(token: Token, known: Known) -> bool:
    return token.kind == "copy" and token.text not in known.told


def _required(shape: Shape | None, pointer: str | None) -> bool:
    if shape is None or not pointer:
        return False
    *above, last = body_place_tokens(pointer)
    parent = shape.at(above) if above else shape
    return parent is not None and last in parent.required and not above


def _allowed(column: Column, shape: Shape | None, *, must: bool) -> Codes:
    """1 for each token that SHAPE lets stand there."""
    out = np.ones(len(column.tokens))
    check = _checking(shape)
    for index, token in enumerate(column.tokens):
        if token.kind == "absent" and must and len(column.tokens) > 1:
            out[index] = 0.0
        elif token.kind == "atom" and check is not None and not column.relative:
            out[index] = float(check.is_valid(msgspec.json.decode(token.text)))
        elif token.kind == "number" and shape is not None and not column.relative:
            branch = shape.branch("number") or shape.branch("integer") or {}
            low, high = branch.get("minimum", -np.inf), branch.get("maximum", np.inf)
            out[index] = float(token.high >= low and token.low <= high)
    return out if out.any() else np.ones(len(column.tokens))


def _checking(shape: Shape | None) -> Conformance | None:
    if shape is None or not shape.branches:
        return None
    document = {"anyOf": list(shape.branches)}
    text = msgspec.json.encode(document).decode()
    return compiled(text) if "$ref" not in text else None


def fields_of(fields: Iterable[Field]) -> dict[str, Field]:
    """FIELDS by place."""
    return {str(field.place): field for field in fields}
