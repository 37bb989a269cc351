"""`premortem purge`, `archive`, `rotate-key`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path

import msgspec
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from premortem.cli.context import COMMON, EXIT_CLEAN, Common, err, print_json, say
from premortem.errors import InputError
from premortem.pipeline.keeping import archive as archived
from premortem.pipeline.keeping import change_keys, wanted_exchanges
from premortem.store import Doomed


def purge(
    *,
    before: str = "",
    session: str = "",
    exchange: tuple[str, ...] = (),
    dry_run: bool = False,
    strict: bool = False,
    common: Common = COMMON,
) -> int:
    """Remove exchanges for good, with what was made of them, and shrink the store.

    With them go their bodies, profiles learned from them, and cases, results,
    findings and scenarios made of them. Run summaries stay; so do files that were
    written, and backups. For single exchanges and sessions it is always strict.
    Afterwards learn again.

    For example:

        premortem purge --before 2026-01-01 --dry-run
        premortem purge --before 2026-01-01
        premortem purge --exchange 3f9a --exchange 77c1

    Parameters
    ----------
    before
        All that started before this day or time, UTC: 2026-01-01, 2026-01-01T06:00.
    session
        All of this session, as premortem traffic ID shows it.
    exchange
        This one, by id or its first characters; may be repeated.
    dry_run
        Only say what would go.
    strict
        Also findings that only drew values from such a profile.
    """
    at = moment(before) if before else None
    with common.opened() as (_, store):
        wanted = wanted_exchanges(store, before=at, session=session, ids=exchange)
        if dry_run:
            doomed = store.purge_preview(wanted, strict=strict)
            if common.json:
                print_json({"dry_run": True, **msgspec.structs.asdict(doomed)})
            else:
                _print_doomed(doomed, "would go")
                say("nothing was changed; leave --dry-run out to purge")
            return EXIT_CLEAN
        with counting(quiet=common.json) as progress:
            report = store.purge(wanted, strict=strict, progress=progress)
    if common.json:
        print_json(report)
        return EXIT_CLEAN
    _print_doomed(report.took, "gone")
    say(f"  the store: {_size(report.bytes_before)} before, {_size(report.bytes_after)} now")
    if report.took.profiles:
        say("next: premortem learn")
    return EXIT_CLEAN


def _print_doomed(doomed: Doomed, verb: str) -> None:
    say((f"{doomed.exchanges:,} exchanges {verb}", "bold"))
    for count, what in (
        (len(doomed.profiles), "profiles learned from them"),
        (doomed.cases, "cases"),
        (doomed.rejections, "rejected cases"),
        (doomed.results, "results"),
        (doomed.findings, "findings"),
        (doomed.scenarios, "scenarios; their .feature files stay"),
    ):
        if count:
            say(f"  {count:,} {what}")
    if doomed.findings_kept:
        say(
            f"  {doomed.findings_kept:,} findings stay whose values may have been drawn from "
            f"them; --strict takes those, too"
        )


def archive(*, before: str, to: Path | None = None, common: Common = COMMON) -> int:
    """Move old exchanges into a store file of their own.

    The archive is a whole store, encrypted under the same key: give --store to
    look at it or to learn from it. The store gets smaller and faster by as much;
    what was learned stays. Tokens of redacted values go on meaning the same.

    For example:

        premortem archive --before 2026-01-01
        premortem traffic --store .premortem/archive-2026-01-01.db
        premortem learn --store .premortem/archive-2026-01-01.db

    Parameters
    ----------
    before
        All that started before this day or time, UTC: 2026-01-01, 2026-01-01T06:00.
    to
        The archive's file; default: .premortem/archive-DATE.db.
    """
    at = moment(before)
    with common.opened() as (config, store):
        day = datetime.fromtimestamp(at, UTC).date().isoformat()
        path = to or config.path(config.store.key_file).with_name(f"archive-{day}.db")
        with counting(quiet=common.json) as progress:
            report = archived(config=config, store=store, before=at, to=path, progress=progress)
    if common.json:
        print_json(report)
        return EXIT_CLEAN
    say((f"{report.moved:,} exchanges moved", "bold"), " to ", (report.path, "bold"))
    say(f"  the store: {_size(report.bytes_before)} before, {_size(report.bytes_after)} now")
    say(f"  the archive: {_size(report.archive_bytes)}; --store {report.path} looks into it")
    return EXIT_CLEAN


def rotate_key(*, data: bool = False, common: Common = COMMON) -> int:
    """Give the store a new key; the old one opens it no longer.

    A key file is replaced. Where the key comes from PREMORTEM_KEY, the new one is
    taken from PREMORTEM_NEW_KEY. This takes a moment, because the key that encrypts
    the data stays and is only wrapped anew. After a leak use --data: all data is
    encrypted anew. Cut off, it goes on when the same command is given again; until
    then both keys are there and everything can be read.

    For example:

        premortem rotate-key
        premortem rotate-key --data

    Parameters
    ----------
    data
        Encrypt all data anew as well.
    """
    config = common.load()
    with common.opened():
        pass  # a store that is not there is told before a key is made for it
    with counting(quiet=common.json) as progress:
        report = change_keys(
            config=config,
            data=data,
            progress=lambda done, total: progress(f"encrypting, of {total:,}", done),
        )
    if common.json:
        print_json(report)
        return EXIT_CLEAN
    say("the store has a new key: ", (report.key_source, "bold"))
    if report.reencrypted:
        again = ", going on where it was cut off" if report.resumed else ""
        say(f"  {report.reencrypted:,} values encrypted anew{again}")
    say("  copies of the store from before are still opened by the old key")
    return EXIT_CLEAN


def moment(text: str) -> float:
    """TEXT, a day or a time, UTC where it does not say, in seconds since the epoch.

    Raises InputError for anything else.
    """
    try:
        read = (
            datetime.combine(date.fromisoformat(text), time.min)
            if len(text) <= len("2026-01-01")
            else datetime.fromisoformat(text)
        )
    except ValueError:
        raise InputError(
            f"not a day or a time: {text[:80]!r}; write it like 2026-01-01 or 2026-01-01T06:00"
        ) from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


@contextmanager
def counting(*, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    """What is being done and how far, on standard error; terminals only."""
    if quiet or not err.is_terminal:
        yield lambda _what, _count: None
        return
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task("looking")
        yield lambda what, count: bars.update(task, description=f"{what} {count:,}")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
