"""Results as they may be stored: an answer to a login holds a live token."""

from __future__ import annotations

import msgspec

from premortem.capture import Redactor
from premortem.domain.run import Result, Sent


def without_secrets(sent: Sent, redactor: Redactor) -> Sent:
    """SENT as it may be stored: an answer to a login holds a live token."""
    response = redactor.response(sent.response) if sent.response is not None else None
    return msgspec.structs.replace(sent, request=redactor.request(sent.request), response=response)


def clean_result(redactor: Redactor, result: Result) -> Result:
    """RESULT as it may be stored."""
    return msgspec.structs.replace(result, sent=without_secrets(result.sent, redactor))
