"""What the operators on the order of requests work with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

from premortem.domain.run import SAFE_METHODS, Case, Intent, Origin, Sequence
from premortem.domain.template import split_template
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate.replay import UNKNOWN
from premortem.generate.shown import Shown
from premortem.generate.starts import Start, Starts
from premortem.generate.steps import Row

OPERATIONS_TRIED_MAX = 200
"""Other operations that are looked through for one of them."""

Operator = Callable[["Kit", Start], Iterator[Sequence | None]]
"""Makes the sequences of one kind that end with START's operation; None where one cannot be."""


class Kit:
    """A profile, its starts, and what production showed."""

    def __init__(
        self, profile: Profile, exchanges: Mapping[str, Exchange], seed: int, *, starts: Starts
    ) -> None:
        self.profile = profile
        self.exchanges = exchanges
        self.starts = starts
        self.origin = Origin(source="mutate", seed=seed, profile_version=profile.version)
        """Of all that is made with it."""
        self.operations: Mapping[str, OperationProfile] = {o.id: o for o in profile.operations}
        self.shown = Shown(profile, exchanges, starts.replayer.matcher)

    def row(self, start: Start | None = None) -> Row:
        """A row that begins with START's setup."""
        return Row(self.starts, start.setup if start is not None else ())

    def recorded(self, operation_id: str) -> Start | None:
        """The start of an operation that production used; of any where nothing was recorded."""
        start = self.starts.of(operation_id)
        if start is None or start.hollow:
            return None
        return start if start.recorded or self.starts.untried else None

    def changing(self) -> Iterator[Start]:
        """Starts of operations that change something, most used first; deletions are none."""
        for operation in self.profile.operations[:OPERATIONS_TRIED_MAX]:
            if operation.operation.method not in SAFE_METHODS | {"DELETE"}:
                start = self.recorded(operation.id)
                if start is not None:
                    yield start

    def passes(self, role: str, operation: OperationProfile) -> bool:
        """Whether production let ROLE do OPERATION."""
        return any(status < "4" for status in operation.roles.get(role, {}))

    def others(self, start: Start) -> list[str]:
        """Roles beside START's own that production let do its operation."""
        roles = sorted(start.operation.roles)
        known = [r for r in roles if r not in ("", UNKNOWN) and r != start.final.role]
        return [role for role in known if self.passes(role, start.operation)]

    def role_for(self, operation: OperationProfile, other: str) -> str:
        """Who production let do OPERATION most often, else OTHER."""
        passed = {
            role: sum(n for status, n in statuses.items() if status < "4")
            for role, statuses in operation.roles.items()
            if role and role != UNKNOWN
        }
        best = max(sorted(passed), key=lambda role: passed[role], default="")
        return best if best and passed[best] else other


def loose(case: Case) -> Case:
    """CASE as a step of which nobody knows what it should be answered where it stands."""
    intent = Intent(kind="adversarial", breaks="order", expects="answer")
    return replace(case, intent=intent, recorded_status=0, recorded_reason="")


def is_own(case: Case) -> bool:
    """Whether all that CASE's path names was made in its own row."""
    template = split_template(case.operation_id.split(" ")[1])
    opened = {str(i) for i, segment in enumerate(template) if "{" in segment}
    bound = {b.place.name for b in case.bindings if b.place.part == "path"}
    return bool(opened) and opened <= bound
