"""When the requests of a plan are due, with production's own arrivals where it follows them."""

from __future__ import annotations

from premortem.domain.run import Plan
from premortem.domain.schedule import TIMELINE_MAX, Schedule, arrivals_of, counted, schedule_of
from premortem.errors import ConfigError, NothingLearned
from premortem.plan.rules import PLANNED_MAX
from premortem.store import Store


def scheduled(plan: Plan, store: Store) -> tuple[Plan, Schedule]:
    """PLAN, with `planned` as it will be, and its schedule.

    Raises NothingLearned for a timeline without traffic, ConfigError for one with too much.
    """
    if plan.load.shape != "timeline":
        return plan, schedule_of(plan)
    times = store.times(TIMELINE_MAX)
    if not times:
        raise NothingLearned(missing="traffic", command="premortem capture har FILE")
    arrivals = arrivals_of(times)
    plan = counted(plan, arrivals)
    if plan.planned > PLANNED_MAX:
        raise ConfigError(
            f"the timeline makes {plan.planned:,} requests, more than {PLANNED_MAX:,}; lower "
            f"`speed` or `duration_s`"
        )
    return plan, schedule_of(plan, arrivals)
