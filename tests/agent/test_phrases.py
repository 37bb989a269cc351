import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.agent.steps.bind import bind, bind_line
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.phrases import (
    PHRASES_MAX,
    Phrase,
    check_phrases,
    expand,
    find,
    fold,
    parts_of,
    phrase_problem,
)
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step
from premortem.errors import ConfigError

REFUND = "{string} refunds {string} of the invoice {string}"
PHRASES = {
    REFUND: Phrase(
        accepted="Ann",
        steps=(
            '"${1}" sends "POST" to "/invoices/${3}/refunds" with:',
            '{\n  "amount": ${2},\n  "reason": "asked by ${1}"\n}',
            'the response field "/id" is saved as "refund_id"',
        ),
    ),
    "{string} approves the invoice {string}": Phrase(
        accepted="Ann", steps=('"${1}" sends "POST" to "/invoices/${2}/approve"',)
    ),
    "{string} knocks {int} times": Phrase(
        accepted="Ann", steps=('"${1}" sends "GET" to "/" ${2} times at once',)
    ),
    "the books are closed": Phrase(steps=('the edition is "closed"',)),
}
BINDINGS = Bindings(phrases=PHRASES)


def line(text, keyword="When"):
    return Step(keyword=keyword, text=text)


def test_a_phrase_expands_to_catalogue_steps_with_its_arguments():
    step = line('"ann" refunds "12.50" of the invoice "${invoice_id}"')
    expanded = expand(find(step.text, PHRASES), step)
    assert [(s.keyword, s.text) for s in expanded] == [
        ("When", '"ann" sends "POST" to "/invoices/${invoice_id}/refunds" with:'),
        ("And", 'the response field "/id" is saved as "refund_id"'),
    ]
    assert expanded[0].docstring == '{\n  "amount": 12.50,\n  "reason": "asked by ann"\n}'


def test_its_steps_are_bound_and_know_what_they_are_a_part_of():
    text = '"ann" refunds "1" of the invoice "7"'
    scenario = Scenario(title="t", feature="f", steps=(line(text),), origin=ScenarioOrigin())
    bound = bind(scenario, bindings=BINDINGS, roles=[])
    assert [b.entry.name for b in bound] == ["send_body", "save"]
    assert {b.phrase for b in bound} == {text}
    assert {b.keyword for b in bound} == {"When"}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (line("the books are closed"), "nobody accepted"),
        (line('"ann" refunds "a lot" of the invoice "7"'), "no JSON"),
        (line("\"ann\" approves the invoice '7\\\\'"), "cannot stand"),
        (Step(keyword="When", text='"a" approves the invoice "7"', docstring="{}"), "no docstring"),
    ],
)
def test_one_that_cannot_be_carried_out_says_why(step, said):
    [bound] = bind_line(step, keyword="When", bindings=BINDINGS, roles=[])
    assert said in bound.problem


@pytest.mark.parametrize(
    ("text", "steps", "said"),
    [
        ("the invoice {string}", (), "between 1 and"),
        ("the invoice {string}", ("somebody shouts",), "no step of the catalogue"),
        ("the invoice {string}", ("the books are closed",), "no step of the catalogue"),
        ("the invoice {string}", ('the edition is "${2}"',), "has 1 parameters"),
        ("the invoice {string}", ("the response matches:",), "docstring"),
        ("invoice {string}", ('the edition is "x"',), "two words"),
        ("the invoice {float}", ('the edition is "x"',), "cannot stand"),
        ("the invoice(s) {string}", ('the edition is "x"',), "cannot stand"),
        ('the invoice "7"', ('the edition is "x"',), "cannot stand"),
        ("the invoice's, the refund's {string}", ('the edition is "x"',), "apostrophe"),
        ("the  invoice", ('the edition is "x"',), "single spaces"),
        ("the invoice " + "x" * 300, ('the edition is "x"',), "characters"),
        ("the invoice {string}", ('the edition is "x"',) * 21, "at most 20"),
    ],
)
def test_what_can_be_no_phrase_is_refused(text, steps, said):
    assert said in phrase_problem(text, Phrase(steps=steps))


EDITION = Phrase(steps=('the edition is "x"',))


@pytest.mark.parametrize(
    "texts",
    [
        ["the edition is {string}"],
        ["the response status is {int}"],
        ["the response status is 7"],
        ["it is closed {int} times", "it is closed 2 times"],
        ["it is 3 and 4", "it is {int} and 5"],
    ],
)
def test_no_two_may_read_alike(texts):
    with pytest.raises(ConfigError, match="reads like"):
        check_phrases(dict.fromkeys(texts, EDITION), "file:")


def test_there_is_a_most_of_them():
    many = {f"it is number a{'b' * i} now": EDITION for i in range(3)}
    check_phrases(many, "file:")
    with pytest.raises(ConfigError, match="at most"):
        check_phrases({f"it is {i} now": EDITION for i in range(PHRASES_MAX + 1)}, "file:")


def test_steps_that_a_phrase_stands_for_are_shown_as_that_phrase():
    steps = (
        Step(keyword="Given", text='the actor "ann" has role "Cashier"'),
        Step(
            keyword="When",
            text='"ann" sends "POST" to "/invoices/${invoice_id}/refunds" with:',
            docstring='{"amount": 12.50, "reason": "asked by ann"}',
        ),
        Step(keyword="And", text='the response field "/id" is saved as "refund_id"'),
        Step(keyword="And", text='"ann" sends "POST" to "/invoices/7/approve"'),
        Step(keyword="Then", text="the response status is 409"),
    )
    folded = fold(steps, PHRASES)
    assert [(s.keyword, s.text) for s in folded] == [
        ("Given", 'the actor "ann" has role "Cashier"'),
        ("When", '"ann" refunds "12.50" of the invoice "${invoice_id}"'),
        ("And", '"ann" approves the invoice "7"'),
        ("Then", "the response status is 409"),
    ]


@pytest.mark.parametrize(
    "docstring",
    [
        '{"amount": 12.50, "reason": "asked by bob"}',
        '{"amount": 12.50}',
        '{"amount": 12.50, "reason": "asked  by ann"}',
        "",
    ],
)
def test_steps_that_say_something_else_stay_as_they_are(docstring):
    steps = (
        Step(
            keyword="When",
            text='"ann" sends "POST" to "/invoices/7/refunds" with:',
            docstring=docstring,
        ),
        Step(keyword="And", text='the response field "/id" is saved as "refund_id"'),
    )
    assert fold(steps, PHRASES) == steps


def test_a_phrase_that_nobody_accepted_is_never_shown():
    steps = (Step(keyword="Given", text='the edition is "closed"'),)
    assert fold(steps, PHRASES) == steps


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters='"\\\n', exclude_categories=["C"]))


@given(PLAIN, st.integers(-99, 99))
def test_what_is_folded_expands_to_what_it_was(who, times):
    step = Step(keyword="When", text=f'"{who}" sends "GET" to "/" {times} times at once')
    [folded] = fold((step,), PHRASES)
    if "$" not in who:
        assert folded.text == f'"{who}" knocks {times} times'
        assert expand(find(folded.text, PHRASES), folded) == (step,)


def test_a_docstring_belongs_to_the_step_before_it():
    parts = parts_of(PHRASES[REFUND])
    assert [bool(part.docstring) for part in parts] == [True, False]
