"""Media types and headers that a specification declares of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from premortem.domain.run import Verdict
from premortem.domain.traffic import DeclaredHeader
from tests.checks.judging import (
    INVOICE,
    JSON,
    answer,
    answered,
    breaking,
    case,
    operation,
    verdicts,
)


def typed(*types: str, **more: Any):
    return operation(answers=(answer(200, INVOICE, source="spec", declared_types=types, **more),))


def told(
    of: Any, body: Any = b"a,b", *, media_type: str = "text/csv", status: int = 200, **more: Any
):
    given = case(of, **more)
    return verdicts(of, given, answered(given, status, body, media_type=media_type))


def test_an_undeclared_media_type_is_told_once():
    (verdict,) = told(typed(JSON, media_types=()))
    assert (verdict.check, verdict.signature) == ("content_type", "media type text/csv")
    assert verdict.severity == "medium"
    assert "declares application/json" in verdict.evidence


@pytest.mark.parametrize("declared", ["text/csv", "text/*", "*/*", "TEXT/CSV".lower()])
def test_a_declared_media_type_is_none(declared):
    assert not told(typed(JSON, declared, media_types=()))


def test_what_production_gave_is_the_documents_gap():
    (verdict,) = told(typed(JSON, media_types=("text/csv",)))
    assert verdict.severity == "low"
    assert "production answered so, too" in verdict.evidence


def test_a_relative_of_json_is_read_all_the_same():
    found = told(typed(JSON), {"id": "7"}, media_type="application/hal+json")
    assert [v.severity for v in found] == ["low"]


def test_a_body_without_a_media_type_is_told():
    (verdict,) = told(typed(JSON), {"id": "7"}, media_type="")
    assert verdict.signature == "no media type"


@pytest.mark.parametrize(("status", "body"), [(204, b"x"), (302, b"x"), (502, b"x"), (200, None)])
def test_answers_that_promise_no_type_are_not_judged(status, body):
    found = told(typed(JSON), body, status=status)
    assert "content_type" not in {v.check for v in found}


def test_without_declared_types_nothing_is_judged():
    of = operation(answers=(answer(200),))
    assert not told(of)


def test_the_answer_to_another_method_is_not_held_against_this_one():
    found = told(typed(JSON, media_types=()), intent=breaking("method PUT"))
    assert "content_type" not in {v.check for v in found}


def header(schema: Any = None, *, name: str = "x-page-count", required: bool = False):
    return DeclaredHeader(
        name=name, required=required, schema="" if schema is None else json.dumps(schema)
    )


def of_headers(*headers: DeclaredHeader, **headers_given: str) -> list[Verdict]:
    of = operation(answers=(answer(200, headers=headers),))
    given = case(of)
    return verdicts(of, given, answered(given, 200, {"id": "7"}, **headers_given))


def test_a_required_header_that_is_missing_is_told():
    (verdict,) = of_headers(header(required=True))
    assert (verdict.check, verdict.severity) == ("response_headers", "medium")
    assert verdict.signature == "x-page-count missing"
    assert not of_headers(header(required=True), x_page_count="anything")
    assert not of_headers(header())


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "integer"}, "12", True),
        ({"type": "integer"}, "many", False),
        ({"type": "boolean"}, "true", True),
        ({"type": "string"}, "12", True),
        ({"enum": ["a", "b"]}, "c", False),
        ({"type": "array", "items": {"type": "integer"}}, "1,2", True),
        ({"$ref": "#/nowhere"}, "x", True),
    ],
)
def test_a_value_fits_in_any_reading_of_its_text(schema, value, fits):
    found = of_headers(header(schema), x_page_count=value)
    assert [v.signature for v in found] == ([] if fits else ["x-page-count value"])
