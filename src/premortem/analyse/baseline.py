"""Which findings make a run fail: the known ones in a file, and what a person ignores."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from premortem.domain.run import Finding, FindingKind, Ignored
from premortem.domain.source_findings import SourceFinding
from premortem.errors import InputError

FailOn = Literal["any", "new", "never"]


class Known(Struct, frozen=True, kw_only=True):
    """A finding that a baseline knows; only the id counts, the rest is for the reader."""

    id: str
    operation: str = ""
    check: str = ""
    title: str = ""


class Baseline(Struct, frozen=True, kw_only=True):
    """A baseline file, TOML or (named `*.json`) JSON."""

    finding: tuple[Known, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """Of the known findings."""
        return frozenset(known.id for known in self.finding)


def load_baseline(path: Path) -> frozenset[str]:
    """Ids that the file PATH knows; none when there is no such file.

    Raises InputError when it cannot be read as a baseline.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise InputError(f"cannot read the baseline {path}: {error.strerror}") from None
    decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
    try:
        return decode(data, type=Baseline).ids
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is no baseline: {error}; it lists [[finding]] tables with an `id` each"
        ) from None


def save_baseline(path: Path, findings: Iterable[Finding | SourceFinding]) -> None:
    """Make the file PATH know FINDINGS. Raises InputError when it cannot be written."""
    known = tuple(
        Known(id=f.id, operation=f.operation_id, check=f.check, title=f.title)
        for f in sorted(findings, key=lambda f: (f.operation_id, f.check, f.id))
    )
    if path.suffix == ".json":
        text = msgspec.json.format(msgspec.json.encode(Baseline(finding=known))).decode() + "\n"
    else:
        text = "# Findings that `premortem run --fail-on new` knows already.\n"
        text += "".join("\n[[finding]]\n" + "".join(_lines(entry)) for entry in known)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write the baseline {path}: {error.strerror}") from None


def _lines(entry: Known) -> Iterable[str]:
    for name, value in msgspec.structs.asdict(entry).items():
        # A JSON string is a TOML basic string, but for DEL (TOML 1.0).
        quoted = msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
        yield f"{name} = {quoted}\n"


def active(ignored: Mapping[str, Ignored], today: date) -> frozenset[str]:
    """Ids that are ignored on the day TODAY; `until` is the last such day."""
    return frozenset(
        finding_id
        for finding_id, word in ignored.items()
        if not word.until or today <= until_date(word.until)
    )


def until_date(text: str) -> date:
    """The day that TEXT names. Raises InputError when it is no ISO 8601 date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"not a date: {text!r}; write it like 2027-01-31") from None


def decide(
    findings: Iterable[Finding],
    fail_on: FailOn,
    *,
    baseline: Collection[str] = (),
    ignored: Mapping[str, Ignored] | None = None,
    today: date,
    kinds: Collection[FindingKind] = ("defect", "drift", "flaky"),
) -> list[Finding]:
    """The FINDINGS that make a run fail.

    `any`: all of KINDS that nobody ignores today; `new`: of these, the ones that BASELINE does
    not know; `never`: none.
    """
    if fail_on == "never":
        return []
    quiet = active(ignored or {}, today)
    known = frozenset(baseline) if fail_on == "new" else frozenset()
    return [f for f in findings if f.kind in kinds and f.id not in quiet | known]
