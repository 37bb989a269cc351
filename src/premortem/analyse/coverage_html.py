"""What runs covered as one HTML file that needs nothing else."""

from __future__ import annotations

from functools import cache

from jinja2 import Template

from premortem.analyse.coverage_map import (
    UNKNOWN_ROLE,
    VALUE_CLASSES,
    CoverageMap,
    Square,
    heat,
)
from premortem.analyse.coverage_words import (
    code_words,
    estimate_words,
    percent,
    reading_words,
    totals_words,
)
from premortem.analyse.pages import environment
from premortem.analyse.report_html import moment

OPERATIONS_MAX = 2_000
UNTESTED_MAX = 300
LOGS_MAX = 200
FILES_MAX = 500
ROLES_MAX = 24


def render_coverage_html(found: CoverageMap) -> str:
    """FOUND as a page: no script, no address of anything outside, all captured text escaped."""
    seen = found.covered.seen
    logs = sorted(
        (item for item in seen if item.kind == "log"),
        key=lambda item: (not item.detail.startswith("error"), -item.hits, item.name),
    )
    return _template().render(
        found=found,
        covered=found.covered,
        began=moment(found.covered.at) if found.covered.runs else "",
        totals=totals_words(found),
        reading=reading_words(found),
        estimate=estimate_words(found),
        code=code_words(found.code) if found.code is not None else "",
        classes=VALUE_CLASSES,
        roles=[role for role in found.roles if role != UNKNOWN_ROLE][:ROLES_MAX],
        rows=found.rows[:OPERATIONS_MAX],
        untested=found.untested[:UNTESTED_MAX],
        more_untested=max(0, len(found.untested) - UNTESTED_MAX),
        logs=logs[:LOGS_MAX],
        traced=[item for item in seen if item.kind in ("span", "statement")][:LOGS_MAX],
        files=sorted(found.covered.code, key=lambda f: (f.lines_covered - f.lines, f.file))[
            :FILES_MAX
        ],
    )


@cache
def _template() -> Template:
    made = environment()
    made.filters["heat"] = heat
    made.filters["told"] = _told
    made.filters["words"] = lambda name: name.replace("_", " ")
    made.globals["percent"] = percent
    return made.get_template("coverage.html")


def _told(square: Square) -> str:
    """What a tooltip says of a field of the map."""
    lines = []
    if square.possible > 1:
        lines.append(f"{square.tried} of {square.possible} cells tried")
    elif not square.tried:
        lines.append("never tried")
    if square.hits:
        answers = ", ".join(
            f"{hits:,} x {name if name != 'none' else 'no answer'}"
            for name, hits in square.statuses.items()
        )
        lines.append(f"{square.hits:,} times: {answers}")
    if square.last_run:
        lines.append(f"last: {square.last_status or 'no answer'} in run {square.last_run}")
    if square.production:
        lines.append(f"recorded requests: {square.production:,}")
    return "\n".join(lines)
