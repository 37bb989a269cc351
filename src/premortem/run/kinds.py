"""Cases of one kind on their way: what they have in common is worked out once for a job."""

from __future__ import annotations

from premortem.domain.packing import Parcel
from premortem.domain.run import IDEMPOTENT_METHODS, Case
from premortem.send.head import Form

Cell = list[float]
"""Milliseconds of answers that are counted together."""


class Kind:
    """The cases of a job that differ in path, query, body and origin alone."""

    __slots__ = ("cells", "form", "head", "idempotent", "like")

    def __init__(self, like: Case) -> None:
        self.like = like
        """One of them, see `Parcel.like`."""
        self.form: Form | None = None
        """Writes them as they are; None: each needs credentials or live values of its own."""
        method = like.request.method
        self.head = method == "HEAD"
        self.idempotent = method in IDEMPOTENT_METHODS
        self.cells: dict[int, Cell] = {}
        """Where its answers of this batch are counted: 1000 x second + status -> there."""


def kinds_of(parcel: Parcel) -> list[Kind]:
    """One for each kind of PARCEL, in the order of their numbers."""
    return [Kind(parcel.like(number)) for number in range(parcel.kinds)]
