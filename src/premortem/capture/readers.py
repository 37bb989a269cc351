"""The formats that traffic comes in, and the reader of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from premortem.capture.access_log import read_access_log
from premortem.capture.cassette import read_cassette
from premortem.capture.counts import CaptureCounts
from premortem.capture.curl import read_curl
from premortem.capture.goreplay import read_goreplay
from premortem.capture.har import read_entries
from premortem.capture.insomnia import read_insomnia
from premortem.capture.mitmproxy import read_mitmproxy
from premortem.capture.postman import read_postman
from premortem.capture.recording import Progress, ReadOptions, Recording


class Reader(Protocol):
    """See `recording`."""

    def __call__(
        self,
        path: Path,
        /,
        *,
        counts: CaptureCounts,
        progress: Progress | None,
        options: ReadOptions,
    ) -> Iterator[tuple[int, Recording]]:
        """The recordings in the file at PATH, with their places."""


class Format(Struct, frozen=True, kw_only=True):
    """A kind of file that holds recorded requests."""

    name: str
    title: str
    """`an access log`."""
    read: Reader
    counted_by: Literal["entry", "line"] = "entry"
    """What the places of its malformed entries are."""


FORMATS: Mapping[str, Format] = {
    known.name: known
    for known in (
        Format(name="har", title="a HAR archive", read=read_entries),
        Format(name="log", title="an access log", read=read_access_log, counted_by="line"),
        Format(name="cassette", title="a cassette", read=read_cassette),
        Format(name="mitmproxy", title="a mitmproxy flow file", read=read_mitmproxy),
        Format(name="postman", title="a Postman collection", read=read_postman),
        Format(name="insomnia", title="an Insomnia export", read=read_insomnia),
        Format(name="curl", title="a list of curl commands", read=read_curl, counted_by="line"),
        Format(name="goreplay", title="a GoReplay file", read=read_goreplay),
    )
}
