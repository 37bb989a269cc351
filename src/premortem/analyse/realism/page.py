"""How realistic, as one HTML file that needs nothing else."""

from __future__ import annotations

from functools import cache

from jinja2 import Template
from msgspec import Struct

from premortem.analyse.pages import environment
from premortem.analyse.realism.judging import Judged, Quality
from premortem.analyse.realism.view import headline, legend, measures

COLUMNS_MAX = 40
"""Places that are drawn of one candidate, those farthest apart."""
WIDTH, NAME_PX, ROW_PX = 760, 130, 30
DISTANCES = ("values", "pairs of values", "presence", "lengths of arrays", "operation mix", "order")


class Bar(Struct, frozen=True, kw_only=True):
    """A bar: pixels from the left, and what is written beside it."""

    name: str
    x: float
    width: float
    low: float
    high: float
    """Ends of the line of its error."""
    text: str
    kind: str
    """`production`, `shuffled` or `made`."""


def render_quality_html(found: Quality) -> str:
    """FOUND as a page: no script, no address of anything outside, all captured text escaped."""
    shown = (found.ceiling, found.blind, *found.candidates)
    return _template().render(
        found=found,
        headline=headline(found),
        legend=legend(found),
        names=[one.name for one in shown],
        measures=measures(found),
        bars=[_auc(one, found) for one in shown if one.seen is not None],
        distances=[(name, _distances(name, found)) for name in DISTANCES],
        farthest=[(one.name, one.variation.columns[:COLUMNS_MAX]) for one in found.candidates],
        limit=_at(found.ceiling.seen.auc + 0.05) if found.ceiling.seen is not None else None,
        width=WIDTH,
        row=ROW_PX,
        start=NAME_PX,
    )


def _kind(one: Judged, found: Quality) -> str:
    if one is found.ceiling:
        return "production"
    return "shuffled" if one is found.blind else "made"


def _at(auc: float) -> float:
    """Where an AUC stands: 0.5 at the left end, 1 at the right one."""
    return NAME_PX + (WIDTH - NAME_PX - 60) * min(1.0, max(0.0, 2 * auc - 1))


def _auc(one: Judged, found: Quality) -> Bar:
    seen = one.seen
    auc, error = (seen.auc, seen.error) if seen is not None else (0.5, 0.0)
    return Bar(
        name=one.name,
        x=NAME_PX,
        width=max(1.0, _at(auc) - NAME_PX),
        low=_at(auc - 2 * error),
        high=_at(auc + 2 * error),
        text=f"{auc:.3f}",
        kind=_kind(one, found),
    )


def _distances(name: str, found: Quality) -> list[Bar]:
    bars: list[Bar] = []
    for one in (found.ceiling, found.blind, *found.candidates):
        variation = one.variation
        value = {
            "values": variation.marginal,
            "pairs of values": variation.pairwise,
            "presence": variation.presence,
            "lengths of arrays": variation.lengths,
            "operation mix": one.mix,
            "order": one.order,
        }[name]
        width = (WIDTH - NAME_PX - 60) * min(1.0, value)
        end = NAME_PX + width
        bars.append(
            Bar(
                name=one.name,
                x=NAME_PX,
                width=max(1.0, width),
                low=end,
                high=end,
                text=f"{value:.3f}",
                kind=_kind(one, found),
            )
        )
    return bars


@cache
def _template() -> Template:
    return environment().get_template("quality.html")
