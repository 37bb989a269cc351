"""What each part of a run brings: defects of the ledger found without it, over three seeds.

Nothing here sets a goal; a part that brings nothing is worth knowing.

    PREMORTEM_CACHE=.build/cache pytest tests/quality/test_ablation.py -s
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from premortem.domain.goals import Goals
from premortem.domain.run import Finding, Plan
from premortem.models import find_cached
from premortem.models.llamacpp import available
from premortem.pipeline.run import Reported, execute, prepare
from tests.pipeline.conftest import Project, project  # noqa: F401 - a fixture
from tests.quality.test_ledger_defects import RATE, TOGETHER, attributed, classes

REQUESTS = 5_000
SEEDS = (1, 2, 3)
WAYS: Mapping[str, Mapping[str, object]] = {
    "whole": {},
    "without mutation": {"sources": {"sample": 55, "schema": 45}},
    "without sequences": {"sequences": False},
    "without mutation and sequences": {"sources": {"sample": 55, "schema": 45}, "sequences": False},
    "replay alone": {"dynamic": "0%"},
    "with goals": {"goals": Goals(coverage=True)},
    "with the language model": {"sources": {"sample": 38, "schema": 29, "mutate": 29, "llm": 4}},
}
"""Keys of the plan by which a run differs from the whole."""

pytestmark = pytest.mark.quality


@pytest.mark.parametrize("way", WAYS)
def test_defects_found_without_a_part(project: Project, way: str) -> None:  # noqa: F811
    if "llm" in str(WAYS[way]) and (find_cached() is None or not available()):
        pytest.skip("the built-in model is not there; run `make models`")
    found: list[set[str]] = []
    for seed in SEEDS:
        project.switch(*classes())
        by_defect = attributed(project, run(project, seed, WAYS[way]))
        found.append(set(by_defect) - {"", TOGETHER})
        assert "" not in by_defect, "a finding that the correct ledger shows, too, is a false one"
    always, ever = set.intersection(*found), set.union(*found)
    mean = sum(map(len, found)) / len(found)
    print(
        f"\n{way}: {', '.join(str(len(defects)) for defects in found)} of {len(classes())} found, "
        f"mean {mean:.1f}; by every seed {len(always)}, by any {len(ever)}; "
        f"never: {' '.join(sorted(set(classes()) - ever))}"
    )


def run(project: Project, seed: int, keys: Mapping[str, object]) -> tuple[Finding, ...]:  # noqa: F811
    plan = Plan(
        rate_per_second=RATE,
        duration_s=240.0,
        requests_max=REQUESTS,
        seed=seed,
        **keys,  # type: ignore[arg-type]
    )
    with project.opened() as store:
        prepared = prepare(plan, config=project.config, store=store)
        events = list(execute(prepared, config=project.config, store=store, stop=threading.Event()))
    reported = events[-1]
    assert isinstance(reported, Reported)
    return reported.findings
