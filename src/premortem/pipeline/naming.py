"""What people call an operation -> the operation."""

from __future__ import annotations

from premortem.domain.traffic import OperationProfile, Profile
from premortem.errors import InputError

OPERATIONS_NAMED_MAX = 8
"""Operations that a name could mean, listed in a message."""


def known_operation(learned: Profile, name: str) -> OperationProfile:
    """The operation that NAME is, or is a part of alone. Raises InputError."""
    exact = learned.operation(name)
    if exact is not None:
        return exact
    hits = [o for o in learned.operations if name.lower() in o.id.lower()]
    if len(hits) == 1:
        return hits[0]
    found = "it could be " + "; ".join(o.id for o in hits[:OPERATIONS_NAMED_MAX])
    raise InputError(
        f"{name!r} names no operation of the profile: "
        f"{found if hits else 'none fits'}; see `premortem profile`"
    )
