"""The target's own metrics, from premortem.toml to the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from premortem.observe import Answer, Asked, Door
from tests.cli.console import premortem

PLAN = """rate_per_second = 50
duration_s = 60

[[stop]]
when = "target.cpu > 95"
"""


@pytest.fixture
def page() -> Iterator[str]:
    """Address of a page on which cpu_s grows by what one core does, or a little more."""
    seconds = iter(range(10_000))

    def answer(_: Asked) -> Answer:
        return Answer(body=b'cpu_s{core="0"} %d\ncpu_s{core="1"} 7' % (1000 * next(seconds)))

    door = Door("127.0.0.1:0", answer, what="page")
    yield door.address
    door.close()


def add_metric(project, address: str, series: str = 'cpu_s{core="0"}') -> None:
    place = project.folder / "premortem.toml"
    added = (
        "\n[metrics.cpu]\n"
        'kind = "scrape"\n'
        f'url = "http://{address}/metrics"\n'
        f"series = '{series}'\n"
        "rate = true\nscale = 100\ninterval_s = 0.2\n"
    )
    place.write_text(place.read_text() + added)


def test_doctor_reads_the_metrics_or_says_why_not(project, page):
    add_metric(project, page)
    done = premortem("doctor")
    assert done.code == 0
    assert "cpu = " in done.out


def test_doctor_says_which_metric_cannot_be_read(project, page):
    add_metric(project, page, series="absent")
    done = premortem("doctor")
    assert done.code != 0
    assert "cpu: no series matches" in done.out + done.err


def test_a_run_is_stopped_by_what_the_target_says(project, page):
    add_metric(project, page)
    (project.folder / "plan.toml").write_text(PLAN)
    done = premortem("run", "plan.toml")
    assert done.code != 0
    assert "target.cpu > 95: target.cpu was " in " ".join(done.err.split())
    summary = premortem("report", "--json").json["summary"]
    assert summary["left"] > 0


def test_a_plan_that_names_an_unknown_metric_is_refused(project):
    (project.folder / "plan.toml").write_text(PLAN)
    done = premortem("run", "plan.toml")
    assert done.code == 2
    assert "[metrics.cpu]" in done.err
