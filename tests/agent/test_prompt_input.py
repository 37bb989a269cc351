import json

import jsonschema_rs
import pytest

from premortem.agent.understanding.prompt_input import context_schema, read_context, signal_of
from premortem.agent.understanding.understand import understand
from premortem.errors import InputError
from tests.agent.small import shop

SEED = {
    "prompt": "What happens if refund amount is negative?",
    "context": {
        "handler": "IssueRefundHandler",
        "validator": "RefundRequestValidator",
        "roles": ["SupportAgent"],
        "blueprint_id": "usecase-8014",
    },
}
"""B:251-260, on the seed's own input."""


def test_the_seed_s_prompt_template_becomes_a_signal():
    signal = signal_of("", read_context(json.dumps(SEED), source="prompt.json"))
    assert (signal.kind, signal.text) == ("prompt", SEED["prompt"])
    assert (signal.handler, signal.validator) == ("IssueRefundHandler", "RefundRequestValidator")
    assert (signal.role, signal.roles) == ("SupportAgent", ("SupportAgent",))
    assert signal.blueprint_id == "usecase-8014"


def test_the_published_schema_admits_the_seed_and_refuses_unknown_fields():
    validator = jsonschema_rs.validator_for(context_schema())
    assert validator.is_valid(SEED)
    assert not validator.is_valid({"prompt": "x", "context": {"handlr": "y"}})


def test_fields_of_the_context_may_stand_at_the_top():
    given = read_context('{"event": "InvoiceApprovalFailed", "role": "Analyst"}', source="log")
    assert (given.context.event, given.context.role) == ("InvoiceApprovalFailed", "Analyst")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "is no JSON"),
        ("[1]", "no JSON object"),
        ('{"context": 3}', "`context`"),
        ('{"promt": "x"}', "promt"),
        ('{"context": {"roles": "CFO"}}', "roles"),
        ('{"prompt": "' + "x" * 200_001 + '"}', "characters"),
    ],
)
def test_a_context_that_cannot_be_read_is_refused_with_its_place(text, said):
    with pytest.raises(InputError, match=said) as caught:
        read_context(text, source="prompt.json")
    assert "prompt.json" in str(caught.value)


def test_settings_are_json_or_else_text_and_stand_before_the_file():
    given = read_context('{"context": {"values": {"amount": 1, "reason": "x"}}}', source="f")
    signal = signal_of("q", given, settings=["amount=-5", "currency=EUR", "to=null"])
    assert dict(signal.field_values) == {
        "amount": "-5",
        "reason": '"x"',
        "currency": '"EUR"',
        "to": "null",
    }


@pytest.mark.parametrize("setting", ["amount", "=3", "a b=1"])
def test_a_setting_that_is_none_is_refused(setting):
    with pytest.raises(InputError, match="--set"):
        signal_of("q", settings=[setting])


def test_an_instruction_is_told_from_a_question():
    assert signal_of("Add auth scenario for Guest in lite").kind == "instruction"
    assert signal_of("What if it is added twice?").kind == "prompt"


def test_what_the_question_leaves_out_is_taken_from_its_context():
    given = read_context(
        '{"prompt": "What if the weight is zero?", "context": {"handler": "AddParcelHandler", '
        '"role": "Packer", "edition": "lite", "trace_id": "t-1", "values": {"weight": 0}}}',
        source="f",
    )
    signal = signal_of("", given)
    found = understand(signal.text, shop(), came_with=signal)
    assert found.operation_ids[0] == "POST /orders/{order_id}/parcels"
    assert (found.role, found.edition, found.trace_id) == ("Packer", "lite", "t-1")
    assert (found.handler, found.given) == ("AddParcelHandler", (("weight", "0"),))
