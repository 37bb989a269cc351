"""Markdown that was written about tests, as HTML that is safe to show.

Much of it is captured text: there is no HTML in it, no picture and no link.
"""

from __future__ import annotations

import re
from functools import cache

from markdown_it import MarkdownIt

HEADING_MAX = 6
HEADINGS_DOWN = 1
"""A page has one heading of the first order: its own."""
_MARK = re.compile(r"^<!-- premortem \w+ -->$", re.MULTILINE)
"""By which a section that we wrote is known again."""
_BOXES = (
    (re.compile(r"^(\s*[-*] )\[ \] ", re.MULTILINE), "\\1☐ "),
    (re.compile(r"^(\s*[-*] )\[[xX]\] ", re.MULTILINE), "\\1☑ "),
)


def rendered(text: str) -> str:
    """TEXT as HTML, in which every text of it is escaped."""
    text = _MARK.sub("", text)
    for box, shown in _BOXES:
        text = box.sub(shown, text)
    tokens = _parser().parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            level = min(int(token.tag[1:]) + HEADINGS_DOWN, HEADING_MAX)
            token.tag = f"h{level}"
    html: str = _parser().renderer.render(tokens, _parser().options, {})
    return html


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table")
    return parser.disable(["link", "image", "autolink", "reference"])
