"""Forged tokens on a service that takes them: all twelve defects at once, each finding its own."""

from __future__ import annotations

import pytest

from tests.jwt_service.project import failing, notes, run
from tests.jwt_service.service import DEFECTS

SHOWN_BY = {
    "J01": "expired",
    "J02": "not yet valid",
    "J03": "wrong signature",
    "J04": "unknown key id",
    "J05": "key id is a path",
    "J06": "algorithm None",
    "J07": "public key as secret",
    "J08": "no expiry",
    "J09": "other audience",
    "J10": "other tenant",
    "J11": "key in the token",
    "J12": "after revocation",
}
"""Defect -> the finding's signature."""
REQUESTS = 500


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with notes(tmp_path_factory.mktemp("notes")) as made:
        yield made


def test_a_run_finds_all_twelve_and_none_that_the_correct_service_shows(project):
    project.switch(*DEFECTS)
    reported = run(project, requests=REQUESTS)
    found = {finding.signature for finding in reported.findings}
    print(f"\n{reported.summary.answered} requests: {sorted(found)}")
    missing = {defect for defect, signature in SHOWN_BY.items() if signature not in found}
    assert missing == set()
    assert failing(project, reported.findings) == set()
