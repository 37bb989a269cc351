"""When people work: days with a shape, and the pauses between two clicks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
# How busy each hour is, from midnight on: mornings and afternoons, a dip at noon, few at night.
HOURS = (0, 0, 0, 0, 0, 1, 4, 20, 60, 100, 110, 95, 55, 75, 100, 95, 75, 45, 20, 10, 6, 4, 2, 1)
WEEKDAYS = (1.15, 1.05, 1.0, 1.0, 0.85, 0.12, 0.08)
HOURS_A_DAY = 24

PAUSE_S_TYPICAL, PAUSE_SPREAD = 45.0, 1.1
PAUSE_S_MAX = 900.0
REQUESTS_PER_VISIT = 8


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Opening hours from `first_day` on, so busy that `days` hold `requests`."""

    first_day: date
    days: int
    requests: int

    def opening(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.first_day, time(), ZONE)

    def next_visit(self, after: datetime, rng: Random) -> datetime:
        """When the next one comes, if the last one came at `after`."""
        moment = after
        while True:
            per_hour = self._visits_per_hour(moment)
            rest_s = 3600 - moment.minute * 60 - moment.second
            wait_s = rng.expovariate(per_hour / 3600) if per_hour else math.inf
            if wait_s < rest_s:
                return moment + timedelta(seconds=wait_s)
            moment += timedelta(seconds=rest_s)

    def pause(self, rng: Random) -> timedelta:
        """Between an answer and the next request of the same person."""
        seconds = rng.lognormvariate(math.log(PAUSE_S_TYPICAL), PAUSE_SPREAD)
        return timedelta(seconds=min(seconds, PAUSE_S_MAX))

    def _visits_per_hour(self, moment: datetime) -> float:
        weights = sum(
            WEEKDAYS[(self.first_day + timedelta(days=day)).weekday()] for day in range(self.days)
        )
        share = HOURS[moment.hour] * WEEKDAYS[moment.weekday()] / (sum(HOURS) * weights)
        return share * self.requests / REQUESTS_PER_VISIT


def recent_monday(today: date) -> date:
    """The latest Monday that is a full week ago: what production saw lately."""
    week_ago = today - timedelta(days=7)
    return week_ago - timedelta(days=week_ago.weekday())
