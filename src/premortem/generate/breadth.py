"""Every operation once before any of them often: by itself, as long as it was not let through."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping
from collections.abc import Sequence as Many

import numpy as np

from premortem.domain.run import SAFE_METHODS, Case
from premortem.domain.traffic import OperationProfile, Profile
from premortem.generate.bare import Bare, empties
from premortem.generate.corpus import Live

ROUNDS_MAX = 6
"""How often every operation that was never let through is tried by itself."""
DEAD_MIN = 8
"""Answers 401, and none 2xx, from which a role's credentials are taken to be worth nothing."""


class Breadth:
    """Requests by themselves: which operation is next, and by whom.

    ROLES: operation id -> who mostly sends it; of all operations that may be tried at any time.
    LAST: ids of those that are only tried when little is left to be sent.
    """

    def __init__(
        self, profile: Profile, seed: int, *, live: Live, roles: Mapping[str, str], last: Many[str]
    ) -> None:
        self._profiles = {o.id: o for o in profile.operations}
        self._bare = Bare(profile, seed, live=live)
        self._roles = roles
        self._last = list(last)
        self._waiting: deque[str] = deque()
        self._rounds = 0
        self._answers: dict[str, Counter[int]] = defaultdict(Counter)

    def learn(self, role: str, status: int) -> None:
        """ROLE, with its own credentials, was answered STATUS."""
        self._answers[role][status] += 1

    def names(self, count: int, passed: Collection[str], *, late: bool) -> list[str]:
        """Up to COUNT ids of operations to try; PASSED: those that were let through already."""
        if not self._waiting and self._rounds < ROUNDS_MAX:
            missing = [name for name in self._roles if name not in passed]
            # What lists things first: it shows what others can be asked about.
            missing.sort(key=lambda n: (self._profiles[n].operation.method not in SAFE_METHODS, n))
            self._waiting.extend(missing)
            self._rounds += 1
        if late:
            self._waiting.extendleft(self._last)
            self._last.clear()
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

    def case(self, name: str, rng: np.random.Generator) -> Case | None:
        """A request of the operation NAME by itself; None where none can be made."""
        dead = self.dead()
        role = self._roles.get(name, "")
        if not role or role in dead:
            role = self._best(dead) or role
        return self._bare.case(self._profiles[name], role, rng)

    def dead(self) -> frozenset[str]:
        """Roles whose credentials are worth nothing here."""
        return frozenset(
            role
            for role, answers in self._answers.items()
            if answers[401] >= DEAD_MIN and not any(200 <= status < 300 for status in answers)
        )

    def _best(self, dead: Collection[str]) -> str:
        """The role that was let through most often in this run; empty: none was."""
        passed = {
            role: sum(n for status, n in answers.items() if 200 <= status < 300)
            for role, answers in self._answers.items()
            if role and role not in dead
        }
        best = max(sorted(passed), key=lambda role: passed[role], default="")
        return best if best and passed[best] else ""


def may_be_alone(operation: OperationProfile) -> bool:
    """Whether OPERATION may be tried at any time. A collection is emptied only when nothing else
    is to come; without the body that says what is meant, a deletion can be tried."""
    return not empties(operation) or bool(operation.request_schema)
