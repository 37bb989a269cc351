"""Headers that hold an address (RFC 9110, 8.7 and 10.2.2), and what such an address names."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from premortem.domain.places import Place

LOCATIONS = frozenset({"location", "content-location"})
"""Lower case."""


def last_segment(address: str) -> str:
    """The last segment of ADDRESS's path, decoded: `7` of `https://host/invoices/7`."""
    segments = [s for s in urlsplit(address).path.split("/") if s]
    return unquote(segments[-1]) if segments else ""


def meant(select: Place, recorded: str, value: str) -> str:
    """What of VALUE, which stands at SELECT of an answer, takes the place of RECORDED: of an
    address its last segment, unless a whole address was recorded."""
    located = select.part == "header" and select.name.lower() in LOCATIONS
    return last_segment(value) if located and "/" not in recorded else value
