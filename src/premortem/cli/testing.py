"""`premortem plan` and `run`."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number

from premortem import pipeline
from premortem.analyse import (
    FailOn,
    decide,
    findings_table,
    load_baseline,
    plan_view,
    run_view,
    save_baseline,
)
from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FAILED,
    EXIT_FINDINGS,
    EXIT_INTERRUPTED,
    Common,
    print_json,
    say,
    warn,
)
from premortem.cli.context import show as show_view
from premortem.cli.data import TEST, Seed, weights_of
from premortem.cli.progress import making_progress, run_progress
from premortem.domain.run import Plan, share
from premortem.errors import ConfigError
from premortem.pipeline import Prepared, Reported, Reproducing
from premortem.plan import load_plan, write_plan
from premortem.run import RunStarted


def register(app: App) -> None:
    """Add the commands to APP."""
    plan = App(
        name="plan",
        help="Say what to run: a TOML file that a person can write, too.",
        group=TEST,
        sort_key=3,
    )
    plan.command(build, sort_key=1)
    plan.command(show, sort_key=2)
    app.command(plan)
    app.command(run, group=TEST, sort_key=4)


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """`90`, `60s`, `5m`, `1h` in seconds. Raises ConfigError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text)
    if match is None:
        raise ConfigError(f"not a duration: {text!r}; write it like 60s, 5m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def per_second(text: str) -> float:
    """`50`, `50/s`, `600/m` per second. Raises ConfigError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/([smh]))?", text)
    if match is None or float(match[1]) <= 0:
        raise ConfigError(f"not a rate: {text!r}; write it like 50/s or 600/m")
    return float(match[1]) / _SECONDS[match[2] or "s"]


def build(
    *,
    dynamic: str = "40%",
    rate: str = "50/s",
    duration: str = "60s",
    max_requests: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    source: str = "sample=40,schema=30,mutate=30",
    operation: tuple[str, ...] = (),
    seed: Seed = 1,
    safe_methods: bool = False,
    out_file: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("plan.toml"),
    common: Common = COMMON,
) -> int:
    """Write a plan: how much, how fast, and which part of it is generated.

    planned = rate x duration; of these, the dynamic share is generated and the rest
    replays production with live ids. The file explains its keys; change it as you
    like.

    For example:

        premortem plan build --dynamic 40% --rate 50/s --duration 60s

    Parameters
    ----------
    dynamic
        Share of generated requests: 40% or 0.4.
    rate
        Requests per second, e.g. 50/s or 600/m.
    duration
        How long, e.g. 90s, 5m or 1h.
    max_requests
        End earlier, after so many; 0: rate x duration decides.
    source
        Weights. sample: requests like production's; schema: limits of the schema, each
        constraint broken alone; mutate: recorded requests changed in values, structure,
        headers or order; llm: free values made up by a language model.
    operation
        Only this operation (POST /invoices); may be repeated.
    seed
        Seed of everything random.
    safe_methods
        Send only GET, HEAD and OPTIONS.
    out_file
        Where to write the plan.
    """
    plan = Plan(
        name=out_file.stem,
        dynamic=percentage(dynamic),
        rate_per_second=per_second(rate),
        duration_s=seconds(duration),
        requests_max=max_requests,
        sources=weights_of(source),
        seed=seed,
    )
    with common.opened() as (config, store):
        learned = store.profile()
    plan = msgspec.structs.replace(
        plan,
        operations=tuple(pipeline.known_operation(learned, name).id for name in operation),
        safe_methods_only=safe_methods or not config.target.disposable,
    )
    write_plan(plan, out_file)
    if common.json:
        print_json({"file": str(out_file), "planned": plan.planned, "plan": plan})
    else:
        _print_built(plan, out_file, asked=safe_methods)
    return EXIT_CLEAN


def _print_left_out(prepared: Prepared) -> None:
    for note in prepared.notes:
        say(note)
    if prepared.left_out:
        say(
            f"{prepared.left_out:,} recorded requests are not replayed: "
            f"they change accounts that roles sign in with"
        )


def percentage(text: str) -> str:
    """TEXT as it is. Raises ConfigError when it is no share."""
    try:
        share(text)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return text


def _print_built(plan: Plan, path: Path, *, asked: bool) -> None:
    say(
        "wrote ",
        (str(path), "bold"),
        f": {plan.planned:,} requests, {plan.planned_dynamic:,} generated, "
        f"{plan.planned - plan.planned_dynamic:,} replayed",
    )
    if plan.safe_methods_only and not asked:
        say("  only safe methods: the target is not marked disposable")
    say(f"next: premortem plan show {path}; premortem run {path}")


def show(plan: Path = Path("plan.toml"), /, *, common: Common = COMMON) -> int:
    """Show what PLAN would send: numbers, operations, sources. Sends nothing.

    Parameters
    ----------
    plan
        The plan file.
    """
    loaded = load_plan(plan)
    with (
        common.opened() as (config, store),
        making_progress("preparing", quiet=common.json) as progress,
    ):
        prepared = pipeline.prepare(loaded, config=config, store=store, progress=progress)
    _print_prepared(prepared, common)
    return EXIT_CLEAN


def _print_prepared(prepared: Prepared, common: Common) -> None:
    plan, arranged = prepared.plan, prepared.arranged
    if not common.json:
        show_view(plan_view(plan, arranged.sequences, arranged.shortfall))
        _print_left_out(prepared)
        return
    print_json(
        {
            "plan": plan,
            "planned": arranged.planned,
            "dynamic": arranged.dynamic,
            "setup": arranged.setup,
            "replay": arranged.replay,
            "missing": arranged.missing,
            "rejected": prepared.rejected,
            "left_out": prepared.left_out,
        }
    )


class _Interrupts:
    """What Ctrl-C does during a run.

    While requests go out the first one asks the run to stop, so that every result is kept. At
    any other time, and the second time, it breaks off what is under way.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.sending = False

    def __call__(self, _signal: int, _frame: object) -> None:
        again = self.stop.is_set()
        self.stop.set()
        if again or not self.sending:
            raise KeyboardInterrupt
        warn("stopping: what was sent is kept (Ctrl-C again to leave at once)")

    def follow(self, event: object) -> None:
        """EVENT tells what the run is at."""
        if isinstance(event, RunStarted):
            self.sending = True
        elif isinstance(event, Reproducing):
            self.sending = False


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    handler = _Interrupts()
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield handler
    finally:
        signal.signal(signal.SIGINT, before)


def run(
    plan: Path,
    /,
    *,
    dry_run: bool = False,
    fail_on: FailOn = "new",
    baseline: Path = Path("premortem.baseline.json"),
    update_baseline: bool = False,
    common: Common = COMMON,
) -> int:
    """Run PLAN. Exit 0 clean, 1 on findings, 2 if it could not run.

    What fails is sent again from a fresh state; only what fails again is a finding.
    Ctrl-C stops within a second and keeps every result.

    In CI, with premortem.baseline.json committed:

        premortem run plan.toml --fail-on new

    Parameters
    ----------
    plan
        The plan file; premortem plan build writes one.
    dry_run
        Prepare and check everything, send nothing.
    fail_on
        Exit 1 on any finding, only on new ones (not in the baseline, not ignored), or never.
    baseline
        Findings known before; without the file all are new.
    update_baseline
        Write this run's findings into the baseline.
    """
    loaded, known = load_plan(plan), load_baseline(baseline)
    with common.opened() as (config, store), _interrupts() as interrupts:
        with making_progress("generating", quiet=common.json) as progress:
            prepared = pipeline.prepare(loaded, config=config, store=store, progress=progress)
        if dry_run:
            _print_prepared(prepared, common)
            return EXIT_CLEAN
        events = pipeline.execute(prepared, config=config, store=store, stop=interrupts.stop)
        reported: Reported | None = None
        with run_progress(prepared.arranged.planned, quiet=common.json) as progress:
            for event in events:
                interrupts.follow(event)
                progress(event)
                reported = event if isinstance(event, Reported) else None
        ignored = store.ignored()
    assert reported is not None  # noqa: S101 - the last event
    if update_baseline:
        save_baseline(baseline, reported.findings)
    new, failing = (
        decide(reported.findings, on, baseline=known, ignored=ignored, today=date.today())
        for on in ("new", fail_on)
    )
    failed = [finding.id for finding in failing]
    if common.json:
        fields = {name: getattr(reported, name) for name in reported.__struct_fields__}
        print_json({**fields, "failing": failed})
    else:
        _print_reported(reported, prepared, new=[finding.id for finding in new])
    if interrupts.stop.is_set():
        return EXIT_INTERRUPTED
    if failed:
        return EXIT_FINDINGS
    return EXIT_FAILED if reported.summary.stopped or reported.trouble else EXIT_CLEAN


def _print_reported(reported: Reported, prepared: Prepared, *, new: list[str]) -> None:
    show_view(run_view(reported.summary, prepared.arranged.shortfall))
    _print_left_out(prepared)
    tried = sum(finding.reproduction_tries > 0 for finding in reported.unconfirmed)
    show_view(findings_table(reported.findings, unconfirmed=tried, failing=new))
    if reported.summary.stopped:
        warn((f"stopped early: {reported.summary.stopped}", "yellow"))
    untried = len(reported.unconfirmed) - tried
    if untried:
        why = reported.trouble or reported.summary.stopped
        warn((f"{untried} more failed, and were not sent again: {why}", "yellow"))
    if reported.findings:
        say("next: premortem findings ID; premortem report --html report.html")
