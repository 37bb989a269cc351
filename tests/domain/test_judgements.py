"""What a log of judgements comes to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.proposal import Judgement, standing


def log(*words: str) -> list[Judgement]:
    """`a accepted`, `b undone`: scenario and decision."""
    pairs = (word.split() for word in words)
    return [Judgement(scenario_id=name, decision=decision) for name, decision in pairs]


def decisions(*words: str) -> dict[str, str]:
    stands = standing(log(*words))
    return {name: judgement.decision for name, judgement in stands.decisions.items()}


def test_the_latest_decision_on_a_scenario_stands():
    assert decisions("a edited", "b not_relevant", "a accepted_with_edits") == {
        "a": "accepted_with_edits",
        "b": "not_relevant",
    }


def test_what_is_undone_gives_way_to_what_was_before_it():
    assert decisions("a edited", "a accepted_with_edits", "a undone") == {"a": "edited"}
    assert decisions("a accepted", "a undone") == {}
    assert decisions("a undone") == {}


def test_the_last_decision_of_all_can_be_taken_back_until_it_was_delivered():
    assert standing(log("a accepted", "b not_relevant")).last == "b"
    assert standing(log("a accepted", "b not_relevant", "b undone")).last == "a"
    delivered = standing(log("b not_relevant", "a accepted", "a delivered"))
    assert delivered.last == "b"
    assert set(delivered.delivered) == {"a"}
    assert standing(log("a accepted", "a delivered")).last == ""


choices = st.tuples(
    st.sampled_from("abc"), st.sampled_from(["accepted", "not_relevant", "edited", "undone"])
)


@given(st.lists(choices, max_size=30))
def test_undoing_everything_leaves_nothing(made):
    judgements = [Judgement(scenario_id=name, decision=decision) for name, decision in made]
    while name := standing(judgements).last:
        judgements.append(Judgement(scenario_id=name, decision="undone"))
    assert standing(judgements).decisions == {}
