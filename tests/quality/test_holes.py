"""The thirteen holes of tests/leaky_service, one by one: found, and attributed.

`pytest tests/quality/test_holes.py -s` prints which finding shows which hole.
"""

from __future__ import annotations

import pytest

from tests.jwt_service.project import failing, run
from tests.leaky_service.project import leaky
from tests.leaky_service.service import HOLES

pytestmark = pytest.mark.quality
REQUESTS = 700


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with leaky(tmp_path_factory.mktemp("leaky")) as made:
        yield made


def test_nothing_is_found_with_all_closed(project):
    project.switch()
    reported = run(project, requests=REQUESTS)
    print(f"\n{reported.summary.answered} answered, {reported.summary.faults}")
    assert [f.title for f in reported.findings] == []


@pytest.mark.parametrize("hole", HOLES)
def test_each_hole_is_found_and_every_finding_is_its_own(project, hole):
    project.switch(hole)
    found = run(project, requests=REQUESTS).findings
    print(f"\n{hole}: {sorted(f'{f.operation_id} {f.check}: {f.signature}' for f in found)}")
    assert found, "not found"
    assert failing(project, found, hole) == {f.id for f in found}
    assert failing(project, found) == set()
