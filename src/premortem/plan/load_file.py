"""`[load]`, `[[stop]]`, `[hold]` and `[scale]` of a plan file."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from premortem.domain.load import SHAPE_KEYS, Load, StopRule
from premortem.plan.toml import toml_text

LOAD_EXAMPLE = """\
# How the rate goes over duration_s:
#   constant    at rate_per_second
#   ramp        from_per_second to to_per_second, in a straight line
#   step        the same in so many equal steps
#   spike       rate_per_second, but peak_per_second from at_s on for for_s seconds
#   sine        waves of period_s around rate_per_second, up to peak_per_second
#   piecewise   points = [[0, 10], [60, 200], [60, 50]]: second and rate, straight lines between
#   timeline    production's own arrivals, gaps and bursts kept, speed times as fast
#   find_limit  trials of trial_s from from_per_second up, doubled until a threshold breaks, then
#               halved until the limit is known to within precision; settle_s are not judged"""
STOP_EXAMPLE = """\
# When the run stops by itself, within a second; any number of these. For example:
#   [[stop]]
#   when = "error_ratio > 20%"         # or p99_ms, target.cpu, ... see docs/load.md
#   for_s = 5.0                        # without a break for so long
#   window_s = 5.0                     # measured over so many last seconds,
#   least = 20                         # and only once so many requests ended within them"""
HOLD_EXAMPLE = """\
# Steer the rate, up to rate_per_second, so that a metric stays at a value. For example:
#   [hold]
#   metric = "target.cpu"              # or p99_ms
#   value = 70
#   from_per_second = 10.0             # where to begin; 0: a tenth of the plan's rate
#   least_per_second = 1.0
#   every_s = 1.0"""
SCALE_EXAMPLE = """\
# Who sends. workers_max above workers_min: workers come and go with the work. Also:
#   executor = "local"                 # or "ray", at ray_address, RAY_ADDRESS or on this machine
#   controllers_min = 1                # and controllers_max: processes that make cases
#   rate_per_worker_max = 5000.0       # no worker is asked for more
#   job_s = 2.0                        # seconds of the plan in one job,
#   ahead_s = 10.0                     # which lies ready so long before it is due
#   attempts_max = 3                   # workers that may be lost over it"""

GOALS_EXAMPLE = """\
# What to look for beside the load: see docs/goals.md. For example:
#   [goals]
#   coverage = true                    # make each slice with what came of earlier ones
#   operations = ["POST /invoices"]    # and places, roles, value_classes, statuses:
#   favour = 4.0                       # these get so many times the energy of all else
#   give_up_after = 12                 # cases in a row without news
#   slice_requests = 150               # made at a time
#   sequences = 0.2                    # share for orders of requests, whatever news they bring"""


def load_lines(load: Load) -> list[str]:
    """LOAD as the lines of a TOML table: its shape, and the keys that this one uses."""
    lines = [*LOAD_EXAMPLE.splitlines(), "[load]", f"shape = {toml_text(load.shape)}"]
    return lines + [f"{key} = {toml_text(getattr(load, key))}" for key in SHAPE_KEYS[load.shape]]


def stop_lines(rules: Iterable[StopRule]) -> list[str]:
    """RULES as the lines of TOML tables; without any, a comment that shows one."""
    lines = STOP_EXAMPLE.splitlines()
    for index, rule in enumerate(rules):
        lines += [""] * (index > 0) + ["[[stop]]"]
        lines += [f"{key} = {toml_text(getattr(rule, key))}" for key in rule.__struct_fields__]
    return lines


def table_lines(name: str, value: Struct, example: str) -> list[str]:
    """VALUE as the lines of table NAME, what is the default left out, behind its EXAMPLE."""
    plain = type(value)()
    changed = [key for key in value.__struct_fields__ if getattr(value, key) != getattr(plain, key)]
    lines = [*example.splitlines(), f"[{name}]"]
    return lines + [f"{key} = {toml_text(getattr(value, key))}" for key in changed]
