"""All checks over what came of one case."""

from __future__ import annotations

from collections.abc import Collection

from premortem.checks import (
    accepted_invalid,
    auth_ignored,
    no_answer,
    response_shape,
    server_error,
    undeclared_status,
)
from premortem.checks.check import Check, Known
from premortem.checks.quick import Quick
from premortem.checks.shapes import Shapes
from premortem.domain.run import Case, Sent, Verdict
from premortem.domain.traffic import Profile
from premortem.errors import ConfigError

CHECKS: tuple[Check, ...] = (
    server_error.CHECK,
    no_answer.CHECK,
    auth_ignored.CHECK,
    accepted_invalid.CHECK,
    undeclared_status.CHECK,
    response_shape.CHECK,
)
"""Every check there is, in the order in which they are reported."""


class Checker:
    """Judges results against one profile."""

    def __init__(
        self, profile: Profile, off: Collection[str] = (), *, checks: tuple[Check, ...] = CHECKS
    ) -> None:
        """OFF: names of checks to leave out. Raises ConfigError for one that does not exist."""
        names = [check.name for check in checks]
        unknown = sorted(set(off) - set(names))
        if unknown:
            raise ConfigError(
                f"there is no check named {unknown[0]!r}; `checks_off` knows {', '.join(names)}"
            )
        self.checks = tuple(check for check in checks if check.name not in off)
        """The ones that are on."""
        self._judges = tuple(check.judge for check in self.checks)
        self._shapes = Shapes()
        documented = any(operation.in_spec for operation in profile.operations)
        self._known = {
            operation.id: Known(
                operation=operation,
                shapes=self._shapes,
                answers={answer.status: answer for answer in operation.answers},
                documented=documented,
            )
            for operation in profile.operations
        }
        self._unknown = Known(operation=None, shapes=self._shapes, answers={})
        self.quick = Quick(
            {check.name for check in self.checks},
            all_known=all(check in CHECKS for check in self.checks),
            known=self._known,
            unknown=self._unknown,
        ).passes
        """Whether `check` certainly gives no verdict on an answer to a case, at a fraction of its
        cost: (Case, Response) -> bool. False says nothing."""

    @property
    def unusable(self) -> dict[str, str]:
        """Operation and status whose schema cannot be compiled -> why; as far as they were met."""
        return dict(self._shapes.unusable)

    def check(self, case: Case, sent: Sent) -> tuple[Verdict, ...]:
        """What failed; empty when nothing did."""
        known = self._known.get(case.operation_id, self._unknown)
        if sent.fault is not None and sent.fault.kind == "unbound":
            return ()
        found: list[Verdict] = []
        for judge in self._judges:
            found.extend(judge(case, sent, known))
        return tuple(found)
