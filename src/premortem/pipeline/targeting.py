"""The loop inside a run with goals: what came of earlier slices goes into the next one."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, ExitStack
from operator import itemgetter

from premortem.checks.message import message_of
from premortem.checks.signature import normalise, without_values
from premortem.config import Config
from premortem.domain.rejection import Rejection
from premortem.domain.run import SAFE_METHODS, Case, Plan, Result, Sequence
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Request, Response
from premortem.errors import InputError
from premortem.generate import Aiming, Novelty, composed
from premortem.generate.llm_batch import Progress
from premortem.generate.traffic import Rooms
from premortem.learn import compare_profiles
from premortem.models import Addition
from premortem.pipeline.generate import Generated, before_context, declared_ways, fitting
from premortem.pipeline.modelling import ByModel, by_model, quiet
from premortem.pipeline.ruling import declared_invariants, stated_rules
from premortem.pipeline.securing import means_of
from premortem.pipeline.training import traffic_source
from premortem.validate import Validator

SILENT_S_MAX = 20.0
"""Beside the plan's timeout: results that have not come after so long without any will not."""
CHANGE_WEIGHT_MIN = 40
"""Of a change since the profile before: what matters to whoever tests."""
WAITING_MAX = 100_000
"""Results that wait for a slice to be made with them; older ones are forgotten."""


class Targeted:
    """Makes the generated sequences of a plan with goals, slice by slice.

    A slice is made with all that came of the slices before the last one: the last one is being
    sent meanwhile, so nobody waits, and what is known does not depend on who was quicker. Results
    come in on one thread (`gathered`), slices are made on another. Raises as `produce` does.
    """

    def __init__(
        self,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        plan: Plan,
        *,
        config: Config,
        parent: Profile | None,
        credentials: Collection[str],
        now: float,
        rooms: Rooms | None = None,
        addition: Addition | None = None,
        progress: Progress = quiet,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """PARENT: the profile before; None: not known. NOW: seconds since the epoch. CLOCK:
        seconds that never jump."""
        _check(plan, profile)
        narrower = fitting(
            plan.context, profile, config, plan.sources, plan.operations, seed=plan.seed, now=now
        )
        mine = config.identities.union(credentials)
        validator = Validator(
            profile, target=config.target, identities=mine, credentials=credentials
        )
        self._rejections: list[Rejection] = []
        self._open = ExitStack()
        judge = before_context(validator, narrower)
        asked = _asked(profile, exchanges, plan, config, addition, judge, progress)
        self._made: ByModel = self._open.enter_context(asked)
        composer, chosen = composed(
            profile,
            exchanges,
            weights=plan.sources,
            operations=plan.operations,
            seed=plan.seed,
            safe_only=plan.safe_methods_only,
            orders=plan.sequences,
            sources={**self._made.sources, **traffic_source(rooms, plan.sources, plan.seed)},
            narrower=narrower,
            credentials=credentials,
            validate=validator.validate,
            reject=self._rejections.append,
            invariants=declared_invariants(config),
            stated=stated_rules(profile, config, now=now),
            means=means_of(config),
            way=declared_ways(profile, config),
        )
        self._aiming = Aiming(
            profile,
            composer,
            [o for o in chosen if o.id not in plan.exclude_operations],
            goals=plan.goals,
            novelty=Novelty(_said),
            weights=plan.sources,
            roles=sorted(config.roles),
            changed=_changed(parent, profile),
            declared=_callable(profile, plan, config) if narrower is None else (),
            seed=plan.seed,
        )
        for exchange in exchanges.values():
            self._aiming.recorded(exchange)
        self._lock = threading.Lock()
        self._clock = clock
        self._patience_s = plan.timeout_s + SILENT_S_MAX
        self._heard_at = clock()
        self._waiting: list[tuple[tuple[int, int, int], Case, Result]] = []
        self._places: dict[tuple[str, int], deque[tuple[int, int, Case]]] = {}
        self._pending: dict[int, int] = {}
        """Slice -> its cases that nothing is known of yet."""

    def close(self) -> None:
        """Let go of a language model, where one is asked."""
        self._open.close()

    def generated(
        self, requests: int, *, finals_max: int, number: int, late: bool = False
    ) -> Generated:
        """The generated sequences of slice NUMBER; see `Aiming.slice`."""
        self._learn(before=number - 1)
        made = self._aiming.slice(requests, finals_max=finals_max, late=late)
        rejections = (*self._rejections, *self._made.rejections())
        self._rejections.clear()
        return Generated(sequences=tuple(made), rejections=rejections, notes=self._made.notes)

    def sending(
        self, number: int, sequences: Collection[Sequence], made: Mapping[str, Sequence]
    ) -> None:
        """SEQUENCES are slice NUMBER as it will be sent; MADE: id -> the sequence that became it,
        of the generated ones."""
        with self._lock:
            count = 0
            for index, sequence in enumerate(sequences):
                origin = made.get(sequence.id, sequence)
                for position, case in enumerate(origin.cases[: len(sequence.cases)]):
                    key = (sequence.id, position)
                    self._places.setdefault(key, deque()).append((number, index, case))
                    count += 1
            self._pending[number] = count
            self._heard_at = self._clock()

    def gathered(self, results: Collection[Result]) -> None:
        """What came of cases that were sent."""
        with self._lock:
            self._heard_at = self._clock()
            for result in results:
                key = (result.sequence_id, result.position)
                places = self._places.get(key)
                if not places:
                    continue
                number, index, case = places.popleft()
                if not places:
                    del self._places[key]
                self._pending[number] -= 1
                self._waiting.append(((number, index, result.position), case, result))
            del self._waiting[:-WAITING_MAX]

    def waits(self) -> bool:
        """Whether something is still to come of the slices before the last one."""
        with self._lock:
            last = max(self._pending, default=0)
            missing = sum(count for number, count in self._pending.items() if number < last)
            return missing > 0 and self._clock() - self._heard_at < self._patience_s

    def _learn(self, *, before: int) -> None:
        with self._lock:
            known = [told for told in self._waiting if told[0][0] < before]
            self._waiting = [told for told in self._waiting if told[0][0] >= before]
        # In the order in which they were made: the same answers teach the same.
        for _, case, result in sorted(known, key=itemgetter(0)):
            self._aiming.learn(case, result.sent, verdicts=result.verdicts)


def _asked(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    plan: Plan,
    config: Config,
    addition: Addition | None,
    validate: Callable[[Case], Rejection | None],
    progress: Progress,
) -> AbstractContextManager[ByModel]:
    return by_model(
        profile,
        exchanges,
        config=config,
        weights=plan.sources,
        count=plan.planned_dynamic,
        seed=plan.seed,
        addition=addition,
        validate=validate,
        progress=progress,
    )


def _callable(profile: Profile, plan: Plan, config: Config) -> list[OperationProfile]:
    """Operations that the plan lets be called, whether a case can be started from them or not."""
    safe = plan.safe_methods_only or not config.target.disposable
    return [
        o
        for o in profile.operations
        if (not plan.operations or o.id in plan.operations)
        and o.id not in plan.exclude_operations
        and (not safe or o.operation.method in SAFE_METHODS)
    ]


def _check(plan: Plan, profile: Profile) -> None:
    for operation_id in plan.goals.operations:
        if profile.operation(operation_id) is None:
            raise InputError(
                f"[goals] favours {operation_id!r}, and the profile has no operation "
                f"{operation_id!r}; `premortem profile` lists them"
            )


def _said(request: Request, response: Response) -> str:
    return normalise(without_values(message_of(response), request))


def _changed(parent: Profile | None, profile: Profile) -> frozenset[str]:
    """Operations that PARENT did not have, or had otherwise."""
    if parent is None:
        return frozenset()
    changes = compare_profiles(parent, profile).changes
    return frozenset(c.operation_id for c in changes if c.weight >= CHANGE_WEIGHT_MIN)
