"""Keys that name one request, so that a retry of it has no second effect.

The header is `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header); services spell it in
many ways, in headers and in bodies.
"""

from __future__ import annotations

import re

from premortem.domain.traffic import Request

_NAME = re.compile(
    r"idempoten|^nonce$|(?:dedup(?:e|lication)?|retry)(?:key|token|id)$"
    r"|^(?:x|xms|ms)?clientrequestid$|^paypalrequestid$"
)
_SEPARATORS = re.compile(r"[-_. ]")


def names_one_request(name: str) -> bool:
    """Whether a header or field called NAME holds a key of one request (`X-Idempotency-Key`)."""
    return _NAME.search(_SEPARATORS.sub("", name).lower()) is not None


def same_request(request: Request) -> int:
    """A number equal for REQUEST and its retries: everything but the headers counts."""
    return hash((request.method, request.path, request.query, request.body))
