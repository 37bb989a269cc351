"""`premortem checks`: what answers are held against."""

from __future__ import annotations

from pathlib import Path

from premortem.checks.listing import Listed, list_checks, own_names
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say
from premortem.config import Config
from premortem.plan import load_plan

_COLOURS = {"high": "red", "medium": "yellow", "low": "dim"}


def checks(plan: Path | None = None, /, *, common: Common = COMMON) -> int:
    """List the checks: what each one says, how grave it is, and whether it is on.

    Off are those named in `off` under [checks] of premortem.toml, and those in
    `checks_off` of PLAN. Files of your own checks are read, too, so a mistake in
    one shows here. docs/checks.md says when each check speaks, and when it does not.

    For example:

        premortem checks
        premortem checks plans/nightly.toml --json

    Parameters
    ----------
    plan
        A plan file.
    """
    config = common.load()
    found = list_checks(config, _off(plan, config))
    if common.json:
        print_json(found)
        return EXIT_CLEAN
    width = max(len(check.name) for check in found)
    for check in found:
        _print(check, width)
    on = sum(check.on for check in found)
    say(f"{on} of {len(found)} checks are on; switch one off with `off` under [checks]")
    return EXIT_CLEAN


def _off(plan: Path | None, config: Config) -> tuple[str, ...]:
    if plan is None:
        return ()
    names = frozenset(config.metrics)
    return load_plan(plan, metrics=names, checks=own_names(config)).checks_off


def _print(check: Listed, width: int) -> None:
    mark = ("on ", "green") if check.on else ("off", "dim")
    say(
        mark,
        "  ",
        (f"{check.name:<{width}}", "bold"),
        "  ",
        (f"{check.severity:<6}", _COLOURS[check.severity]),
        f"  {check.description}",
    )
    lead = " " * (width + 15)
    if check.file:
        say((f"{lead}yours, in {check.file}", "dim"))
    if check.off_for:
        say((f"{lead}off for {', '.join(check.off_for)}", "dim"))
