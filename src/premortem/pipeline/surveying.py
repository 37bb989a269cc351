"""What is tested of the service, and what is not, laid out for people to look at.

Operations by the ways in which they may go wrong, and by roles and editions; the Markdown that
was written about tests.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.emit.files import read, text_of
from premortem.agent.emit.report_markdown import FEEDBACK, HYPOTHESES, REPORT
from premortem.agent.emit.summary_markdown import FILE_NAME as SUMMARY
from premortem.agent.understanding.explore import explore
from premortem.agent.understanding.failure_modes import FAILURE_MODES
from premortem.agent.understanding.index import Index
from premortem.analyse.coverage_map import coverage_map
from premortem.config import Config
from premortem.domain.access import NOBODY
from premortem.domain.access_matrix import AccessCell, AccessMatrix, matrix_of
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import Profile
from premortem.domain.value_class import Coverage
from premortem.errors import InputError
from premortem.pipeline.access import OBSERVATION, access_of
from premortem.pipeline.covering import UNKNOWN_ROLE
from premortem.pipeline.reviewing import Reviewed, Rooms
from premortem.pipeline.skills.noted import files_below
from premortem.store import Store

OPERATIONS_MAX = 60
"""Rows of a board: those that production uses most."""
FIRST_MAX = 8
FIRST_PER_OPERATION_MAX = 2
"""Of what to close first, so that one operation does not fill the list."""
State = Literal["tested", "waiting", "set_aside", "untested"]
_ORDER: tuple[State, ...] = ("tested", "waiting", "set_aside", "untested")
RoleState = Literal["tested", "refused", "disputed", "waiting", "untested"]


class Way(Struct, frozen=True, kw_only=True):
    """One way in which an operation may go wrong."""

    operation_id: str
    failure_mode: str
    question: str
    because: tuple[str, ...]
    score: float


class WayCell(Struct, frozen=True, kw_only=True):
    """Whether a scenario shows it."""

    way: Way
    state: State
    """`tested`: accepted. `waiting`: for somebody to rule on it. `set_aside`: rejected."""
    scenario_id: str = ""
    title: str = ""


class WayRow(Struct, frozen=True, kw_only=True):
    """One operation."""

    operation_id: str
    requests: int
    """Recorded ones."""
    cells: Mapping[str, WayCell]
    """By failure mode; one that is not here does not fit the operation."""

    @property
    def tested(self) -> int:
        """Ways that an accepted scenario shows."""
        return sum(cell.state == "tested" for cell in self.cells.values())


class Board(Struct, frozen=True, kw_only=True):
    """Operations by ways to go wrong."""

    modes: tuple[str, ...]
    """Those that fit any operation, in the order of the catalogue."""
    rows: tuple[WayRow, ...]
    """Most used first."""
    left_out: int
    """Operations beyond OPERATIONS_MAX."""
    first: tuple[WayCell, ...]
    """What to close first: what does most harm, where production goes most."""
    counts: Mapping[State, int]
    cells_tried: int
    """Kinds of values in places of operations that runs tried."""
    cells_possible: int
    runs: int
    prompts: int
    """Questions that led to proposals."""
    prompts_accepted: int
    """Of these, those of which a scenario was accepted."""

    @property
    def total(self) -> int:
        """Ways to go wrong, all rows together."""
        return sum(self.counts.values())


class RoleCell(Struct, frozen=True, kw_only=True):
    """One operation by one role in one edition."""

    operation_id: str
    role: str
    edition: str
    state: RoleState
    """`tested`: it was let in; `refused`: it was kept out; `disputed`: it was answered otherwise
    than declared; `waiting`: a proposal waits."""
    declared: str
    """`allowed`, `denied`, or empty: nobody said."""
    told: str
    """All that is known, in a line."""
    question: str = ""
    """That leads to a test; empty: it has one."""
    scenario_id: str = ""


class RoleBoard(Struct, frozen=True, kw_only=True):
    """Operations by roles, in one edition."""

    edition: str
    editions: tuple[str, ...]
    """Empty: requests that name none."""
    roles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[RoleCell, ...]], ...]
    left_out: int
    counts: Mapping[RoleState, int]


def ways_of(profile: Profile, *, roles: Sequence[str], services: Sequence[str]) -> tuple[Way, ...]:
    """Everything that could go wrong with the operations of PROFILE, most used ones first."""
    index = Index(profile)
    chosen = sorted(profile.operations, key=lambda o: -o.count)[:OPERATIONS_MAX]
    return tuple(
        Way(
            operation_id=operation.id,
            failure_mode=risk.understanding.failure_mode,
            question=risk.understanding.prompt,
            because=risk.because,
            score=risk.score,
        )
        for operation in chosen
        for risk in explore(operation, profile, roles=roles, services=services, index=index)
    )


def board(profile: Profile, ways: Sequence[Way], rooms: Rooms, store: Store) -> Board:
    """WAYS of PROFILE with what became of scenarios for them, and what runs tried."""
    known = _by_way(rooms)
    cells = [_way_cell(way, known.get((way.operation_id, way.failure_mode), ())) for way in ways]
    by_operation: dict[str, dict[str, WayCell]] = {}
    for cell in cells:
        by_operation.setdefault(cell.way.operation_id, {})[cell.way.failure_mode] = cell
    requests = {operation.id: operation.count for operation in profile.operations}
    whole = coverage_map(profile, store.coverage.of_profile(profile.version), Coverage())
    accepted = {_prompt(r) for r in (*rooms.approved, *rooms.delivered)}
    asked = {_prompt(reviewed) for reviewed in rooms.all}
    fitting = {way.failure_mode for way in ways}
    return Board(
        modes=tuple(mode.name for mode in FAILURE_MODES if mode.name in fitting),
        rows=tuple(
            WayRow(operation_id=id_, requests=requests.get(id_, 0), cells=row)
            for id_, row in by_operation.items()
        ),
        left_out=max(0, len(profile.operations) - OPERATIONS_MAX),
        first=tuple(_first(cells, requests)),
        counts={state: sum(cell.state == state for cell in cells) for state in _ORDER},
        cells_tried=whole.whole.tried,
        cells_possible=whole.whole.possible,
        runs=whole.covered.runs,
        prompts=len(asked - {""}),
        prompts_accepted=len(accepted - {""}),
    )


def _prompt(reviewed: Reviewed) -> str:
    return reviewed.proposed.scenario.origin.prompt


def _by_way(rooms: Rooms) -> dict[tuple[str, str], list[tuple[State, Scenario]]]:
    """(operation, failure mode) -> what stands of it: the furthest first."""
    found: dict[tuple[str, str], list[tuple[State, Scenario]]] = {}
    for state, reviewed in _states(rooms):
        scenario = reviewed.current.scenario
        key = (scenario.operation_id, scenario.origin.failure_mode)
        found.setdefault(key, []).append((state, reviewed.proposed.scenario))
    return found


def _states(rooms: Rooms) -> Iterator[tuple[State, Reviewed]]:
    for reviewed in (*rooms.delivered, *rooms.approved):
        yield "tested", reviewed
    for reviewed in rooms.suggested:
        yield "waiting", reviewed
    for reviewed in rooms.needs_fix:
        if reviewed.judgement is not None and reviewed.judgement.decision == "not_relevant":
            yield "set_aside", reviewed


def _way_cell(way: Way, known: Sequence[tuple[State, Scenario]]) -> WayCell:
    if not known:
        return WayCell(way=way, state="untested")
    state, scenario = known[0]
    return WayCell(way=way, state=state, scenario_id=scenario.id, title=scenario.title)


def _first(cells: Iterable[WayCell], requests: Mapping[str, int]) -> Iterator[WayCell]:
    """What is untested, by the harm it usually does and how much the operation is used."""
    open_ = (cell for cell in cells if cell.state == "untested")

    def worth(cell: WayCell) -> float:
        return cell.way.score + math.log10(1 + requests.get(cell.way.operation_id, 0))

    taken: dict[str, int] = {}
    given = 0
    for cell in sorted(open_, key=worth, reverse=True):
        before = taken.get(cell.way.operation_id, 0)
        if before < FIRST_PER_OPERATION_MAX and given < FIRST_MAX:
            taken[cell.way.operation_id] = before + 1
            given += 1
            yield cell


def access_matrix(config: Config, store: Store) -> AccessMatrix:
    """Who may do what and who was tried, by the files beside CONFIG and all that STORE knows; first
    by requests that name no edition, then in each.

    Raises InputError for a folder that cannot be read.
    """
    access = access_of(config, store, folder=Path(config.directory))
    plain = matrix_of(
        replace(access.table, editions=()), _tried(store), operations=access.matrix.operations
    )
    if not access.table.editions:
        return plain
    return replace(
        access.matrix,
        editions=("", *access.matrix.editions),
        cells=(*plain.cells, *access.matrix.cells),
    )


def _tried(store: Store) -> Mapping[tuple[str, str, str], int]:
    """(operation, role, "") -> how often runs sent it without naming an edition."""
    covered = store.coverage.of_profile(store.profile().version)
    tried: dict[tuple[str, str, str], int] = {}
    for count in covered.cells if covered is not None else ():
        cell = count.cell
        if not cell.place and not cell.edition and cell.role != UNKNOWN_ROLE:
            key = (cell.operation_id, cell.role or NOBODY, "")
            tried[key] = tried.get(key, 0) + count.hits
    return tried


def role_board(matrix: AccessMatrix, rooms: Rooms, *, edition: str = "") -> RoleBoard:
    """MATRIX in EDITION (empty: of requests that name none) with the proposals that wait.

    Raises InputError for an edition that nobody declares.
    """
    editions = matrix.editions or ("",)
    chosen = edition if edition or "" in editions else editions[0]
    if chosen not in editions:
        known = ", ".join(filter(None, editions)) or "none"
        raise InputError(f"there is no edition {chosen!r}; there are: {known}")
    waiting = {
        (s.operation_id, _who(s), s.edition): s.id
        for s in (reviewed.proposed.scenario for reviewed in rooms.suggested)
    }
    shown = {
        (s.operation_id, _who(s), s.edition): s
        for r in (*rooms.approved, *rooms.delivered)
        for s in [r.current.scenario]
    }
    rows = []
    for operation, cells in matrix.by_row(chosen):
        rows.append((operation, tuple(_role_cell(cell, waiting, shown) for cell in cells)))
    kept = rows[:OPERATIONS_MAX]
    states = [cell.state for _, cells in kept for cell in cells]
    order: tuple[RoleState, ...] = ("tested", "refused", "disputed", "waiting", "untested")
    return RoleBoard(
        edition=chosen,
        editions=editions,
        roles=matrix.roles,
        rows=tuple(kept),
        left_out=len(rows) - len(kept),
        counts={state: states.count(state) for state in order},
    )


def _who(scenario: Scenario) -> str:
    """The role that SCENARIO is about; one about access that names none is about nobody."""
    about_access = scenario.origin.failure_mode == "forbidden_role"
    return scenario.role or (NOBODY if about_access else "")


def _role_cell(
    cell: AccessCell,
    waiting: Mapping[tuple[str, str, str], str],
    shown: Mapping[tuple[str, str, str], Scenario],
) -> RoleCell:
    key = (cell.operation_id, cell.role, cell.edition)
    accepted, proposed = shown.get(key), waiting.get(key, "")
    state: RoleState = "untested"
    if cell.tested and cell.observed and not _unsure(cell):
        state = "tested" if cell.observed == "allowed" else "refused"
        state = "disputed" if cell.standing == "contradiction" else state
    elif accepted is not None:
        state = "refused" if accepted.origin.outcome == "denied" else "tested"
    elif proposed:
        state = "waiting"
    return RoleCell(
        operation_id=cell.operation_id,
        role=cell.role,
        edition=cell.edition,
        state=state,
        declared=cell.declared,
        told=_told(cell, accepted),
        question=_role_question(cell) if state == "untested" else "",
        scenario_id=accepted.id if accepted is not None else proposed,
    )


def _unsure(cell: AccessCell) -> bool:
    """Whether it may not have been nobody: a case without a role may carry a token that its
    sequence got by a login, so that it was let in shows nothing."""
    let_in = cell.observed == "allowed" and cell.declared == "denied"
    return cell.role == NOBODY and let_in and not cell.observed_in.startswith(OBSERVATION)


def _told(cell: AccessCell, accepted: Scenario | None) -> str:
    parts = []
    if cell.declared:
        where = f" ({cell.declared_by})" if cell.declared_by else ""
        parts.append(f"declared {cell.declared}{where}")
    if cell.tested:
        parts.append(f"sent {cell.tested:,} times")
    if cell.observed and not _unsure(cell):
        where = f" ({cell.observed_in})" if cell.observed_in else ""
        parts.append(f"seen {cell.observed}{where}")
    if accepted is not None:
        parts.append(f"shown by “{accepted.title}”")
    return "; ".join(parts) or "nobody said who may, and nobody tried"


def _role_question(cell: AccessCell) -> str:
    who = "somebody who is not signed in" if cell.role == NOBODY else cell.role
    where = f" in {cell.edition}" if cell.edition else ""
    return f"What if {who} sends {cell.operation_id}{where}?"


_MARKDOWN = (SUMMARY, REPORT, FEEDBACK, HYPOTHESES)


def markdown_files(config: Config) -> tuple[str, ...]:
    """The Markdown that was written about tests, below CONFIG's folder, with `/`."""
    root = Path(config.directory)
    found = (path for name in _MARKDOWN for path in files_below(root, name))
    return tuple(path.relative_to(root).as_posix() for path in found)


def markdown_text(config: Config, path: str) -> str:
    """The text of PATH, one of `markdown_files`. Raises InputError for any other."""
    root = Path(config.directory)
    data = read(root, path) if PurePosixPath(path).name in _MARKDOWN else None
    if data is None:
        raise InputError(f"{path} is no report about tests; choose one that is listed")
    return text_of(data, root / path)
