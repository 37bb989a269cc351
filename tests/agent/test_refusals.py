"""What is said of a question that nothing is made of."""

import pytest

from premortem.agent.understanding.refusals import is_foreign
from premortem.agent.understanding.understand import understand
from premortem.errors import InputError
from tests.agent.small import shop


def refused(prompt):
    with pytest.raises(InputError) as caught:
        understand(prompt, shop())
    return str(caught.value).splitlines()


def test_three_short_lines_say_what_was_understood_what_was_not_and_what_is_near():
    understood, unknown, near = refused("What if a unicorn is created twice?")
    assert understood.startswith("understood: duplicate")
    assert unknown == "not understood: unicorn"
    assert near.startswith("nearest operations: POST /orders")
    assert "premortem explore" in near


@pytest.mark.parametrize("prompt", ["hello", "What about an order?", "What if a unicorn is eaten?"])
def test_a_refusal_is_short_and_offers_three_operations_at_most(prompt):
    lines = refused(prompt)
    assert len(lines) == 3
    assert all(len(line) < 250 for line in lines)
    assert lines[2].count(";") <= 3


@pytest.mark.parametrize(
    "prompt",
    [
        "Was passiert, wenn eine Rechnung zweimal bezahlt wird?",
        "Que se passe-t-il si une facture est payée deux fois ?",
        "¿Qué pasa cuando se paga una factura dos veces?",
        "Что если счёт оплачен дважды?",
        "如果付款两次会怎样?",
    ],
)
def test_a_question_in_another_language_is_told_that_english_is_understood(prompt):
    assert is_foreign(prompt)
    assert "English" in "\n".join(refused(prompt))


@pytest.mark.parametrize(
    "prompt",
    [
        "What if the order is placed twice?",
        "double refund",
        "café order with a naïve name",
        "What if an Das is called El Niño?",
        "",
    ],
)
def test_english_is_not_taken_for_another_language(prompt):
    assert not is_foreign(prompt)
