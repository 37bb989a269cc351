"""Values at the edges of rules."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.agent.knowledge.rules import infer_assertions_from_dto, merge_dtos
from premortem.agent.knowledge.values import breaking, edge_values, refused_by, valid_value
from premortem.domain.proposal import Dto, DtoField, DtoRule


def field(kind, *stated, name="Amount", **rest):
    made = tuple(DtoRule(kind=k, value=v) for k, v in stated)
    return DtoField(name=name, type=kind, rules=made, **rest)


bounds = st.integers(-1000, 1000)
kinds = st.sampled_from(["greater_than", "minimum", "less_than", "maximum"])


@given(st.sampled_from(["number", "integer"]), kinds, bounds)
def test_what_is_said_to_break_a_bound_does(kind, rule, bound):
    made = field(kind, (rule, str(bound)))
    edge = breaking(made, made.rules[0])
    assert refused_by(made, json.loads(edge.value)) == made.rules
    assert not refused_by(made, valid_value(made))


@given(st.integers(0, 300), st.integers(0, 300))
def test_lengths_are_broken_from_both_sides(least, more):
    made = field("string", ("min_length", str(least)), ("max_length", str(least + more)))
    for edge in edge_values(made):
        assert bool(refused_by(made, json.loads(edge.value))) is not edge.accepted


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (field("number", ("required", ""), declared_type="decimal"), ("0", "Zero")),
        (
            field("number", ("required", ""), declared_type="decimal?", nullable=True),
            ("null", "Null"),
        ),
        (field("string", ("required", "empty")), ('""', "Empty")),
        (field("string", ("max_length", "200")), (json.dumps("x" * 300), "TooLong")),
        (field("string", ("one_of", "EUR|USD")), ('"UNKNOWN"', "Unknown")),
        (field("string", ("format", "email")), ('"not-a-email"', "Malformed")),
        (field("number", ("minimum", "0.01")), ("0", "Zero")),
    ],
)
def test_the_plainest_value_that_breaks_a_rule(made, expected):
    edge = breaking(made, made.rules[0])
    assert (edge.value, edge.condition) == expected


def test_nothing_is_concluded_from_what_holds_only_sometimes():
    dto = Dto(name="A", language="csharp", fields=(field("number", ("custom", "maybe")),))
    assert infer_assertions_from_dto(dto) == ()
    assert edge_values(dto.fields[0]) == ()


def test_patterns_that_cannot_be_read_are_left_alone():
    made = field("string", ("pattern", "(?<=[unclosed"), name="Code")
    assert breaking(made, made.rules[0]) is None
    assert refused_by(made, "x") == ()


def test_one_object_of_several_sources_has_the_rules_of_all():
    first = Dto(name="A", language="csharp", fields=(field("number", ("minimum", "1")),))
    second = Dto(
        name="A",
        language="openapi",
        fields=(field("number", ("minimum", "1"), ("maximum", "9"), name="amount"),),
    )
    (merged,) = merge_dtos([first, second])
    assert [(r.kind, r.value) for r in merged.fields[0].rules] == [
        ("minimum", "1"),
        ("maximum", "9"),
    ]


def test_a_pattern_that_never_ends_elsewhere_is_judged_at_once():
    made = field("string", ("pattern", "^(x+x+)+y$"), ("max_length", "50"), name="Code")
    assert refused_by(made, "x" * 60) == made.rules
