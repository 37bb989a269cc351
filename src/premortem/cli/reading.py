"""`premortem findings`, `report`, `replay`, `ignore`."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from premortem import pipeline
from premortem.analyse import active, alike, finding_view, findings_table, run_view, until_date
from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FINDINGS,
    Common,
    print_json,
    say,
    show,
)
from premortem.cli.progress import spinner
from premortem.domain.run import Ignored
from premortem.errors import ConfigError

READ = Group("Read", sort_key=4)
RunId = Annotated[str, Parameter(name="--run")]


def register(app: App) -> None:
    """Add the commands to APP."""
    app.command(findings, group=READ, sort_key=1)
    app.command(report, group=READ, sort_key=2)
    app.command(replay, group=READ, sort_key=3)
    app.command(ignore, group=READ, sort_key=4)


def findings(
    finding: str = "",
    /,
    *,
    run_id: RunId = "latest",
    all_runs: bool = False,
    common: Common = COMMON,
) -> int:
    """List the findings of the latest run, or show one with its evidence.

    For example:

        premortem findings
        premortem findings 83da

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
            signatures = alike(store.findings(shown.run_id))
        else:
            listed = store.findings(None if all_runs else store.run(run_id).id)
        ignored = store.ignored()
    if finding:
        known = signatures.get((shown.check, shown.signature), 0)
        print_json(shown) if common.json else show(finding_view(shown, alike_in=known))
        return EXIT_CLEAN
    if common.json:
        print_json({"findings": listed, "ignored": list(ignored.values())})
        return EXIT_CLEAN
    quiet = active(ignored, date.today())
    show(findings_table([f for f in listed if f.id not in quiet]))
    hidden = [f for f in listed if f.id in quiet]
    for one in hidden:
        word = ignored[one.id]
        until = f", until {word.until}" if word.until else ""
        say(f"ignored: {one.id} {one.operation_id}: {one.title} ({word.reason}{until})")
    if len(hidden) < len(listed):
        say("one with its evidence: premortem findings ID")
    return EXIT_CLEAN


def ignore(
    finding: str,
    /,
    *,
    reason: str = "",
    until: str = "",
    undo: bool = False,
    common: Common = COMMON,
) -> int:
    """Do not report FINDING again: it is known, or right as it is.

    For example:

        premortem ignore 83da --reason "as agreed" --until 2027-01-31
        premortem ignore 83da --undo

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
        until = until_date(until).isoformat()
    with common.opened() as (_, store):
        chosen = store.finding(finding)
        if undo:
            store.unignore(chosen.id)
        else:
            word = Ignored(finding_id=chosen.id, reason=reason, until=until, at=time.time())
            store.ignore(word)
    if common.json:
        print_json({"finding": chosen.id, "ignored": not undo, "reason": reason, "until": until})
        return EXIT_CLEAN
    state = "is reported again" if undo else "is ignored" + (f" until {until}" if until else "")
    say((chosen.id, "bold"), f" {state}: {chosen.title}")
    return EXIT_CLEAN


def report(
    *,
    html: Path | None = None,
    junit: Path | None = None,
    hdr: Path | None = None,
    run_id: RunId = "latest",
    common: Common = COMMON,
) -> int:
    """Report a run: in the terminal, as a self-contained HTML page, as JUnit XML.

    For example:

        premortem report --html report.html --junit report.xml

    Parameters
    ----------
    html
        Write an HTML page to this file.
    junit
        Write JUnit XML to this file.
    hdr
        Write latencies by second and operation to this file, as a HdrHistogram log.
    run_id
        The run to report.
    """
    with common.opened() as (_, store):
        summary, written = pipeline.report(store, run_id=run_id, html=html, junit=junit)
        if hdr is not None:
            pipeline.write_hdr(store, summary.id, hdr)
            written = (*written, str(hdr))
        quiet = active(store.ignored(), date.today())
        listed = [f for f in store.findings(summary.id) if f.id not in quiet]
    if common.json:
        print_json({"summary": summary, "findings": listed, "written": written})
        return EXIT_CLEAN
    if not written:
        show(run_view(summary))
        show(findings_table(listed))
        say("as files: premortem report --html report.html --junit report.xml")
    for path in written:
        say("written: ", (path, "bold"))
    return EXIT_CLEAN


def replay(finding: str, /, *, common: Common = COMMON) -> int:
    """Send a finding again from a fresh state: FAILED (exit 1) or FIXED (exit 0).

    What comes before it in its sequence goes first.

    For example:

        premortem replay 83da

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
        say((state, f"bold {colour}"), f" {shown.id}: {shown.title}")
    return EXIT_FINDINGS if again else EXIT_CLEAN
