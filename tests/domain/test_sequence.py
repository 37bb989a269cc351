"""What a sequence says of its cases: groups, parts of it, expectations that hang on others."""

from __future__ import annotations

import pytest

from premortem.domain.places import Place
from premortem.domain.run import Before, Binding, Case, Intent, Origin, Sent, Sequence
from premortem.domain.traffic import Request, Response

REQUEST = Request(method="GET", origin="", path="/a/x")


def case(*, step: int = -1, together: int = 0, **intent: object) -> Case:
    place = Place(part="path", name="1")
    bound = (Binding(step=step, select=place, place=place, recorded="x"),) if step >= 0 else ()
    return Case(
        request=REQUEST,
        operation_id="GET /a/{x}",
        origin=Origin(source="mutate"),
        intent=Intent(**intent),  # type: ignore[arg-type]
        bindings=bound,
        together=together,
    )


def sequence(*cases: Case) -> Sequence:
    return Sequence(cases=cases)


def test_neighbours_with_one_number_are_a_group():
    made = sequence(case(), case(together=1), case(together=1), case(together=2), case(), case())
    assert [len(group) for group in made.groups] == [1, 2, 1, 1, 1]
    assert made.beside(1) == (2,)
    assert made.beside(0) == made.beside(3) == made.beside(5) == ()


@pytest.mark.parametrize(
    ("cases", "remembers"),
    [
        ((case(), case(step=0)), False),
        ((case(), case(against=0)), True),
        ((case(), case(if_passed=0)), True),
        ((case(), case(if_refused=0)), True),
        ((case(together=1), case(together=1)), True),
    ],
)
def test_only_where_a_case_is_about_others_these_are_remembered(cases, remembers):
    assert sequence(*cases).remembers is remembers


def test_what_cases_say_of_each_other_is_indexed_anew():
    whole = sequence(case(), case(), case(step=1), case(step=1, expects="same", against=2))
    part = whole.only([1, 2, 3])
    assert [b.step for c in part.cases for b in c.bindings] == [0, 0]
    assert (part.cases[-1].intent.expects, part.cases[-1].intent.against) == ("same", 1)
    assert whole.only([0, 1, 2, 3]) == whole


def test_without_what_it_is_about_a_case_expects_a_sane_answer():
    whole = sequence(case(), case(), case(expects="same", against=0, if_refused=1))
    left = whole.only([0, 2]).cases[-1].intent
    assert (left.expects, left.if_refused) == ("answer", -1)


def test_the_order_of_a_part_is_that_which_was_asked_for():
    whole = sequence(case(together=1), case(together=1, breaks="b"), case(together=1))
    assert [c.intent.breaks for c in whole.only([0, 2, 1]).cases] == ["", "", "b"]


def came(*statuses: int) -> Before:
    return tuple(
        Sent(request=REQUEST, response=Response(status=status)) if status else None
        for status in statuses
    )


@pytest.mark.parametrize(
    ("condition", "statuses", "expects"),
    [
        ({}, (), "once"),
        ({"if_refused": 1}, (201, 409), "once"),
        ({"if_refused": 1}, (201, 201), "answer"),
        ({"if_refused": 1}, (201, 429), "answer"),
        ({"if_refused": 1}, (201, 500), "answer"),
        ({"if_refused": 1}, (201, 0), "answer"),
        ({"if_refused": 1}, (201,), "answer"),
        ({"if_passed": 0}, (204,), "once"),
        ({"if_passed": 0}, (404,), "answer"),
        ({"if_passed": 0, "if_refused": 1}, (201, 409), "once"),
        ({"if_passed": 0, "if_refused": 1}, (409, 409), "answer"),
    ],
)
def test_an_expectation_holds_only_if_its_condition_came_true(condition, statuses, expects):
    intent = Intent(expects="once", **condition)
    assert intent.given(came(*statuses)).expects == expects
