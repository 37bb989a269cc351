"""Context parameters applied to cases, whatever source made them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.random import Generator

from premortem.domain.bodies import FORM, general, is_json, read_body, text_of, write_form
from premortem.domain.context import Context, Range, kind_of, moment, resolve, written
from premortem.domain.places import Place
from premortem.domain.run import Case
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import Field, OperationProfile, Pairs, Profile, Request
from premortem.generate.patterns import text_of_pattern
from premortem.generate.replay import UNKNOWN

DRAWS_MAX = 32
"""Draws of a number until one lies within its range; then it is cut to it."""
ZIPF_EXPONENT = 1.0
"""Source: Zipf 1949; the n-th value is 1/n as frequent as the first."""
TURNS_MAX = 2**31
"""Different texts asked of one pattern."""
RATIO_MAX = 1e3
"""Deviation over mean of a lognormal distribution."""
EPOCH_MS_MIN = 1e11
"""From this size on a number of seconds is one of milliseconds (in seconds: the year 5138)."""
_QUANTILES = np.linspace(0.0, 1.0, 21)
_ABSENT = object()
Made = Callable[[Generator, Any], Any]
"""(random numbers, the value that stands there) -> the value to put there."""


class Headers(Struct, frozen=True, kw_only=True):
    """By which headers requests tell tenant and edition; empty: by none."""

    tenant: str = ""
    edition: str = ""


class Narrower:
    """Brings cases into the ranges, and under the user, of a Context."""

    def __init__(
        self,
        profile: Profile,
        context: Context,
        *,
        headers: Headers = Headers(),  # noqa: B008 - frozen
        seed: int,
        now: float,
    ) -> None:
        """NOW: seconds since the epoch, for windows like `-30d`.

        CONTEXT has to fit PROFILE (`plan.check_context`).
        """
        self._context = context
        self._seed = seed
        self._operations = {o.id: o for o in profile.operations}
        self._added = tuple(_user_headers(context, headers))
        self._now = now
        self._made: dict[str, tuple[tuple[Place, Made], ...]] = {}

    def wants(self, operation: OperationProfile) -> bool:
        """Whether OPERATION is of a kind that the context asks for, and open to its role."""
        kinds, role = self._context.requests, self._context.user.role
        if kinds and kind_of(operation) not in kinds:
            return False
        return not role or not shut_to(operation, role)

    def apply(self, case: Case) -> Case | None:
        """CASE within the context; None when its tone is not wanted. Setup stays as it is.

        An adversarial case keeps the place that it breaks.
        """
        if case.setup:
            return case
        if not self._has_tone(case):
            return None
        role = self._context.user.role
        if role and case.role not in ("", UNKNOWN) and not case.intent.breaks.startswith("role "):
            case = replace(case, role=role)
        columns = self._columns(case.operation_id)
        if columns:
            rng = np.random.default_rng([self._seed, int(case.id, 16)])
            for place, made in columns:
                if case.intent.place is None or not _within(case.intent.place, place):
                    case = _put(case, place, made, rng, self._operations[case.operation_id])
        if self._added:
            names = {name for name, _ in self._added}
            kept = tuple(pair for pair in case.request.headers if pair[0] not in names)
            case = replace(case, request=replace(case.request, headers=(*kept, *self._added)))
        return case

    def _has_tone(self, case: Case) -> bool:
        tone, intent = self._context.tone, case.intent
        if tone == "edge":
            return intent.kind == "realistic" and bool(case.origin.operator)
        return not tone or intent.kind == tone

    def _columns(self, operation_id: str) -> tuple[tuple[Place, Made], ...]:
        if operation_id not in self._made:
            operation = self._operations[operation_id]
            fields = {field.place: field for field in operation.fields}
            self._made[operation_id] = tuple(
                (place, maker(wanted, fields.get(place), now=self._now))
                for key, wanted in self._context.ranges.items()
                for place in resolve(key, operation)
            )
        return self._made[operation_id]


def shut_to(operation: OperationProfile, role: str) -> bool:
    """Whether specification or production say that ROLE may not use OPERATION."""
    if operation.allowed_roles:
        return role not in operation.allowed_roles
    statuses = operation.roles.get(role, {})
    refused = sum(count for status, count in statuses.items() if status in ("401", "403"))
    return 0 < refused == sum(statuses.values())


def _user_headers(context: Context, headers: Headers) -> list[tuple[str, str]]:
    user = context.user
    told = [(headers.tenant.lower(), user.tenant), (headers.edition.lower(), user.edition)]
    if user.locale:
        language = user.locale.replace("_", "-")
        short = language.partition("-")[0]
        text = language if short == language else f"{language},{short};q=0.9"
        told.append(("accept-language", text))
    return [(name, value) for name, value in told if name and value]


def _within(broken: Place, place: Place) -> bool:
    """Whether BROKEN is PLACE, or holds it, or stands in it."""
    one, other = str(general(broken)), str(place)
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def maker(wanted: Range, field: Field | None, *, now: float) -> Made:
    """What draws values of WANTED for FIELD."""
    if wanted.values:
        made = _of_values(wanted)
    elif wanted.pattern:
        made = _of_pattern(wanted.pattern)
    elif wanted.since or wanted.until:
        made = _of_window(wanted, field, now=now)
    elif wanted.min is not None or wanted.max is not None or wanted.mean is not None:
        made = _of_numbers(wanted, field)
    else:
        made = _kept
    known = _recorded(field)

    def shared(rng: Generator, value: Any) -> Any:
        """Absence and null stay as the source has them, unless their share is given."""
        drawn = rng.random()
        absent = wanted.absent_share or 0.0
        if value is _ABSENT if wanted.absent_share is None else drawn < absent:
            return _ABSENT
        if value is None if wanted.null_share is None else drawn < absent + wanted.null_share:
            return None
        if value is None or value is _ABSENT:
            value = known[int(rng.integers(len(known)))] if known else ""
        return made(rng, value)

    return shared


def _recorded(field: Field | None) -> list[Any]:
    """Values of FIELD to start from where the source left it out, null excepted."""
    values = [msgspec.json.decode(text) for text, _ in field.values] if field is not None else []
    return [value for value in values if value is not None]


def _kept(_rng: Generator, value: Any) -> Any:
    return value


def _of_values(wanted: Range) -> Made:
    values = wanted.values
    if wanted.weights:
        weights = np.array(wanted.weights, dtype=float)
    elif wanted.distribution == "zipf":
        weights = 1.0 / np.arange(1, len(values) + 1) ** ZIPF_EXPONENT
    else:
        weights = np.ones(len(values))
    steps = np.cumsum(weights / weights.sum())
    keep = wanted.distribution == "production" and not wanted.weights

    def made(rng: Generator, value: Any) -> Any:
        if keep and any(value == v and type(value) is type(v) for v in values):
            return value
        index = int(np.searchsorted(steps, rng.random(), side="right"))
        return values[min(index, len(values) - 1)]

    return made


def _of_pattern(pattern: str) -> Made:
    whole = re.compile(pattern)

    def made(rng: Generator, value: Any) -> Any:
        if isinstance(value, str) and whole.fullmatch(value):
            return value
        length = len(value) if isinstance(value, str) else 0
        text = text_of_pattern(pattern, length, turn=int(rng.integers(TURNS_MAX)))
        return value if text is None else text

    return made


def _of_window(wanted: Range, field: Field | None, *, now: float) -> Made:
    """A moment in the window, written as the value there is written."""
    since = moment(wanted.since, now=now) if wanted.since else -math.inf
    until = moment(wanted.until, now=now) if wanted.until else math.inf
    span = 30 * 86400.0
    low = since if math.isfinite(since) else until - span
    high = until if math.isfinite(until) else max(since, now)
    example = next((msgspec.json.decode(text) for text, _ in field.values), "") if field else ""

    def made(rng: Generator, value: Any) -> Any:
        at = low + rng.random() * (high - low)
        like = value if isinstance(value, str | int | float) else example
        if isinstance(like, int | float) and not isinstance(like, bool):
            at = at * 1000 if abs(like) >= EPOCH_MS_MIN else at
            return int(at) if isinstance(like, int) else at
        date_only = len(str(like)) == len("2026-01-01") or (
            field is not None and field.format == "date"
        )
        return written(at, str(like), date_only=date_only)

    return made


def _of_numbers(wanted: Range, field: Field | None) -> Made:
    seen = field.numbers if field is not None else None
    integral = seen is not None and seen.integral
    decimals = 0 if integral else (seen.decimals if seen is not None else 2)
    low, high = _ends(wanted, seen.quantiles if seen is not None else ())
    draw = _distribution(wanted, seen.quantiles if seen is not None else (), low, high)

    def made(rng: Generator, value: Any) -> Any:
        number = _number(value)
        if wanted.distribution == "production" and number is not None and low <= number <= high:
            return value
        drawn = next((x for x in (draw(rng) for _ in range(DRAWS_MAX)) if low <= x <= high), None)
        cut = min(max(draw(rng), low), high) if drawn is None else drawn
        if integral:
            return int(min(max(round(cut), math.ceil(low)), math.floor(high)))
        return min(max(round(cut, decimals), low), high)

    return made


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _ends(wanted: Range, quantiles: tuple[float, ...]) -> tuple[float, float]:
    """The range, its open ends closed by what was seen."""
    middle = wanted.mean if wanted.mean is not None else 0.0
    spread = 6 * (wanted.deviation or max(1.0, abs(middle) / 3))
    low, high = wanted.min, wanted.max
    if low is None:
        low = quantiles[0] if quantiles else middle - spread
        low = min(low, high) if high is not None else low
    if high is None:
        high = quantiles[-1] if quantiles else max(middle, low) + spread
        high = max(high, low)
    return low, high


def _distribution(
    wanted: Range, quantiles: tuple[float, ...], low: float, high: float
) -> Callable[[Generator], float]:
    mean = wanted.mean if wanted.mean is not None else (low + high) / 2
    deviation = wanted.deviation or (high - low) / 6 or 1.0
    if wanted.distribution == "normal":
        return lambda rng: float(rng.normal(mean, deviation))
    if wanted.distribution == "lognormal":
        # Parameters of the logarithm for the mean and deviation wanted of the values themselves.
        ratio = min(deviation / mean, RATIO_MAX) if mean > 0 else 1.0
        variance = math.log1p(ratio**2)
        centre = math.log(mean) - variance / 2 if mean > 0 else 0.0
        return lambda rng: float(rng.lognormal(centre, math.sqrt(variance)))
    if wanted.distribution == "production" and quantiles:
        first, last = (float(np.interp(x, quantiles, _QUANTILES)) for x in (low, high))
        if last > first:
            return lambda rng: float(
                np.interp(first + rng.random() * (last - first), _QUANTILES, quantiles)
            )
    return lambda rng: float(low + rng.random() * (high - low))


def _put(case: Case, place: Place, made: Made, rng: Generator, operation: OperationProfile) -> Case:
    """CASE with a drawn value at PLACE; a live value that was to go there no longer does."""
    request = case.request
    if place.part == "path":
        return _put_path(case, place, made, rng, operation)
    if place.part == "query":
        pairs = _put_pairs(request.query, place.name, made, rng)
        changed = replace(request, query=pairs)
    elif place.part == "header":
        changed = replace(request, headers=_put_pairs(request.headers, place.name, made, rng))
    elif place.part == "body":
        changed = _put_body(request, place, made, rng)
    else:
        return case
    kept = tuple(b for b in case.bindings if general(b.place) != place or changed is request)
    return replace(case, request=changed, bindings=kept)


def _put_path(
    case: Case, place: Place, made: Made, rng: Generator, operation: OperationProfile
) -> Case:
    template = split_template(operation.operation.template)
    segments = [*split_path(case.request.path)]
    token = f"{{{place.name}}}"
    if token not in template or len(template) != len(segments):
        return case
    index = template.index(token)
    value = text_of(made(rng, segments[index]))
    if value == segments[index]:
        return case
    segments[index] = value
    path = "/" + "/".join(encode_segment(segment) for segment in segments)
    kept = tuple(b for b in case.bindings if (b.place.part, b.place.name) != ("path", str(index)))
    return replace(case, request=replace(case.request, path=path), bindings=kept)


def _put_pairs(pairs: Pairs, name: str, made: Made, rng: Generator) -> Pairs:
    """PAIRS with NAME's values redrawn; one that is missing is added."""
    out: list[tuple[str, str]] = []
    present = False
    for key, text in pairs:
        if key != name:
            out.append((key, text))
            continue
        present = True
        value = made(rng, text)
        if value is not _ABSENT and value is not None:
            out.append((key, text_of(value)))
    if not present:
        value = made(rng, _ABSENT)
        if value is not _ABSENT and value is not None:
            out.append((name, text_of(value)))
    return tuple(out)


def _put_body(request: Request, place: Place, made: Made, rng: Generator) -> Request:
    try:
        body = read_body(request)
    except ValueError:
        return request
    if not isinstance(body, dict | list) or not place.tokens:
        return request
    body = msgspec.json.decode(msgspec.json.encode(body))
    if not _walk(body, place.tokens, made, rng):
        return request
    if is_json(request.media_type):
        return replace(request, body=msgspec.json.encode(body))
    if request.media_type == FORM and isinstance(body, dict):
        return replace(request, body=write_form(body))
    return request


def _walk(value: Any, tokens: tuple[str, ...], made: Made, rng: Generator) -> bool:
    """Put drawn values at TOKENS below VALUE, in place; whether anything was changed."""
    token, rest = tokens[0], tokens[1:]
    if isinstance(value, list):
        if token != "*":  # noqa: S105 - a pointer's token
            return False
        if rest:
            changed = [_walk(item, rest, made, rng) for item in value]
            return any(changed)
        drawn = [made(rng, item) for item in value]
        value[:] = [new for new in drawn if new is not _ABSENT]
        return bool(drawn)
    if not isinstance(value, dict):
        return False
    if rest:
        return token in value and _walk(value[token], rest, made, rng)
    drawn_one = made(rng, value.get(token, _ABSENT))
    if drawn_one is _ABSENT:
        return value.pop(token, _ABSENT) is not _ABSENT
    value[token] = drawn_one
    return True
