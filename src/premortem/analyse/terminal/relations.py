"""What was learned between fields and between requests, in the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.excerpt import printable, shorten
from premortem.analyse.terminal.cells import (
    CELL_CHARS_MAX,
    Listing,
    cell,
    count,
    heading,
    indented,
    status_style,
)
from premortem.domain.bodies import text_of
from premortem.domain.places import Place
from premortem.domain.relations import Correlation, Follow, Pool, Rule
from premortem.domain.traffic import OperationProfile

RULES_SHOWN = 12
CORRELATIONS_SHOWN = 10
PAIRS_SHOWN = 3
VOLATILE_SHOWN = 8
"""Places per status."""
FOLLOWS_SHOWN = 10
"""Steps of the whole profile; of one operation, in each direction, half of it."""
POOLS_SHOWN = 8
VALUE_CHARS_MAX = 24


def name_of(place: Place) -> str:
    """PLACE as short as it can be said: `/lines/*/amount`, `?limit`, `{invoice_id}`, `^header`."""
    if place.part == "body":
        return place.name or "(body)"
    spelled = {"query": f"?{place.name}", "path": f"{{{place.name}}}"}
    return spelled.get(place.part, f"^{place.name}")


def sentence(rule: Rule) -> str:
    """What RULE says."""
    first, *rest = map(name_of, rule.places)
    if rule.kind == "sum":
        return f"{first} = " + " + ".join(f"sum of {n}" if "*" in n else n for n in rest)
    if rule.kind == "product":
        return f"{first} = " + " × ".join(rest)
    if rule.kind == "order":
        return " ≤ ".join((first, *rest))
    if rule.kind == "equal":
        return " = ".join((first, *rest))
    if rule.kind == "count":
        return f"{first} = number of {rest[0]}"
    return f"{first} only with " + ", ".join(rest)


def rules_view(operation: OperationProfile) -> Iterator[RenderableType]:
    """What always held in requests and answers."""
    sides = [(operation.rules, 0), *((a.rules, a.status) for a in operation.answers)]
    if not any(rules for rules, _ in sides):
        return
    yield heading("always holds")
    for rules, status in sides:
        who = Text(f"{status} " if status else "request ", style=status_style(status))
        for rule in rules[:RULES_SHOWN]:
            said = shorten(sentence(rule), CELL_CHARS_MAX)
            yield indented(Text.assemble(who, said, (f"  ×{rule.support:,}", "dim")))
        yield from _more(len(rules) - RULES_SHOWN, "rules")


def correlations_view(correlations: Sequence[Correlation]) -> Iterator[RenderableType]:
    """What goes together, strongest first, with the most frequent pairs of values."""
    if not correlations:
        return
    yield heading("goes together")
    for found in correlations[:CORRELATIONS_SHOWN]:
        joint = {"number": "with", "set": "with", "presence": "decides on"}[found.kind]
        yield indented(
            Text.assemble(
                (f"{found.strength:.2f} ", "cyan"),
                shorten(f"{name_of(found.first)} {joint} {name_of(found.second)}", CELL_CHARS_MAX),
                (f"  ×{found.support:,}", "dim"),
                (_pairs(found), "dim"),
            )
        )
    yield from _more(len(correlations) - CORRELATIONS_SHOWN, "pairs")


def _pairs(found: Correlation) -> str:
    shown = [f"{_side(a)} & {_side(b)}" for a, b, _ in found.pairs[:PAIRS_SHOWN]]
    return "  " + "; ".join(shown) if shown and found.kind == "set" else ""


def _side(text: str) -> str:
    return shorten(_plain(text), VALUE_CHARS_MAX) if text else "(not there)"


def _plain(value: str) -> str:
    try:
        return text_of(msgspec.json.decode(value))
    except msgspec.DecodeError:
        return value


def volatile_view(operation: OperationProfile) -> Iterator[RenderableType]:
    """What changes in answers though nothing was changed."""
    told = [answer for answer in operation.answers if answer.volatile]
    if told:
        yield heading("changes by itself")
    for answer in told:
        why = {v.place: v.why for v in answer.volatility}
        words = {"clock": "time", "generated": "new each time", "differs": "differs"}
        named = [
            f"{place.removeprefix('body:')} ({words[why[place]]})" if place in why else place
            for place in answer.volatile[:VOLATILE_SHOWN]
        ]
        more = len(answer.volatile) - VOLATILE_SHOWN
        line = ", ".join(named) + (f" and {more} more" if more > 0 else "")
        status = (f"{answer.status} ", status_style(answer.status))
        yield indented(Text.assemble(status, printable(line)))


def steps_view(follows: Sequence[Follow], operation_id: str) -> Iterator[RenderableType]:
    """What came before and after an operation within sessions, by any role."""
    if not any(operation_id in (f.before, f.after) for f in follows):
        return
    yield heading("within sessions")
    before = _shares((f.before, f) for f in follows if f.after == operation_id)
    after = _shares((f.after, f) for f in follows if f.before == operation_id)
    for word, shares, edge in (("after ", before, "the start"), ("then  ", after, "the end")):
        named = [f"{share:.0%} {printable(id_) or edge}" for id_, share in shares]
        more = len(named) - FOLLOWS_SHOWN // 2
        line = ", ".join(named[: FOLLOWS_SHOWN // 2]) + (f" and {more} more" if more > 0 else "")
        yield indented(Text.assemble((word, "dim"), line or "-"))


def _shares(steps: Iterable[tuple[str, Follow]]) -> list[tuple[str, float]]:
    counts: defaultdict[str, int] = defaultdict(int)
    for id_, follow in steps:
        counts[id_] += follow.count
    total = sum(counts.values())
    return [(id_, n / total) for id_, n in sorted(counts.items(), key=lambda i: (-i[1], i[0]))]


def follows_view(follows: Sequence[Follow]) -> Iterator[RenderableType]:
    """The most frequent steps of sessions."""
    steps: defaultdict[tuple[str, str], int] = defaultdict(int)
    for follow in follows:
        if follow.before and follow.after:
            steps[follow.before, follow.after] += follow.count
    if not steps:
        return
    yield heading("order: what follows what within sessions")
    made = Listing("then", "times", "after", wide="then", right=("times", "after"))
    gaps = {(f.before, f.after): f.gap_ms for f in reversed(follows) if f.gap_ms}
    ranked = sorted(steps.items(), key=lambda item: (-item[1], item[0]))
    for (before, after), number in ranked[:FOLLOWS_SHOWN]:
        gap = gaps.get((before, after), ())
        made.add(
            cell(before) + Text(" → ", style="dim") + cell(after),
            count(number),
            _gap(gap[1]) if len(gap) > 1 else "",
        )
    yield made
    yield from _more(len(ranked) - FOLLOWS_SHOWN, "steps")


def _gap(gap_ms: float) -> str:
    if gap_ms < 1_000:
        return f"{gap_ms:.0f} ms"
    return f"{gap_ms / 1_000:.0f} s" if gap_ms < 120_000 else f"{gap_ms / 60_000:.0f} min"


def pools_view(pools: Sequence[Pool]) -> Iterator[RenderableType]:
    """Types of values that several places share: how many, and where; no values."""
    if not pools:
        return
    yield heading("values of one type, wherever they were seen")
    made = Listing("type", "values", "places", wide="type", right=("values", "places"))
    for pool in pools[:POOLS_SHOWN]:
        form = f" ({pool.format})" if pool.format and pool.format != pool.name else ""
        made.add(cell(pool.name + form), count(pool.distinct), count(len(pool.places)))
    yield made
    yield from _more(len(pools) - POOLS_SHOWN, "types")


def _more(number: int, what: str) -> Iterator[RenderableType]:
    if number > 0:
        yield Text(f"and {number:,} more {what}", style="dim")
