"""What one pytest session shares: configuration, profile, and the line to the target."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from premortem import config as configuration
from premortem.analyse import active, curl_line, fingerprint
from premortem.api.live import FindingError, LiveCase
from premortem.api.project import open_project
from premortem.api.wanted import Wanted
from premortem.checks import open_checker
from premortem.domain.run import Case, Sent, Sequence, Verdict
from premortem.pipeline.accounts import account_cases, credential_tokens
from premortem.pipeline.generate import recorded, single_cases
from premortem.pipeline.naming import known_operation
from premortem.pipeline.roles import require
from premortem.run.safety import refuse_unsafe
from premortem.send.line import Line, open_line


class Session:
    """One configuration and profile and, from the first request on, an open line."""

    def __init__(
        self, directory: Path, *, file: Path | None, target: str, seed: int | None
    ) -> None:
        """FILE: the configuration, else that of DIRECTORY. TARGET: URL instead of its own. SEED:
        instead of the tests' own. The store is closed again at once: workers of one test run
        read it side by side.

        Raises ConfigError without a configuration, NothingLearned without a profile.
        """
        loaded = configuration.load(file) if file else None
        with open_project(directory, config=loaded) as project:
            chosen = project.config.target
            chosen = replace(chosen, base_url=target) if target else chosen
            self._config = replace(project.config, target=chosen)
            self._profile = project.profile()
            self._exchanges = recorded(project.store, self._profile)
            self._redaction_key = project.store.redaction_key
            self._ignored = active(project.store.ignored(), date.today())
        self._seed = seed
        self._checker = open_checker(self._profile, self._config)
        self._open = ExitStack()
        self._line: Line | None = None

    def close(self) -> None:
        """Close the line, if one was opened."""
        self._open.close()

    def cases(self, wanted: Wanted) -> list[LiveCase]:
        """The cases that WANTED asks for; fewer when there are no more.

        Raises InputError for unknown operations and sources, ConfigError for a context that
        cannot be followed.
        """
        # Workers that collect the same tests side by side have to make the same cases.
        today = datetime.combine(date.today(), datetime.min.time(), tzinfo=UTC).timestamp()
        sequences = single_cases(
            self._profile,
            self._exchanges,
            config=self._config,
            count=wanted.count,
            weights=wanted.sources,
            operations=tuple(known_operation(self._profile, o).id for o in wanted.operations),
            context=wanted.context,
            seed=wanted.seed if self._seed is None else self._seed,
            now=today,
            credentials=credential_tokens(self._config, self._redaction_key),
        )
        return [
            LiveCase(
                sequence,
                send=self._send,
                judge=self._checker.check,
                complain=self._complain,
                ignored=partial(self._is_ignored, wanted.ignore),
            )
            for sequence in sequences
        ]

    def _is_ignored(self, more: Collection[str], case: Case, verdict: Verdict) -> bool:
        id_ = fingerprint(case.operation_id, verdict.check, verdict.signature)
        return id_ in more or id_ in self._ignored

    def _complain(self, case: Case, sent: Sent, verdicts: tuple[Verdict, ...]) -> FindingError:
        ids = tuple(fingerprint(case.operation_id, v.check, v.signature) for v in verdicts)
        curl = curl_line(
            sent.request,
            base_url=self._config.target.base_url,
            role=case.role,
            roles=self._config.roles,
        )
        return FindingError(verdicts, ids=ids, curl=curl)

    def _send(self, sequence: Sequence) -> tuple[Sent, ...]:
        if self._line is None:
            self._line = self._opened()
        require(self._config, (case.role for case in sequence.cases))
        refuse_unsafe((sequence,), self._config.target)
        return self._line.send_sequence(sequence)

    def _opened(self) -> Line:
        line = self._open.enter_context(open_line(self._config, redaction_key=self._redaction_key))
        line.wait_ready()
        accounts = account_cases(
            self._profile, self._exchanges, config=self._config, redaction_key=self._redaction_key
        )
        if accounts:
            line.send_sequence(Sequence(cases=accounts))
        return line
