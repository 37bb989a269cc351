"""Whether the context parameters of a plan fit what was learned and configured."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Sequence as Many
from difflib import get_close_matches
from typing import Any

import msgspec

from premortem.domain.context import (
    DISTRIBUTIONS,
    Context,
    Range,
    kind_of,
    moment,
    places_of,
    resolve,
)
from premortem.domain.places import Place
from premortem.domain.shape import Branch, read_shape
from premortem.domain.traffic import Field, OperationProfile, Profile
from premortem.errors import ConfigError

NAMED_MAX = 8
"""Fields, roles or kinds listed in one message."""
_LOCALE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")
_NUMBERS = frozenset({"integer", "number"})


def check_context(
    context: Context,
    profile: Profile,
    *,
    roles: Collection[str],
    tenant_header: str,
    edition_header: str,
    sources: Mapping[str, int],
    now: float,
    where: str,
    operations: Collection[str] = (),
) -> None:
    """Raise ConfigError, naming WHERE, with everything in CONTEXT that is unknown or contradicts.

    ROLES: those of the configuration. OPERATIONS: ids that the plan keeps to; empty: all. NOW:
    seconds since the epoch, for windows like `-30d`.
    """
    chosen = [o for o in profile.operations if not operations or o.id in operations]
    problems = [
        *_user_problems(context, roles, tenant_header, edition_header),
        *_request_problems(context, chosen, sources),
    ]
    kept = [o for o in chosen if not context.requests or kind_of(o) in context.requests]
    for key, wanted in context.ranges.items():
        said = list(_range_problems(wanted, now=now)) or list(_field_problems(key, wanted, kept))
        problems += [f"ranges.{key!r}: {text}" for text in said]
    if problems:
        lines = "; ".join(problems)
        raise ConfigError(f"{where}: [context] cannot be followed: {lines}")


def _user_problems(
    context: Context, roles: Collection[str], tenant_header: str, edition_header: str
) -> Iterator[str]:
    user = context.user
    if user.role and user.role not in roles:
        yield (
            f"user.role {user.role!r} is not in premortem.toml; "
            + (f"there are {_some(sorted(roles))}" if roles else "it names no role yet: [roles]")
        )
    if user.locale and not _LOCALE.fullmatch(user.locale):
        yield f"user.locale {user.locale!r} is no language tag (BCP 47); write it like de-AT"
    for name, value, header in (
        ("tenant", user.tenant, tenant_header),
        ("edition", user.edition, edition_header),
    ):
        if value and not header:
            yield (
                f"user.{name} is {value!r}, but nothing says how requests tell it; "
                f"set `{name}_header` under [target], or give the field a range of that one value"
            )


def _request_problems(
    context: Context, operations: list[OperationProfile], sources: Mapping[str, int]
) -> Iterator[str]:
    kinds = {kind_of(o) for o in operations}
    missing = [kind for kind in context.requests if kind not in kinds]
    if missing:
        there = _some(sorted(kinds)) if kinds else "none"
        yield f"no operation is there to {_some(missing)}; the plan's operations: {there}"
    at_work = {name for name, weight in sources.items() if weight > 0}
    if context.tone == "realistic" and at_work and at_work <= {"mutate"}:
        yield "tone is realistic, but the only source is mutate; add sample or schema"
    if context.tone == "edge" and at_work and "schema" not in at_work:
        yield "tone is edge, which needs the source schema; add schema=10 to [sources]"
    if context.tone == "adversarial" and at_work and not at_work & {"mutate", "schema"}:
        yield "tone is adversarial, which needs the source mutate or schema"


def _range_problems(wanted: Range, *, now: float) -> Iterator[str]:
    """What of WANTED contradicts itself."""
    if wanted == Range():
        yield "it says nothing; give min, max, values, pattern, since, until or a share"
    if wanted.min is not None and wanted.max is not None and wanted.min > wanted.max:
        yield f"min {wanted.min:g} is above max {wanted.max:g}"
    if wanted.weights and len(wanted.weights) != len(wanted.values):
        yield f"{len(wanted.weights)} weights for {len(wanted.values)} values"
    if wanted.weights and (min(wanted.weights) < 0 or sum(wanted.weights) <= 0):
        yield "weights must not be below 0, and not all 0"
    if wanted.weights and wanted.distribution not in ("production", "zipf"):
        yield f"weights and the distribution {wanted.distribution} cannot both hold"
    if wanted.distribution == "zipf" and not wanted.values:
        yield f"the distribution zipf needs values (others: {_some(list(DISTRIBUTIONS))})"
    if wanted.deviation is not None and wanted.deviation <= 0:
        yield "deviation must be above 0"
    if wanted.mean is not None and not _inside(wanted.mean, wanted):
        yield f"mean {wanted.mean:g} is outside min and max"
    normal = wanted.distribution in ("normal", "lognormal")
    bounded = wanted.min is not None and wanted.max is not None
    if normal and wanted.mean is None and not bounded:
        yield f"the distribution {wanted.distribution} needs a mean, or min and max"
    if wanted.distribution == "lognormal" and (wanted.max or 1.0) <= 0:
        yield "the distribution lognormal is above 0 only"
    yield from _kinds_problems(wanted, now=now)


def _kinds_problems(wanted: Range, *, now: float) -> Iterator[str]:
    numeric = wanted.min is not None or wanted.max is not None or wanted.mean is not None
    dated = bool(wanted.since or wanted.until)
    ways = [
        name
        for name, given in (
            ("min/max", numeric),
            ("values", bool(wanted.values)),
            ("pattern", bool(wanted.pattern)),
            ("since/until", dated),
        )
        if given
    ]
    if len(ways) > 1:
        yield f"{' and '.join(ways)} cannot both hold; keep one"
    if wanted.pattern:
        try:
            re.compile(wanted.pattern)
        except re.error as error:
            yield f"pattern {wanted.pattern!r} is no regular expression: {error}"
    try:
        since = moment(wanted.since, now=now) if wanted.since else None
        until = moment(wanted.until, now=now) if wanted.until else None
        if since is not None and until is not None and since > until:
            yield f"since {wanted.since} is after until {wanted.until}"
    except ValueError as error:
        yield str(error)
    shares = (wanted.null_share or 0.0, wanted.absent_share or 0.0)
    if min(shares) < 0 or sum(shares) > 1:
        yield "null_share and absent_share must be between 0 and 1, and 1 together at most"


def _inside(value: float, wanted: Range) -> bool:
    low = wanted.min is None or value >= wanted.min
    return low and (wanted.max is None or value <= wanted.max)


def _field_problems(key: str, wanted: Range, operations: list[OperationProfile]) -> Iterator[str]:
    """What of WANTED no field that KEY names can take."""
    found = [(o, place) for o in operations for place in resolve(key, o)]
    if not found:
        names = sorted({_name(place) for o in operations for place in places_of(o)} - {""})
        close = get_close_matches(key.rpartition(" ")[2].rpartition("/")[2], names, NAMED_MAX)
        advice = f"; did you mean {_some(close)}?" if close else ""
        yield f"no request has such a field{advice} (`premortem profile OPERATION` lists them)"
        return
    refused = {
        text: operation.id
        for operation, place in found
        for text in _declared_problems(wanted, operation, place)
    }
    if len(refused) and all(any(_declared_problems(wanted, o, place)) for o, place in found):
        text, operation_id = next(iter(refused.items()))
        yield f"{text} ({operation_id})"


def _name(place: Place) -> str:
    names = [token for token in place.tokens if token != "*"]  # noqa: S105 - a pointer's token
    return names[-1] if names else ""


def _declared_problems(wanted: Range, operation: OperationProfile, place: Place) -> Iterator[str]:
    field = next((f for f in operation.fields if f.place == place), None)
    branches = _branches(operation, place)
    types = {t for b in branches for t in _types(b)} or (set(field.types) if field else set())
    numeric = wanted.min is not None or wanted.max is not None
    if types and numeric and not types & _NUMBERS and not _textual(field, place):
        yield f"min and max need a number, and {place} is {_some(sorted(types))}"
    if types and wanted.pattern and "string" not in types:
        yield f"a pattern needs text, and {place} is {_some(sorted(types))}"
    if types and (wanted.since or wanted.until) and not types & {"string", *_NUMBERS}:
        yield f"since and until need a time, and {place} is {_some(sorted(types))}"
    if wanted.absent_share and str(place) in operation.required:
        yield f"{place} is required, so it cannot be absent in a valid request"
    if wanted.absent_share and place.part == "path":
        yield f"{place} is part of the path and cannot be absent"
    if branches and all(_excludes(branch, wanted) for branch in branches):
        yield f"the specification lets no value of it stand at {place}"


def _textual(field: Field | None, place: Place) -> bool:
    """Whether numbers may stand there as text: parameters are all text."""
    return place.part != "body" or (field is not None and field.format == "digits")


def _branches(operation: OperationProfile, place: Place) -> tuple[Branch, ...]:
    """What the specification says of PLACE; empty: nothing. What was learned binds nobody."""
    if place.part == "body":
        if operation.request_source != "spec":
            return ()
        shape = read_shape(operation.request_schema)
        found = shape.at(place.tokens) if shape is not None else None
        return found.branches if found is not None else ()
    shape = read_shape(operation.parameter_schemas.get(str(place), ""))
    return shape.branches if shape is not None else ()


def _types(branch: Branch) -> tuple[str, ...]:
    declared = branch.get("type", ())
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _excludes(branch: Branch, wanted: Range) -> bool:
    """Whether no value of WANTED satisfies BRANCH, as far as bounds and closed sets tell."""
    if wanted.values:
        return not any(_allows(branch, value) for value in wanted.values)
    low, high = branch.get("minimum"), branch.get("maximum")
    above, below = branch.get("exclusiveMinimum"), branch.get("exclusiveMaximum")
    if wanted.max is not None:
        if isinstance(low, int | float) and wanted.max < low:
            return True
        if isinstance(above, int | float) and wanted.max <= above:
            return True
    if wanted.min is not None:
        if isinstance(high, int | float) and wanted.min > high:
            return True
        if isinstance(below, int | float) and wanted.min >= below:
            return True
    return False


def _allows(branch: Branch, value: Any) -> bool:
    if "const" in branch:
        return bool(branch["const"] == value)
    if "enum" in branch:
        # Of a parameter, a value and its text are the same.
        return value in branch["enum"] or _text(value) in map(_text, branch["enum"])
    if isinstance(value, int | float) and not isinstance(value, bool):
        one = Range(min=float(value), max=float(value))
        return not _excludes(branch, one)
    return True


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _some(names: Many[str]) -> str:
    shown = ", ".join(names[:NAMED_MAX])
    return shown + (f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else "")
