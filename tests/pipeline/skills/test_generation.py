"""The skills that make scenarios, on the sample's document."""

import pytest

from premortem.errors import InputError

NEGATIVE = {
    "prompt": "What happens if refund amount is negative?",
    "context": {
        "handler": "IssueRefundHandler",
        "validator": "RefundRequestValidator",
        "roles": ["SupportAgent"],
        "blueprint_id": "usecase-8014",
    },
}


def titles(result):
    return [proposal.title for proposal in result.proposals]


def test_generate_feature_scenario(skilled):
    made = skilled("GenerateFeatureScenario", prompt="What if a refund is issued twice?")
    assert titles(made)[0] == "Refund is issued twice"
    assert "Then the response status is 409" in made.proposals[0].gherkin


def test_generate_feature_scenario_takes_the_trace_and_the_edition_that_it_is_given(skilled):
    context = {"trace_id": "refund-2025-0182", "edition": "lite"}
    made = skilled("GenerateFeatureScenario", prompt="What if refund is issued twice?",
                   context=context)  # fmt: skip
    scenario = made.proposals[0].scenario
    assert (scenario.trace_id, scenario.edition) == ("refund-2025-0182", "lite")
    assert 'the edition is "lite"' in [step.text for step in scenario.steps]


def test_expand_prompt_into_paths(skilled):
    made = skilled("ExpandPromptIntoPaths", prompt="What if the amount is too high?")
    assert titles(made) == [
        "Amount equals max allowed",
        "Amount exceeds max allowed",
        "Amount is null",
        "Amount is string",
        "Amount submitted twice",
    ]


def test_propose_edge_case_from_prompt(skilled):
    """B:251-260."""
    made = skilled("ProposeEdgeCaseFromPrompt", **NEGATIVE)
    scenario = made.proposals[0].scenario
    assert scenario.title == "Negative refund amount"
    assert scenario.origin.outcome == "invalid"
    assert scenario.role == "SupportAgent"


def test_propose_edge_case_from_prompt_refuses_what_is_about_no_value(skilled):
    with pytest.raises(InputError, match="about forbidden_role, not about the edge"):
        skilled("ProposeEdgeCaseFromPrompt", prompt="What if Guest issues a refund?")


def test_plan_failure_flow_scenarios(skilled):
    made = skilled("PlanFailureFlowScenarios", operation="POST /api/invoice")
    modes = [failure.failure_mode for failure in made.failures]
    assert {"duplicate", "forbidden_role", "boundary"} <= set(modes)
    assert len(set(modes)) == len(modes)
    assert all(f.proposal is not None or f.reason for f in made.failures)


def test_simulate_role_actions(skilled):
    made = skilled("SimulateRoleActions", operation="approve an invoice", edition="enterprise")
    assert made.operation == "POST /api/invoice/approve"
    allowed = {action.role: action.allowed for action in made.roles}
    assert allowed.pop("CFO")
    assert not any(allowed.values())
    assert set(allowed) >= {"Guest", "Analyst", "SupportAgent", "anonymous"}
    cfo = next(action for action in made.roles if action.role == "CFO")
    assert cfo.proposal.scenario.edition == "enterprise"


def test_generate_scenario_matrix(skilled):
    made = skilled(
        "GenerateScenarioMatrix",
        operation="POST /api/invoice",
        roles=["CFO", "Guest"],
        inputs=["the amount is zero", "the number is empty"],
    )
    rows = [(row.role, row.input, row.outcome) for row in made.rows]
    assert rows == [
        ("CFO", "", "accepted"),
        ("CFO", "the amount is zero", "invalid"),
        ("CFO", "the number is empty", "invalid"),
        ("Guest", "", "denied"),
    ]
    ids = {proposal.id for proposal in made.proposals}
    assert {row.scenario_id for row in made.rows} == ids


def test_a_matrix_has_a_limit(skilled):
    with pytest.raises(InputError, match="more than 200 rows"):
        skilled("GenerateScenarioMatrix", operation="POST /api/invoice", inputs=["zero"] * 100)


def test_predict_regression_test_impact(skilled):
    made = skilled(
        "PredictRegressionTestImpact",
        bug_id="#4201",
        title="Invoice with a negative amount was created",
        handler="CreateInvoiceHandler",
    )
    assert made.gap.kind == "bug"
    assert made.operations[0] == "POST /api/invoice"
    assert made.defended_by == ()
    assert made.proposals[0].scenario.origin.failure_mode == "boundary"
