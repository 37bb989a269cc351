"""A scenario -> its verdict, with what it stands on; and, where it is no junk, its feature file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path

import msgspec

from premortem.agent.ask import EVIDENCE_MAX, exchanges_needed, judge, refuse_changes
from premortem.agent.emit.behave_glue import write_step_library
from premortem.agent.emit.feature import write_feature
from premortem.agent.emit.tags import ID_TAG
from premortem.agent.steps.bindings import load_bindings
from premortem.agent.steps.connection import client_factory
from premortem.agent.verdicts.noticing import noticing
from premortem.agent.verdicts.runner import sighting
from premortem.config import Config
from premortem.domain.coverage import Cell
from premortem.domain.scenario import Scenario, ScenarioVerdict
from premortem.domain.traffic import Exchange, Profile
from premortem.pipeline.accounts import account_cases, fresh_state
from premortem.pipeline.covering import Covering, overheard, production_coverage
from premortem.send.line import Line, open_line
from premortem.send.target import can_reset
from premortem.store import Store

CELLS_SHOWN_MAX = 20
"""Of what one scenario tried first."""


def read_exchanges(profile: Profile, store: Store) -> dict[str, Exchange]:
    """The exchanges that scenarios are planned from, and more of them as evidence; by id."""
    more = (id_ for flow in profile.flows for id_ in flow.exchange_ids)
    needed = dict.fromkeys(chain(sorted(exchanges_needed(profile)), more))
    return store.exchanges_by_id(list(islice(needed, EVIDENCE_MAX)))


class Judging:
    """Judges one scenario after the other against the configured target, and keeps the verdicts."""

    def __init__(
        self,
        *,
        config: Config,
        store: Store,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        line: Line,
        clock: Callable[[], float],
    ) -> None:
        self._config, self._store, self._clock = config, store, clock
        self._bindings = load_bindings(config)
        self._roles = tuple(config.roles)
        self._notice = noticing(profile, config)
        accounts = account_cases(
            profile, exchanges, config=config, redaction_key=store.redaction_key
        )
        self._freshen = fresh_state(line, accounts)
        began = clock()
        run_id = f"ask {sha256(f'{config.directory} {began}'.encode()).hexdigest()[:8]}"
        header = config.target.edition_header
        self._covering = Covering(profile, edition_header=header, run_id=run_id)
        self._began = began
        factory = client_factory(config, environment=os.environ, redaction_key=store.redaction_key)
        self._factory = overheard(factory, self._covering, profile)
        stored = store.coverage.of_profile(profile.version)
        self._tried = {count.cell for count in (stored.cells if stored is not None else ())}
        recorded = production_coverage(profile, exchanges.values(), edition_header=header)
        self._tried |= {count.cell for count in recorded.counts()}

    def __call__(self, scenario: Scenario) -> ScenarioVerdict:
        """The verdict on SCENARIO, which is kept in the store. Raises UnsafeTarget when it changes
        data on a target that is not disposable."""
        target = self._config.target
        if not target.disposable:
            scenarios = (scenario,)
            refuse_changes(
                scenarios, bindings=self._bindings, roles=self._roles, target=target.base_url
            )
        verdict = judge(
            scenario,
            client_factory=self._factory,
            reset=self._fresh,
            bindings=self._bindings,
            roles=self._roles,
            clock=self._clock,
            unsafe_target="" if target.disposable else target.base_url,
            notice=self._notice,
        )
        verdict = self._covered(scenario, verdict)
        self.keep(scenario, verdict)
        return verdict

    def settle(self, scenario: Scenario, *, write: bool = True) -> tuple[ScenarioVerdict, str]:
        """The verdict on SCENARIO, and, with WRITE, the file that it was written to; empty: it is
        junk, or nothing was to be written."""
        verdict = self(scenario)
        if not write or verdict.outcome == "junk":
            return verdict, ""
        verdict, path = self.write(scenario, verdict)
        return verdict, str(path)

    def _fresh(self) -> bool:
        self._freshen()
        return can_reset(self._config.target)

    def keep(self, scenario: Scenario, verdict: ScenarioVerdict) -> None:
        """VERDICT as the latest on SCENARIO."""
        self._store.save_scenario(scenario, verdict, at=self._clock())

    def write(self, scenario: Scenario, verdict: ScenarioVerdict) -> tuple[ScenarioVerdict, Path]:
        """SCENARIO in its feature file; VERDICT with whether the test runner sees it there."""
        folder = self._config.path(self._config.features)
        written = write_feature(scenario, folder, outcome=verdict.outcome)
        write_step_library(folder)
        seen = sighting(written.path, tag=f"{ID_TAG}:{scenario.id}", title=scenario.title)
        evidence = msgspec.structs.replace(
            verdict.evidence,
            runner=seen.runner,
            runner_sees=seen.sees,
            runner_said=seen.said,
        )
        verdict = msgspec.structs.replace(verdict, evidence=evidence)
        self.keep(scenario, verdict)
        return verdict, written.path

    def _covered(self, scenario: Scenario, verdict: ScenarioVerdict) -> ScenarioVerdict:
        """VERDICT with what SCENARIO tried first of the operation that it is about, and whether
        the coverage report knows of it."""
        covered = self._covering.finished((), at=self._began)
        self._store.coverage.save(covered)
        kept = self._store.coverage.of_run(self._covering.run_id)
        cells = {count.cell for count in covered.cells}
        about = scenario.operation_id
        new = sorted(c for c in cells - self._tried if not about or c.operation_id == about)
        self._tried |= cells
        evidence = msgspec.structs.replace(
            verdict.evidence,
            cells_new=tuple(map(_said, new))[:CELLS_SHOWN_MAX],
            in_coverage=bool(verdict.runs) and kept is not None and bool(kept.cells),
        )
        return msgspec.structs.replace(verdict, evidence=evidence)


@contextmanager
def judging(
    *,
    config: Config,
    store: Store,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    clock: Callable[[], float] = time.time,
) -> Iterator[Judging]:
    """What judges scenarios at the target of CONFIG, which answers; EXCHANGES: `read_exchanges`.

    Raises ConfigError without a target, TargetDown when it does not answer.
    """
    with open_line(config, redaction_key=store.redaction_key) as line:
        line.wait_ready()
        yield Judging(
            config=config,
            store=store,
            profile=profile,
            exchanges=exchanges,
            line=line,
            clock=clock,
        )


def _said(cell: Cell) -> str:
    """CELL in one line: `POST /refunds body:/amount boundary, Guest in lite`."""
    place = f" {cell.place} {cell.value_class}" if cell.place else ""
    edition = f" in {cell.edition}" if cell.edition else ""
    return f"{cell.operation_id}{place}, {cell.role or 'nobody signed in'}{edition}"
