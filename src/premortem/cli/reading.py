"""`premortem findings`, `report`, `replay`, `ignore`."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from premortem.analyse import (
    KINDS,
    active,
    alike,
    finding_view,
    findings_table,
    run_view,
    until_date,
)
from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FINDINGS,
    Common,
    print_json,
    say,
    show,
)
from premortem.cli.groups import READ
from premortem.cli.progress import spinner
from premortem.cli.sources import tell_sources
from premortem.config import Config
from premortem.domain.run import Finding, FindingKind, Ignored
from premortem.domain.source_findings import SourceFinding, as_data, source_findings
from premortem.errors import ConfigError, InputError
from premortem.pipeline import reporting
from premortem.pipeline.access import access_of
from premortem.pipeline.contradicting import contradicting
from premortem.pipeline.exporting import Format, export_findings
from premortem.pipeline.looking import write_hdr
from premortem.pipeline.reporting import replay_findings, turn_finding
from premortem.store import Store

RunId = Annotated[str, Parameter(name="--run")]


app = App(name="findings", group=READ, sort_key=1)


def findings(
    finding: str = "",
    /,
    *,
    run_id: RunId = "latest",
    all_runs: bool = False,
    kind: tuple[FindingKind, ...] = KINDS,
    common: Common = COMMON,
) -> int:
    """List the findings of the latest run, or show one with its evidence.

    For example:

        premortem findings
        premortem findings --kind defect
        premortem findings 83da

    Parameters
    ----------
    finding
        Id, or its first characters, of the finding to show.
    run_id
        The run whose findings to list.
    all_runs
        List those of all runs.
    kind
        Only of this kind: defect, drift (the document and production's own answers disagree) or
        flaky (it came again in some tries only). May be given several times.
    """
    with common.opened() as (_, store):
        if finding:
            shown = store.finding(finding)
            signatures = alike(store.findings(shown.run_id))
        else:
            stored = store.findings(None if all_runs else store.run(run_id).id)
            listed = [f for f in stored if f.kind in kind]
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
    with common.opened() as (config, store):
        chosen = _named(finding, config, store)
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


def _named(finding: str, config: Config, store: Store) -> Finding | SourceFinding:
    """What has the id FINDING, or one that begins so: of a run, or a contradiction of sources."""
    try:
        return store.finding(finding)
    except InputError:
        access = access_of(config, store, folder=Path(config.directory))
        found = [f for f in source_findings(access.contradictions) if f.id.startswith(finding)]
        if len(found) != 1:
            raise
        return found[0]


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
    with common.opened() as (config, store):
        run = store.run(run_id)
        of_run = store.findings(run.id)
        with spinner("reading sources", quiet=common.json):
            against = contradicting(config, store, run, of_run, today=date.today())
        summary, written = reporting.report(
            store, run_id=run.id, html=html, junit=junit, sources=against.found
        )
        if hdr is not None:
            write_hdr(store, summary.id, hdr)
            written = (*written, str(hdr))
        quiet = active(store.ignored(), date.today())
        listed = [f for f in store.findings(summary.id) if f.id not in quiet]
    if common.json:
        said = list(map(as_data, against.found))
        print_json(
            {"summary": summary, "findings": listed, "contradictions": said, "written": written}
        )
        return EXIT_CLEAN
    if not written:
        show(run_view(summary))
        show(findings_table(listed))
        tell_sources(against)
        say("as files: premortem report --html report.html --junit report.xml")
    for path in written:
        say("written: ", (path, "bold"))
    return EXIT_CLEAN


def replay(*finding: str, run_id: RunId = "latest", common: Common = COMMON) -> int:
    """Send findings again from a fresh state: FAILED (exit 1) or FIXED (exit 0, if all are).

    What comes before each in its sequence goes first. Which are fixed is kept, so that a finding
    that comes back is told as such.

    For example:

        premortem replay
        premortem replay 83da 0c1f

    Parameters
    ----------
    finding
        Ids, or their first characters; none: all of a run that nobody ignores.
    run_id
        The run whose findings to send again, where none are named.
    """
    with common.opened() as (config, store):
        if finding:
            chosen = [store.finding(one) for one in finding]
        else:
            quiet = active(store.ignored(), date.today())
            chosen = [f for f in store.findings(store.run(run_id).id) if f.id not in quiet]
        rows = []
        with spinner("replaying", quiet=common.json):
            again = replay_findings(chosen, config=config, store=store)
            for shown, times in zip(chosen, again, strict=True):
                turn = turn_finding(shown, failed=times > 0, store=store, now=time.time())
                rows.append((shown, times, turn))
    failed = sum(times > 0 for _, times, _ in rows)
    if common.json:
        told = [{"finding": f.id, "state": _word(n), "reproduced": n} for f, n, _ in rows]
        many = {"failed": failed, "fixed": len(rows) - failed, "findings": told}
        print_json(told[0] if len(finding) == 1 else many)
        return EXIT_FINDINGS if failed else EXIT_CLEAN
    for shown, times, turn in rows:
        colour = "red" if times else "green"
        came_back = " (it was fixed before)" if turn is not None and times else ""
        say((_word(times), f"bold {colour}"), f" {shown.id}: {shown.title}{came_back}")
    if len(rows) != 1:
        say(f"{failed} failed, {len(rows) - failed} fixed")
    return EXIT_FINDINGS if failed else EXIT_CLEAN


def _word(times: int) -> Literal["FAILED", "FIXED"]:
    return "FAILED" if times else "FIXED"


def export(
    *finding: str,
    all_: Annotated[bool, Parameter(name="--all", negative=())] = False,
    form: Annotated[Format, Parameter(name="--format")] = "pytest",
    out: Annotated[Path, Parameter(name=("-o", "--out"))] = Path("findings"),
    run_id: RunId = "latest",
    kind: tuple[FindingKind, ...] = KINDS,
    common: Common = COMMON,
) -> int:
    """Write findings as files that run, or are read, without Premortem.

    A pytest file needs pytest and nothing else; it fails while the service is wrong. No
    credential is written: the files name the environment variables that hold them.

    For example:

        premortem findings export 83da
        premortem findings export --all --format sarif --out reports

    Parameters
    ----------
    finding
        Ids, or their first characters.
    all_
        Write all of a run that nobody ignores.
    form
        One file for each finding: pytest, curl (of one request only), allure; one file for all:
        har, junit, sarif.
    out
        The folder to write into; it is made.
    run_id
        The run whose findings to write, with --all.
    kind
        With --all, only of this kind: defect, drift or flaky. May be given several times.
    """
    if bool(finding) == all_:
        raise ConfigError("name findings to write, or --all; `premortem findings` lists them")
    with common.opened() as (config, store):
        if finding:
            chosen = [store.finding(one) for one in finding]
        else:
            quiet = active(store.ignored(), date.today())
            listed = store.findings(store.run(run_id).id)
            chosen = [f for f in listed if f.id not in quiet and f.kind in kind]
        written = export_findings(chosen, form=form, directory=out, config=config, store=store)
    if common.json:
        print_json(written)
        return EXIT_CLEAN
    for path in written.files:
        say("written: ", (path, "bold"))
    for finding_id, why in written.left_out.items():
        say(f"left out: {finding_id}, for {why}")
    if form == "pytest" and written.files:
        say(f"run them: pytest {out}")
    return EXIT_CLEAN


app.default(findings)
app.command(export)
