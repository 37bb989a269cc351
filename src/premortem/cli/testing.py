"""`premortem run`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from premortem.analyse import (
    FailOn,
    decide,
    findings_table,
    load_baseline,
    run_view,
    save_baseline,
)
from premortem.checks.listing import own_names
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
from premortem.cli.planning import metrics_of, print_left_out, print_prepared
from premortem.cli.progress import making_progress, spinner
from premortem.cli.sources import tell_sources
from premortem.cli.watching import WATCHING, Watching
from premortem.config import Config
from premortem.domain.run import Finding, FindingKind, Ignored
from premortem.domain.source_findings import as_data, failing_sources
from premortem.errors import ConfigError
from premortem.pipeline.confirming import Reproducing
from premortem.pipeline.contradicting import Contradicting, contradicting
from premortem.pipeline.looking import going_run
from premortem.pipeline.run import Prepared, Reported, execute, prepare, prepare_resumed
from premortem.pipeline.securing import secured
from premortem.plan import load_plan
from premortem.run import RunStarted
from premortem.store import Store


class _Interrupts:
    """What Ctrl-C, or SIGTERM, does during a run.

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
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, handler) for one in signals]
    try:
        yield handler
    finally:
        for one, former in zip(signals, before, strict=True):
            signal.signal(one, former)


def run(
    plan: str = "",
    /,
    *,
    dry_run: bool = False,
    fail_on: FailOn = "new",
    fail_kind: tuple[FindingKind, ...] = ("defect",),
    security: bool = False,
    no_minimise: bool = False,
    baseline: Path = Path("premortem.baseline.json"),
    update_baseline: bool = False,
    resume: bool = False,
    watching: Watching = WATCHING,
    common: Common = COMMON,
) -> int:
    """Run PLAN. Exit 0 clean, 1 on findings or a broken threshold, 2 if it could not run.

    What fails is sent again from a fresh state; only what fails again is a finding. It is then
    made shorter as long as it fails, and told from contract drift and from flaky ones.
    Ctrl-C or premortem stop end it within a second and keep every result.

    In CI, with premortem.baseline.json committed:

        premortem run plan.toml --fail-on new

    Parameters
    ----------
    plan
        The plan file; premortem plan build writes one. With --resume a run's id.
    dry_run
        Prepare and check everything, send nothing.
    fail_on
        Exit 1 on any finding, only on new ones (not in the baseline, not ignored), or never.
    fail_kind
        Kinds that make it exit 1: defect, drift (document and production disagree), flaky.
    security
        Put its budget on security tests: on this machine, or hosts that [security] names.
    no_minimise
        Leave findings as they are; to make them shorter takes 6,000 requests at most.
    baseline
        Findings known before; without the file all are new.
    update_baseline
        Write this run's findings into the baseline.
    resume
        Go on with a run that was broken off, where it was.
    """
    _require_plan(plan, resume=resume)
    known = load_baseline(baseline)
    with common.opened() as (config, store), _interrupts() as interrupts:
        prepared = _prepared(plan, config, store, common, resume=resume, security=security)
        if dry_run:
            print_prepared(prepared, prepared.run.schedule, common)
            return EXIT_CLEAN
        events = execute(
            prepared, config=config, store=store, stop=interrupts.stop, shorter=not no_minimise
        )
        with watching.opened(store, prepared.run.schedule.total, quiet=common.json) as follow:
            reported = _followed(follow(events), interrupts.follow)
        ignored = store.ignored()
        against = _against(reported, config, store, common)
    if update_baseline:
        save_baseline(baseline, (*reported.findings, *against.found))
    new, failing = (
        _deciding(reported, on, baseline=known, ignored=ignored, kinds=fail_kind)
        for on in ("new", fail_on)
    )
    failed = [f.id for f in failing] + _of_sources(reported, against, fail_on, known=known)
    _say(reported, prepared, against, failed=failed, new=[f.id for f in new], common=common)
    return EXIT_INTERRUPTED if interrupts.stop.is_set() else _exit_code(reported, failed)


def _require_plan(plan: str, *, resume: bool) -> None:
    if not plan and not resume:
        raise ConfigError("name a plan file, or --resume; see `premortem run --help`")


def _deciding(
    reported: Reported,
    fail_on: FailOn,
    *,
    baseline: Collection[str],
    ignored: Mapping[str, Ignored],
    kinds: Collection[FindingKind],
) -> list[Finding]:
    found, today = reported.findings, date.today()
    return decide(found, fail_on, baseline=baseline, ignored=ignored, today=today, kinds=kinds)


def _against(reported: Reported, config: Config, store: Store, common: Common) -> Contradicting:
    """What sources say against each other, and no finding shows."""
    run, findings = reported.summary, reported.findings
    with spinner("reading sources", quiet=common.json):
        return contradicting(config, store, run, findings, today=date.today())


def _of_sources(
    reported: Reported, against: Contradicting, fail_on: FailOn, *, known: Collection[str]
) -> list[str]:
    """Ids of the contradictions that make a run fail that was judged to its end: what was seen
    once and could not be seen again decides nothing."""
    if fail_on == "never" or reported.trouble:
        return []
    return [f.id for f in failing_sources(against.found, known=known if fail_on == "new" else ())]


def _exit_code(reported: Reported, failed: list[str]) -> int:
    if failed or not reported.summary.passed:
        return EXIT_FINDINGS
    return EXIT_FAILED if reported.summary.stopped or reported.trouble else EXIT_CLEAN


def _prepared(
    plan: str, config: Config, store: Store, common: Common, *, resume: bool, security: bool
) -> Prepared:
    with making_progress("generating", quiet=common.json) as progress:
        if resume:
            live = going_run(store, plan)
            return prepare_resumed(live, config=config, store=store, progress=progress)
        loaded = load_plan(Path(plan), metrics=metrics_of(config), checks=own_names(config))
        if security:
            loaded = secured(loaded)
        return prepare(loaded, config=config, store=store, progress=progress)


def _followed(events: Iterator[object], *takers: Callable[[object], None]) -> Reported:
    """What the last of EVENTS says; each of them is given to TAKERS."""
    last: object = None
    for last in events:
        for take in takers:
            take(last)
    assert isinstance(last, Reported)  # noqa: S101 - the last event
    return last


def _say(
    reported: Reported,
    prepared: Prepared,
    against: Contradicting,
    *,
    failed: list[str],
    new: list[str],
    common: Common,
) -> None:
    if not common.json:
        _print_reported(reported, prepared, against, new=new)
        return
    fields = {name: getattr(reported, name) for name in reported.__struct_fields__}
    said = list(map(as_data, against.found))
    print_json({**fields, "contradictions": said, "failing": failed})


def _print_reported(
    reported: Reported, prepared: Prepared, against: Contradicting, *, new: list[str]
) -> None:
    show_view(run_view(reported.summary, prepared.arranged.shortfall))
    print_left_out(prepared)
    tried = sum(finding.reproduction_tries > 0 for finding in reported.unconfirmed)
    show_view(findings_table(reported.findings, unconfirmed=tried, failing=new))
    tell_sources(against)
    if reported.summary.stopped:
        warn((f"stopped early: {reported.summary.stopped}", "yellow"))
    for said in reported.broken_checks:
        warn((f"your check {said}; it was asked no more", "yellow"))
    untried = len(reported.unconfirmed) - tried
    if untried:
        why = reported.trouble or reported.summary.stopped
        warn((f"{untried} more failed, and were not sent again: {why}", "yellow"))
    if reported.findings:
        say("next: premortem findings ID; premortem report --html report.html")
