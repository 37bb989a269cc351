"""`premortem roles`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec

from premortem.agent.knowledge.access_writing import authorization_map
from premortem.analyse import access_view, active, write_access_html
from premortem.analyse.access_csv import access_csv
from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FINDINGS,
    Common,
    print_json,
    say,
    show,
    warn,
)
from premortem.cli.progress import spinner
from premortem.config import Config
from premortem.domain.access import folded
from premortem.domain.source_findings import SourceFinding, as_data, source_findings
from premortem.errors import InputError, NothingLearned
from premortem.pipeline import observing
from premortem.pipeline.access import Access, access_of
from premortem.pipeline.observing_looks import Observed
from premortem.store import Store

LOST_SHOWN_MAX = 10


def roles(
    *,
    observe: bool = False,
    sources: Path | None = None,
    operation: tuple[str, ...] = (),
    role: tuple[str, ...] = (),
    edition: tuple[str, ...] = (),
    csv: Path | None = None,
    html: Path | None = None,
    write: Path | None = None,
    common: Common = COMMON,
) -> int:
    """Show who may do what: by role, operation and edition.

    Put together from blueprints, AuthorizationMap.yaml, the specification, C# and
    FastAPI sources, recorded traffic and runs. Where two of them cannot both be
    right, both are shown with their place: a finding of its own (exit 1), which
    premortem ignore takes like any other.

    For example:

        premortem roles                       what is declared, tried and seen
        premortem roles --observe             ask the target itself, as every role
        premortem roles --edition lite        of one edition alone
        premortem roles --html roles.html     as a picture
        premortem roles --write AuthorizationMap.yaml

    Parameters
    ----------
    observe
        Send each operation as each role that can sign in, and as nobody.
        Changes data: only on a target that is marked disposable.
    sources
        The folder of documents and code; default: where premortem.toml lies.
    operation
        With --observe: only this one, by its id; as often as you like.
    role
        With --observe: only this role; as often as you like.
    edition
        Only this edition; as often as you like.
    csv
        Write a line for each cell to this file.
    html
        Write a page with the picture of the matrix to this file.
    write
        Write what is declared as an authorization map to this file.
    """
    if (operation or role) and not observe:
        raise InputError("--operation and --role say what to ask the target; add --observe")
    config = common.load()
    asked = {"operations": operation, "roles": role, "editions": edition} if observe else None
    found, seen, quiet = _looked(common, config, sources or Path(config.directory), asked)
    edition = _known_editions(found, edition)
    against = source_findings(found.contradictions)
    _write(found, csv=csv, html=html, map_=write)
    if common.json:
        print_json({"observed": seen, **_told(found, against, quiet)})
    else:
        _show(found, [f for f in against if f.id not in quiet], seen, edition)
        for path in (csv, html, write):
            if path is not None:
                say(f"wrote {path}")
    return EXIT_FINDINGS if any(f.id not in quiet for f in against) else EXIT_CLEAN


def _looked(
    common: Common, config: Config, folder: Path, asked: Mapping[str, tuple[str, ...]] | None
) -> tuple[Access, list[Observed], frozenset[str]]:
    """What is known of access, what roles were answered to what is ASKED (None: nothing is), and
    the ids that are ignored."""
    seen: list[Observed] = []
    with _store(common, config) as store:
        ignored = store.ignored() if store is not None else {}
        with spinner("reading", quiet=common.json):
            found = access_of(config, store, folder=folder)
        if asked is not None:
            _refuse_unknown(found, asked)
            if store is None:
                raise NothingLearned(missing="traffic", command="premortem capture har FILE")
            with spinner("asking the target", quiet=common.json):
                seen += observing.observe(
                    found.table,
                    config=config,
                    store=store,
                    operations=asked["operations"],
                    roles=asked["roles"],
                    editions=asked["editions"],
                )
                found = access_of(config, store, folder=folder)
    return found, seen, active(ignored, date.today())


@contextmanager
def _store(common: Common, config: Config) -> Iterator[Store | None]:
    """The store; None: there is none, and files alone are read."""
    try:
        with common.opened() as (_, store):
            yield store
    except NothingLearned:
        if config.store.url or config.path(config.store.path).exists():
            raise
        yield None


def _known_editions(found: Access, asked: tuple[str, ...]) -> tuple[str, ...]:
    """ASKED as the matrix spells them. Raises InputError for one that nobody knows."""
    spelled = {folded(name): name for name in found.matrix.editions if name}
    for name in asked:
        if folded(name) not in spelled:
            there = ", ".join(spelled.values()) or "none"
            raise InputError(f"{name!r} is not among the editions; there are {there}")
    return tuple(spelled[folded(name)] for name in asked)


def _refuse_unknown(found: Access, asked: Mapping[str, tuple[str, ...]]) -> None:
    """Raise InputError for names that nobody knows: nothing would be asked."""
    known = {
        "operations": found.matrix.operations,
        "roles": found.matrix.roles,
        "editions": found.matrix.editions,
    }
    for kind, there in known.items():
        for name in asked[kind]:
            if name not in there:
                raise InputError(f"{name!r} is not among the {kind}; there are {', '.join(there)}")


def _write(found: Access, *, csv: Path | None, html: Path | None, map_: Path | None) -> None:
    try:
        if csv is not None:
            csv.write_text(access_csv(found.matrix), encoding="utf-8")
        if map_ is not None:
            map_.write_text(authorization_map(found.table), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {error.filename}: {error.strerror}") from None
    if html is not None:
        write_access_html(
            html, found.matrix, source_findings(found.contradictions), sources=found.sources
        )


def _told(
    found: Access, against: Sequence[SourceFinding], quiet: Collection[str]
) -> dict[str, object]:
    """FOUND for machines: what no property of a cell may keep to itself."""
    return {
        "roles": found.matrix.roles,
        "editions": found.matrix.editions,
        "standings": found.matrix.standings,
        "cells": [{"standing": cell.standing, **_fields(cell)} for cell in found.matrix.cells],
        "contradictions": [{**as_data(one), "ignored": one.id in quiet} for one in against],
        "sources": found.sources,
        "skipped": found.skipped,
    }


def _fields(value: object) -> dict[str, object]:
    return msgspec.structs.asdict(value)  # type: ignore[arg-type]


def _show(
    found: Access,
    against: Sequence[SourceFinding],
    seen: list[Observed],
    editions: tuple[str, ...],
) -> None:
    for note in found.skipped:
        warn((f"not read: {note}", "yellow"))
    lost = [one for one in seen if not one.grant]
    if seen:
        requests = sum(one.requests for one in seen)
        told = len(seen) - len(lost)
        say(f"learned {told:,} of {len(seen):,} cells in {requests:,} requests")
    for one in lost[:LOST_SHOWN_MAX]:
        where = f" in {one.edition}" if one.edition else ""
        what = "tells nothing" if one.status else "not asked"
        warn((f"{what}: {one.operation_id} as {one.role}{where}: {one.why_not}", "yellow"))
    if len(lost) > LOST_SHOWN_MAX:
        warn((f"and {len(lost) - LOST_SHOWN_MAX:,} more that are not known; see --json", "yellow"))
    for name in editions or (None,):
        show(access_view(found.matrix, against, edition=name))
