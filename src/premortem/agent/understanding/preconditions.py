"""What an operation must have for a failure mode to make sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from premortem.agent.understanding.inputs import input_fields
from premortem.agent.understanding.words import stems
from premortem.domain.proposal import FailureModeName
from premortem.domain.run import SAFE_METHODS
from premortem.domain.traffic import OperationProfile

PAGING = frozenset(
    stems("page limit offset cursor size skip start count per top first after before token")
)
"""Words of query parameters that page through a list."""
MOMENTS = frozenset(stems("date time day month year since until at timestamp expires due deadline"))
"""Words of fields that hold a moment."""
IDENTIFIERS = frozenset(stems("id ids uuid key identifier"))
UNITS = frozenset(stems("currency unit"))


def possible(mode: str, operation: OperationProfile) -> bool:
    """Whether OPERATION has what the failure mode MODE needs; unknown names: anything will do."""
    needs = _NEEDS.get(mode)  # type: ignore[call-overload]
    return needs is None or needs(operation)


def _changes(operation: OperationProfile) -> bool:
    return operation.operation.method not in SAFE_METHODS


def _has_path(operation: OperationProfile) -> bool:
    return "{" in operation.operation.template


def _takes_values(operation: OperationProfile) -> bool:
    return bool(input_fields(operation)) or _has_path(operation) or bool(operation.request_schema)


def _takes_body(operation: OperationProfile) -> bool:
    body = any(field.place.part == "body" for field in input_fields(operation))
    return _changes(operation) and (body or bool(operation.request_schema))


def _names_a_thing(operation: OperationProfile) -> bool:
    named = any(IDENTIFIERS & set(f.stems) for f in input_fields(operation))
    return _has_path(operation) or named


def _pages(operation: OperationProfile) -> bool:
    return operation.operation.method in SAFE_METHODS and any(
        field.place.part == "query" and set(field.stems) & PAGING
        for field in input_fields(operation)
    )


def _has_moment(operation: OperationProfile) -> bool:
    return any(
        set(field.stems) & MOMENTS or str(field.schema.get("format", "")).startswith("date")
        for field in input_fields(operation)
    )


def _has_unit(operation: OperationProfile) -> bool:
    return any(set(field.stems) & UNITS for field in input_fields(operation))


def _has_closed_list(operation: OperationProfile) -> bool:
    return bool(input_fields(operation))


def _has_number(operation: OperationProfile) -> bool:
    return _changes(operation) and any(
        field.types & {"number", "integer"} for field in input_fields(operation)
    )


_NEEDS: Mapping[FailureModeName, Callable[[OperationProfile], bool]] = {
    "duplicate": _changes,
    "boundary": _takes_values,
    "missing_value": _takes_values,
    "wrong_type": _takes_values,
    "unknown_value": _has_closed_list,
    "unit_switch": _has_unit,
    "others_data": _names_a_thing,
    "unknown_reference": _names_a_thing,
    "forbidden_transition": _changes,
    "stale_change": _changes,
    "concurrent_change": _changes,
    "retry_after_timeout": _changes,
    "over_total": _has_number,
    "pagination_edge": _pages,
    "time_edge": _has_moment,
    "injection": _takes_values,
    "mass_assignment": _takes_body,
}
"""Modes left out need nothing."""
