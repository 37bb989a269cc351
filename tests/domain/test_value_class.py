"""Which cells a case covers, and what is counted of them."""

import json

import pytest

from premortem.domain.coverage import Cell
from premortem.domain.places import Place, parse_place
from premortem.domain.run import Binding, Case, Origin
from premortem.domain.traffic import Field, Numbers, Operation, OperationProfile, Request
from premortem.domain.value_class import (
    ITEMS_MAX,
    Coverage,
    cells_of,
    possible_cells,
    status_class_of,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000, "multipleOf": 0.01},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "currency": {"enum": ["EUR", "USD", None]},
        "note": {"type": ["string", "null"], "minLength": 2, "maxLength": 5},
        "day": {"type": "string", "format": "date"},
        "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "flag": {"type": "boolean"},
        "tags": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
        "payer": {"$ref": "#/$defs/Party"},
        "either": {
            "anyOf": [{"type": "integer", "maximum": 5}, {"type": "integer", "minimum": 50}]
        },
    },
    "$defs": {"Party": {"type": "object", "properties": {"name": {"type": "string"}}}},
}


def seen(place: str, types: dict[str, int], **more: object) -> Field:
    return Field(
        place=parse_place(place), seen=more.pop("seen", 50), presence=1.0, types=types, **more
    )


def numbers(low: float, high: float) -> Numbers:
    return Numbers(quantiles=(low, *[low] * 19, high), integral=True, decimals=0)


LEARNED = (
    seen("path:invoice_id", {"integer": 50}, numbers=numbers(10, 90)),
    seen("query:limit", {"integer": 50}, numbers=numbers(5, 100)),
    seen("query:sort", {"string": 50}, values=(('"asc"', 30), ('"desc"', 20)), enumeration=True),
    seen("query:page", {"integer": 3}, seen=3, numbers=numbers(1, 2)),
    seen("query:key", {"string": 50}, redacted=True, length_min=4, length_max=9),
    seen("header:x-tenant", {"string": 50}, format="uuid"),
    seen("header:x-request-id", {"string": 50}, format="uuid"),
)


def operation(**changes: object) -> OperationProfile:
    given = {
        "operation": Operation(method="POST", template="/invoices/{invoice_id}/payments"),
        "count": 50,
        "media_types": {"application/json": 50},
        "fields": LEARNED,
        "request_schema": json.dumps(SCHEMA),
        "request_source": "spec",
        "parameter_schemas": {"query:dry": '{"type": "boolean"}'},
    }
    return OperationProfile(**(given | changes))


def case(
    body: object = None,
    *,
    path: str = "/invoices/12/payments",
    query: tuple[tuple[str, str], ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    media_type: str = "application/json",
    **more: object,
) -> Case:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Case(
        request=Request(
            method="POST",
            origin="",
            path=path,
            query=query,
            headers=(("content-type", media_type), *headers),
            body=raw,
        ),
        operation_id="POST /invoices/{invoice_id}/payments",
        origin=Origin(source="schema"),
        **more,
    )


OPERATION = operation()


def classes(given: Case, of: OperationProfile = OPERATION) -> dict[str, str]:
    return {cell.place: cell.value_class for cell in cells_of(given, of)}


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("amount", 12.5, "typical"),
        ("amount", 0.01, "boundary"),
        ("amount", 0, "out_of_range"),
        ("amount", 1000, "boundary"),
        ("amount", 1000.01, "out_of_range"),
        ("amount", "12", "wrong_type"),
        ("amount", True, "wrong_type"),
        ("amount", None, "null"),
        ("count", 1, "boundary"),
        ("count", 2, "typical"),
        ("count", 9, "boundary"),
        ("count", 10, "out_of_range"),
        ("count", 2.0, "typical"),
        ("count", 2.5, "wrong_type"),
        ("currency", "EUR", "enum"),
        ("currency", "eur", "out_of_range"),
        ("currency", 1, "wrong_type"),
        ("note", "", "empty"),
        ("note", "ab", "boundary"),
        ("note", "abc", "typical"),
        ("note", "abcdef", "out_of_range"),
        ("note", None, "null"),
        ("day", "2024-02-01", "typical"),
        ("day", "2024-13-01", "out_of_range"),
        ("code", "ABC", "typical"),
        ("code", "abc", "out_of_range"),
        ("flag", False, "enum"),
        ("flag", 0, "wrong_type"),
        ("tags", [], "empty"),
        ("tags", ["a", "b", "c"], "boundary"),
        ("tags", ["a", "b", "c", "d"], "out_of_range"),
        ("tags", {}, "wrong_type"),
        ("payer", {"name": "Ada"}, "typical"),
        ("payer", {}, "empty"),
        ("either", 7, "typical"),
    ],
)
def test_a_value_of_a_body_is_classed_by_what_is_declared(member, value, expected):
    assert classes(case({member: value}))[f"body:/{member}"] == expected


@pytest.mark.parametrize(
    ("place", "text", "expected"),
    [
        ("limit", "50", "typical"),
        ("limit", "5", "boundary"),
        ("limit", "100", "boundary"),
        ("limit", "101", "out_of_range"),
        ("limit", "many", "wrong_type"),
        ("limit", "", "empty"),
        ("sort", "asc", "enum"),
        ("sort", "up", "out_of_range"),
        ("page", "77", "typical"),
        ("key", "anything at all", "typical"),
        ("dry", "true", "enum"),
        ("dry", "2", "wrong_type"),
    ],
)
def test_a_parameter_is_classed_by_what_it_spells(place, text, expected):
    assert classes(case(query=((place, text),)))[f"query:{place}"] == expected


def test_what_is_not_there_is_absent():
    found = classes(case({"amount": 5}))

    assert found["query:limit"] == found["body:/note"] == found["body:/payer/name"] == "absent"
    assert set(classes(case()).values()) == {"absent", "typical"}
    assert classes(case())["body:"] == "absent"


def test_identifiers_in_a_path_grow():
    def of(text: str) -> str:
        return classes(case(path=f"/invoices/{text}/payments"))["path:invoice_id"]

    assert [of(t) for t in ("12", "500", "99999", "-1", "abc", "")] == [
        "typical",
        "typical",
        "out_of_range",
        "out_of_range",
        "wrong_type",
        "empty",
    ]


def test_a_number_in_a_path_has_no_limits_to_stand_at():
    assert classes(case(path="/invoices/10/payments"))["path:invoice_id"] == "typical"
    possible = {(c.place, c.value_class) for c in possible_cells(OPERATION)}
    assert ("path:invoice_id", "boundary") not in possible


def test_headers_that_only_carry_a_request_are_no_places():
    found = classes(case(headers=(("x-request-id", "7"), ("x-tenant", "7"))))

    assert found["header:x-tenant"] == "out_of_range"
    assert "header:x-request-id" not in found


def test_a_live_value_is_typical_whatever_was_recorded():
    place = Place(part="path", name="1")
    bound = Binding(step=0, select=parse_place("body:/id"), place=place, recorded="99999")

    found = classes(case(path="/invoices/99999/payments", bindings=(bound,)))

    assert found["path:invoice_id"] == "typical"


def test_of_many_items_the_least_ordinary_counts():
    items = {
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"n": SCHEMA["properties"]["count"]}},
        }
    }
    of = operation(request_schema=json.dumps({"type": "object", "properties": items}))

    def n(*values: object) -> str:
        return classes(case({"items": [{"n": v} for v in values]}), of)["body:/items/*/n"]

    assert n(3, 4) == "typical"
    assert n(3, 1) == "boundary"
    assert n(3, 1, "x", None) == "wrong_type"
    assert n(*[3] * ITEMS_MAX, "x") == "typical"


def test_a_body_that_is_no_json_has_the_wrong_type_and_one_of_another_kind_is_not_told():
    assert classes(case(b"{"))["body:"] == "wrong_type"
    upload = classes(case(b"--x", media_type="multipart/form-data; boundary=x"))
    assert "body:" not in upload
    assert upload["query:limit"] == "absent"


def test_a_form_is_classed_like_parameters():
    of = operation(media_types={"application/x-www-form-urlencoded": 50})
    found = classes(
        case(
            b"amount=0&count=x&currency=EUR&tags=a&tags=b&tags=c",
            media_type="application/x-www-form-urlencoded",
        ),
        of,
    )

    assert found["body:/amount"] == "out_of_range"
    assert found["body:/count"] == "wrong_type"
    assert found["body:/currency"] == "enum"
    assert found["body:/tags"] == "boundary"
    assert found["body:/note"] == "absent"


def test_every_cell_of_a_case_is_possible_or_strange():
    possible = set(possible_cells(OPERATION, role="clerk", edition="pro"))
    good = case(
        {"amount": 5, "count": 2, "currency": "EUR", "note": "abc", "flag": True, "tags": []},
        query=(("limit", "50"), ("sort", "asc")),
        role="clerk",
    )

    assert set(cells_of(good, OPERATION, edition="pro")) <= possible
    assert cells_of(good, OPERATION, edition="pro")[0] == Cell(
        operation_id=OPERATION.id, role="clerk", edition="pro"
    )


def test_cells_that_make_no_sense_are_not_possible():
    possible = {(c.place, c.value_class) for c in possible_cells(OPERATION)}

    assert ("path:invoice_id", "absent") not in possible
    assert ("query:key", "wrong_type") not in possible
    assert ("body:/day", "boundary") not in possible
    assert ("body:/amount", "boundary") in possible
    assert ("body:/currency", "enum") in possible
    assert ("body:/currency", "typical") not in possible


def test_hits_are_counted_by_outcome_and_the_last_result_stays():
    cell = Cell(operation_id="GET /x")
    coverage = Coverage()
    coverage.add([cell], 200, "r1", 10.0)
    coverage.add([cell], 204, "r2", 20.0)
    coverage.add([cell], 404, "r1", 15.0, times=3)
    coverage.add([cell], 0, "r1", 16.0)

    assert coverage.hits(cell) == 6
    assert coverage.hits(cell, "2xx") == 2
    assert coverage.hits(Cell(operation_id="GET /y")) == 0
    assert [(c.status_class, c.hits, c.last_status, c.last_run) for c in coverage.counts()] == [
        ("2xx", 2, 204, "r2"),
        ("4xx", 3, 404, "r1"),
        ("none", 1, 0, "r1"),
    ]


def test_merging_adds_hits_and_keeps_the_later_result():
    cell = Cell(operation_id="GET /x")
    early, late = Coverage(), Coverage()
    early.add([cell], 201, "old", 1.0)
    late.add([cell], 200, "new", 2.0)

    late.merge(early)
    early.merge(late.counts())

    assert [(c.hits, c.last_run, c.last_status) for c in late.counts()] == [(2, "new", 200)]
    assert [(c.hits, c.last_run) for c in early.counts()] == [(3, "new")]


def test_coverage_has_a_maximum():
    coverage = Coverage(cells_max=2)
    coverage.add([Cell(operation_id=str(n)) for n in range(5)], 200)

    assert (len(coverage), coverage.left_out) == (2, 3)


def test_statuses_have_classes():
    assert [status_class_of(s) for s in (0, 100, 204, 302, 404, 599, 999)] == [
        "none",
        "1xx",
        "2xx",
        "3xx",
        "4xx",
        "5xx",
        "none",
    ]
