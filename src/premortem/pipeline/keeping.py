"""Keeping production data no longer than needed: purge, archive, new keys."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from premortem.config import Config
from premortem.domain.traffic import Exchange
from premortem.errors import InputError, StoreError
from premortem.store import (
    Purged,
    Rotated,
    Store,
    TrafficFilter,
    Wanted,
    open_store,
    rotate_key,
)

Progress = Callable[[str, int], None]
"""What is being done, and how many are done."""
PROGRESS_EVERY = 1_000


class Archived(Struct, frozen=True, kw_only=True):
    """What moved into an archive."""

    path: str
    """A store of its own, opened by the same key."""
    moved: int
    there_already: int
    """Of them were in the archive from before; they left the store as well."""
    bytes_before: int
    """Of the store on disk."""
    bytes_after: int
    archive_bytes: int


def wanted_exchanges(
    store: Store, *, before: float | None = None, session: str = "", ids: tuple[str, ...] = ()
) -> Wanted:
    """Which exchanges to purge: exactly one of the three. IDS may be the start of one each.

    Raises InputError for none or several, and for ids that are not there.
    """
    if (before is not None) + bool(session) + bool(ids) != 1:
        raise InputError(
            "say what to purge: --before DATE, --session ID, or --exchange ID; one of them"
        )
    return Wanted(before=before, session=session, ids=tuple(store.exchange(one).id for one in ids))


def archive(
    *,
    config: Config,
    store: Store,
    before: float,
    to: Path,
    environment: Mapping[str, str] = os.environ,
    progress: Progress | None = None,
) -> Archived:
    """Move the exchanges of STORE that started before BEFORE into the store file TO.

    They leave STORE only once all of them are in TO; what was learned and made of them stays.
    TO is made when it is not there; it gets the same redaction key, so tokens go on joining.
    Raises StoreError, among it DiskFull; then every exchange is in one of the two at least.
    """
    say = progress or (lambda _what, _count: None)
    kept = replace(config.store, path=str(to.absolute()), url="")
    if to.exists() and str(to.resolve()) == str(Path(store.path).resolve()):
        raise InputError(f"{to} is the store itself; name another file with --to")
    where = TrafficFilter(until=before)
    with open_store(
        kept,
        Path(config.directory),
        environment=environment,
        redaction_key=store.redaction_key,
    ) as target:
        if target.redaction_key != store.redaction_key:
            raise StoreError(
                f"{to} is the archive of another store: its tokens would not join; "
                f"name another file with --to"
            )
        added = target.add_exchanges(_counted(store.exchanges(where=where), say))
        if target.traffic_count(where) < store.traffic_count(where):
            raise StoreError(f"not all exchanges are in {to}; give the same command again")
        archive_bytes = target.stats().bytes
    purged = store.purge(Wanted(before=before), derived=False, progress=progress)
    return Archived(
        path=str(to),
        moved=purged.took.exchanges,
        there_already=added.duplicates,
        bytes_before=purged.bytes_before,
        bytes_after=purged.bytes_after,
        archive_bytes=archive_bytes,
    )


def _counted(exchanges: Iterator[Exchange], say: Progress) -> Iterator[Exchange]:
    for count, exchange in enumerate(exchanges, 1):
        if count % PROGRESS_EVERY == 0:
            say("copying", count)
        yield exchange


def change_keys(
    *,
    config: Config,
    data: bool = False,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.time,
    progress: Callable[[int, int], None] | None = None,
) -> Rotated:
    """Give the configured store a new key; with DATA encrypt all of it anew. See `rotate_key`."""
    return rotate_key(
        config.store,
        Path(config.directory),
        data=data,
        environment=environment,
        clock=clock,
        progress=progress,
    )


__all__ = ["Archived", "Purged", "archive", "change_keys", "wanted_exchanges"]
