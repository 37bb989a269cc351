"""Blueprints, authorization maps and port configurations, however they are written."""

import json

import pytest
import yaml

from premortem.agent.knowledge.access_documents import access_in_document
from premortem.agent.knowledge.access_sources import read_access
from premortem.agent.knowledge.access_writing import authorization_map
from premortem.agent.knowledge.blueprint import read_blueprint
from premortem.agent.knowledge.documents import PARTS_MAX, read_parts
from premortem.domain.access import NOBODY, AccessRule, licensed, listed, merged
from premortem.errors import InputError

ROLES = ("Guest", "FinanceManager", "CFO")


def table(text, origin="blueprint.yaml", **more):
    found = access_in_document(text.encode(), origin=origin)
    assert found is not None
    return merged(found.rules, roles=ROLES, editions=found.editions, **more)


def who(made, subject, edition=""):
    decided = {role: made.decide(subject, role, edition) for role in (*ROLES, NOBODY)}
    return {role for role, found in decided.items() if found and found.grant == "allowed"}


SPELLINGS = [
    "handlers:\n  ApproveInvoice:\n    roles_allowed: [FinanceManager, CFO]\n",
    "handlers:\n  ApproveInvoice:\n    rolesAllowed: FinanceManager, CFO\n",
    "handlers:\n  ApproveInvoice:\n    Allowed-Roles:\n      - finance_manager\n      - CFO\n",
    "handlers:\n  - handler: ApproveInvoice\n    requiredRoles: [FinanceManager, CFO]\n",
    "handler: ApproveInvoice\nroles_allowed: FinanceManager or CFO\n",
    "handlers:\n  ApproveInvoice: [FinanceManager, CFO]\n",
    "blueprint_id: b\noperations:\n"
    "  ApproveInvoice: {roles: [{name: FinanceManager}, {role: CFO}]}\n",
    "blueprint_id: b\npermissions:\n  ApproveInvoice: FinanceManager; CFO\n",
    '{"handlers": {"ApproveInvoice": {"rolesAllowed": ["FinanceManager", "CFO"]}}}',
    '{\n\t"handler": "ApproveInvoice",\n\t"roles_allowed": ["FinanceManager", "CFO"]\n}',
    "---\nhandler: ApproveInvoice\nrolesAllowed: [FinanceManager, CFO]\n---\n# Approval\nProse.\n",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_list_of_roles_is_read_however_it_is_written(text):
    assert who(table(text), "ApproveInvoice") == {"FinanceManager", "CFO"}


ODD = [
    "ApproveInvoice: {FinanceManager: allow, CFO: yes, Guest: deny}\n",
    "handlers:\n  ApproveInvoice:\n"
    "    Roles_Allowed: {CFO: true, FinanceManager: on, Guest: false}\n",
    "FinanceManager: {can: [ApproveInvoice]}\nCFO:\n  can: ApproveInvoice, LockInvoice\n",
    "roles:\n  - name: FinanceManager\n    operations: [ApproveInvoice]\n"
    "  - {name: CFO, can: [LockInvoice, ApproveInvoice]}\n  - {name: Guest, can: []}\n",
    "permissions:\n  - {role: FinanceManager, allow: [ApproveInvoice]}\n"
    "  - {role: CFO, allow: ApproveInvoice}\n",
    "- {role: FinanceManager, operation: ApproveInvoice}\n"
    "- {role: CFO, operation: ApproveInvoice}\n",
    "matrix:\n  - [operation, Guest, FinanceManager, CFO]\n  - [ApproveInvoice, '', x, yes]\n",
    "\n\n---\nHandler: ApproveInvoice\nRoles-Allowed: CFO | FinanceManager\n---\n# Prose\n",
]


@pytest.mark.parametrize("text", ODD)
def test_a_map_of_an_odd_shape_says_the_same(text):
    made = table(text, origin="AuthorizationMap.yaml")
    assert who(made, "ApproveInvoice") == {"FinanceManager", "CFO"}
    assert set(made.roles) <= set(ROLES)


@pytest.mark.parametrize("said", ["none", "nobody", "[]", "No_One"])
def test_none_is_no_role(said):
    made = table(f"handler: ApproveInvoice\nroles_allowed: {said}\n")
    assert who(made, "ApproveInvoice") == set()
    assert made.roles == ROLES


def test_a_document_about_one_role_still_has_its_handlers():
    made = table("role: CFO\nhandlers: {ApproveInvoice: {roles_allowed: [CFO]}}\n")
    assert who(made, "ApproveInvoice") == {"CFO"}


def test_an_authorization_map_that_nothing_is_understood_of_is_told(tmp_path):
    (tmp_path / "AuthorizationMap.yaml").write_text("just text\n")
    (note,) = read_access(tmp_path).skipped
    assert note.startswith("AuthorizationMap.yaml: ")
    assert "docs/security.md" in note


MAPS = [
    "enterprise:\n  ApproveInvoice: [CFO]\nlite:\n  ApproveInvoice: []\n",
    "operations:\n  ApproveInvoice:\n    enterprise: CFO\n    lite: []\n",
    "editions:\n  enterprise:\n    operations: {ApproveInvoice: {allow: CFO}}\n"
    "  lite:\n    operations: {ApproveInvoice: {allow: []}}\n",
    "editions:\n  enterprise:\n    roles: {CFO: [ApproveInvoice], Guest: []}\n"
    "  lite:\n    operations: {ApproveInvoice: off}\n",
    "authorizations:\n  - {operation: ApproveInvoice, edition: enterprise, roles: [CFO]}\n"
    "  - {operation: ApproveInvoice, edition: lite, enabled: false}\n",
]


@pytest.mark.parametrize("text", MAPS)
def test_an_authorization_map_is_read_by_edition(text):
    made = table(text, origin="config/AuthorizationMap.yaml")
    assert who(made, "ApproveInvoice", "enterprise") == {"CFO"}
    assert who(made, "ApproveInvoice", "lite") == set()


@pytest.mark.parametrize(
    "name", ["AuthorizationMap.lite.yaml", "editions/lite/AuthorizationMap.yml"]
)
def test_a_map_may_tell_its_edition_by_its_name(name):
    found = access_in_document(b"ApproveInvoice: [CFO]\n", origin=name)
    assert {rule.edition for rule in found.rules} == {"lite"}
    assert found.source == "authorization_map"


def test_a_port_tells_who_reaches_which_route():
    made = table(
        "ports:\n"
        "  - {path: /health, methods: GET, public: true}\n"
        "  - {path: '/invoices/{id}/approve', method: post, roles_allowed: [CFO]}\n"
        "  - route: GET /reports\n    anonymous: no\n",
        origin="ports.yaml",
    )
    assert who(made, "GET /health") == {*ROLES, NOBODY}
    assert who(made, "POST /invoices/{id}/approve") == {"CFO"}
    assert made.decide("GET /reports", NOBODY).grant == "denied"
    assert made.decide("GET /reports", "CFO") is None


def test_words_for_everybody_are_no_roles():
    made = table("handlers: {A: {roles: public}, B: {roles: authenticated}, C: {roles: []}}\n")
    assert who(made, "A") == {*ROLES, NOBODY}
    assert who(made, "B") == set(ROLES)
    assert who(made, "C") == set()


def test_an_empty_value_says_nothing():
    assert not table("handlers:\n  A:\n    roles_allowed:\n").by_operation


def test_a_rule_knows_its_line():
    found = access_in_document(b"handlers:\n  A:\n    roles_allowed: [CFO]\n", origin="b.yaml")
    assert {rule.place for rule in found.rules} == {"b.yaml:3"}
    front = b"---\nhandler: A\n\nroles_allowed: [CFO]\n---\n# A\n"
    found = access_in_document(front, origin="a.md")
    assert {rule.place for rule in found.rules} == {"a.md:4"}


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  web: {image: x, roles: [a]}\n",
        "kind: Role\nrules: [{verbs: [get]}]\n",
        "- 1\n",
    ],
)
def test_other_documents_are_none(text):
    assert access_in_document(text.encode(), origin="compose.yaml") is None


@pytest.mark.parametrize("text", ["a: [1\n", "{'a': b", "a: b: c\n"])
def test_what_cannot_be_read_names_file_and_line(text):
    with pytest.raises(InputError, match=r"^b\.yaml"):
        access_in_document(text.encode(), origin="b.yaml")


def test_a_document_that_unfolds_without_end_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 8)]
    with pytest.raises(InputError, match=f"more than {PARTS_MAX}"):
        read_parts("\n".join(lines).encode(), origin="b.yaml")


def test_a_blueprint_is_read_leniently():
    plan = read_blueprint(
        json.dumps(
            {
                "blueprintId": "usecase-1",
                "traceId": "t-1",
                "handlers": [{"name": "IssueRefund", "rolesAllowed": "CFO, Support"}],
                "dtoStructure": {"Refund": {"Amount": "decimal", "Reason": {"type": "string?"}}},
                "rules": ["Refunds never exceed the payment"],
            }
        ).encode(),
        origin="b.json",
    )
    assert (plan.id, plan.trace_id) == ("usecase-1", "t-1")
    assert plan.handler("IssueRefund").roles_allowed == ("CFO", "Support")
    assert [(f.name, f.type, f.nullable) for f in plan.dtos[0].fields] == [
        ("Amount", "number", False),
        ("Reason", "string", True),
    ]
    assert plan.rules == ("Refunds never exceed the payment",)


def rule(operation, **said):
    return AccessRule(operation_id=operation, grant="allowed", source="openapi", **said)


def test_what_is_written_is_read_the_same():
    rules = [
        *listed(rule("GET /a"), ["*"]),
        *listed(rule("POST /a"), ["CFO"]),
        *licensed(rule("POST /a"), ["enterprise"]),
        *listed(rule("PUT /a"), ["CFO", "Guest"]),
        *listed(rule("PUT /a", edition="lite"), ["CFO"]),
        *listed(rule("DELETE /a"), []),
        rule("GET /open", role="*"),
        rule("GET /open", role=NOBODY),
    ]
    before = merged(rules, roles=ROLES, editions=("lite", "enterprise"))
    text = authorization_map(before)
    after = table(text, origin="AuthorizationMap.yaml")
    assert yaml.safe_load(text)["version"] == 1
    for operation in before.by_operation:
        for edition in ("lite", "enterprise"):
            assert who(after, operation, edition) == who(before, operation, edition), operation
    assert authorization_map(after) == text
