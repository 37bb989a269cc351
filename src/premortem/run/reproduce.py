"""How often a failure is sent again, and how often it has to come."""

from __future__ import annotations

from premortem.domain.run import Sequence

RACE_TRIES = 5
"""How often cases are sent at once again: of a race one order of many shows it."""


def tries_for(sequence: Sequence, tries: int) -> int:
    """How often to send SEQUENCE where others are sent TRIES times; none stays none."""
    return max(tries, RACE_TRIES) if tries and sequence.cases[-1].together else tries


def suffices(sequence: Sequence, again: int, tries: int) -> bool:
    """Whether a failure that came AGAIN so often of TRIES needs no other way to show itself.

    All times; of cases sent at once, where it hangs on moments, one is enough.
    """
    return again >= (1 if sequence.cases[-1].together else tries)
