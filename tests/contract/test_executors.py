"""Workers on threads and in processes, held against one contract; those of Ray: tests/quality."""

from __future__ import annotations

import pytest

from tests.contract.executor_contract import (
    test_a_death_is_noticed_and_the_others_work_on,
    test_a_drained_worker_finishes_what_it_holds_and_leaves,
    test_a_role_s_credentials_reach_the_worker,
    test_a_stopped_worker_reports_what_it_did_and_leaves,
    test_one_that_was_let_go_makes_room_for_another,
    test_the_end_leaves_nothing_behind,
    test_what_is_said_to_a_worker_that_is_coming_up_reaches_it,
    test_workers_work_off_all_jobs_and_each_is_heard_in_order,
)
from tests.contract.executors import Inside, Kind, Local

__all__ = [
    "test_a_death_is_noticed_and_the_others_work_on",
    "test_a_drained_worker_finishes_what_it_holds_and_leaves",
    "test_a_role_s_credentials_reach_the_worker",
    "test_a_stopped_worker_reports_what_it_did_and_leaves",
    "test_one_that_was_let_go_makes_room_for_another",
    "test_the_end_leaves_nothing_behind",
    "test_what_is_said_to_a_worker_that_is_coming_up_reaches_it",
    "test_workers_work_off_all_jobs_and_each_is_heard_in_order",
]


@pytest.fixture(params=["inside", "local"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return Inside() if request.param == "inside" else Local()
