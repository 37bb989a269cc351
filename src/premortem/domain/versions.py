"""Versions of resources (RFC 9110, 8.8): which resource a validator in an answer is about.

A validator such as `"1"` means nothing without its resource: every one begins with it. A long
one (a hash, a time in milliseconds) is itself enough to be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

LONG_MIN = 8
"""Characters from which two equal validators are hardly equal by chance."""
_WRAPPERS = ("data", "result", "item", "attributes", "resource")


def resource_of(path: str) -> str:
    """PATH as it names a resource: without a trailing slash."""
    return path.rstrip("/") or "/"


def told_about(method: str, path: str, answer: Any, location: str = "") -> Iterator[str]:
    """Paths of the resources whose version the answer to METHOD on PATH may tell, surest first.

    ANSWER: its body as a value. A POST may have made something (`/invoices/7`, told by LOCATION
    or by an id) or be an action on what stands before it (`/invoices/7/approve`).
    """
    own = resource_of(path)
    if method != "POST":
        yield own
        return
    if location:
        yield resource_of(urlsplit(location).path)
    made = _id_in(answer)
    if made and not own.endswith(f"/{made}"):
        yield f"{own}/{made}"
    yield own
    above = own.rpartition("/")[0]
    if above.count("/") >= 2:
        yield above


def is_long(validator: str) -> bool:
    """Whether VALIDATOR tells a version apart whatever its resource is."""
    return len(validator.removeprefix("W/").strip('"')) >= LONG_MIN


def _id_in(answer: Any) -> str:
    if not isinstance(answer, dict):
        return ""
    for held in (answer, *(answer.get(key) for key in _WRAPPERS)):
        if isinstance(held, dict):
            value = held.get("id")
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return str(value)
    return ""
