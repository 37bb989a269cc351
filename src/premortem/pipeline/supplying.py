"""The cases of a plan, slice by slice: generated and replayed, under names of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

from premortem.config import Config
from premortem.domain.live import PlanSlice
from premortem.domain.rejection import Rejection
from premortem.domain.run import Case, Plan, Sequence
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import ConfigError, PremortemError
from premortem.generate import first_cycle, isolated, once_places, unique_places
from premortem.generate.llm_batch import Progress
from premortem.generate.replay import replay
from premortem.pipeline.accounts import account_cases, account_changes, credential_tokens
from premortem.pipeline.generate import Generated, produce, recorded
from premortem.pipeline.modelling import quiet
from premortem.pipeline.promoting import promoted_addition
from premortem.pipeline.securing import refuse_security
from premortem.pipeline.targeting import Targeted
from premortem.pipeline.training import rooms_of
from premortem.plan import Arranged, Share, arrange
from premortem.run.happenings import Gathered
from premortem.run.safety import refuse_unsafe
from premortem.store import Store

SEQUENCES_HELD_MAX = 20_000
"""The sequences of results that fail are wanted when these come in, seconds after being made."""
LATE_SHARE = 0.9
"""Of a plan with goals; what does lasting harm to the target's state is tried only then."""
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
        refuse_security(plan, config)
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
        self._rooms = rooms_of(store, self.profile, self._exchanges, plan.sources)
        self._addition = promoted_addition(store, config, self.profile.version, plan.sources)
        self._held: dict[str, Sequence] = {}
        self._parts: dict[int, Arranged] = {}
        self._targeted = self._target() if plan.goals.coverage else None
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
    def exchanges(self) -> Mapping[str, Exchange]:
        """The recorded exchanges that cases are made from, by id."""
        return self._exchanges

    def apart(self, sequence: Sequence, salt: str) -> Sequence:
        """SEQUENCE under names of its own, which SALT tells from those of others."""
        return self._apart(sequence, salt)

    @property
    def started(self) -> Iterator[float]:
        """Seconds since the epoch at which recorded exchanges began, in no order."""
        return (exchange.started_at for exchange in self._exchanges.values())

    def sequence(self, sequence_id: str) -> Sequence | None:
        """One that was made lately, SEQUENCES_HELD_MAX ago at most."""
        return self._held.get(sequence_id)

    def waits(self) -> bool:
        """Whether the next part is to be made only once more came of earlier ones."""
        return self._targeted is not None and self._targeted.waits()

    def gathered(self, event: Gathered) -> None:
        """What came of cases, for those that are made with it."""
        if self._targeted is not None:
            self._targeted.gathered(event.results)

    def close(self) -> None:
        """Let go of what the cases were made with."""
        if self._targeted is not None:
            self._targeted.close()

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
        behind = first - self._dynamic_upto(first)
        dynamic = self._dynamic_upto(first + count) - self._dynamic_upto(first)
        seed = plan.seed + number * SLICE_SEEDS
        made = self._made(part, dynamic, seed)
        self._keep(made.rejections)
        self.notes = made.notes
        apart = self._apart
        flows = self._flows
        if not number:
            flows = first_cycle(flows, salt=f"{self._began:.3f}")
        own = [apart(s, f"{seed} generated {i}") for i, s in enumerate(made.sequences)]
        arranged = arrange(
            plan,
            flows,
            own,
            again=lambda flow, cycle: apart(flow, f"{seed} cycle {cycle}"),
            share=Share(planned=count, planned_dynamic=dynamic, behind=behind),
        )
        self._parts[number] = arranged
        if self._targeted is not None:
            became = {a.id: s for a, s in zip(own, made.sequences, strict=True)}
            self._targeted.sending(number, arranged.sequences, became)
        for sequence in arranged.sequences:
            self._held[sequence.id] = sequence
        while len(self._held) > SEQUENCES_HELD_MAX:
            del self._held[next(iter(self._held))]
        return arranged

    @cached_property
    def _replayed_first(self) -> int:
        """With goals production goes first: what it shows tells what else to ask."""
        if self._targeted is None:
            return 0
        recorded = sum(len(flow.cases) for flow in self._flows)
        return min(recorded, self.plan.planned - self.plan.planned_dynamic)

    def _dynamic_upto(self, count: int) -> int:
        """How many of the first COUNT requests of the plan are generated."""
        first = self._replayed_first
        if not first:
            return round(count * self.plan.dynamic_share)
        share = self.plan.planned_dynamic / max(1, self.plan.planned - first)
        return round(max(0, count - first) * min(1.0, share))

    def _made(self, part: PlanSlice, dynamic: int, seed: int) -> Generated:
        plan = self.plan
        if self._targeted is not None:
            room = min(part.count, part.first + part.count - self._replayed_first)
            return self._targeted.generated(
                max(0, room),
                finals_max=dynamic,
                number=part.number,
                late=part.first + part.count > plan.planned * LATE_SHARE,
            )
        return produce(
            self.profile,
            self._exchanges,
            config=self._config,
            count=dynamic,
            weights=plan.sources,
            operations=plan.operations,
            seed=seed,
            safe_only=plan.safe_methods_only,
            orders=plan.sequences,
            context=plan.context,
            now=self._began,
            credentials=self._tokens,
            rooms=self._rooms,
            addition=self._addition,
            progress=self._progress,
        )

    def _target(self) -> Targeted:
        return Targeted(
            self.profile,
            self._exchanges,
            self.plan,
            config=self._config,
            parent=_parent(self.profile, self._store),
            credentials=self._tokens,
            now=self._began,
            rooms=self._rooms,
            addition=self._addition,
            progress=self._progress,
        )

    def _keep(self, rejections: Iterable[Rejection]) -> None:
        kept = tuple(rejections)
        self.rejected += len(kept)
        self._store.save_rejections(kept)


def _parent(profile: Profile, store: Store) -> Profile | None:
    """The profile before PROFILE, as far as it is still there."""
    if not profile.parent:
        return None
    try:
        return store.profile(profile.parent)
    except PremortemError:
        return None
