"""What a run found -> files that people and CI read; a finding sent again."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from premortem.analyse import active, write_html, write_junit
from premortem.config import Config
from premortem.domain.run import Finding, RunSummary, Sequence, Turn
from premortem.domain.source_findings import SourceFinding
from premortem.domain.traffic import Profile
from premortem.generate import isolated, once_places, unique_places
from premortem.pipeline.accounts import account_cases, credential_tokens, fresh_state
from premortem.pipeline.confirming import Bench, open_bench
from premortem.pipeline.generate import recorded
from premortem.pipeline.ruling import with_blueprints
from premortem.run.reproduce import tries_for
from premortem.send.line import Line, open_line
from premortem.send.target import can_reset
from premortem.store import Store


def report(
    store: Store,
    *,
    run_id: str = "latest",
    html: Path | None = None,
    junit: Path | None = None,
    sources: Collection[SourceFinding] = (),
) -> tuple[RunSummary, tuple[str, ...]]:
    """Write the report of a run as HTML and JUnit where asked; gives its summary and the files.
    SOURCES: contradictions between them, which it tells, too."""
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
            sources=sources,
        )
        written.append(str(html))
    if junit is not None:
        write_junit(junit, summary=summary, findings=findings, profile=profile, sources=sources)
        written.append(str(junit))
    return summary, tuple(written)


def replay_finding(finding: Finding, *, config: Config, store: Store, tries: int = 1) -> int:
    """Send FINDING's sequence from a fresh state; how often of TRIES it failed the same way."""
    return next(replay_findings([finding], config=config, store=store, tries=tries))


def replay_findings(
    findings: Iterable[Finding], *, config: Config, store: Store, tries: int = 1
) -> Iterator[int]:
    """`replay_finding` of each of FINDINGS. Cases sent at once are sent more often, and flaky
    findings as often as it took to see that they are."""
    line: Line | None = None
    benches: dict[str, Bench] = {}
    with ExitStack() as stack:
        for finding in findings:
            if line is None:
                line = stack.enter_context(open_line(config, redaction_key=store.redaction_key))
                line.wait_ready()
            version = store.run(finding.run_id).profile_version
            if version not in benches:
                benches[version] = _bench(line, store.profile(version), config, store)
            most = tries_for(finding.sequence, tries)
            if finding.kind == "flaky":
                most = max(most, finding.reproduction_tries)
            bench = benches[version]
            shown = (bench.shows(finding.sequence, finding.verdict) for _ in range(most))
            yield sum(one is not None for one in shown)


def turn_finding(finding: Finding, *, failed: bool, store: Store, now: float) -> Turn | None:
    """Keep what a replay said of FINDING, where that is news; what was kept. NOW: seconds since
    the epoch."""
    if failed == (finding.state != "fixed"):
        return None
    turn = Turn(state="back" if failed else "fixed", at=now)
    store.turn_finding(finding.id, turn)
    return turn


def _bench(line: Line, profile: Profile, config: Config, store: Store) -> Bench:
    exchanges = recorded(store, profile)
    key = store.redaction_key
    accounts = account_cases(profile, exchanges, config=config, redaction_key=key)
    apart = None
    if not can_reset(config.target):
        unique, once = unique_places(profile, exchanges), once_places(profile, exchanges)
        keep = config.identities | credential_tokens(config, key)
        now = f"{time.time():.3f}"

        def apart(sequence: Sequence, salt: str) -> Sequence:
            return isolated(sequence, salt=salt, keep=keep, unique=unique, once=once, run=now)

    return open_bench(
        line,
        profile,
        config=with_blueprints(config),
        fresh=fresh_state(line, accounts),
        apart=apart,
        log=config.path(config.target.log) if config.target.log else None,
        everything=True,
    )
