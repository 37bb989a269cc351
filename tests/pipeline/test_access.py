"""The matrix of roles on the sample service: as its documentation writes it, as it is, and as a
defect makes it."""

from __future__ import annotations

import json
import re

import pytest

from premortem.pipeline.access import access_of
from premortem.pipeline.observing import observe
from tests.pipeline.conftest import recorded
from tests.shared import ROOT

EDITIONS = ("lite", "pro", "enterprise")
ROLES = ("Guest", "Cashier", "SupportAgent", "Analyst", "FinanceManager", "CFO")


def documented():
    """(operation's name, role, edition) -> whether the README lets it."""
    text = (ROOT / "examples" / "ledger" / "README.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \|(.+)\|$", text, re.MULTILINE)
    found = {}
    for name, rest in rows:
        *marks, first = [cell.strip() for cell in rest.split("|")]
        for role, mark in zip(ROLES, marks, strict=True):
            for at, edition in enumerate(EDITIONS):
                found[name, role, edition] = mark == "yes" and at >= EDITIONS.index(first)
    return found


def names(project):
    """Operation id -> the name that the README has for it."""
    document = json.loads((project.directory / "openapi.json").read_text())
    return {
        f"{method.upper()} {path}": said["operationId"]
        for path, item in document["paths"].items()
        for method, said in item.items()
        if "operationId" in said
    }


@pytest.fixture(scope="module")
def with_editions(tmp_path_factory):
    """A project whose header tells its edition, and in which nothing was run: the runs that other
    tests make with defects on are observations, too."""
    made = tmp_path_factory.mktemp("access")
    with recorded(made, target='edition_header = "X-Edition"') as project:
        yield project


def test_what_is_declared_is_what_the_documentation_says(with_editions):
    wanted = documented()
    assert len(wanted) == 36 * 6 * 3
    called = names(with_editions)
    with with_editions.opened() as store:
        access = access_of(with_editions.config, store, folder=with_editions.directory)
    declared = {
        (called[c.operation_id], c.role, c.edition): c.declared == "allowed"
        for c in access.matrix.cells
        if called.get(c.operation_id) in {name for name, _, _ in wanted} and c.role in ROLES
    }
    assert declared == wanted
    assert access.contradictions == ()


def looked(project, operations, *defects, roles=("Guest", "CFO")):
    project.switch(*defects)
    try:
        with project.opened() as store:
            access = access_of(project.config, store, folder=project.directory)
            list(
                observe(
                    access.table,
                    config=project.config,
                    store=store,
                    operations=operations,
                    roles=roles,
                )
            )
            return access_of(project.config, store, folder=project.directory)
    finally:
        project.switch()


APPROVE = "POST /invoices/{invoice_id}/approve"


def test_what_is_observed_fills_the_matrix_and_a_defect_contradicts_it(with_editions):
    correct = looked(with_editions, (APPROVE, "GET /audit"))
    assert correct.contradictions == ()
    standing = {(c.operation_id, c.role, c.edition): c.standing for c in correct.matrix.cells}
    assert standing[APPROVE, "CFO", "lite"] == "allowed"
    assert standing[APPROVE, "Guest", "pro"] == "denied"
    assert standing["GET /audit", "CFO", "enterprise"] == "allowed"
    assert standing["GET /audit", "CFO", "pro"] == "denied"
    defective = looked(with_editions, (APPROVE, "GET /audit"), "L06", "L21")
    found = {(c.operation_id, c.role, c.editions, c.kind) for c in defective.contradictions}
    assert (APPROVE, "Guest", (), "let_in") in found
    assert ("GET /audit", "CFO", ("lite", "pro"), "let_in") in found
    assert len(found) == 2
