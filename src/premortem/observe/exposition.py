"""Pages of metrics: the text format of Prometheus, and OpenMetrics.

Both write a sample in the same way, a line each; only lines of the one metric are read, so that
a page of some megabytes costs little.
Source: Prometheus, "Exposition formats", 0.0.4 and 1.0.0; OpenMetrics 1.0, section 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from premortem.observe.selector import QUOTED, Selector, unquoted
from premortem.observe.tracking import Point, Unseen

_LABEL = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*")
_VALUE = re.compile(
    r"\s*([+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|Inf|NaN))"
    r"(?:\s+-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)?\s*(?:#.*)?"
)
"""Value, then perhaps a timestamp, then perhaps an exemplar."""


def points(page: str, selector: Selector) -> Iterator[Point]:
    """What PAGE says of the series that SELECTOR means. Raises Unseen for a line that is none."""
    name = selector.name
    quoted = f'"{name}"'
    for line in page.split("\n"):
        if line.startswith(name):
            rest = line[len(name) :]
            if rest[:1] not in ("{", " ", "\t"):
                continue  # a longer name
        elif line.startswith("{") and line[1:].lstrip().startswith(quoted):
            rest = "{" + line[1:].lstrip()[len(quoted) :].lstrip().removeprefix(",")
        else:
            continue
        labels, value = _parsed(rest, line)
        if selector.takes(labels):
            yield Point(series=tuple(sorted(labels.items())), value=value)


def _parsed(rest: str, line: str) -> tuple[Mapping[str, str], float]:
    labels: dict[str, str] = {}
    place = 0
    if rest.startswith("{"):
        place = 1
        while (label := _LABEL.match(rest, place)) is not None:
            value = QUOTED.match(rest, label.end())
            if value is None:
                raise _broken(line)
            labels[label[1]] = unquoted(value[1])
            place = value.end()
            while place < len(rest) and rest[place] in ", ":
                place += 1
        if rest[place : place + 1].strip() != "}":
            raise _broken(line)
        place += 1
    found = _VALUE.fullmatch(rest.rstrip("\r"), place)
    if found is None:
        raise _broken(line)
    return labels, float(found[1])


def _broken(line: str) -> Unseen:
    return Unseen(f"the page has a line that is no sample: {line[:120]!r}")
