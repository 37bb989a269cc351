"""The whole matrix of the sample service: what every role is answered in every edition is what its
documentation says, and the defects of roles and editions are the only contradictions."""

from __future__ import annotations

import pytest

from premortem.pipeline.access import access_of
from premortem.pipeline.observing import observe
from tests.pipeline.conftest import recorded
from tests.pipeline.test_access import ROLES, documented, names

pytestmark = pytest.mark.quality

DEFECTS = tuple(f"L{number:02d}" for number in range(1, 31))
SEEN_IN_A_MATRIX = {
    "POST /invoices/{invoice_id}/approve": "L06",
    "GET /reports/summary": "L07",
    "GET /audit": "L21",
}
REQUESTS_MAX = 5_000


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    target = 'edition_header = "X-Edition"'
    with recorded(tmp_path_factory.mktemp("matrix"), target=target) as made:
        yield made


def looked(project, *defects):
    project.switch(*defects)
    try:
        with project.opened() as store:
            table = access_of(project.config, store, folder=project.directory).table
            seen = list(observe(table, config=project.config, store=store))
            return seen, access_of(project.config, store, folder=project.directory)
    finally:
        project.switch()


def test_what_is_observed_is_what_the_documentation_says(project):
    seen, access = looked(project)
    called, wanted = names(project), documented()
    observed = {
        (called[c.operation_id], c.role, c.edition): c.observed == "allowed"
        for c in access.matrix.cells
        if c.observed and c.role in ROLES and c.operation_id in called
    }
    assert {key: observed.get(key) for key in wanted} == wanted
    assert access.contradictions == ()
    assert sum(one.requests for one in seen) <= REQUESTS_MAX


def test_with_all_defects_on_those_of_roles_and_editions_are_found_and_nothing_else(project):
    _, access = looked(project, *DEFECTS)
    assert {one.operation_id for one in access.contradictions} == set(SEEN_IN_A_MATRIX)
    assert {one.kind for one in access.contradictions} == {"let_in"}
