"""How hard, how long and with how many a plan sends: what `[load]`, `[[stop]]`, `[hold]` and
`[scale]` of a plan file say. Values only; what follows from them is `schedule` and `run/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

ShapeName = Literal[
    "constant", "ramp", "step", "spike", "sine", "timeline", "piecewise", "find_limit"
]
ExecutorName = Literal["local", "ray"]
SHAPE_KEYS: Mapping[str, tuple[str, ...]] = {
    "constant": (),
    "ramp": ("from_per_second", "to_per_second"),
    "step": ("from_per_second", "to_per_second", "steps"),
    "spike": ("peak_per_second", "at_s", "for_s"),
    "sine": ("peak_per_second", "period_s"),
    "timeline": ("speed",),
    "piecewise": ("points",),
    "find_limit": ("from_per_second", "to_per_second", "trial_s", "settle_s", "precision"),
}
"""Shape -> the keys of `[load]` that mean something for it."""
RATED_SHAPES = frozenset({"constant", "spike", "sine"})
"""Those that go by the plan's `rate_per_second`."""


class Load(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[load]`: how the rate goes over the plan's `duration_s`.

    `rate_per_second` of the plan is the rate of `constant`, the base of `spike` and the middle of
    `sine`. Keys that a shape does not name have no meaning for it, and are refused.
    """

    shape: ShapeName = "constant"
    from_per_second: float = 0.0
    """`ramp`, `step`: the rate at the start; `find_limit`: of the first trial."""
    to_per_second: float = 0.0
    """`ramp`, `step`: the rate at the end; `find_limit`: the highest one tried."""
    steps: int = 0
    """`step`: equal steps from `from_per_second` to `to_per_second`, both included."""
    peak_per_second: float = 0.0
    """`spike`: the rate within it; `sine`: the highest rate."""
    at_s: float = 0.0
    """`spike`: when it begins."""
    for_s: float = 0.0
    """`spike`: how long it lasts."""
    period_s: float = 0.0
    """`sine`: of one wave; it begins in the middle and rises."""
    points: tuple[tuple[float, float], ...] = ()
    """`piecewise`: (second, rate per second), straight lines between."""
    speed: float = 1.0
    """`timeline`: production's own arrivals, with their gaps and bursts, so many times as fast."""
    trial_s: float = 10.0
    """`find_limit`: how long one rate is held."""
    settle_s: float = 2.0
    """`find_limit`: the start of each trial that is not judged."""
    precision: float = 0.05
    """`find_limit`: ends when the knee is known to within this share of itself."""


class StopRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[stop]]`: when the run ends by itself."""

    when: str
    """A condition: `error_ratio > 0.2`, `p99_ms > 2000`, `target.cpu > 95`."""
    for_s: float = 0.0
    """It has to hold for so long without a break."""
    window_s: float = 5.0
    """Ratios and percentiles are those of so many last seconds."""
    least: int = 20
    """Cases that have to have ended within the window before it is judged."""


class Hold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[hold]`: steer the rate so that a metric stays at a value. No metric: nothing is held."""

    metric: str = ""
    """`target.cpu`, `p99_ms`."""
    value: float = 0.0
    from_per_second: float = 0.0
    """The rate to begin with; 0: a tenth of the plan's."""
    least_per_second: float = 1.0
    """Never slower. The plan's `rate_per_second` is never exceeded."""
    every_s: float = 1.0
    """How often the rate is steered."""


class Scale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[scale]`: who sends."""

    executor: ExecutorName = "local"
    ray_address: str = ""
    """`ray`: the cluster, as `ray.init` takes it; empty: RAY_ADDRESS, and without that one on this
    machine for the time of the run."""
    workers_min: int = 1
    workers_max: int = 1
    """More than `workers_min`: workers come and go with the work."""
    controllers_min: int = 1
    controllers_max: int = 1
    rate_per_worker_max: float = 5000.0
    """A job asks no more than this of one worker; also what one worker is trusted with."""
    job_s: float = 2.0
    """Seconds of the plan in one job."""
    ahead_s: float = 10.0
    """Jobs lie ready at most so long before they are due."""
    attempts_max: int = 3
    """Leases of one job that end without its result before it is set aside as dead."""
