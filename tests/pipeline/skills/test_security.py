"""The security skills on the sample, and the seed's worked examples 25 and 26 on its own input."""

import pytest

from premortem.errors import InputError

FEATURES = "Tests/PaymentsService.Specs/Features"
BLUEPRINT = """blueprint_id: usecase-9241
handler: ApproveInvoice
editions:
  enterprise:
    roles_allowed: [CFO]
"""
"""B:760-762 is lost; this is what its output needs."""


def titles(proposals):
    return [proposal.title for proposal in proposals]


def test_enumerate_role_variants(skilled):
    found = skilled("EnumerateRoleVariants", handler="ApproveInvoice")
    grants = {v.role: v.grant for v in found.variants}
    assert grants["CFO"] == "allowed"
    assert {grants[role] for role in ("Guest", "Analyst", "SupportAgent", "Cashier")} == {"denied"}
    tested = {v.role for v in found.variants if v.tested_by}
    assert tested == {"CFO"}
    assert {"Guest", "Analyst", "anonymous"} <= set(found.untested)
    because = next(v.because for v in found.variants if v.role == "Guest")
    assert because.startswith("blueprint.yaml:")


def test_simulate_unauthorized_access(skilled):
    found = skilled("SimulateUnauthorizedAccess", role="guest", handler="ApproveInvoice")
    (attempt,) = found.attempts
    assert found.role == "Guest"
    assert attempt.proposal.title == "Guest user attempts approval"
    assert {"security", "auth", "denied"} <= set(attempt.proposal.scenario.tags)
    assert "the response status is 403" in attempt.proposal.gherkin


def test_a_role_that_may_everything_attempts_nothing(skilled):
    with pytest.raises(InputError, match="nothing says that CFO may not"):
        skilled("SimulateUnauthorizedAccess", role="CFO", handler="ApproveInvoice")
    with pytest.raises(InputError, match="there is no role 'Pirate'"):
        skilled("SimulateUnauthorizedAccess", role="Pirate")


def test_25_a_guest_who_tries_to_approve_is_refused_in_scenario_and_method(skilled):
    """B:725-745."""
    found = skilled(
        "SimulateUnauthorizedAccess",
        role="Guest",
        handler="ApproveInvoice",
        edition="enterprise",
        trace_id="invoice-2025-0147",
    )
    (attempt,) = found.attempts
    scenario = attempt.proposal.scenario
    assert scenario.feature == "Invoice approval access control"
    assert scenario.title == "Guest user attempts approval"
    assert scenario.trace_id == "invoice-2025-0147"
    assert {"edition:enterprise", "source:security-inference", "denied"} <= set(scenario.tags)
    assert attempt.method.name == "Post_ShouldReturn403_WhenGuestTriesToApproveInvoice"
    assert attempt.method.source.startswith(
        '[TestMethod]\n[TraceId("invoice-2025-0147")]\n[Edition("enterprise")]\n'
    )


def test_26_the_policy_of_an_edition_lets_the_cfo_and_rejects_all_others(skilled):
    """B:759-765."""
    found = skilled("InferSecurityPolicyFromEdition", edition="enterprise", blueprint=BLUEPRINT)
    (policy,) = found.operations
    assert policy.allowed == ("CFO",)
    assert {"Guest", "Analyst", "SupportAgent"} <= {*policy.denied, *policy.undefined}
    outcomes = {p.scenario.role: p.scenario.origin.outcome for p in found.proposals}
    assert outcomes["CFO"] == "accepted"
    assert {outcomes[role] for role in ("Guest", "Analyst", "SupportAgent")} == {"denied"}
    assert all("edition:enterprise" in p.scenario.tags for p in found.proposals)


def test_26_missing_roles_go_into_feature_and_test_class(skilled, payments):
    """B:765: adds test and `.feature` for all roles that lack one."""
    asked = {"edition": "enterprise", "blueprint": BLUEPRINT, "trace_id": "invoice-2025-0147"}
    shown = skilled("PatchMissingAuthScenarios", **asked)
    assert {"Guest", "Analyst", "SupportAgent"} <= {p.scenario.role for p in shown.proposals}
    assert not any("access" in a.path for a in shown.artifacts if a.action == "unchanged")
    written = skilled("PatchMissingAuthScenarios", write=True, **asked)
    paths = {artifact.path: artifact.action for artifact in written.artifacts}
    assert paths[f"{FEATURES}/invoice_approval.feature"] == "patched"
    assert paths["Tests/PaymentsService.IntegrationTests/InvoiceApiTests.cs"] == "patched"
    feature = (payments / FEATURES / "invoice_approval.feature").read_text()
    assert "Scenario: Guest user attempts approval" in feature
    assert "@edition:enterprise" in feature
    assert "@source:security-inference" in feature
    methods = (payments / "Tests/PaymentsService.IntegrationTests/InvoiceApiTests.cs").read_text()
    assert "Post_ShouldReturn403_WhenGuestTriesToApproveInvoice" in methods
    assert written.metadata["security_test"] is True
    again = skilled("PatchMissingAuthScenarios", write=True, **asked)
    assert not again.patch


def test_an_edition_that_nobody_knows_is_refused(skilled):
    with pytest.raises(InputError, match="there is no edition 'gold'; there are lite, enterprise"):
        skilled("InferSecurityPolicyFromEdition", edition="gold")


@pytest.mark.parametrize(
    ("asked", "denied", "step", "csharp"),
    [
        ({"status": 403}, True, "the response status is 403", "HttpStatusCode.Forbidden"),
        ({"status": 401}, True, "the response status is 401", "HttpStatusCode.Unauthorized"),
        (
            {"status": 302, "location": "/account/login?next=/x"},
            True,
            'the response header "location" equals "/account/login?next=/x"',
            "HttpStatusCode.Found",
        ),
        ({"status": 301, "location": "/new"}, False, "the response status is 301", "301"),
    ],
)
def test_generate_authorization_assertions(skilled, asked, denied, step, csharp):
    found = skilled("GenerateAuthorizationAssertions", **asked)
    assert found.denied is denied
    assert step in found.steps
    assert csharp in found.csharp[0]
    assert str(asked["status"]) in found.pytest[0]


def test_a_code_in_the_answer_is_asserted_too(skilled):
    found = skilled("GenerateAuthorizationAssertions", status=403, error="EditionFeatureMissing")
    assert found.steps[-1] == 'the response field "/error" equals "EditionFeatureMissing"'
    assert found.pytest[-1] == 'assert response.json()["error"] == "EditionFeatureMissing"'
    with pytest.raises(InputError, match="200 is no outcome of authorization"):
        skilled("GenerateAuthorizationAssertions", status=200)
