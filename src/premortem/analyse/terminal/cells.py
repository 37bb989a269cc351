"""Cells, headings and tables that look alike everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import ControlType, Segment
from rich.table import Table
from rich.text import Text

from premortem.analyse.excerpt import printable, shorten

SEVERITY_STYLE = {"high": "bold red", "medium": "yellow", "low": "cyan"}
CELL_CHARS_MAX = 200
WIDE_CELLS = 36
"""What the column that gives way keeps, as long as others can be left out."""
GAP_CELLS = 2
BELOW_CELLS = 4
"""How far lines below a row are moved to the right."""


def cell(text: object, style: str = "", *, chars_max: int = CELL_CHARS_MAX) -> Text:
    """TEXT as it is, in one line, without markup."""
    return Text(shorten(str(text), chars_max), style=style)


def block(text: str, style: str = "") -> Text:
    """TEXT with its lines, without markup."""
    return Text(printable(text), style=style)


def count(number: int, style: str = "") -> Text:
    """A number; zero is faint."""
    return Text(f"{number:,}", style=style if number else "dim")


def status_style(status: int) -> str:
    """How a status is coloured."""
    return {2: "green", 3: "blue", 4: "yellow", 5: "bold red"}.get(status // 100, "dim")


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """A plain table, for few columns; RIGHT names columns of numbers. See `Listing` for many."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", padding=(0, 1))
    numbers = set(right)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in numbers else "left",
            no_wrap=column in numbers,
            overflow="fold",
        )
    return made


class Listing:
    """Rows that stay readable at 80 columns, each with lines of its own below.

    Only the column WIDE gives way, and breaks where a path does; where even that leaves it too
    little room, the columns SPARE are left out, the first one first. RIGHT: columns of numbers.
    """

    def __init__(
        self, *columns: str, wide: str, right: Iterable[str] = (), spare: Iterable[str] = ()
    ) -> None:
        self._columns = columns
        self._wide = columns.index(wide)
        self._right = {columns.index(name) for name in right}
        self._spare = [columns.index(name) for name in spare]
        self._rows: list[tuple[tuple[Text, ...], tuple[Text, ...]]] = []

    def add(self, *cells: Text | str, below: Iterable[Text] = ()) -> None:
        """One more row, of as many CELLS as there are columns."""
        texts = tuple(Text(item) if isinstance(item, str) else item for item in cells)
        self._rows.append((texts, tuple(line for line in below if line)))

    def head(self, text: Text) -> None:
        """A line over the rows that follow."""
        self._rows.append(((), (text,)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Laid out for the width that there is."""
        widths = self._fitted(options.max_width)
        yield ""
        yield self._joined([Text(name, style="dim") for name in self._columns], widths)
        total = sum(widths.values()) + GAP_CELLS * (len(widths) - 1)
        yield Text("─" * min(total, options.max_width), style="dim")
        for cells, below in self._rows:
            if not cells:
                yield below[0]
                continue
            first, *more = folded(cells[self._wide], widths[self._wide])
            yield self._joined([*cells[: self._wide], first, *cells[self._wide + 1 :]], widths)
            blank = [Text()] * len(cells)
            for line in more:
                yield self._joined([*blank[: self._wide], line, *blank[self._wide + 1 :]], widths)
            for line in below:
                yield indented(line, cells=BELOW_CELLS)

    def _fitted(self, room: int) -> dict[int, int]:
        """Column -> cells, of the columns that are shown."""
        widths = {
            index: max(
                [cell_len(name), *(cells[index].cell_len for cells, _ in self._rows if cells)]
            )
            for index, name in enumerate(self._columns)
        }
        wanted, spare = widths[self._wide], list(self._spare)
        while True:
            others = sum(widths.values()) - widths[self._wide] + GAP_CELLS * (len(widths) - 1)
            widths[self._wide] = max(min(wanted, room - others), min(wanted, WIDE_CELLS))
            if others + widths[self._wide] <= room or not spare:
                return widths
            del widths[spare.pop(0)]

    def _joined(self, cells: Sequence[Text], widths: Mapping[int, int]) -> Text:
        line = Text(no_wrap=True, overflow="ignore")
        for index, width in widths.items():
            if line:
                line.append(" " * GAP_CELLS)
            blank = " " * (width - cells[index].cell_len)
            line = (
                line + blank + cells[index] if index in self._right else line + cells[index] + blank
            )
        line.rstrip()
        return line


def folded(text: Text, cells_max: int) -> list[Text]:
    """TEXT in lines of at most CELLS_MAX, broken after a space or before a `/`, else anywhere."""
    lines = []
    while text.cell_len > cells_max:
        head = text.plain[: cells_max + 1]
        at = max(head.rfind("/", 1), head.rfind(" ") + 1)
        at = at if 0 < at <= cells_max else cells_max
        first, text = text.divide([at])
        lines.append(first)
    return [*lines, text]


class Unbroken:
    """A line to be copied: the terminal wraps it, nothing cuts it or breaks it into lines."""

    def __init__(self, text: str) -> None:
        self._text = printable(text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What a terminal must not crop has to go as a control segment."""
        control = [(ControlType.BELL,)] if console.is_terminal else None
        yield Segment(self._text, None, control)
        yield Segment.line()


def heading(text: str) -> Text:
    """A heading inside a view."""
    return Text(f"\n{printable(text)}", style="bold")


class Indented:
    """INNER moved to the right by CELLS; other than Padding it fills no line with blanks."""

    def __init__(self, inner: RenderableType, *, cells: int) -> None:
        self._inner, self._cells = inner, cells

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Wrapped within the room that is left, each line moved."""
        room = options.update_width(max(1, options.max_width - self._cells))
        for line in console.render_lines(self._inner, room, pad=False):
            yield Segment(" " * self._cells)
            yield from line
            yield Segment.line()


def indented(inner: RenderableType, *, cells: int = 2) -> Indented:
    """INNER moved to the right."""
    return Indented(inner, cells=cells)


def stack(*parts: RenderableType | None) -> Group:
    """PARTS one below the other; None is left out."""
    return Group(*(part for part in parts if part is not None))
