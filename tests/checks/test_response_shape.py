from __future__ import annotations

import pytest

from premortem.checks import Checker
from premortem.checks.response_shape import LEARNED_SEEN_MIN, VERDICTS_MAX
from tests.checks.judging import (
    INVOICE,
    answer,
    answered,
    breaking,
    case,
    operation,
    profile,
    verdicts,
)

DECLARED = operation(in_spec=True, declared=(200,), answers=(answer(200, INVOICE, source="spec"),))
LEARNED = operation(answers=(answer(200, INVOICE, count=LEARNED_SEEN_MIN),))


def found(body, *, of=DECLARED, status=200, media_type="application/json", **more):
    given = case(of, **more)
    sent = answered(given, status, body, media_type=media_type)
    return verdicts(of, given, sent, check="response_shape")


def signatures(*args, **more):
    return [verdict.signature for verdict in found(*args, **more)]


def test_what_fits_is_silent():
    assert not found({"id": "7", "paid": 1.5, "lines": [{"quantity": 3}], "tags": {"a": 1}})


def test_a_wrong_type_is_told_by_place_and_types():
    (verdict,) = found({"id": "7", "paid": "1.50"})
    assert verdict.signature == "/paid type number string"
    assert verdict.title == "`/paid` is a string instead of a number"
    assert verdict.severity == "medium"


def test_array_indices_and_keys_of_maps_are_one_place():
    lines = {"id": "7", "lines": [{"quantity": 1}, {"quantity": "2"}, {"quantity": "3"}]}
    assert signatures(lines) == ["/lines/*/quantity type integer string"]
    assert signatures({"id": "7", "tags": {"k81": "x"}}) == ["/tags/* type integer string"]


def test_a_missing_field_is_named():
    (verdict,) = found({"paid": 1})
    assert verdict.signature == "/ required id"
    assert verdict.title == "the body lacks `id`"


def test_a_wrong_format_is_a_small_matter():
    assert found({"id": "7", "due": "tomorrow"})[0].severity == "low"


def test_a_broken_answer_gives_a_few_verdicts_only():
    wide = {"properties": {f"p{i}": {"type": "integer"} for i in range(40)}}
    of = operation(answers=(answer(200, wide, source="spec"),))
    assert len(found({f"p{i}": "x" for i in range(40)}, of=of)) == VERDICTS_MAX


@pytest.mark.parametrize("status", [204, 205, 304, 500])
def test_answers_without_a_body_of_their_own_are_not_judged(status):
    of = operation(answers=(answer(status, INVOICE, source="spec"),))
    assert not found({"paid": "x"}, of=of, status=status)


def test_empty_bodies_and_heads_are_not_judged():
    assert not found(None)
    assert not found({"paid": "x"}, method="HEAD")


def test_an_answer_nobody_described_is_not_judged():
    assert not found({"paid": "x"}, status=201)


def test_a_class_or_default_describes_statuses_without_their_own():
    of = operation(
        answers=(answer(-2, INVOICE, source="spec"), answer(0, {"type": "array"}, source="spec"))
    )
    assert signatures({}, of=of, status=201) == ["/ required id"]
    assert signatures({}, of=of, status=404) == ["/ type array object"]


def test_something_else_than_the_declared_json_is_told():
    (verdict,) = found(b"<p>hello</p>", media_type="text/html")
    assert verdict.signature == "media type text/html"
    (verdict,) = found(b'{"id": ', media_type="application/json")
    assert verdict.signature == "malformed JSON"


@pytest.mark.parametrize("media_type", ["application/problem+json", "", "text/json"])
def test_json_by_another_name_is_json(media_type):
    assert not found({"id": "7"}, media_type=media_type)


def test_a_byte_order_mark_is_overlooked():
    assert not found(b'\xef\xbb\xbf{"id": "7"}')


def test_what_was_asked_for_or_is_usual_is_no_defect():
    assert not found(b"a,b", media_type="text/csv", headers=(("accept", "text/csv"),))
    both = operation(
        answers=(answer(200, INVOICE, source="spec", media_types=("application/json", "text/csv")),)
    )
    assert not found(b"a,b", of=both, media_type="text/csv")


def test_a_learned_shape_counts_once_it_was_seen_often_enough():
    rare = operation(answers=(answer(200, INVOICE, count=LEARNED_SEEN_MIN - 1),))
    assert not found({"paid": "x"}, of=rare)
    assert signatures({"id": "7", "paid": "x"}, of=LEARNED) == ["/paid type number string"]
    assert signatures({"paid": 1}, of=LEARNED) == ["/ required id"]


def test_of_a_learned_shape_only_types_and_presence_count():
    assert not found({"id": "7", "due": "tomorrow"}, of=LEARNED)


def test_a_learned_refusal_may_look_otherwise_next_time():
    of = operation(answers=(answer(422, INVOICE, count=500),))
    assert not found({"detail": []}, of=of, status=422)


def test_a_learned_shape_is_less_sure_about_adversarial_cases():
    intent = breaking("body:/x unicode", expects="answer")
    assert found({"id": 7}, of=LEARNED, intent=intent)[0].severity == "low"
    assert found({"id": 7}, of=LEARNED)[0].severity == "medium"


def test_a_schema_that_cannot_be_used_judges_nothing_and_is_named():
    of = operation(answers=(answer(200, {"$ref": "#/nowhere"}, source="spec"),))
    given = case(of)
    checker = Checker(profile(of))
    assert not checker.check(given, answered(given, 200, {"a": 1}))
    assert list(checker.unusable) == ["GET /invoices/{invoice_id} 200"]
