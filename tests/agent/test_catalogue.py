import pytest

from premortem.agent.steps.catalogue import (
    CATALOGUE,
    STEP_CHARACTERS_MAX,
    match,
    matches,
    nearest,
    text,
)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_every_example_matches_its_own_expression_and_no_other(entry):
    assert [found.entry for found in matches(entry.example)] == [entry]


def test_given_and_then_of_a_state_are_told_apart_without_their_keyword():
    given = match('the "order" "7" is in state "open"')
    then = match('the "order" "7" should be in state "open"')
    assert (given.entry.name, then.entry.name) == ("state_set", "state_check")


def test_arguments_come_unescaped_and_numbers_as_numbers():
    assert match('the actor "O\\"Neil" has role "A \'b\'"').arguments == ('O"Neil', "A 'b'")
    assert match("the response status is 409").arguments == (409,)


@pytest.mark.parametrize(
    "line",
    ["", "the response status is four", "ann sends GET to /x", "the table shakes", "x" * 9_000],
)
def test_what_is_not_in_the_catalogue_matches_nothing(line):
    assert matches(line) == ()


def test_a_very_long_text_is_not_even_tried():
    assert matches('the actor "' + "a" * STEP_CHARACTERS_MAX + '" is not signed in') == ()


def test_the_nearest_step_is_named_for_an_unknown_one():
    assert nearest("the response status should be 409").name == "status"
    assert nearest('ann sends a "GET" request to "/x"').name == "send"


@pytest.mark.parametrize("value", ['say "hi"', "it's", "", "ü", "${id}", "/a?b=c&d=e"])
def test_a_written_step_reads_back_as_it_was(value):
    assert match(text("field", "/a", value)).arguments == ("/a", value)


@pytest.mark.parametrize("value", ["two\nlines", "tab\there", "ends in \\"])
def test_what_no_step_can_hold_is_refused(value):
    with pytest.raises(ValueError, match="cannot stand in a step"):
        text("field", "/a", value)
