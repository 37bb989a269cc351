"""What names of members and parameters say."""

from __future__ import annotations

import re

_REFERENCE = re.compile(
    r"(?:^|[_-])(?:ids?|uuids?|guids?|refs?|keys?|identifiers?)$|[a-z](?:Ids?|IDs?|Uuids?)$"
)


def says_reference(name: str) -> bool:
    """Whether NAME is how things are referred to: `customer_id`, `parentId`, `uuid`."""
    return _REFERENCE.search(name) is not None
