"""What a run found -> files that people and CI read; a finding sent again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from premortem.analyse import active, write_html, write_junit
from premortem.checks import Checker
from premortem.config import Config
from premortem.domain.run import Finding, RunSummary
from premortem.pipeline.accounts import account_cases, fresh_state
from premortem.pipeline.generate import recorded
from premortem.run import reproduce
from premortem.send.line import Line, open_line
from premortem.store import Store


def report(
    store: Store, *, run_id: str = "latest", html: Path | None = None, junit: Path | None = None
) -> tuple[RunSummary, tuple[str, ...]]:
    """Write the report of a run as HTML and JUnit where asked; gives its summary and the files."""
    summary = store.run(run_id)
    quiet = active(store.ignored(), date.today())
    findings = [f for f in store.findings(summary.id) if f.id not in quiet]
    profile = store.profile(summary.profile_version)
    written: list[str] = []
    if html is not None:
        write_html(
            html,
            summary=summary,
            findings=findings,
            profile=profile,
            results=store.results(summary.id),
            scenarios=store.scenarios(),
        )
        written.append(str(html))
    if junit is not None:
        write_junit(junit, summary=summary, findings=findings, profile=profile)
        written.append(str(junit))
    return summary, tuple(written)


def replay_finding(finding: Finding, *, config: Config, store: Store, tries: int = 1) -> int:
    """Send FINDING's sequence from a fresh state; how often of TRIES it failed the same way."""
    return next(replay_findings([finding], config=config, store=store, tries=tries))


def replay_findings(
    findings: Iterable[Finding], *, config: Config, store: Store, tries: int = 1
) -> Iterator[int]:
    """`replay_finding` of each of FINDINGS, which all come from one run."""
    line: Line | None = None
    with ExitStack() as stack:
        for finding in findings:
            if line is None:
                profile = store.profile(store.run(finding.run_id).profile_version)
                accounts = account_cases(
                    profile,
                    recorded(store, profile),
                    config=config,
                    redaction_key=store.redaction_key,
                )
                line = stack.enter_context(open_line(config, redaction_key=store.redaction_key))
                line.wait_ready()
                checker = Checker(profile)
                reset = fresh_state(line, accounts)
            yield reproduce(
                finding.sequence,
                finding.verdict,
                client=line,
                reset=reset,
                checker=checker.check,
                tries=tries,
            )
