"""Vague questions taken apart."""

import pytest

from premortem.agent.planning.expand import expand_prompt_into_paths, is_vague, meant_first
from premortem.agent.understanding.understand import understand
from premortem.domain.scenario import Understanding
from premortem.errors import InputError
from tests.agent.kiosk import ROLES, kiosk


def paths(prompt):
    meant = understand(prompt, kiosk(), roles=ROLES)
    return meant, expand_prompt_into_paths(meant, profile=kiosk(), exchanges={}, roles=ROLES)


def test_too_high_is_five_named_scenarios():
    _, found = paths("What if the amount is too high?")
    assert [scenario.title for scenario in found] == [
        "Amount equals max allowed",
        "Amount exceeds max allowed",
        "Amount is null",
        "Amount is string",
        "Amount submitted twice",
    ]
    assert [scenario.origin.failure_mode for scenario in found] == [
        "boundary",
        "boundary",
        "missing_value",
        "wrong_type",
        "duplicate",
    ]
    assert len({scenario.id for scenario in found}) == len(found)


def test_too_low_looks_at_the_other_side():
    _, found = paths("What if the weight is too low?")
    assert [scenario.title for scenario in found][:2] == [
        "Weight equals min allowed",
        "Weight is below min allowed",
    ]


def test_a_text_has_a_length():
    _, found = paths("What if the comment is too long?")
    assert "Comment exceeds max allowed length" in [scenario.title for scenario in found]


def test_asked_as_a_question_the_one_that_is_meant_comes_first():
    meant, found = paths("What if the amount is too high?")
    assert meant_first(found, meant)[0].title == "Amount exceeds max allowed"


@pytest.mark.parametrize(
    ("prompt", "vague"),
    [
        ("What if the amount is too high?", True),
        ("What if the amount is zero?", False),
        ("What if the amount of an order is too high?", False),
        ("What if the amount is above the limit of 500?", False),
    ],
)
def test_vague_is_who_names_neither_a_value_nor_what_is_done(prompt, vague):
    assert is_vague(understand(prompt, kiosk(), roles=ROLES), kiosk()) is vague


def test_other_questions_lead_to_what_is_akin():
    meant = Understanding(
        prompt="an order twice", failure_mode="duplicate", operation_ids=("POST /orders",)
    )
    found = expand_prompt_into_paths(meant, profile=kiosk(), exchanges={}, roles=ROLES)
    modes = [scenario.origin.failure_mode for scenario in found]
    assert modes[0] == "duplicate"
    assert len(set(modes)) == len(modes) >= 2


def test_what_cannot_be_reached_is_an_error_that_says_so():
    meant = Understanding(
        prompt="a ghost", failure_mode="duplicate", operation_ids=("GET /ghosts/{ghost_id}",)
    )
    with pytest.raises(InputError, match="ghost_id"):
        expand_prompt_into_paths(meant, profile=kiosk(), exchanges={}, roles=ROLES)
