"""Whether an answer with 2xx refuses all the same."""

from __future__ import annotations

from typing import Any

import msgspec

from premortem.domain.traffic import Response

BODY_BYTES_MAX = 1024 * 1024
_FAILED = frozenset({"error", "fail"})
"""JSend's words; `failed` may be the honest state of a thing."""


def refuses(response: Response) -> bool:
    """Whether the JSON body says that nothing was done: `{"errors": [...]}`, `{"ok": false}`.

    Many services (GraphQL over HTTP for one) answer 200 and put the refusal into the body.
    """
    value = body_of(response)
    if isinstance(value, dict) and len(value) == 1:
        inner = next(iter(value.values()))
        if isinstance(inner, dict) and _says_so(inner):
            return True
    return isinstance(value, dict) and _says_so(value)


def is_empty(response: Response) -> bool:
    """Whether nothing is in the body: no byte, null, an empty list, or an object around one."""
    if not response.body:
        return True
    value = body_of(response)
    if isinstance(value, dict):
        inner = [item for item in value.values() if isinstance(item, list | dict)]
        return not any(inner) if inner else not value
    return value == [] or (value is None and response.body.strip() == b"null")


def body_of(response: Response) -> Any:
    """The JSON body; None when there is none, or it is too long to be a message."""
    if not response.body or len(response.body) > BODY_BYTES_MAX:
        return None
    try:
        return msgspec.json.decode(response.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _says_so(value: dict[str, Any]) -> bool:
    if value.get("errors") or value.get("error"):
        return True
    if value.get("success") is False or value.get("ok") is False:
        return True
    status = value.get("status")
    return isinstance(status, str) and status.lower() in _FAILED
