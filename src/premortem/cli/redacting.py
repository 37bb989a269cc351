"""`premortem redact`: what redaction changes, before anything is stored."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich import box
from rich.table import Table
from rich.text import Text

from premortem.analyse.excerpt import printable
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, show
from premortem.cli.progress import bytes_progress
from premortem.errors import InputError
from premortem.pipeline.redacting import Checked, check_text, redact_file
from premortem.pipeline.redacting import check as check_files
from premortem.store import open_store

CHANGES_SHOWN_MAX = 60
REMAINING_SHOWN_MAX = 30
STDIN_CHARS_MAX = 32 * 1024 * 1024


def redact(
    files: Annotated[list[Path] | None, Parameter()] = None,
    /,
    *,
    check: bool = False,
    out: Path | None = None,
    common: Common = COMMON,
) -> int:
    """Show what redaction changes in recordings; nothing is stored.

    Lists each place where a value is replaced, by which rule, and an example: of the
    value only its first and last character. Below stand values that look random and
    stay, for you to judge: name their fields under [redact] if they are secret.
    Without FILES a text is read from standard input. The store's key is used if there
    is a store, so the replacements are those that an import would make.

    For example:

        premortem redact --check session.har
        premortem redact session.har --out shared.har
        kubectl logs api | premortem redact --check

    Parameters
    ----------
    files
        Recordings of any format that capture reads.
    check
        Only show it; this is so without --out, too.
    out
        Write the recording, redacted, to this new file, as a HAR archive.
    """
    config = common.load()
    key = _key(common)
    paths = files or []
    if out is not None:
        if check or len(paths) != 1:
            raise InputError(
                "--out takes one recording, and no --check; see premortem redact --help"
            )
        with bytes_progress(paths, quiet=common.json) as progress:
            found = redact_file(paths[0], out, config=config, key=key, show=progress)
    elif paths:
        found = _checked(paths, common, key)
    else:
        text = sys.stdin.read(STDIN_CHARS_MAX)
        found = check_text(text, config=config, key=key)
    if common.json:
        print_json(found)
        return EXIT_CLEAN
    _print(found)
    if out is not None:
        say(f"written: {out}")
    return EXIT_CLEAN


def _checked(paths: list[Path], common: Common, key: bytes) -> Checked:
    with bytes_progress(paths, quiet=common.json) as progress:
        return check_files(paths, config=common.load(), key=key, show=progress)


def _key(common: Common) -> bytes:
    """The store's redaction key; a passing one where there is no store."""
    config = common.load()
    if config.store.url or config.path(config.store.path).exists():
        with open_store(config.store, Path(config.directory)) as store:
            return store.redaction_key
    return os.urandom(32)


def _print(found: Checked) -> None:
    total = sum(found.rules.values())
    rules = ", ".join(f"{count:,} by {rule}" for rule, count in found.rules.items())
    if found.exchanges:
        say(f"{found.exchanges:,} exchanges read, ", (f"{total:,} values replaced", "bold"))
    else:
        say((f"{total:,} values replaced", "bold"))
    say(f"  {rules or 'nothing'}")
    if found.malformed:
        say(f"  {found.malformed:,} malformed entries skipped")
    if found.changes:
        table = Table("place", "rule", "before", "after", "values", box=box.SIMPLE)
        for change in found.changes[:CHANGES_SHOWN_MAX]:
            cells = (change.place, change.rule, change.before, change.after, f"{change.count:,}")
            table.add_row(*(Text(printable(cell)) for cell in cells))
        show(table)
    more = len(found.changes) - CHANGES_SHOWN_MAX
    if more > 0 or found.changes_left_out:
        say(f"and {max(more, 0) + found.changes_left_out:,} more; --json lists them")
    if found.remaining:
        say("look random and stay; name them under [redact] if they are secret:")
        table = Table("place", "value", "times", box=box.SIMPLE)
        for left in found.remaining[:REMAINING_SHOWN_MAX]:
            table.add_row(
                Text(printable(left.place)), Text(printable(left.value)), f"{left.count:,}"
            )
        show(table)
