"""What paths of operations say of each other."""

from __future__ import annotations

from premortem.domain.traffic import OperationProfile, Profile


def made_by(operation: OperationProfile, profile: Profile) -> OperationProfile | None:
    """The POST that makes what OPERATION, a PUT or PATCH of one thing, changes: to the path above;
    None: there is none."""
    above, _, last = operation.operation.template.rpartition("/")
    if operation.operation.method not in ("PUT", "PATCH") or not last.startswith("{"):
        return None
    return profile.operation(f"POST {above}")
