"""One value position drawn as a column: recorded values by frequency, new ones in their tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jsonschema_rs
import msgspec
import numpy as np
from numpy.random import Generator

from premortem.domain.shape import Branch, Shape, type_of
from premortem.domain.tokens import holds_token
from premortem.domain.traffic import Field, Numbers
from premortem.generate import fresh
from premortem.generate.fresh import Draw

REPEATS_ASSUMED = 5
"""Repeated values that are assumed beside those seen: of one or two messages, each with a value
of its own, it cannot be told whether the next brings a new one."""
UNSEEN_SHARE = 0.02
"""Weight that a declared value nobody sent gets, of the most frequent one's."""
DEFAULT_RANGE = (1.0, 100.0)
"""Where numbers nobody sent and nothing bounds are drawn from."""
LENGTH_MAX = 4096
"""Longest text that is made up."""
LENGTH_MORE = 8
"""Characters by which a new text may be longer than all recorded ones."""
TRIES_MAX = 4
"""Redraws of a text that misses its pattern before a recorded one is taken."""

EXACT_MAX = 2.0**53
"""Integers that a float holds exactly."""

_QUANTILES = np.linspace(0.0, 1.0, 21)
_SCALAR_KEYWORDS = frozenset(
    {
        *("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("multipleOf", "minLength", "maxLength", "pattern", "format"),
    }
)


def leaf(
    field: Field | None, shape: Shape | None, *, reused: bool = False, novel: bool = False
) -> Draw | None:
    """The column of a scalar: what FIELD saw, within what SHAPE allows; None when nothing fits.

    REUSED: the values name things that exist (a link leads here), so none is made up. NOVEL: they
    name what is made, so none comes again.
    """
    pools = _pools(field)
    kinds = _kinds(field, shape)
    draws: list[tuple[Draw, float]] = []
    for kind, weight in kinds:
        branch = (shape.branch(kind) or {}) if shape is not None else {}
        draw = _column(kind, field, branch, pools.get(kind, []), reused=reused, novel=novel)
        if draw is not None:
            draws.append((draw, weight))
    if not draws:
        return None
    return draws[0][0] if len(draws) == 1 else mixed(draws)


def _pools(field: Field | None) -> dict[str, list[tuple[Any, int]]]:
    """FIELD's recorded values by JSON type."""
    pools: dict[str, list[tuple[Any, int]]] = {}
    for text, count in field.values if field is not None else ():
        value = msgspec.json.decode(text)
        pools.setdefault(type_of(value), []).append((value, count))
    return pools


def _kinds(field: Field | None, shape: Shape | None) -> list[tuple[str, float]]:
    """JSON types to draw with their weights: as seen, as far as they are allowed."""
    seen = dict(field.types) if field is not None else {}
    scalar = {k: float(n) for k, n in seen.items() if k not in ("object", "array") and n > 0}
    if shape is None:
        return list((scalar or {"string": 1.0}).items())
    allowed = shape.types
    kept = {
        kind: count
        for kind, count in scalar.items()
        if kind in allowed or (kind == "integer" and "number" in allowed)
    }
    if kept:
        return list(kept.items())
    order = ("string", "integer", "number", "boolean", "null")
    return [(kind, 1.0) for kind in order if kind in allowed][:1]


def mixed(draws: Sequence[tuple[Draw, float]]) -> Draw:
    """One of DRAWS per row, by weight."""
    weights = np.array([weight for _, weight in draws])
    steps = np.cumsum(weights / weights.sum())[:-1]

    def draw(rng: Generator, rows: int) -> list[Any]:
        chosen = steps.searchsorted(rng.random(rows), side="right")
        counts = np.bincount(chosen, minlength=len(draws)).tolist()
        made = [iter(inner(rng, n)) for (inner, _), n in zip(draws, counts, strict=True)]
        return [next(made[index]) for index in chosen.tolist()]

    return draw


def pool(values: Sequence[tuple[Any, float]]) -> Draw:
    """Values by their weight."""
    items = np.empty(len(values), dtype=object)
    items[:] = [value for value, _ in values]
    weights = np.array([weight for _, weight in values], dtype=float)
    steps = np.cumsum(weights / weights.sum())
    steps[-1] = 1.0

    def draw(rng: Generator, rows: int) -> list[Any]:
        out: list[Any] = items[steps.searchsorted(rng.random(rows), side="right")].tolist()
        return out

    return draw


def constant(value: Any) -> Draw:
    """The same value in every row."""
    return lambda _, rows: [value] * rows


def _column(
    kind: str,
    field: Field | None,
    branch: Branch,
    recorded: list[tuple[Any, int]],
    *,
    reused: bool,
    novel: bool,
) -> Draw | None:
    if kind == "null":
        return constant(None)
    if "const" in branch:
        return constant(branch["const"])
    fits = _fits(branch)
    known = [(v, float(n)) for v, n in recorded if fits(v) and not _holds_token(v)]
    if "enum" in branch:
        return _declared(branch["enum"], kind, known)
    if kind == "boolean":
        return pool(known or [(True, 1.0), (False, 1.0)])
    share = 1.0 if novel else _fresh_share(field, recorded, known)
    if known and (reused or share <= 0):
        return pool(known)
    if kind == "string":
        new = _strings(field, branch, known, novel=novel)
    else:
        new = _numbers(field, kind, branch)
    if new is None:
        return pool(known) if known else None
    if not known or novel:
        return new
    return mixed([(pool(known), 1 - share), (new, share)])


def _declared(enum: Sequence[Any], kind: str, known: list[tuple[Any, float]]) -> Draw | None:
    """Declared values: as often as they were seen, the unseen ones now and then."""
    counts = {msgspec.json.encode(value): count for value, count in known}
    rare = max([*counts.values(), 1.0]) * UNSEEN_SHARE
    values = [
        v for v in enum if type_of(v) == kind or (kind == "number" and type_of(v) == "integer")
    ]
    weighted = [(value, counts.get(msgspec.json.encode(value), rare)) for value in values]
    return pool(weighted) if weighted else None


def _fresh_share(
    field: Field | None, recorded: list[tuple[Any, int]], known: list[tuple[Any, float]]
) -> float:
    """How likely the next value is one never seen (Good-Turing: the share of those seen once)."""
    if field is None or not known:
        return 1.0
    if field.enumeration:
        return 0.0
    once = sum(count == 1 for _, count in recorded) + max(0, field.distinct - len(field.values))
    return once / (field.seen + REPEATS_ASSUMED)


def _holds_token(value: Any) -> bool:
    return isinstance(value, str) and holds_token(value)


def _fits(branch: Branch) -> Callable[[Any], bool]:
    """Whether a scalar satisfies BRANCH."""
    flat = {key: value for key, value in branch.items() if key in _SCALAR_KEYWORDS}
    if not flat.keys() - {"type"}:
        return lambda _: True
    return jsonschema_rs.Draft202012Validator(flat, validate_formats=True).is_valid


def _numbers(field: Field | None, kind: str, branch: Branch) -> Draw | None:
    """New numbers by the recorded distribution (inverse of the CDF that its quantiles span)."""
    seen = field.numbers if field is not None else None
    integral = kind == "integer"
    step = _step(seen, branch, integral=integral)
    low, high = bounds(branch, step)
    if low > high:
        return None
    curve = _curve(seen, low, high)
    places = 0 if integral else max(0, min(9, -math.floor(math.log10(step) + 1e-9)))
    multiple = branch.get("multipleOf")

    def draw(rng: Generator, rows: int) -> list[Any]:
        numbers = curve(rng.random(rows))
        if multiple:
            numbers = np.rint(numbers / multiple) * multiple
            numbers = np.where(numbers < low, numbers + multiple, numbers)
            numbers = np.where(numbers > high, numbers - multiple, numbers)
        if integral:
            exact = np.clip(np.rint(numbers), -EXACT_MAX, EXACT_MAX)
            out: list[Any] = exact.astype(np.int64).tolist()
            return out
        rounded: list[Any] = np.clip(np.round(numbers, places), low, high).tolist()
        return rounded

    return draw


def _step(seen: Numbers | None, branch: Branch, *, integral: bool) -> float:
    """The least difference between two values: 1, the declared multiple, or the digits seen."""
    if branch.get("multipleOf"):
        return float(branch["multipleOf"])
    if integral:
        return 1.0
    return float(10.0 ** -(seen.decimals if seen is not None and seen.decimals else 2))


def bounds(branch: Branch, step: float) -> tuple[float, float]:
    """The least and the greatest value that BRANCH allows, inclusive; infinite where open."""
    low, high = float(branch.get("minimum", -math.inf)), float(branch.get("maximum", math.inf))
    if isinstance(branch.get("exclusiveMinimum"), int | float):
        low = max(low, float(branch["exclusiveMinimum"]) + step)
    if isinstance(branch.get("exclusiveMaximum"), int | float):
        high = min(high, float(branch["exclusiveMaximum"]) - step)
    return low, high


def _curve(
    seen: Numbers | None, low: float, high: float
) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Uniform numbers in [0, 1) -> numbers as they were seen, cut to [LOW, HIGH]."""
    if seen is not None and seen.quantiles[-1] >= low and seen.quantiles[0] <= high:
        points = np.array(seen.quantiles)
        first = float(np.interp(low, points, _QUANTILES)) if points[0] < low else 0.0
        last = float(np.interp(high, points, _QUANTILES)) if points[-1] > high else 1.0
        return lambda u: np.clip(
            np.interp(first + u * (last - first), _QUANTILES, points), low, high
        )
    start = low if math.isfinite(low) else min(DEFAULT_RANGE[0], high)
    end = high if math.isfinite(high) else max(DEFAULT_RANGE[1], start + DEFAULT_RANGE[1])
    return lambda u: start + u * (end - start)


def _strings(
    field: Field | None, branch: Branch, known: list[tuple[Any, float]], *, novel: bool
) -> Draw | None:
    """New texts: of the format and look seen, cut to the declared lengths and pattern."""
    form = branch.get("format") or (field.format if field is not None else "")
    seen_min = field.length_min if field is not None else 0
    seen_max = field.length_max if field is not None else 0
    low = max(
        int(branch.get("minLength", 0)), min(seen_min, int(branch.get("maxLength", seen_min)))
    )
    high = min(int(branch.get("maxLength", LENGTH_MAX)), max(low, seen_max + LENGTH_MORE))
    make = fresh.named if novel else fresh.like
    base = make([value for value, _ in known], form, low, high)
    cut = _cut(base, int(branch.get("minLength", 0)), branch.get("maxLength"))
    lengths = {"minLength", "maxLength"} & branch.keys()
    sure = form in fresh.EXACT_FORMATS and not lengths
    if "pattern" not in branch and (sure or "format" not in branch):
        return cut
    return _filtered(cut, _fits(branch), known)


def _cut(draw: Draw, length_min: int, length_max: int | None) -> Draw:
    """DRAW's texts within the lengths, repeated where too short."""
    if length_min <= 0 and length_max is None:
        return draw

    def bounded(rng: Generator, rows: int) -> list[Any]:
        texts = [text if text else "x" for text in draw(rng, rows)]
        if length_min > 1:
            texts = [
                text if len(text) >= length_min else (text * length_min)[:length_min]
                for text in texts
            ]
        return [text[:length_max] for text in texts]

    return bounded


def _filtered(
    draw: Draw, fits: Callable[[Any], bool], known: list[tuple[Any, float]]
) -> Draw | None:
    """DRAW's values that fit; misses are redrawn, then taken from KNOWN."""
    probe = draw(np.random.default_rng(0), 16)
    if not any(fits(value) for value in probe):
        return pool(known) if known else None
    spare = pool(known or [(next(v for v in probe if fits(v)), 1.0)])

    def filtered(rng: Generator, rows: int) -> list[Any]:
        out = draw(rng, rows)
        for _ in range(TRIES_MAX):
            misses = [i for i, value in enumerate(out) if not fits(value)]
            if not misses:
                return out
            for i, value in zip(misses, draw(rng, len(misses)), strict=True):
                out[i] = value
        misses = [i for i, value in enumerate(out) if not fits(value)]
        for i, value in zip(misses, spare(rng, len(misses)), strict=True):
            out[i] = value
        return out

    return filtered
