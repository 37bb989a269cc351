"""What a source of cases is: an object that makes cases of one operation when asked."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from premortem.domain.run import Case, Sequence

SEQUENCE_SHARE = 0.1
"""Of what is asked of a source that makes both, how much it makes as whole sequences."""


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
