"""What a source of cases is: an object that makes cases of one operation when asked."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import Protocol, runtime_checkable

from premortem.domain.coverage import Gap
from premortem.domain.run import Case, Sequence
from premortem.generate.ways import Aim

SEQUENCE_SHARE = 0.3
"""Of what is asked of a source that makes both, how much it makes as whole sequences."""
WHOLE_SHARES = {"security": 0.8}
"""The same of sources most of whose cases say something in their order alone."""
SEQUENCE_POWER = 0.25
"""Of how often production used an operation, in how many of them it gets: those that are rare are
where states meet."""


class CaseSource(Protocol):
    """Makes single cases; whoever composes them puts the operation's setup before them."""

    def cases(self, operation_id: str, count: int) -> list[Case]:
        """Up to COUNT distinct cases of OPERATION_ID, without setup; each call goes on.

        Their bindings refer to the setup of the operation's start (`Starts.of`). Fewer than
        COUNT come when there are no more.
        """
        ...


@runtime_checkable
class SequenceSource(Protocol):
    """Makes whole sequences, where the order of the requests is what is tried."""

    def sequences(self, operation_id: str, count: int) -> list[Sequence]:
        """Up to COUNT distinct sequences whose last case is of OPERATION_ID; each call goes on.

        Exactly the last case of each is no setup.
        """
        ...


@runtime_checkable
class AimedSource(Protocol):
    """Makes cases of what it is told is missing."""

    def aims(self, operation_id: str) -> tuple[Aim, ...]:
        """What can be done to requests of OPERATION_ID, in an order that stays."""
        ...

    def aimed(self, gap: Gap, count: int, bases: Many[Case] = ()) -> list[Case]:
        """Up to COUNT cases of GAP's operation, without setup, with what GAP wants in its place.

        BASES: requests to alter; empty: the source's own. Each call goes on. None come for what
        it cannot do.
        """
        ...
