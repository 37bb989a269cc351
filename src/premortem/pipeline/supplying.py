"""The cases of a plan, slice by slice: generated and replayed, under names of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from premortem.config import Config
from premortem.domain.live import PlanSlice
from premortem.domain.run import Case, Plan, Rejection, Sequence
from premortem.domain.traffic import Profile
from premortem.errors import ConfigError
from premortem.generate import first_cycle, isolated, once_places, replay, unique_places
from premortem.generate.llm_batch import Progress
from premortem.pipeline.accounts import account_cases, account_changes, credential_tokens
from premortem.pipeline.generate import produce, recorded
from premortem.pipeline.modelling import quiet
from premortem.plan import Arranged, Share, arrange
from premortem.run.safety import refuse_unsafe
from premortem.store import Store

SEQUENCES_HELD_MAX = 20_000
"""The sequences of results that fail are wanted when these come in, seconds after being made."""
SLICE_SEEDS = 1_000_003
"""Between the seeds of two slices: so far apart that the seeds of neighbouring plans differ."""


class Supply:
    """Makes the cases of any part of a plan; the same part again gives the same cases.

    CLOCK: seconds since the epoch, for date windows that are relative to now and for names that
    differ from run to run. Raises NothingLearned without a profile, ConfigError without a target.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        config: Config,
        store: Store,
        clock: Callable[[], float] = time.time,
        progress: Progress = quiet,
    ) -> None:
        if not config.target.base_url:
            raise ConfigError("no target is named; set `base_url` under [target] in premortem.toml")
        self.plan = plan
        self.profile: Profile = store.profile(plan.profile)
        self._config = config
        self._store = store
        self._progress = progress
        self._began = clock()
        self._tokens = credential_tokens(config, store.redaction_key)
        self._identities = config.identities | self._tokens
        self._exchanges = recorded(store, self.profile)
        self.accounts: tuple[Case, ...] = account_cases(
            self.profile, self._exchanges, config=config, redaction_key=store.redaction_key
        )
        made_already = {parent for case in self.accounts for parent in case.origin.parents}
        changing = account_changes(self._exchanges, self._identities) - made_already
        self.left_out = len(changing)
        self._rest = {
            id_: e for id_, e in self._exchanges.items() if id_ not in made_already | changing
        }
        self._held: dict[str, Sequence] = {}
        self._parts: dict[int, Arranged] = {}
        self.rejected = 0
        self.notes: tuple[str, ...] = ()

    @cached_property
    def _flows(self) -> list[Sequence]:
        return list(replay(self.profile, self._rest))

    @cached_property
    def _apart(self) -> Callable[[Sequence, str], Sequence]:
        unique = unique_places(self.profile, self._exchanges)
        once = once_places(self.profile, self._exchanges)

        def apart(sequence: Sequence, salt: str) -> Sequence:
            now = f"{self._began:.3f}"
            keep = self._identities
            return isolated(sequence, salt=salt, keep=keep, unique=unique, once=once, run=now)

        return apart

    @property
    def started(self) -> Iterator[float]:
        """Seconds since the epoch at which recorded exchanges began, in no order."""
        return (exchange.started_at for exchange in self._exchanges.values())

    def sequence(self, sequence_id: str) -> Sequence | None:
        """One that was made lately, SEQUENCES_HELD_MAX ago at most."""
        return self._held.get(sequence_id)

    def cases(self, part: PlanSlice) -> tuple[Sequence, ...]:
        """The sequences of PART. Raises UnsafeTarget where they could do harm."""
        if part.number not in self._parts:
            self.part(part)
        sequences = self._parts.pop(part.number).sequences
        refuse_unsafe(sequences, self._config.target)
        return sequences

    def part(self, part: PlanSlice) -> Arranged:
        """The cases of PART. They are held for `cases`, which is asked for them next.

        Rejected cases are stored. Raises ConfigError for context parameters that are unknown or
        contradict, ModelError for a model that is needed and cannot be asked.
        """
        number, first, count = part.number, part.first, part.count
        plan = self.plan
        share = plan.dynamic_share
        dynamic = round((first + count) * share) - round(first * share)
        seed = plan.seed + number * SLICE_SEEDS
        made = produce(
            self.profile,
            self._exchanges,
            config=self._config,
            count=dynamic,
            weights=plan.sources,
            operations=plan.operations,
            seed=seed,
            safe_only=plan.safe_methods_only,
            context=plan.context,
            now=self._began,
            credentials=self._tokens,
            progress=self._progress,
        )
        self._keep(made.rejections)
        self.notes = made.notes
        apart = self._apart
        flows = self._flows
        if not number:
            flows = first_cycle(flows, salt=f"{self._began:.3f}")
        arranged = arrange(
            plan,
            flows,
            [apart(s, f"{seed} generated {i}") for i, s in enumerate(made.sequences)],
            again=lambda flow, cycle: apart(flow, f"{seed} cycle {cycle}"),
            share=Share(
                planned=count, planned_dynamic=dynamic, behind=first - round(first * share)
            ),
        )
        self._parts[number] = arranged
        for sequence in arranged.sequences:
            self._held[sequence.id] = sequence
        while len(self._held) > SEQUENCES_HELD_MAX:
            del self._held[next(iter(self._held))]
        return arranged

    def _keep(self, rejections: Iterable[Rejection]) -> None:
        kept = tuple(rejections)
        self.rejected += len(kept)
        self._store.save_rejections(kept)
