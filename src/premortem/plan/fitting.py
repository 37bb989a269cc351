"""Whether a plan fits what was learned: the part of `plan check` that needs a profile."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from premortem.domain.condition import parse_condition
from premortem.domain.run import Plan
from premortem.domain.traffic import Profile
from premortem.errors import ConfigError
from premortem.plan.context import check_context
from premortem.plan.lines import Path
from premortem.plan.reading import dotted
from premortem.plan.rules import Complaint


def fit(
    plan: Plan,
    profile: Profile,
    *,
    roles: Collection[str],
    tenant_header: str,
    edition_header: str,
    now: float,
) -> Iterator[Complaint]:
    """What of PLAN names something that PROFILE or the configuration does not have.

    NOW: seconds since the epoch, for windows like `-30d`.
    """
    known = {operation.id for operation in profile.operations}
    named: list[tuple[Path, str]] = [
        *((("operations", i), name) for i, name in enumerate(plan.operations)),
        *((("exclude_operations", i), name) for i, name in enumerate(plan.exclude_operations)),
        *((("goals", "operations", i), name) for i, name in enumerate(plan.goals.operations)),
        *(_filters(plan)),
    ]
    for path, name in named:
        if name not in known:
            close = get_close_matches(name, known, 1)
            advice = f"did you mean {close[0]!r}?" if close else "`premortem profile` lists them"
            message = f"`{dotted(path)}`: the profile has no operation {name!r}; {advice}"
            yield Complaint(path=path, message=message)
    try:
        check_context(
            plan.context,
            profile,
            roles=roles,
            tenant_header=tenant_header,
            edition_header=edition_header,
            sources=plan.sources,
            now=now,
            where="plan",
            operations=[name for name in plan.operations if name in known],
        )
    except ConfigError as error:
        message = str(error).removeprefix("plan: ")
        yield Complaint(path=("context",), message=message)


def _filters(plan: Plan) -> Iterator[tuple[Path, str]]:
    """The operations that conditions name."""
    texts: list[tuple[Path, str]] = [
        *((("thresholds", i), text) for i, text in enumerate(plan.thresholds)),
        *((("stop", i, "when"), rule.when) for i, rule in enumerate(plan.stop)),
    ]
    for path, text in texts:
        try:
            condition = parse_condition(text)
        except ValueError:
            continue
        if condition.operation:
            yield path, condition.operation
