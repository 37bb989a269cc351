"""What names of members, parameters and operations say."""

from __future__ import annotations

import re

from premortem.domain.traffic import OperationProfile, Profile

_REFERENCE = re.compile(
    r"(?:^|[_-])(?:ids?|uuids?|guids?|refs?|keys?|identifiers?)$|[a-z](?:Ids?|IDs?|Uuids?)$"
)


def says_reference(name: str) -> bool:
    """Whether NAME is how things are referred to: `customer_id`, `parentId`, `uuid`."""
    return _REFERENCE.search(name) is not None


def made_by(operation: OperationProfile, profile: Profile) -> OperationProfile | None:
    """The POST that makes what OPERATION, a PUT or PATCH of one thing, changes: to the path above;
    None: there is none."""
    above, _, last = operation.operation.template.rpartition("/")
    if operation.operation.method not in ("PUT", "PATCH") or not last.startswith("{"):
        return None
    return profile.operation(f"POST {above}")
