"""Values that questions name."""

import pytest

from premortem.agent.understanding.said import example, has_many_decimals, numbers, quoted


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a payment", []),
        ("pieces of 7", [7]),
        ("a page size of minus five", [-5]),
        ("one cent more than a million", [1000000.01]),
        ("one hundred and one", [101]),
        ("twenty-five", [25]),
        ("2 million euros", [2_000_000]),
        ("amount 1,000.50", [1000.5]),
        ("one more than 200", [201]),
        ("give back 60 and later another 60 out of 100", [60, 60, 100]),
        ("half a cent less than two", [1.995]),
    ],
)
def test_numbers_are_read_in_digits_and_words(text, values):
    assert [number.value for number in numbers(text)] == values


def test_a_number_may_count_characters_or_things():
    assert [n.unit for n in numbers("a title with 101 characters and twelve items for 5")] == [
        "characters",
        "items",
        "",
    ]


def test_more_decimals_than_money_has():
    assert has_many_decimals("an amount with three decimals")
    assert not has_many_decimals("an amount with two decimals")


def test_a_quote_is_a_value_and_an_apostrophe_is_none():
    assert quoted("the role 'superuser', which we don't have") == "superuser"
    assert quoted("the customer's card isn't valid") == ""


@pytest.mark.parametrize(
    ("text", "unknown", "value"),
    [
        ("a made-up verb like FETCH?", (), "FETCH"),
        ("pay his bill by cheque and go", ("cheque", "bill"), "cheque"),
        ("pay by card", (), ""),
    ],
)
def test_an_example_of_what_should_not_be_is_found(text, unknown, value):
    assert example(text, unknown) == value
