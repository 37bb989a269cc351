"""The ledger from its document alone, and from its traffic alone.

All thirty defects are on at once; each finding is attributed by switching them on one by one.
`pytest tests/quality/test_alone.py -s` prints which were found.
"""

from __future__ import annotations

import shutil
import threading
import time

import pytest

from premortem.domain.run import Plan
from premortem.learn import learn_profile, load_spec
from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from premortem.pipeline.run import Reported, execute, prepare
from tests.pipeline.conftest import Project, recorded
from tests.quality.test_ledger_defects import TOGETHER, attributed, classes

pytestmark = pytest.mark.quality

REQUESTS = 3_000
FOUND_MIN = {"document": 8, "traffic": 16}
"""Measured 11 and 21 of the thirty."""
SPEC = 'spec = "openapi.json"\n'


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    with recorded(tmp_path_factory.mktemp("ledger")) as made:
        yield made


@pytest.fixture(scope="module", params=["document", "traffic"])
def alone(request, known, tmp_path_factory):
    """(what is known, a project that knows no more)."""
    directory = tmp_path_factory.mktemp(request.param)
    text = (known.directory / "premortem.toml").read_text()
    if request.param == "traffic":
        text = text.replace(SPEC, "")
    (directory / "premortem.toml").write_text(text)
    shutil.copy(known.directory / "openapi.json", directory)
    project = Project(directory=directory, base=known.base)
    with project.opened() as store:
        if request.param == "traffic":
            recording = known.directory / "production.har.gz"
            capture([recording], config=project.config, store=store)
            learn(config=project.config, store=store)
        else:
            spec = load_spec(directory / "openapi.json")
            store.save_profile(learn_profile(lambda: iter(()), spec=spec, now=time.time()))
    return request.param, project


def run(project: Project) -> Reported:
    plan = Plan(rate_per_second=150.0, duration_s=200.0, requests_max=REQUESTS, seed=1)
    with project.opened() as store:
        prepared = prepare(plan, config=project.config, store=store)
        events = list(execute(prepared, config=project.config, store=store, stop=threading.Event()))
    assert isinstance(events[-1], Reported)
    return events[-1]


def test_defects_are_found_and_none_is_invented(alone):
    what, project = alone
    project.switch()
    assert [f.title for f in run(project).findings] == []
    project.switch(*classes())
    by_defect = attributed(project, run(project).findings)
    found = sorted(d for d in by_defect if d and d != TOGETHER)
    print(f"\n{what} alone: {len(found)} of 30: {' '.join(found)}")
    assert "" not in by_defect, "a finding that the correct service shows, too, is a false one"
    assert len(found) >= FOUND_MIN[what]
