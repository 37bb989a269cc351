"""What runs saw of who may do what, and when that does not count any more."""

from __future__ import annotations

import pytest

from premortem.domain.access import NOBODY
from premortem.domain.coverage import Cell, CellCount
from premortem.pipeline.access import Sent, rules_of_runs

OPERATION = "GET /reports/summary"


def seen(status: int, *, run: str, at: float, role: str = "") -> CellCount:
    return CellCount(
        cell=Cell(operation_id=OPERATION, role=role),
        status_class=f"{status // 100}xx",
        hits=3,
        last_status=status,
        last_run=run,
        last_at=at,
    )


def allowed(*cells: CellCount) -> list[tuple[str, str]]:
    return [(r.role, r.run_id) for r in rules_of_runs(Sent(of_runs=cells)) if r.grant == "allowed"]


def test_who_was_let_through_in_a_run_may():
    assert allowed(seen(200, run="a", at=1.0)) == [(NOBODY, "a")]


@pytest.mark.parametrize("status", [401, 403])
def test_what_a_later_run_was_refused_is_mended(status):
    assert allowed(seen(200, run="a", at=1.0), seen(status, run="b", at=2.0)) == []


@pytest.mark.parametrize(
    "later",
    [
        seen(403, run="a", at=2.0),
        seen(403, run="b", at=0.5),
        seen(422, run="b", at=2.0),
        seen(403, run="b", at=2.0, role="Guest"),
    ],
    ids=["in the same run", "earlier", "for another reason", "to another role"],
)
def test_other_refusals_take_nothing_back(later):
    assert allowed(seen(200, run="a", at=1.0), later) == [(NOBODY, "a")]
