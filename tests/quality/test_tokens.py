"""All twelve token defects of the service in tests/jwt_service, one by one: found, and attributed.

`pytest tests/quality/test_tokens.py -s` prints which finding shows which defect.
"""

from __future__ import annotations

import pytest

from tests.jwt_service.project import failing, notes, run
from tests.jwt_service.service import DEFECTS

pytestmark = pytest.mark.quality
REQUESTS = 600


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with notes(tmp_path_factory.mktemp("notes")) as made:
        yield made


def test_nothing_is_found_with_all_off(project):
    project.switch()
    reported = run(project, requests=REQUESTS)
    print(f"\n{reported.summary.answered} answered, {reported.summary.faults}")
    assert [f.title for f in reported.findings] == []


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_is_found_and_every_finding_is_its_own(project, defect):
    project.switch(defect)
    reported = run(project, requests=REQUESTS)
    found = reported.findings
    print(f"\n{defect}: {sorted(f'{f.check}: {f.signature}' for f in found)}")
    assert found, "not found"
    assert failing(project, found, defect) == {f.id for f in found}
    assert failing(project, found) == set()
