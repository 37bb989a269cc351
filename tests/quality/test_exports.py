"""What is exported of all findings with the ledger's thirty defects on: every file fails while
they are, and passes once they are off. Counted: the requests that a finding takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from premortem.domain.goals import Goals
from premortem.pipeline.exporting import export_findings
from tests.pipeline.conftest import Project, project  # noqa: F401 - a fixture
from tests.pipeline.test_findings import pytest_run
from tests.quality.test_ledger_defects import classes, run

REQUESTS = 3_000
MEAN_CASES_MAX = 3.0

pytestmark = pytest.mark.quality


def test_every_exported_file_fails_with_the_defects_and_passes_without(
    project: Project,  # noqa: F811
    tmp_path: Path,
) -> None:
    project.switch(*classes())
    findings = run(project, REQUESTS, Goals())
    with project.opened() as store:
        exported = export_findings(
            findings, form="pytest", directory=tmp_path, config=project.config, store=store
        )
    mean = sum(len(f.sequence.cases) for f in findings) / len(findings)
    before = sum(f.found_with or len(f.sequence.cases) for f in findings) / len(findings)
    print(f"\n{len(findings)} findings, {mean:.2f} requests each, {before:.2f} before")
    print(f"left out: {exported.left_out}")
    wanted = {f.id for f in findings} - set(exported.left_out)
    project.switch(*classes())
    failed_with = pytest_run(tmp_path)
    project.switch()
    failed_without = pytest_run(tmp_path)
    print(f"not failing with them: {wanted - failed_with}; failing without: {failed_without}")
    assert failed_with == wanted
    assert not failed_without
    assert mean <= MEAN_CASES_MAX
