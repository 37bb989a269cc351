"""How much of the target's code ran, as tools for it write it down.

`.coverage` and JSON of coverage.py (its documentation, "Reporting"; SQLite, "schema"), LCOV
(geninfo(1)), Cobertura XML (coverage-04.dtd), JaCoCo XML (report.dtd, 1.1).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
from msgspec import Struct

from premortem.domain.coverage import CodeTotal
from premortem.errors import InputError

FILE_BYTES_MAX = 256 * 1024 * 1024
FILES_MAX = 50_000
"""Files of the target that one report may tell of."""
_CONDITIONS = re.compile(r"\((\d+)/(\d+)\)")


def read_code_coverage(path: Path) -> tuple[CodeTotal, ...]:
    """The files that the report at PATH tells of, by name.

    A `.coverage` file knows the lines that ran, not those that could have: they count as many as
    ran. Raises InputError for a file that is not there, too large, or of no known kind.
    """
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise InputError(
                f"{path} has {size} bytes, more than {FILE_BYTES_MAX}; write a report of totals"
            )
        with path.open("rb") as file:
            start = file.read(4096)
        found = list(_read(path, start))
    except OSError as error:
        raise InputError(f"cannot read the code coverage in {path}: {error.strerror}") from None
    except (ValueError, KeyError, sqlite3.Error, ElementTree.ParseError) as error:
        raise InputError(
            f"{path} is no code coverage that can be read ({error}); give a `.coverage` file, "
            f"its JSON, LCOV, Cobertura XML or JaCoCo XML"
        ) from None
    if len(found) > FILES_MAX:
        raise InputError(f"{path} tells of more than {FILES_MAX} files; leave libraries out of it")
    return tuple(sorted(found))


def _read(path: Path, start: bytes) -> Iterator[CodeTotal]:
    text = start.lstrip()
    if start.startswith(b"SQLite format 3\0"):
        yield from _sqlite(path)
    elif text.startswith(b"{"):
        yield from _json(path.read_bytes())
    elif text.startswith((b"<", b"\xef\xbb\xbf<")):
        yield from _xml(path.read_bytes())
    elif re.search(rb"^(?:TN|SF|DA):", start, re.M):
        yield from _lcov(path)
    else:
        raise ValueError("of no known kind")


class _Summary(Struct):
    num_statements: int
    covered_lines: int
    num_branches: int = 0
    covered_branches: int = 0


class _File(Struct):
    summary: _Summary


class _Report(Struct):
    files: dict[str, _File]


def _json(data: bytes) -> Iterator[CodeTotal]:
    try:
        report = msgspec.json.decode(data, type=_Report)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    for name, file in report.files.items():
        of = file.summary
        yield CodeTotal(
            file=name,
            lines=of.num_statements,
            lines_covered=of.covered_lines,
            branches=of.num_branches,
            branches_covered=of.covered_branches,
        )


def _sqlite(path: Path) -> Iterator[CodeTotal]:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        files = dict(connection.execute("select id, path from file").fetchall())
        lines: dict[int, set[int]] = {}
        for file, numbits in connection.execute("select file_id, numbits from line_bits"):
            lines.setdefault(file, set()).update(_numbers(numbits))
        arcs: dict[int, set[tuple[int, int]]] = {}
        for file, one, other in connection.execute("select file_id, fromno, tono from arc"):
            arcs.setdefault(file, set()).add((one, other))
    finally:
        connection.close()
    for file, name in files.items():
        # With branches it writes arcs alone; negative numbers are ways in and out.
        passed = arcs.get(file, set())
        ran = lines.get(file, set()) | {n for arc in passed for n in arc if n > 0}
        yield CodeTotal(file=name, lines=len(ran), lines_covered=len(ran))


def _numbers(numbits: bytes) -> Iterator[int]:
    for index, byte in enumerate(numbits):
        yield from (index * 8 + bit for bit in range(8) if byte >> bit & 1)


def _lcov(path: Path) -> Iterator[CodeTotal]:
    files: dict[str, tuple[dict[int, bool], dict[str, bool]]] = {}
    lines: dict[int, bool] = {}
    branches: dict[str, bool] = {}
    with path.open(encoding="utf-8", errors="replace") as report:
        for row in report:
            key, _, value = row.rstrip("\n").partition(":")
            if key == "SF":
                # Each test may tell of a file again: what one of them ran did run.
                lines, branches = files.setdefault(value, ({}, {}))
            elif key == "DA":
                number, hits = value.split(",")[:2]
                lines[int(number)] = lines.get(int(number), False) or int(float(hits)) > 0
            elif key == "BRDA":
                name, _, taken = value.rpartition(",")
                branches[name] = branches.get(name, False) or taken not in ("-", "0")
    for name, (of_lines, of_branches) in files.items():
        yield _total(name, of_lines.values(), of_branches.values())


def _total(name: str, lines: Any, branches: Any) -> CodeTotal:
    lines, branches = list(lines), list(branches)
    return CodeTotal(
        file=name,
        lines=len(lines),
        lines_covered=sum(lines),
        branches=len(branches),
        branches_covered=sum(branches),
    )


def _xml(data: bytes) -> Iterator[CodeTotal]:
    if b"<!ENTITY" in data:
        raise ValueError("it declares entities")
    root = ElementTree.fromstring(data)  # noqa: S314 - without entities nothing can grow
    if root.tag == "coverage":
        yield from _cobertura(root)
    elif root.tag == "report":
        yield from _jacoco(root)
    else:
        raise ValueError(f"its root is <{root.tag}>")


def _cobertura(root: ElementTree.Element) -> Iterator[CodeTotal]:
    files: dict[str, tuple[dict[int, bool], dict[int, tuple[int, int]]]] = {}
    for of_class in root.iter("class"):
        lines, branches = files.setdefault(of_class.get("filename", ""), ({}, {}))
        # Lines of methods stand again among those of their class.
        for line in of_class.findall("lines/line"):
            number = int(line.get("number", "0"))
            lines[number] = lines.get(number, False) or int(line.get("hits", "0")) > 0
            counted = _CONDITIONS.search(line.get("condition-coverage", ""))
            if counted is not None:
                taken, all_ = int(counted[1]), int(counted[2])
                before = branches.get(number, (0, 0))
                branches[number] = max(before, (taken, all_))
    for name, (lines, branches) in files.items():
        yield CodeTotal(
            file=name,
            lines=len(lines),
            lines_covered=sum(lines.values()),
            branches=sum(all_ for _, all_ in branches.values()),
            branches_covered=sum(taken for taken, _ in branches.values()),
        )


def _jacoco(root: ElementTree.Element) -> Iterator[CodeTotal]:
    for package in root.iter("package"):
        for source in package.findall("sourcefile"):
            counted = {
                counter.get("type", ""): (
                    int(counter.get("covered", "0")),
                    int(counter.get("missed", "0")),
                )
                for counter in source.findall("counter")
            }
            covered, missed = counted.get("LINE", (0, 0))
            taken, left = counted.get("BRANCH", (0, 0))
            yield CodeTotal(
                file="/".join(p for p in (package.get("name"), source.get("name")) if p),
                lines=covered + missed,
                lines_covered=covered,
                branches=taken + left,
                branches_covered=taken,
            )
