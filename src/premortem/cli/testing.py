"""`premortem plan`, `run`, `findings`, `ignore`, `report`, `replay`."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from premortem import pipeline
from premortem.analyse import (
    FailOn,
    decide,
    finding_view,
    findings_table,
    load_baseline,
    plan_view,
    run_view,
    save_baseline,
)
from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FINDINGS,
    Common,
    err,
    out,
    print_json,
)
from premortem.cli.data import weights_of
from premortem.cli.progress import run_progress, spinner
from premortem.domain.run import Ignored, Plan, share
from premortem.errors import ConfigError
from premortem.plan import load_plan, write_plan


def register(app: App) -> None:
    """Add the commands to APP."""
    plan = App(name="plan", help="Say what to run: a TOML file that a person can write, too.")
    plan.command(build)
    plan.command(show)
    app.command(plan)
    for command in (run, findings, ignore, report, replay):
        app.command(command)


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
    max_requests: int = 0,
    source: str = "sample=50,mutate=50",
    operation: tuple[str, ...] = (),
    seed: int = 1,
    safe_methods: bool = False,
    out_file: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("plan.toml"),
    common: Common = COMMON,
) -> int:
    """Write a plan: how much, how fast, and which part of it is generated.

    planned = rate x duration; of these, the dynamic share is generated and the rest replays
    production with live ids.

    Parameters
    ----------
    dynamic
        Share of generated requests.
    rate
        Requests per second, e.g. 50/s.
    duration
        How long, e.g. 60s or 5m.
    max_requests
        End earlier, after so many; 0: rate x duration decides.
    source
        Weights of the generated part.
    operation
        Only this operation; may be repeated.
    seed
        Seed of everything random.
    safe_methods
        Send only GET, HEAD and OPTIONS.
    out_file
        Where to write the plan.
    """
    try:
        share(dynamic)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    plan = Plan(
        name=out_file.stem,
        dynamic=dynamic,
        rate_per_second=per_second(rate),
        duration_s=seconds(duration),
        requests_max=max_requests,
        sources=weights_of(source),
        operations=operation,
        seed=seed,
        safe_methods_only=safe_methods or not common.load().target.disposable,
    )
    with common.opened() as (_, store):
        store.profile(plan.profile)
    write_plan(plan, out_file)
    if common.json:
        print_json({"file": str(out_file), "planned": plan.planned, "plan": plan})
    else:
        out.print(
            f"wrote [bold]{out_file}[/]: {plan.planned:,} requests, "
            f"{plan.planned_dynamic:,} generated, {plan.planned - plan.planned_dynamic:,} replayed"
        )
        if plan.safe_methods_only and not safe_methods:
            out.print("  only safe methods: the target is not marked disposable")
        out.print(f"next: premortem plan show {out_file}; premortem run {out_file}")
    return EXIT_CLEAN


def show(plan: Path = Path("plan.toml"), *, common: Common = COMMON) -> int:
    """Show what PLAN would send: numbers, operations, sources. Sends nothing.

    Parameters
    ----------
    plan
        The plan file.
    """
    loaded = load_plan(plan)
    with common.opened() as (config, store), spinner("preparing", quiet=common.json):
        prepared = pipeline.prepare(loaded, config=config, store=store)
    if common.json:
        arranged = prepared.arranged
        print_json(
            {
                "plan": loaded,
                "planned": arranged.planned,
                "dynamic": arranged.dynamic,
                "setup": arranged.setup,
                "replay": arranged.replay,
                "missing": arranged.missing,
                "rejected": prepared.rejected,
            }
        )
    else:
        out.print(plan_view(loaded, prepared.arranged.sequences, prepared.arranged.shortfall))
    return EXIT_CLEAN


@contextmanager
def _stop_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C stops sending and keeps every result; a second one ends the program."""

    def first(_signal: int, _frame: object) -> None:
        stop.set()
        err.print("stopping: what was sent is kept (Ctrl-C again to leave at once)")
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run(
    plan: Path,
    *,
    dry_run: bool = False,
    fail_on: FailOn = "new",
    baseline: Path = Path("premortem.baseline.json"),
    update_baseline: bool = False,
    common: Common = COMMON,
) -> int:
    """Run PLAN. Exit 0 clean, 1 on findings, 2 if it could not run.

    Parameters
    ----------
    plan
        The plan file.
    dry_run
        Prepare and check everything, send nothing.
    fail_on
        `any` finding, only `new` ones (not in the baseline, not ignored), or `never`.
    baseline
        Findings known before; without the file all are new.
    update_baseline
        Write this run's findings into the baseline.
    """
    if dry_run:
        return show(plan, common=common)
    loaded = load_plan(plan)
    known = load_baseline(baseline)
    stop = threading.Event()
    reported = None
    with common.opened() as (config, store), _stop_on_interrupt(stop):
        with spinner("generating", quiet=common.json):
            prepared = pipeline.prepare(loaded, config=config, store=store)
        events = pipeline.execute(prepared, config=config, store=store, stop=stop)
        with run_progress(prepared.arranged.planned, quiet=common.json) as progress:
            for event in events:
                if isinstance(event, pipeline.Reported):
                    reported = event
                else:
                    progress(event)
        ignored = store.ignored()
    if reported is None:
        return EXIT_CLEAN
    failing = decide(
        reported.findings, fail_on=fail_on, baseline=known, ignored=ignored, today=date.today()
    )
    if update_baseline:
        save_baseline(baseline, reported.findings)
    if common.json:
        print_json({**_fields(reported), "failing": [finding.id for finding in failing]})
    else:
        out.print(run_view(reported.summary, prepared.arranged.shortfall))
        out.print(findings_table(reported.findings, unconfirmed=len(reported.unconfirmed)))
        if reported.findings:
            out.print("next: premortem findings ID; premortem report --html report.html")
    return EXIT_FINDINGS if failing else EXIT_CLEAN


def _fields(reported: pipeline.Reported) -> dict[str, object]:
    return {
        "summary": reported.summary,
        "findings": reported.findings,
        "unconfirmed": reported.unconfirmed,
    }


def findings(
    finding: str = "", *, run_id: str = "latest", all_runs: bool = False, common: Common = COMMON
) -> int:
    """List the findings of the latest run, or show one with its evidence and a curl line.

    Parameters
    ----------
    finding
        Id, or its first characters, of the finding to show.
    run_id
        The run whose findings to list.
    all_runs
        List those of all runs.
    """
    with common.opened() as (_, store):
        if finding:
            shown = store.finding(finding)
            print_json(shown) if common.json else out.print(finding_view(shown))
            return EXIT_CLEAN
        listed = store.findings(None if all_runs else store.run(run_id).id)
        ignored = store.ignored()
    if common.json:
        print_json({"findings": listed, "ignored": list(ignored.values())})
    else:
        out.print(findings_table([f for f in listed if f.id not in ignored]))
        if any(f.id in ignored for f in listed):
            out.print(f"{sum(f.id in ignored for f in listed)} ignored")
    return EXIT_CLEAN


def ignore(
    finding: str,
    *,
    reason: str = "",
    until: str = "",
    undo: bool = False,
    common: Common = COMMON,
) -> int:
    """Do not report FINDING again: it is known, or right as it is. --undo takes it back.

    Parameters
    ----------
    finding
        Id, or its first characters.
    reason
        Why; shown to whoever asks later. Needed unless --undo.
    until
        ISO date after which it is reported again.
    undo
        Report it again from now on.
    """
    if not undo and not reason.strip():
        raise ConfigError("say why with --reason; whoever reads the list later will ask")
    if until:
        try:
            date.fromisoformat(until)
        except ValueError:
            raise ConfigError(f"not a date: {until!r}; write it like 2027-01-31") from None
    with common.opened() as (_, store):
        chosen = store.finding(finding)
        if undo:
            store.unignore(chosen.id)
        else:
            store.ignore(Ignored(finding_id=chosen.id, reason=reason, until=until))
    out.print(f"{chosen.id} {'is reported again' if undo else 'is ignored'}: {chosen.title}")
    return EXIT_CLEAN


def report(
    *,
    html: Path | None = None,
    junit: Path | None = None,
    run_id: str = "latest",
    common: Common = COMMON,
) -> int:
    """Report the latest run: in the terminal, as a self-contained HTML page, as JUnit XML.

    Parameters
    ----------
    html
        Write an HTML page to this file.
    junit
        Write JUnit XML to this file.
    run_id
        The run to report.
    """
    with common.opened() as (_, store):
        summary, written = pipeline.report(store, run_id=run_id, html=html, junit=junit)
        listed = store.findings(summary.id)
    if common.json:
        print_json({"summary": summary, "findings": listed, "written": written})
        return EXIT_CLEAN
    if not written:
        out.print(run_view(summary))
        out.print(findings_table(listed))
    for path in written:
        out.print(f"written: [bold]{path}[/]")
    return EXIT_CLEAN


def replay(finding: str, *, common: Common = COMMON) -> int:
    """Send a finding's sequence again from a fresh state: FAILED (exit 1) or FIXED (exit 0).

    Parameters
    ----------
    finding
        Id, or its first characters.
    """
    with common.opened() as (config, store):
        shown = store.finding(finding)
        with spinner("replaying", quiet=common.json):
            again = pipeline.replay_finding(shown, config=config, store=store)
    state: Literal["FAILED", "FIXED"] = "FAILED" if again else "FIXED"
    if common.json:
        print_json({"finding": shown.id, "state": state, "reproduced": again})
    else:
        colour = "red" if again else "green"
        out.print(f"[bold {colour}]{state}[/] {shown.id}: {shown.title}")
    return EXIT_FINDINGS if again else EXIT_CLEAN
