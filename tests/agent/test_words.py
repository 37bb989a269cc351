import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.agent.understanding.boundaries import asked, edge_value
from premortem.agent.understanding.words import (
    article,
    participle,
    plain,
    stem,
    third_person,
    tokens,
)


@pytest.mark.parametrize(
    "forms",
    [
        "issue issues issued issuing",
        "pay pays paid paying payment payments",
        "approve approves approved approving approval approvals",
        "cancel cancels cancelled canceled cancelling",
        "create creates created creating creation",
        "delete deletes deleted deleting deletion",
        "validate validates validated validation",
        "invite invites invited invitation invitations",
        "retry retries retried retrying",
        "entry entries",
        "invoice invoices invoiced invoicing",
        "box boxes",
        "log logs logged logging",
    ],
)
def test_the_forms_of_one_word_have_one_stem(forms):
    assert len({stem(form) for form in forms.split()}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("payment", "payload"), ("user", "use"), ("session", "sess"), ("comment", "come")],
)
def test_different_words_keep_different_stems(one, other):
    assert stem(one) != stem(other)


def test_names_of_all_spellings_fall_into_words():
    assert tokens("SupportAgent support_agent supportAgent HTTPServer2") == [
        *("support", "agent"), *("support", "agent"), *("support", "agent"), *("http", "server2"),
    ]  # fmt: skip


def test_odd_quotes_dashes_and_control_characters_become_ordinary():
    assert plain("guest’s – \x00bill\u202e") == "guest's -  bill "


@given(st.text(max_size=80))
def test_any_text_has_words_and_stems(text):
    for word in tokens(plain(text)):
        assert stem(word)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("the amount is zero", ("zero",)),
        ("the amount is 0", ("zero",)),
        ("the amount is 0.00", ("zero",)),
        ("the amount is 10", ("literal:10",)),
        ("amount of -3.5", ("literal:-3.5",)),
        ("a negative amount", ("negative",)),
        ("amount below zero", ("negative",)),
        ("the name is null", ("null",)),
        ("the name is empty", ("empty",)),
        ("the name is too long", ("too_long",)),
        ("the amount is too high", ("too_large", "maximum")),
        ("the maximum amount", ("maximum",)),
        ("no field at all", ()),
        ("version 2.0 of it", ()),
    ],
)
def test_words_name_edge_values(text, names):
    assert asked(text) == names


def test_edges_follow_the_schema():
    schema = {"minimum": 1, "maximum": 99}
    number = frozenset({"integer"})

    def value(name):
        return edge_value(name, schema=schema, types=number, usual=4).value

    assert [value(n) for n in ("zero", "negative", "maximum", "too_large", "too_small")] == [
        0, -4, 99, 100, 0,
    ]  # fmt: skip


def test_a_maximum_that_nobody_declared_cannot_be_made():
    assert edge_value("maximum", schema={}, types=frozenset({"number"}), usual=1) is None


def test_titles_read_like_english():
    assert [third_person(v) for v in ("approve", "pay", "copy", "push")] == [
        *("approves", "pays", "copies", "pushes"),
    ]
    assert [participle(v) for v in ("approve", "pay", "copy", "cancel")] == [
        *("approved", "paid", "copied", "cancelled"),
    ]
    assert [article(n) for n in ("invoice", "refund")] == ["an", "a"]
