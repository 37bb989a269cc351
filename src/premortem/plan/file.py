"""The plan file: TOML that a person can write."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import msgspec

from premortem.domain.run import Plan, SourceName
from premortem.errors import ConfigError
from premortem.plan.context_file import context_lines
from premortem.plan.toml import toml_text

PLANNED_MAX = 100_000_000
"""Requests of one plan."""
IN_FLIGHT_MAX = 4096
SEED_MAX = 2**32 - 1
GENERATING = tuple(name for name in get_args(SourceName) if name not in ("replay", "scenario"))
"""Sources that make new cases."""

_COMMENTS = {
    "name": "How the run is called in reports.",
    "profile": 'Version of the profile that cases are made from, or "latest".',
    "dynamic": "Share of the requests that is generated; the rest replays production.",
    "rate_per_second": "Requests per second, constant; the target's rate_per_second_max limits it.",
    "duration_s": "Seconds. Rate x duration requests are planned ...",
    "requests_max": "... or this many, if that is less. 0: no such limit.",
    "operations": 'Only these operations, like ["POST /invoices"]. Empty: all.',
    "exclude_operations": "None of these: never sent, not even because another one needs it.",
    "seed": "The same seed makes the same cases.",
    "in_flight_max": "Requests under way at once; further ones wait, and their wait is measured.",
    "timeout_s": "Seconds within which an answer has to be complete.",
    "safe_methods_only": "Only GET, HEAD, OPTIONS and TRACE: for a target that is not disposable.",
    "checks_off": 'Checks that are left out, like ["response_shape"].',
    "sources": "How the generated part is made: weights, not percentages. sample: valid requests\n"
    "# drawn like production's; schema: limits of the schema, and each constraint broken alone;\n"
    "# mutate: recorded requests changed, in their values, structure, headers and order;\n"
    "# llm: valid requests whose free values a language model makes up.",
}


def load_plan(path: Path) -> Plan:
    """The plan in PATH. Raises ConfigError, which names the file and the key."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the plan {path}: {error.strerror}; `premortem plan build` writes one"
        ) from None
    try:
        plan = msgspec.toml.decode(data, type=Plan)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{path}: {error}; mend it there or compare with `premortem plan build`"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    check_plan(plan, where=str(path))
    return plan


def check_plan(plan: Plan, *, where: str) -> None:
    """Raise ConfigError, naming WHERE and the key, for a plan that cannot be meant."""

    def refuse(key: str, why: str) -> None:
        raise ConfigError(f"{where}: `{key}` = {getattr(plan, key)!r}: {why}")

    for key in ("rate_per_second", "duration_s", "timeout_s"):
        value = getattr(plan, key)
        if not math.isfinite(value) or value <= 0:
            refuse(key, "it must be more than 0")
    limits = (("requests_max", 0, PLANNED_MAX), ("in_flight_max", 1, IN_FLIGHT_MAX))
    for key, least, most in (*limits, ("seed", 0, SEED_MAX)):
        if not least <= getattr(plan, key) <= most:
            refuse(key, f"it must be between {least} and {most}")
    try:
        planned = plan.planned
        plan.planned_dynamic  # noqa: B018 - it parses the share
    except ValueError as error:
        raise ConfigError(f"{where}: `dynamic`: {error}") from None
    if not 1 <= planned <= PLANNED_MAX:
        raise ConfigError(
            f"{where}: `rate_per_second` x `duration_s` makes {planned} requests; it must be "
            f"between 1 and {PLANNED_MAX}"
        )
    for name, weight in plan.sources.items():
        if name not in GENERATING:
            refuse("sources", f"{name!r} does not generate; there are {', '.join(GENERATING)}")
        if weight < 0:
            refuse("sources", f"the weight of {name} is below 0")
    if plan.planned_dynamic and not sum(plan.sources.values()):
        refuse("sources", 'no source has a weight; set `dynamic = "0%"` to generate nothing')


def write_plan(plan: Plan, path: Path) -> None:
    """Write PLAN to PATH with a comment on every key. Raises ConfigError."""
    check_plan(plan, where=str(path))
    lines = ["# A plan: what `premortem run` sends. Keys left out have these defaults.", ""]
    for key, comment in _COMMENTS.items():
        if key == "sources":
            continue
        lines += [f"# {comment}", f"{key} = {toml_text(getattr(plan, key))}", ""]
    lines += [f"# {_COMMENTS['sources']}", "[sources]"]
    lines += [f"{name} = {weight}" for name, weight in plan.sources.items()]
    lines += ["", *context_lines(plan.context)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write the plan {path}: {error.strerror}") from None
