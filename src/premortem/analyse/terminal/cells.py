"""Cells, headings and tables that look alike everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from premortem.analyse.excerpt import printable, shorten

SEVERITY_STYLE = {"high": "bold red", "medium": "yellow", "low": "cyan"}
CELL_CHARS_MAX = 200


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
    """A plain table; RIGHT names columns of numbers, WIDE the one that takes the room left."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", padding=(0, 1))
    numbers = set(right)
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in numbers else "left",
            no_wrap=column in numbers,
            overflow="fold",
            ratio=1 if column == wide else None,
        )
    return made


def heading(text: str) -> Text:
    """A heading inside a view."""
    return Text(f"\n{printable(text)}", style="bold")


def indented(inner: RenderableType) -> Padding:
    """INNER moved to the right."""
    return Padding(inner, (0, 0, 0, 2))


def stack(*parts: RenderableType | None) -> Group:
    """PARTS one below the other; None is left out."""
    return Group(*(part for part in parts if part is not None))
