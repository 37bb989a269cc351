"""What a change is answered that is based on an outdated version."""

from __future__ import annotations

import re

from premortem.agent.planning.expectation import Evidence, Expectation, captured, facts_of
from premortem.domain.traffic import OperationProfile

_STATUSES = (412, 409, 428)
_VERSION = re.compile(r"version|outdated|stale|changed|modified|match|etag", re.IGNORECASE)
"""How a specification says that a conflict is about a version, not about a state."""


def of_outdated(operation: OperationProfile, evidence: Evidence, *, header: bool) -> Expectation:
    """What OPERATION should answer to a change of a version that is no longer there; HEADER: the
    version stands in If-Match (RFC 9110, 13.1.1), otherwise in the body."""
    statuses = _STATUSES if header else (409, 412)
    for status in statuses[:1] if header else statuses:
        count = captured(operation, status)
        if count:
            alike = [e.response for e in evidence.of(operation) if e.response.status == status]
            return Expectation(
                status=status,
                because=f"production answered {status} to outdated versions ({count} captured)",
                source="captured",
                facts=facts_of(alike) if header else (),
                outcome="conflict",
            )
    for status in statuses:
        of_state = status == 409 and header and not _VERSION.search(operation.meaning(status))
        if status in operation.declared and not of_state:
            return Expectation(
                status=status,
                because=f"the specification declares {status}",
                source="specification",
                certain=header and status == 412,
            )
    for other in evidence.profile.operations:
        if captured(other, 412) or 412 in other.declared:
            return Expectation(
                status=412,
                because=f"{other.id} answers outdated versions with 412",
                source="sibling",
                certain=False,
            )
    return Expectation(
        status=412 if header else 409,
        because="convention: a condition that does not hold fails (RFC 9110, 13.1.1)",
        source="convention",
        certain=False,
    )
