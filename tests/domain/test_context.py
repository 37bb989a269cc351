"""What context parameters mean: kinds of requests, names of fields, moments."""

from __future__ import annotations

import pytest

from premortem.domain.context import kind_of, moment, places_of, resolve, written
from premortem.domain.traffic import Operation, OperationProfile
from tests.generate.small import operations

NOW = 1_780_000_000.0
MAKE, LISTING, READ, PAY, CANCEL, _HEALTH = operations()


def operation(method: str, template: str, **more: object) -> OperationProfile:
    return OperationProfile(
        operation=Operation(method=method, template=template),
        count=1,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("method", "template", "declared", "kind"),
    [
        ("GET", "/invoices", (200,), "read"),
        ("GET", "/invoices/search", (200,), "search"),
        ("GET", "/search/{term}", (200,), "read"),
        ("POST", "/invoices", (201,), "create"),
        ("POST", "/invoices/search", (200,), "search"),
        ("POST", "/invoices/{id}/cancel", (200,), "change"),
        ("POST", "/invoices/{id}/payments", (201,), "create"),
        ("POST", "/v1/login", (200,), "login"),
        ("POST", "/v1/sessions", (201,), "login"),
        ("PUT", "/invoices/{id}", (200,), "change"),
        ("PATCH", "/invoices/{id}", (200,), "change"),
        ("DELETE", "/invoices/{id}", (204,), "delete"),
    ],
)
def test_a_kind_is_told_from_method_and_path(method, template, declared, kind):
    assert kind_of(operation(method, template, declared=declared)) == kind


def test_places_are_those_seen_and_those_declared():
    names = {str(place) for place in places_of(MAKE)}
    assert {"body:/amount", "body:/lines/*/quantity", "body:/note"} <= names
    assert "body:/lines" not in names
    assert {str(p) for p in places_of(LISTING)} == {"query:limit"}


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("amount", {"body:/amount"}),
        ("invoice-id", {"path:invoice_id"}),
        ("invoiceId", {"path:invoice_id"}),
        ("body:/amount", {"body:/amount"}),
        ("POST /invoices/{invoice_id}/payments amount", {"body:/amount"}),
        ("POST /invoices/{invoice_id}/payments body:/amount", {"body:/amount"}),
        ("POST /invoices amount", set()),
        ("nothing:/amount", set()),
        ("colour", set()),
    ],
)
def test_a_field_is_named_by_name_by_place_or_behind_its_operation(key, found):
    assert {str(place) for place in resolve(key, PAY)} == found


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", NOW),
        ("-30d", NOW - 30 * 86400),
        ("+2h", NOW + 7200),
        ("1970-01-02", 86400.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
    ],
)
def test_moments_are_absolute_or_relative(text, at):
    assert moment(text, now=NOW) == at


def test_what_is_no_moment_is_said():
    with pytest.raises(ValueError, match="not a time: 'soon'; write it like 2026-03-01"):
        moment("soon", now=NOW)


@pytest.mark.parametrize(
    ("like", "text"),
    [
        ("2024-01-01T00:00:00Z", "1970-01-02T00:00:00Z"),
        ("2024-01-01T00:00:00.123Z", "1970-01-02T00:00:00.000Z"),
        ("2024-01-01T00:00:00+02:00", "1970-01-02T02:00:00+02:00"),
        ("2024-01-01 00:00:00", "1970-01-02 00:00:00"),
        ("", "1970-01-02T00:00:00Z"),
    ],
)
def test_a_moment_is_written_like_the_recorded_one(like, text):
    assert written(86400.0, like, date_only=False) == text
