"""Who may do what: what sources say, what counts, what contradicts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.access import (
    ANYONE,
    NOBODY,
    AccessRule,
    contradictions,
    folded,
    licensed,
    listed,
    merged,
    open_to_all,
)
from premortem.domain.access_matrix import matrix_of

APPROVE = "POST /invoices/{id}/approve"
ROLES = ("Guest", "CFO")


def rule(source="blueprint", **said):
    return AccessRule(**{"operation_id": APPROVE, "grant": "allowed", "source": source} | said)


def seen(role, *, grant="allowed", support=1, **said):
    return rule("traffic", role=role, grant=grant, support=support, **said)


def grant(table, role, edition=""):
    decision = table.decide(APPROVE, role, edition)
    return decision.grant if decision is not None else None


def test_a_list_lets_whom_it_names_and_nobody_else():
    table = merged(listed(rule(), ["CFO"]), roles=ROLES)
    assert [grant(table, role) for role in (*ROLES, NOBODY)] == ["denied", "allowed", "denied"]


def test_open_to_all_means_those_who_are_not_signed_in_too():
    table = merged(open_to_all(rule()), roles=ROLES)
    assert {grant(table, role) for role in (*ROLES, NOBODY)} == {"allowed"}


def test_whoever_is_signed_in_is_not_nobody():
    table = merged(listed(rule(), [ANYONE]), roles=ROLES)
    assert [grant(table, role) for role in ("Guest", NOBODY)] == ["allowed", "denied"]


def test_nothing_said_is_nothing_decided():
    assert merged([], roles=ROLES).decide(APPROVE, "CFO") is None


def test_an_edition_that_lacks_it_lets_nobody():
    rules = [*listed(rule(), ["CFO"]), *licensed(rule(), ["pro"])]
    table = merged(rules, roles=ROLES, editions=("lite", "pro"))
    assert grant(table, "CFO", "lite") == "denied"
    assert grant(table, "CFO", "pro") == "allowed"
    assert grant(table, "Guest", "pro") == "denied"
    assert grant(table, "CFO") == "allowed"


def test_what_is_said_of_an_edition_counts_before_what_is_said_of_all():
    rules = [*listed(rule(), ["CFO"]), *listed(rule(edition="lite"), ["Guest"])]
    table = merged(rules, roles=ROLES, editions=("lite", "pro"))
    assert [grant(table, role, "lite") for role in ROLES] == ["allowed", "denied"]
    assert [grant(table, role, "pro") for role in ROLES] == ["denied", "allowed"]


def test_names_are_one_however_they_are_written():
    rules = [*listed(rule(), ["support_agent"]), *listed(rule(source="openapi"), ["Support Agent"])]
    table = merged(rules, roles=("SupportAgent",), aliases={"helpdesk": "SupportAgent"})
    assert table.roles == ("SupportAgent",)
    assert grant(table, "SupportAgent") == "allowed"
    assert not contradictions(table)
    again = merged(
        listed(rule(), ["Helpdesk"]), roles=("SupportAgent",), aliases={"helpdesk": "SupportAgent"}
    )
    assert grant(again, "SupportAgent") == "allowed"


def test_a_handler_is_the_operation_that_it_performs():
    given = listed(rule(operation_id="", handler="ApproveInvoice"), ["CFO"])
    table = merged(given, roles=ROLES, handlers={"approve_invoice": APPROVE})
    assert list(table.by_operation) == [APPROVE]
    assert list(merged(given, roles=ROLES).by_operation) == ["ApproveInvoice"]


def test_the_most_trusted_source_counts_and_the_other_contradicts():
    rules = [
        *listed(rule(source="csharp", document="C.cs", line=4), ["Guest", "CFO"]),
        *listed(rule(document="blueprint.yaml", line=9), ["CFO"]),
    ]
    table = merged(rules, roles=ROLES)
    assert grant(table, "Guest") == "denied"
    (found,) = contradictions(table)
    assert (found.role, found.kind, found.editions) == ("Guest", "let_in", ())
    assert (found.trusted.place, found.against.place) == ("blueprint.yaml:9", "C.cs:4")


def test_public_in_the_document_and_authorized_in_the_code_contradict():
    rules = [*open_to_all(rule(source="openapi")), *listed(rule(source="csharp"), [ANYONE])]
    (found,) = contradictions(merged(rules, roles=ROLES))
    assert (found.role, found.kind) == (NOBODY, "kept_out")


def test_traffic_that_lets_in_whom_the_policy_refuses_is_a_contradiction():
    table = merged([*listed(rule(), ["CFO"]), seen("Guest", said="7 x 200")], roles=ROLES)
    (found,) = contradictions(table)
    assert (found.role, found.kind, found.against.said) == ("Guest", "let_in", "7 x 200")


@pytest.mark.parametrize(("support", "count"), [(2, 0), (3, 1)])
def test_a_few_refusals_in_traffic_may_have_had_another_reason(support, count):
    refused = seen("CFO", grant="denied", support=support)
    table = merged([*listed(rule(), ["CFO"]), refused], roles=ROLES)
    assert len(contradictions(table)) == count


def test_traffic_of_an_unknown_edition_contradicts_only_what_holds_in_all():
    somewhere = [*listed(rule(), ["CFO"]), *licensed(rule(), ["pro"]), seen("CFO")]
    assert not contradictions(merged(somewhere, roles=ROLES, editions=("lite", "pro")))
    nowhere = [*somewhere, seen("Guest")]
    (found,) = contradictions(merged(nowhere, roles=ROLES, editions=("lite", "pro")))
    assert found.role == "Guest"
    there = [*somewhere, seen("CFO", edition="lite")]
    (found,) = contradictions(merged(there, roles=ROLES, editions=("lite", "pro")))
    assert (found.role, found.editions) == ("CFO", ("lite",))


def test_the_matrix_tells_declared_tested_and_observed_apart():
    rules = [*listed(rule(), ["CFO"]), seen("Guest"), seen("CFO"), seen(NOBODY, grant="denied")]
    table = merged(rules, roles=("Guest", "CFO", "Analyst"))
    matrix = matrix_of(table, {(APPROVE, "CFO", ""): 3}, operations=["GET /health"])
    cells = {(c.operation_id, c.role): c for c in matrix.cells}
    assert cells[APPROVE, "Guest"].standing == "contradiction"
    assert cells[APPROVE, "CFO"].standing == "allowed"
    assert cells[APPROVE, "CFO"].tested == 3
    assert cells[APPROVE, NOBODY].standing == "denied"
    assert cells[APPROVE, "Analyst"].standing == "untested"
    assert cells[APPROVE, "Analyst"].declared == "denied"
    assert cells["GET /health", "CFO"].declared == ""
    assert matrix.standings == {"contradiction": 1, "allowed": 1, "denied": 1, "untested": 5}


NAMES = st.sampled_from(["Guest", "guest", "CFO", "c_f_o", "Support Agent", "support-agent"])


@given(st.lists(NAMES, min_size=1, max_size=5), st.lists(NAMES, min_size=1, max_size=5))
def test_who_is_named_by_a_list_is_let_whatever_the_spelling(allowed, roles):
    table = merged(listed(rule(), allowed), roles=roles)
    named = {folded(name) for name in allowed}
    for role in table.roles:
        assert grant(table, role) == ("allowed" if folded(role) in named else "denied")
