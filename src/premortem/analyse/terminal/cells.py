"""Cells, headings and tables that look alike everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import ControlType, Segment
from rich.table import Table
from rich.text import Text

from premortem.analyse.excerpt import printable, shorten

SEVERITY_STYLE = {"high": "bold red", "medium": "yellow", "low": "cyan"}
CELL_CHARS_MAX = 200
WIDE_CELLS = 26


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


def table(*columns: str, right: Iterable[str] = (), wide: str = "") -> Table:
    """A plain table; RIGHT names columns of numbers, WIDE the one that keeps its room."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", padding=(0, 1))
    numbers = set(right)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in numbers else "left",
            no_wrap=column in numbers,
            overflow="fold",
            min_width=WIDE_CELLS if wide and column == wide else None,
        )
    return made


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


def indented(text: Text) -> Text:
    """TEXT with each line moved to the right."""
    # No Padding: it would cut long lines where nothing wraps them, in a pipe.
    return Text("\n").join(Text("  ") + line for line in text.split("\n", allow_blank=True))


def stack(*parts: RenderableType | None) -> Group:
    """PARTS one below the other; None is left out."""
    return Group(*(part for part in parts if part is not None))
