"""A project: one folder's configuration and store, and every flow over them.

import premortem

with premortem.open_project() as project:
    project.capture("monday.har")
    project.learn()
    reported = project.run(premortem.Plan(dynamic="40%", requests_max=500))
    for finding in reported.findings:
        print(finding.title, finding.curl)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from premortem import config as configuration
from premortem.checks.listing import own_names
from premortem.config import Config
from premortem.domain.context import Context
from premortem.domain.run import Finding, Plan
from premortem.domain.traffic import Profile
from premortem.errors import ConfigError
from premortem.pipeline import asking, capturing, learning
from premortem.pipeline.accounts import credential_tokens
from premortem.pipeline.asking import Asked
from premortem.pipeline.capturing import Captured
from premortem.pipeline.generate import Generated, produce, recorded
from premortem.pipeline.promoting import promoted_addition
from premortem.pipeline.run import Reported, execute, prepare
from premortem.pipeline.training import rooms_of
from premortem.plan import load_plan
from premortem.store import Store, open_store


def open_project(directory: Path | str = ".", *, config: Config | None = None) -> Project:
    """The project in DIRECTORY or the nearest folder above it that has a premortem.toml.

    CONFIG takes the place of the file. The store is made when there is none. Close the project
    or use it as a context manager. Raises ConfigError without a configuration, StoreError when
    the store cannot be opened.
    """
    if config is None:
        start = Path(directory).absolute()
        found = configuration.find(start)
        if found is None:
            raise ConfigError(
                f"there is no {configuration.FILE_NAME} in {start} or above it; "
                f"run `premortem init` there, or pass config="
            )
        config = configuration.load(found)
    return Project(config, open_store(config.store, Path(config.directory)))


class Project:
    """Configuration and open store; a context manager."""

    def __init__(self, config: Config, store: Store) -> None:
        """Use `open_project`."""
        self.config = config
        self.store = store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store; the project cannot be used any more."""
        self.store.__exit__(None, None, None)

    def capture(self, *files: Path | str) -> Captured:
        """Take recordings in, redacted; their format is told from their content.

        Importing one twice adds nothing. Raises InputError for a file that is no recording.
        """
        return capturing.capture(
            [Path(file) for file in files], config=self.config, store=self.store
        )

    def learn(self, *, spec: Path | str | None = None) -> Profile:
        """Learn from all captured traffic and save the profile.

        SPEC: OpenAPI document; default: the configuration's. Raises NothingLearned when there
        is neither traffic nor a specification.
        """
        path = Path(spec) if spec is not None else None
        return learning.learn(config=self.config, store=self.store, spec=path)

    def profile(self, version: str = "latest") -> Profile:
        """A learned profile. Raises NothingLearned when there is none."""
        return self.store.profile(version)

    def generate(
        self,
        *,
        count: int,
        sources: Mapping[str, int] | None = None,
        operations: tuple[str, ...] = (),
        context: Context | None = None,
        seed: int = 1,
        safe_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> Generated:
        """COUNT validated cases behind what they need; nothing is sent or stored.

        SOURCES: source -> weight (`sample`, `traffic`, `schema`, `llm`, `mutate`); default: those
        of a plan. OPERATIONS: ids to keep to. The same seed gives the same cases. Raises
        InputError for unknown sources and operations, ConfigError for a context that cannot be
        followed, NothingLearned without a profile.
        """
        profile = self.store.profile()
        weights = dict(sources) if sources is not None else dict(Plan().sources)
        exchanges = recorded(self.store, profile)
        return produce(
            profile,
            exchanges,
            config=self.config,
            count=count,
            weights=weights,
            operations=operations,
            seed=seed,
            safe_only=safe_only,
            context=context or Context(),
            now=clock(),
            credentials=credential_tokens(self.config, self.store.redaction_key),
            rooms=rooms_of(self.store, profile, exchanges, weights),
            addition=promoted_addition(self.store, self.config, profile.version, weights),
        )

    def events(
        self, plan: Plan | Path | str, *, stop: threading.Event | None = None
    ) -> Iterator[Any]:
        """Run PLAN (or the plan file of that name) and give what happens, as it happens.

        The events of `premortem.run`, then `Reproducing`, and `Reported` at the end. STOP ends
        the run early. Raises what `run` raises.
        """
        if not isinstance(plan, Plan):
            names = frozenset(self.config.metrics)
            plan = load_plan(Path(plan), metrics=names, checks=own_names(self.config))
        prepared = prepare(plan, config=self.config, store=self.store)
        return execute(
            prepared, config=self.config, store=self.store, stop=stop or threading.Event()
        )

    def run(self, plan: Plan | Path | str, *, stop: threading.Event | None = None) -> Reported:
        """Run PLAN (or the plan file of that name) to its end: what it found.

        Raises ConfigError for a plan that cannot be followed, NothingLearned without a profile,
        UnsafeTarget before data would change where nobody allowed it, TargetDown when nobody
        answers.
        """
        return next(e for e in self.events(plan, stop=stop) if isinstance(e, Reported))

    def findings(self, run_id: str | None = None) -> tuple[Finding, ...]:
        """Stored findings, of one run or of all."""
        return tuple(self.store.findings(run_id))

    def ask(self, question: str, *, run: bool = True) -> Asked:
        """Turn QUESTION into scenarios and, with RUN, run and judge them.

        Raises InputError when the question fits nothing that was learned.
        """
        events = asking.ask(question, config=self.config, store=self.store, run=run)
        return next(event for event in events if isinstance(event, Asked))
