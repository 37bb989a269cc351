"""The plan file: TOML that a person can write."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec
from msgspec import Struct

from premortem.domain.run import Plan
from premortem.errors import ConfigError
from premortem.plan.check import check_text
from premortem.plan.context_file import context_lines
from premortem.plan.lines import Path as Keys
from premortem.plan.load_file import (
    GOALS_EXAMPLE,
    HOLD_EXAMPLE,
    SCALE_EXAMPLE,
    load_lines,
    stop_lines,
    table_lines,
)
from premortem.plan.rules import complaints
from premortem.plan.toml import toml_text

PROBLEMS_MAX = 8
"""Problems named in one message."""

COMMENTS = {
    "name": "How the run is called in reports.",
    "profile": 'Version of the profile that cases are made from, or "latest".',
    "dynamic": "Share of the requests that is generated; the rest replays production.",
    "rate_per_second": "Requests per second; of a spike its base, of a sine its middle. Shapes "
    "with rates of\ntheir own ([load]) pass it over; the target's rate_per_second_max limits all.",
    "duration_s": "Seconds. Rate x duration requests are planned ...",
    "requests_max": "... or this many, if that is less. 0: no such limit.",
    "connections": "So many connections that send back to back, each its next request once the "
    "answer is\nthere; together never more than the rate. 0: the rate alone decides.",
    "users_per_role": "Sessions of each role, each with its own tokens and cookies.",
    "thresholds": 'What must hold for the run to pass, like ["p99_ms < 250", "error_ratio < 1%",\n'
    '"p95_ms{POST /invoices} < 400", "target.cpu < 80"]. Times count from the intended send time.',
    "operations": 'Only these operations, like ["POST /invoices"]. Empty: all.',
    "exclude_operations": "None of these: never sent, not even because another one needs it.",
    "sequences": "Also sequences in an order that production did not show: swapped, repeated, "
    "left out, as\nsomebody else, several at once. false: single requests behind their setup.",
    "seed": "The same seed makes the same cases.",
    "in_flight_max": "Requests under way at once; further ones wait, and their wait is measured.",
    "timeout_s": "Seconds within which an answer has to be complete.",
    "safe_methods_only": "Only GET, HEAD, OPTIONS and TRACE: for a target that is not disposable.",
    "require_metrics": "Stop when the target's metrics ([metrics.*] in premortem.toml) are lost "
    "from sight.",
    "resend_unsafe": "After a worker is lost, send again what may have arrived though a second "
    "time may do\nharm. false: such requests end as unknown.",
    "keep_all": "Keep every result in full, up to 100,000 of one run. false: those that failed, "
    "the first\nof each kind, and a sample; all others are counted.",
    "checks_off": 'Checks that are left out, like ["response_shape"].',
}
SOURCES_COMMENT = """\
How the generated part is made: weights, not percentages. sample: valid requests
drawn like production's; traffic: the same, written by a model that was trained;
schema: limits of the schema, and each constraint broken alone;
mutate: recorded requests changed, in their values, structure, headers and order;
security: forged tokens, others' things, denied roles, texts that are code, limits;
llm: valid requests whose free values a language model makes up."""


def load_plan(
    path: Path, *, metrics: Collection[str] | None = None, checks: Collection[str] = ()
) -> Plan:
    """The plan in PATH. Raises ConfigError with all that is wrong, each with its line and key.

    METRICS: names of `[metrics.*]` in premortem.toml; None: not known, so not judged. CHECKS: of
    the user's own.
    """
    checked = check_text(read_plan(path), metrics=metrics, checks=checks)
    if checked.plan is None:
        said = [f"line {problem.line}: {problem.message}" for problem in checked.errors]
        shown = "; ".join(said[:PROBLEMS_MAX])
        if len(said) > 1:
            shown += f" (`premortem plan check {path}` lists all {len(said)})"
        raise ConfigError(f"{path}: {shown}")
    return checked.plan


def read_plan(path: Path) -> bytes:
    """The bytes of a plan file. Raises ConfigError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the plan {path}: {error.strerror}; `premortem plan build` writes one"
        ) from None


def check_plan(plan: Plan, *, where: str) -> None:
    """Raise ConfigError, naming WHERE and the keys, for a plan that cannot be meant."""
    said = [c.message for c in complaints(plan, given=_given(plan)) if c.level == "error"]
    if said:
        raise ConfigError(f"{where}: {'; '.join(said[:PROBLEMS_MAX])}")


def _given(value: Struct, above: Keys = ()) -> set[Keys]:
    """What VALUE says beyond the defaults."""
    found: set[Keys] = set()
    for field in msgspec.structs.fields(type(value)):
        inner = getattr(value, field.name)
        path = (*above, field.name)
        if field.required or inner != _default(field):
            found.add(path)
            found |= _given(inner, path) if isinstance(inner, Struct) else set()
    return found


def _default(field: msgspec.structs.FieldInfo) -> object:
    made = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


def write_plan(plan: Plan, path: Path) -> None:
    """Write PLAN to PATH with a comment on every key. Raises ConfigError."""
    check_plan(plan, where=str(path))
    lines = ["# A plan: what `premortem run` sends. Keys left out have these defaults.", ""]
    for key, comment in COMMENTS.items():
        lines += [*_comment(comment), f"{key} = {toml_text(getattr(plan, key))}", ""]
    lines += [*_comment(SOURCES_COMMENT), "[sources]"]
    lines += [f"{name} = {weight}" for name, weight in plan.sources.items()]
    lines += ["", *load_lines(plan.load)]
    lines += ["", *stop_lines(plan.stop)]
    lines += ["", *table_lines("hold", plan.hold, HOLD_EXAMPLE)]
    lines += ["", *table_lines("scale", plan.scale, SCALE_EXAMPLE)]
    lines += ["", *table_lines("goals", plan.goals, GOALS_EXAMPLE)]
    lines += ["", *context_lines(plan.context)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write the plan {path}: {error.strerror}") from None


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in text.splitlines()]
