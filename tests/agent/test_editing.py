"""A scenario becomes text that a person edits, and the text a scenario again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.agent.steps.editing import EDIT_CHARACTERS_MAX, as_text, from_text
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step
from premortem.errors import InputError

ORIGINAL = Scenario(
    title="A refund is issued twice",
    feature="Refunds",
    tags=("edge", "edition:lite"),
    trace_id="ask-1",
    role="Cashier",
    steps=(
        Step(keyword="Given", text='the actor "ann" has role "Cashier"'),
        Step(keyword="And", text='the table "refunds" contains:', table=(("id",), ("r|1",))),
        Step(keyword="When", text='"ann" sends "POST" to "/x" with:', docstring='{"a":\n  "b"}'),
        Step(keyword="Then", text="the response status is 409"),
    ),
    origin=ScenarioOrigin(prompt="What if?", expectation="its siblings do"),
)
words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
docstrings = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=40).map(str.strip)


def test_unchanged_text_is_the_same_scenario():
    assert from_text(as_text(ORIGINAL), like=ORIGINAL).scenario == ORIGINAL


@given(title=words, text=words, docstring=docstrings, cells=st.lists(docstrings, max_size=3))
def test_whatever_stands_in_a_step_comes_back(title, text, docstring, cells):
    table = (tuple(cells),) if cells else ()
    step = Step(keyword="Given", text=text, docstring="" if table else docstring, table=table)
    scenario = Scenario(title=title, feature="F", steps=(step,), origin=ScenarioOrigin())
    assert from_text(as_text(scenario), like=scenario).scenario == scenario


def test_title_tags_and_steps_are_the_persons_all_else_the_originals():
    text = "@security @edition: pro\nScenario: Other\n  * a\n  But b\n  Then c\n"
    edited = from_text(text, like=ORIGINAL)
    assert edited.scenario.title == "Other"
    assert edited.scenario.tags == ("security", "edition:pro")
    assert [(s.keyword, s.text) for s in edited.scenario.steps] == [
        ("And", "a"),
        ("And", "b"),
        ("Then", "c"),
    ]
    assert edited.lines == (3, 4, 5)
    assert edited.scenario.origin == ORIGINAL.origin
    assert edited.scenario.id != ORIGINAL.id


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "exactly one `Scenario:`"),
        ("Refund it twice", "exactly one `Scenario:`"),
        ("Scenario: a\n  Given x\nScenario: b\n  Given y", "exactly one `Scenario:`"),
        ("Background:\n  Given x", "exactly one `Scenario:`"),
        ("Scenario:\n  Given x", "line 1: the scenario has no title"),
        ("Scenario: a", "between 1 and"),
        ("\n\nScenario: a\n  Given x\n  Nonsense", "line 5: 'Nonsense' is no step"),
        ('Scenario: a\n  Given x\n    """\n  open', "line 5: unexpected end"),
        ("Scenario: a\n  Given x\n    | a | b |\n    | 1 |", "line 4"),
        ("@a b\nScenario: a\n  Given x", "line 1"),
        (
            "Scenario Outline: a\n  Given <x>\n  Examples:\n    | x |\n    | 1 |",
            "examples belong into the feature file",
        ),
        ("Scenario: a\n" + "  Given x\n" * 201, "between 1 and 200 steps"),
        ("x" * (EDIT_CHARACTERS_MAX + 1), "at most 20000 are read"),
    ],
)
def test_what_is_no_scenario_is_said_with_its_line(text, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        from_text(text, like=ORIGINAL)
