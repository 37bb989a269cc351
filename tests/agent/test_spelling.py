import pytest

from premortem.agent.understanding.spelling import mended, slips_between

OWN = frozenset(
    ["invoice", "invoices", "refund", "refunds", "amount", "customer", "shipment", "shipments"]
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("negativ refnd ammount", "negative refund amount"),
        ("What if an invocie is duplicte?", "What if an invoice is duplicate?"),
        ("two shipmnets", "two shipments"),
        ("a custmoer witout a name", "a customer without a name"),
    ],
)
def test_a_slip_in_a_word_that_decides_is_put_right(written, meant):
    assert mended(written, OWN) == meant


@pytest.mark.parametrize(
    "written",
    [
        "What if a refund is issued twice?",
        "the remaining accounts of our customers",  # English words, though close to others
        "InvoicE INVOCIE 'invocie' \"invocie\" invocie_id",  # names and quotes
        "a zebra eats xylophones",
        "",
    ],
)
def test_what_is_no_slip_stays(written):
    assert mended(written, OWN) == written


def test_of_two_words_that_are_as_near_none_is_taken():
    assert mended("the stort", frozenset({"store", "story"})) == "the stort"
    assert mended("the stort", frozenset({"store", "stores"})) == "the store"


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "xbc", 1), ("abc", "xyz", 3)],
)
def test_slips_are_letters_put_in_left_out_changed_or_swapped(one, other, slips):
    assert slips_between(one, other, most=2) == slips
