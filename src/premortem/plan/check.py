"""Everything that is wrong with a plan file, at once, with the lines where it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain
from typing import Any, Literal, get_type_hints

from msgspec import Struct

from premortem.domain.goals import Goals
from premortem.domain.load import Hold, Load, Scale
from premortem.domain.run import Plan
from premortem.plan.lines import Path, line_at, lines_of
from premortem.plan.reading import dotted, read_table
from premortem.plan.rules import Complaint, complaints

BYTES_MAX = 4 * 1024 * 1024
"""Of a plan file."""


class Problem(Struct, frozen=True, kw_only=True):
    """Something in a plan file that is wrong, or that is not what it looks like."""

    line: int
    """From 1 on."""
    key: str
    """`load.at_s`, `stop[1].when`, as a person counts; empty: the file itself."""
    message: str
    level: Literal["error", "warning"] = "error"


class Checked(Struct, frozen=True, kw_only=True):
    """A plan file, looked through."""

    plan: Plan | None
    """None: it has errors."""
    problems: tuple[Problem, ...]
    """By line."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Those that keep the plan from being run."""
        return tuple(problem for problem in self.problems if problem.level == "error")


def check_text(
    data: bytes,
    *,
    metrics: Collection[str] | None = None,
    rate_per_second_max: float | None = None,
    checks: Collection[str] = (),
    further: Callable[[Plan], Iterable[Complaint]] = lambda _plan: (),
) -> Checked:
    """DATA, a plan file, with all of its problems.

    METRICS: names of `[metrics.*]` and RATE_PER_SECOND_MAX of `[target]` in premortem.toml; None:
    not known, so not judged. CHECKS: names of the user's own. FURTHER: what else there is to say
    of what could be read (`fit`).
    """
    if len(data) > BYTES_MAX:
        return _unreadable(1, f"{len(data):,} bytes are no plan; at most {BYTES_MAX:,} are read")
    try:
        text = data.decode()
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        return _unreadable(data[: error.start].count(b"\n") + 1, "not valid TOML: it is no UTF-8")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return _unreadable(_line_of(str(error), data), f"not valid TOML: {error}")
    lines = lines_of(text.replace("\r\n", "\n"))
    problems: list[Problem] = []
    broken: set[Path] = set()

    def wrong(path: Path, message: str) -> None:
        broken.update(path[:depth] for depth in range(1, len(path) + 1))
        problems.append(Problem(line=line_at(lines, path), key=dotted(path), message=message))

    plan: Plan = read_table(Plan, table, wrong=wrong, home=_home)
    found = complaints(
        plan,
        given=lines,
        metrics=metrics,
        rate_per_second_max=rate_per_second_max,
        checks=checks,
    )
    for complaint in chain(found, further(plan)):
        # What is held against a value that could not be read is held against its default.
        rests = any(f"`{dotted(path)}`" in complaint.message for path in broken)
        if complaint.path not in broken and not rests:
            problems.append(_problem(complaint, lines))
    problems.sort(key=lambda problem: problem.line)
    failed = any(problem.level == "error" for problem in problems)
    return Checked(plan=None if failed else plan, problems=tuple(problems))


def _problem(complaint: Complaint, lines: Mapping[Path, int]) -> Problem:
    return Problem(
        line=line_at(lines, complaint.path),
        key=dotted(complaint.path),
        message=complaint.message,
        level=complaint.level,
    )


def _unreadable(line: int, message: str) -> Checked:
    return Checked(plan=None, problems=(Problem(line=line, key="", message=message),))


def _line_of(message: str, data: bytes) -> int:
    """The line that tomllib names, the last one where it says `at end of document`."""
    match = re.search(r"at line (\d+)", message)
    return int(match[1]) if match else max(1, len(data.splitlines()))


_TABLES: dict[str, Any] = {"load": Load, "hold": Hold, "scale": Scale, "goals": Goals}


def _home(key: str) -> str:
    """Where KEY belongs. A key below a table's head is that table's: people stumble over it."""
    if key in get_type_hints(Plan):
        return "it belongs at the top of the file, above the first [table]"
    tables = [name for name, kind in _TABLES.items() if key in get_type_hints(kind)]
    return f"it belongs in {' or '.join(f'[{name}]' for name in tables)}" if tables else ""
