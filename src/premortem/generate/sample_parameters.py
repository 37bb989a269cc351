"""Query parameters and headers drawn as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from numpy.random import Generator

from premortem.domain.bodies import text_of
from premortem.domain.conform import Conformance
from premortem.domain.traffic import Field, Pairs
from premortem.generate.columns import leaf, pool
from premortem.generate.fresh import Draw
from premortem.generate.kept import contradicted
from premortem.generate.trees import Context, value_draw

_SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})
Member = tuple[str, Draw, float, Conformance | None]
"""A query parameter or header: name, column, how often it is there, what it must satisfy."""


def parameter_draw(
    field: Field | None, conformance: Conformance | None, *, reused: bool
) -> Draw | None:
    """The column of a query parameter or header: scalars, else recorded texts that can be read
    as something valid (arrays and objects in one of their styles), else what is declared. None,
    too, where production only sent what the declaration forbids: one of them is wrong."""
    if contradicted(field, conformance):
        return None
    shape = conformance.shape if conformance is not None else None
    # `null` has no text: a parameter that may be nothing else but an array or object is not null.
    empty = shape is not None and shape.types & _SCALARS == {"null"}
    scalar = None if empty else leaf(field, shape, reused=reused)
    if scalar is not None or conformance is None:
        return scalar
    recorded = [(text_of(msgspec.json.decode(v)), n) for v, n in field.values] if field else []
    known = [(text, float(n)) for text, n in recorded if conformance.reads_valid([text])]
    return pool(known) if known else value_draw(None, shape, Context())


def _satisfies(conformance: Conformance | None) -> Callable[[Any], bool] | None:
    """Whether a drawn value is valid, as itself or as the text it is sent as."""
    if conformance is None:
        return None
    return lambda v: (
        conformance.is_valid(v) or (isinstance(v, str) and conformance.reads_valid([v]))
    )


def drawn_pairs(
    members: tuple[Member, ...], kept: Pairs, rng: Generator, rows: int
) -> Iterator[Pairs | None]:
    """KEPT and drawn pairs, row by row; None where a parameter came out invalid."""
    if not members:
        for _ in range(rows):
            yield kept
        return
    columns = [draw(rng, rows) for _, draw, _, _ in members]
    there = [(rng.random(rows) < share).tolist() for _, _, share, _ in members]
    names = [name for name, *_ in members]
    checks = [_satisfies(c) for *_, c in members]
    lanes = list(zip(names, columns, there, checks, strict=True))
    for row in range(rows):
        pairs = list(kept)
        for name, column, present, valid in lanes:
            if not present[row]:
                continue
            value = column[row]
            if valid is not None and not valid(value):
                pairs = []
                break
            if isinstance(value, str):
                pairs.append((name, value))
                continue
            values = value if isinstance(value, list) else [value]
            pairs += [(name, text_of(item)) for item in values if item is not None]
        else:
            yield tuple(pairs)
            continue
        yield None
