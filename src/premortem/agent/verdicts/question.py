"""What a scenario asks of the target, read from its bound steps: the request in question, and what
a correct service does with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from premortem.agent.steps.bind import BoundStep
from premortem.agent.steps.engine import question_index
from premortem.domain.proposal import OutcomeClass
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import ScenarioOrigin

REFUSALS: tuple[OutcomeClass, ...] = ("invalid", "denied", "not_found", "conflict", "unavailable")
_BY_STATUS: Mapping[int, OutcomeClass] = {
    401: "denied",
    403: "denied",
    404: "not_found",
    409: "conflict",
    410: "not_found",
    412: "conflict",
    423: "conflict",
    428: "conflict",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


class Question(Struct, frozen=True, kw_only=True):
    """The request in question and the outcome that the scenario asserts."""

    outcome: OutcomeClass
    method: str
    """Upper case; of a repetition that of the request it repeats."""
    status: int = 0
    """What the scenario asks for; 0: no status."""
    mode: str = ""
    """The failure mode; empty: nobody said."""
    looks_elsewhere: bool = False
    """What came of it is looked at beside HTTP, too: in tables, in events."""

    @property
    def refused(self) -> bool:
        """A correct service refuses it."""
        return self.outcome in REFUSALS

    @property
    def changes(self) -> bool:
        """It would change data."""
        return self.method not in SAFE_METHODS

    @property
    def success(self) -> int:
        """The status of a success of it."""
        if 200 <= self.status < 300:
            return self.status
        return 201 if self.method == "POST" else 200


def question_of(bound: Sequence[BoundStep], origin: ScenarioOrigin) -> Question:
    """What the scenario with steps BOUND and ORIGIN asks; where ORIGIN says no outcome, the status
    that it asks for does."""
    status, races = _status(bound)
    return Question(
        outcome=_outcome(status, races=races, said=origin.outcome, mode=origin.failure_mode),
        method=_method(bound),
        status=status,
        mode=origin.failure_mode,
        looks_elsewhere=any(
            step.entry is not None and step.entry.area in ("SQL", "events")
            for step in bound[question_index(bound) + 1 :]
        ),
    )


def _outcome(status: int, *, races: bool, said: OutcomeClass | str, mode: str) -> OutcomeClass:
    """SAID, unless the steps say otherwise: a person may have changed them."""
    if races:
        return "one_wins"
    if status >= 400:
        known = [outcome for outcome in REFUSALS if outcome == said]
        return known[0] if known else _BY_STATUS.get(status, "invalid")
    if said == "unchanged" or mode == "retry_after_timeout":
        return "unchanged"
    return "accepted"


def _status(bound: Sequence[BoundStep]) -> tuple[int, bool]:
    """The first status asked for behind the question, and whether it is asked of several at once;
    of those the success."""
    behind = bound[question_index(bound) + 1 :]
    first, races = 0, False
    for step in behind:
        if step.entry is None:
            continue
        if step.entry.name == "status":
            # What is read afterwards has a status, too.
            first = first or int(step.arguments[0])
        elif step.entry.name == "race_status":
            status = int(step.arguments[1])
            first = status if not races or 200 <= status < 300 else first
            races = True
        elif step.entry.sends:
            break
    return first, races


def _method(bound: Sequence[BoundStep]) -> str:
    sending = [s for s in bound[: question_index(bound) + 1] if s.entry and s.entry.sends]
    methods = [str(s.arguments[1]) for s in sending if len(s.arguments) > 1]
    return methods[-1] if methods else ""
