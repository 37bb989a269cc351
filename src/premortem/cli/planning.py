"""`premortem plan`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.text import Text

from premortem.analyse import plan_view
from premortem.analyse.terminal.cells import indented
from premortem.checks.listing import own_names
from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FAILED,
    Common,
    out,
    print_json,
    say,
)
from premortem.cli.context import show as show_view
from premortem.cli.data import Seed, weights_of
from premortem.cli.groups import TEST
from premortem.cli.load_options import RULES, SHAPE, Rules, Shape, loaded
from premortem.cli.progress import making_progress
from premortem.config import Config
from premortem.domain.run import Plan, share
from premortem.domain.schedule import Schedule
from premortem.errors import ConfigError, NothingLearned, PremortemError
from premortem.pipeline.naming import known_operation
from premortem.pipeline.run import Prepared, prepare
from premortem.pipeline.timing import scheduled
from premortem.plan import (
    Checked,
    Complaint,
    Problem,
    at_most,
    check_text,
    draw,
    drawn,
    fit,
    load_plan,
    load_words,
    read_plan,
    rule_lines,
    search_words,
    write_plan,
)

app = App(
    name="plan",
    help="Say what to run: a TOML file that a person can write, too.",
    group=TEST,
    sort_key=3,
)


def build(
    *,
    dynamic: str = "40%",
    rate: str | None = None,
    duration: str | None = None,
    max_requests: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    source: str = "sample=40,schema=30,mutate=30",
    operation: tuple[str, ...] = (),
    seed: Seed = 1,
    safe_methods: bool = False,
    out_file: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("plan.toml"),
    shape: Shape = SHAPE,
    rules: Rules = RULES,
    common: Common = COMMON,
) -> int:
    """Write a plan: how much, how fast, and which part of it is generated.

    planned = rate x duration; of these, the dynamic share is generated and the rest
    replays production with live ids. The file explains its keys; change it as you like.

    For example:

        premortem plan build --dynamic 40% --rate 50/s --duration 60s
        premortem plan build --shape ramp --from 10/s --to 500/s --duration 5m
        premortem plan build --shape timeline --speed 2 --duration 10m

    Parameters
    ----------
    dynamic
        Share of generated requests: 40% or 0.4.
    rate
        Requests per second, e.g. 50/s or 600/m. [default: 50/s]
    duration
        How long, e.g. 90s, 5m or 1h. [default: 60s]
    max_requests
        End earlier, after so many; 0: rate x duration decides.
    source
        Weights. sample: like production's; traffic: the same by a trained model; schema:
        limits of the schema, each constraint broken alone; mutate: recorded requests
        changed in values, structure, headers or order; llm: free values by a model.
    operation
        Only this operation (POST /invoices); may be repeated.
    seed
        Seed of everything random.
    safe_methods
        Send only GET, HEAD and OPTIONS.
    out_file
        Where to write the plan.
    """
    plan = loaded(shape, rules, rate=rate, duration=duration)
    plan = msgspec.structs.replace(
        plan,
        name=out_file.stem,
        dynamic=percentage(dynamic),
        requests_max=max_requests,
        sources=weights_of(source),
        seed=seed,
    )
    with common.opened() as (config, store):
        learned = store.profile()
        rate_max = config.target.rate_per_second_max
        plan = msgspec.structs.replace(
            plan,
            operations=tuple(known_operation(learned, name).id for name in operation),
            safe_methods_only=safe_methods or not config.target.disposable,
            rate_per_second=rate_max if shape.connections and not rate else plan.rate_per_second,
        )
        write_plan(plan, out_file)
        planned, _ = scheduled(plan, store)
    return _print_built(plan, planned, out_file, asked=safe_methods, common=common)


def percentage(text: str) -> str:
    """TEXT as it is. Raises ConfigError when it is no share."""
    try:
        share(text)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return text


def _print_built(written: Plan, plan: Plan, path: Path, *, asked: bool, common: Common) -> int:
    if common.json:
        print_json({"file": str(path), "planned": plan.planned, "plan": written})
        return EXIT_CLEAN
    say(
        "wrote ",
        (str(path), "bold"),
        f": {'at most ' if at_most(plan) else ''}{plan.planned:,} requests, "
        f"{plan.planned_dynamic:,} generated, {plan.planned - plan.planned_dynamic:,} replayed",
    )
    if plan.load.shape != "constant" or plan.connections:
        say(f"  {load_words(plan)}")
    if plan.safe_methods_only and not asked:
        say("  only safe methods: the target is not marked disposable")
    say(f"next: premortem plan show {path}; premortem run {path}")
    return EXIT_CLEAN


def check(plan: Path = Path("plan.toml"), /, *, common: Common = COMMON) -> int:
    """Say all that is wrong with PLAN at once, with line numbers. Exit 2 on errors.

    Reads the file, premortem.toml for the target's metrics and limits, and the
    latest profile where there is one; sends nothing. Warnings do not fail it.

    For example, in CI:

        premortem plan check plans/nightly.toml

    Parameters
    ----------
    plan
        The plan file.
    """
    config, data = common.load(), read_plan(plan)
    unread = ""
    try:
        with common.opened() as (_, store):
            profiled = partial(_fitting, config=config, profile_of=store.profile)
            checked = _checked(data, config, profiled)
    except NothingLearned:
        unread = "nothing was learned yet"
        checked = _checked(data, config)
    except PremortemError as error:
        unread = str(error)
        checked = _checked(data, config)
    if common.json:
        print_json(_check_json(plan, checked, unread))
    else:
        _print_checked(plan, checked, unread)
    return EXIT_FAILED if checked.errors else EXIT_CLEAN


def _checked(
    data: bytes,
    config: Config,
    further: Callable[[Plan], Iterable[Complaint]] = lambda _plan: (),
) -> Checked:
    return check_text(
        data,
        metrics=metrics_of(config),
        rate_per_second_max=config.target.rate_per_second_max,
        checks=own_names(config),
        further=further,
    )


def metrics_of(config: Config) -> frozenset[str]:
    """Names of the target's metrics that CONFIG says how to read."""
    return frozenset(config.metrics)


def _fitting(plan: Plan, *, config: Config, profile_of: Callable[[str], Any]) -> list[Complaint]:
    try:
        profile = profile_of(plan.profile)
    except NothingLearned:
        raise
    except PremortemError as error:
        return [Complaint(path=("profile",), message=f"`profile`: {error}")]
    return list(
        fit(
            plan,
            profile,
            roles=config.roles,
            tenant_header=config.target.tenant_header,
            edition_header=config.target.edition_header,
            now=time.time(),
        )
    )


def _check_json(path: Path, checked: Checked, unread: str) -> dict[str, Any]:
    return {
        "file": str(path),
        "errors": checked.errors,
        "warnings": [problem for problem in checked.problems if problem.level == "warning"],
        "planned": checked.plan.planned if checked.plan else None,
        "unread": unread or None,
    }


def _print_checked(path: Path, checked: Checked, unread: str) -> None:
    for problem in checked.problems:
        say(*_spelled(path, problem))
    if unread:
        say((f"not held against a profile: {unread}", "dim"))
    errors, warnings = len(checked.errors), len(checked.problems) - len(checked.errors)
    named = ((errors, "error"), (warnings, "warning"))
    counts = [f"{number} {name}{'s' * (number > 1)}" for number, name in named if number]
    say(f"{', '.join(counts)} in {path}" if counts else f"{path} is sound")


def _spelled(path: Path, problem: Problem) -> tuple[str | tuple[str, str], ...]:
    style = "red" if problem.level == "error" else "yellow"
    return (f"{path}:{problem.line}: ", (problem.level, style), f": {problem.message}")


def show(plan: Path = Path("plan.toml"), /, *, common: Common = COMMON) -> int:
    """Show what PLAN would send: numbers, the rate over time, rules, operations.

    Sends nothing.

    Parameters
    ----------
    plan
        The plan file.
    """
    read = load_plan(plan, metrics=metrics_of(common.load()))
    with (
        common.opened() as (config, store),
        making_progress("preparing", quiet=common.json) as progress,
    ):
        read, schedule = scheduled(read, store)
        prepared = prepare(read, config=config, store=store, progress=progress)
    print_prepared(prepared, schedule, common)
    return EXIT_CLEAN


def print_prepared(prepared: Prepared, schedule: Schedule, common: Common) -> None:
    """What would be sent, and when."""
    plan, arranged = prepared.plan, prepared.arranged
    if not common.json:
        _print_load(plan, schedule)
        show_view(plan_view(plan, arranged.sequences, arranged.shortfall, load=load_words(plan)))
        print_left_out(prepared)
        return
    print_json(
        {
            "plan": plan,
            "planned": arranged.planned,
            "at_most": at_most(plan),
            "duration_s": schedule.duration_s,
            "peak_per_second": schedule.peak_per_second,
            "rules": [list(line) for line in rule_lines(plan, schedule.peak_per_second)],
            "dynamic": arranged.dynamic,
            "setup": arranged.setup,
            "replay": arranged.replay,
            "missing": arranged.missing,
            "rejected": prepared.rejected,
            "left_out": prepared.left_out,
        }
    )


def _print_load(plan: Plan, schedule: Schedule) -> None:
    if plan.load.shape != "constant":
        lines = draw(drawn(plan, schedule), columns=out.width)
        show_view(Text("\n".join(lines), no_wrap=True))
        if plan.load.shape == "find_limit":
            show_view(Text(search_words(plan), style="dim"))
    rows = list(rule_lines(plan, schedule.peak_per_second))
    for decides, written, words in rows:
        show_view(Text.assemble((f"{decides:10}", "bold"), written))
        show_view(indented(Text(words, style="dim"), cells=10))


def print_left_out(prepared: Prepared) -> None:
    """What of production is not replayed."""
    for note in prepared.notes:
        say(note)
    if prepared.left_out:
        say(
            f"{prepared.left_out:,} recorded requests are not replayed: "
            f"they change accounts that roles sign in with"
        )


app.command(build, sort_key=1)
app.command(check, sort_key=2)
app.command(show, sort_key=3)
