"""Two readings of one thing, and everything that was done to it in between: Span.

What a change is about is told by the identifiers that it names or is answered with, and by what
those were made under: a refund of a payment is about the invoice that was paid, too. Where it
cannot be told what lay between two readings (a change was under way during one of them, its
outcome is not known, or it was a retry), there is no span.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter

from premortem.learn.facts import Facts, Named, is_once
from premortem.learn.looks import REFUSED, Look, Looks, Shown
from premortem.learn.pairings import is_own_name

TOUCHED_MAX = 100
"""Identifiers that one change is taken to be about."""
PARENTS_MAX = 200_000
"""Identifiers of which it is remembered what they were made under."""
BETWEEN_MAX = 40
"""Changes between two readings; with more of them nothing is told apart."""
ROUNDING_S = 0.002
"""Recordings hold times in milliseconds."""
BACK_MAX = 20
"""Changes that began before a reading and may have been under way still."""

Keys = frozenset[str]


@dataclass(slots=True, eq=False)
class Change:
    """Something that was done, or was to be done."""

    look: Look
    about: Keys
    """Identifiers of all that it is about."""
    unclear: bool
    """What it did is not known."""

    @property
    def refused(self) -> bool:
        """It was answered 4xx."""
        return self.look.status // 100 == 4


@dataclass(slots=True, eq=False)
class Sighting:
    """A thing at one time."""

    look: Look
    shown: Shown
    change: Change | None = None
    """What was answered so; None: it was read."""


@dataclass(slots=True, eq=False)
class View:
    """What one reading with one path and query shows, whenever it was read."""

    operation_id: str
    params: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]
    naming: tuple[str, ...]
    """Names of the parameters of the query that name things."""
    subjects: Keys
    """Identifiers of what it is about; empty: of everything."""
    own: bool
    """It shows the thing that its path ends with."""
    sightings: list[Sighting] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Span:
    """Two sightings of one view, one after the other."""

    view: View
    before: Sighting
    after: Sighting
    changes: tuple[Change, ...]
    refused: tuple[Change, ...]


class History:
    """All views and changes of the traffic."""

    def __init__(self, rows: Iterable[Facts], looks: Looks) -> None:
        self.views: dict[object, View] = {}
        self.changes: list[Change] = []
        self._parents: dict[str, Keys] = {}
        self._once: set[str] = set()
        self._told: list[tuple[Change, Shown, Keys]] = []
        """Things that changes were answered with, by their identifiers."""
        self._unnamed: list[tuple[Change, list[str]]] = []
        for facts in rows:
            look = looks.kept.get(facts.id)
            if look is not None and not facts.login:
                self._read(facts, look) if look.safe else self._done(facts, look)
        self._name()
        self._attach()
        self.changes.sort(key=attrgetter("look.began"))
        self._by_key: defaultdict[str, list[Change]] = defaultdict(list)
        for change in self.changes:
            for key in change.about:
                self._by_key[key].append(change)

    def _read(self, facts: Facts, look: Look) -> None:
        path = [n for n in facts.uses if n.place.part == "path"]
        asked = [n for n in facts.uses if n.place.part == "query"]
        last = path[-1:] or asked
        own = bool(path) and not look.query and look.shown.name == path[-1].text
        key = (look.operation_id, look.params, look.query, () if last else look.setting)
        view = self.views.get(key)
        if view is None:
            view = self.views[key] = View(
                operation_id=look.operation_id,
                params=look.params,
                query=look.query,
                naming=tuple(n.place.name for n in asked),
                subjects=frozenset(k for n in last for k in n.keys),
                own=own,
            )
        view.sightings.append(Sighting(look=look, shown=look.shown))

    def _done(self, facts: Facts, look: Look) -> None:
        named = [n for n in (*facts.uses, *facts.makes) if _names(n)]
        about = frozenset(k for n in named for k in n.keys)
        if facts.succeeded:
            self._made(facts, named)
        elif look.status // 100 == 4 and look.status not in REFUSED:
            return  # nobody was let in, or nothing was there: it is about nothing
        keys = {k for n in facts.uses if is_once(n) or n.place.part == "header" for k in n.keys}
        again = not self._once.isdisjoint(k for k in keys if k.startswith("once:"))
        self._once |= {k for k in keys if k.startswith("once:")}
        change = Change(
            look=look,
            about=self._with_above(about),
            unclear=again or look.status // 100 not in (2, 4),
        )
        self.changes.append(change)
        claimed = {n.text for n in named}
        self._unnamed.append((change, [t for t in look.texts.values() if t not in claimed]))
        if facts.succeeded:
            for shown in (look.shown, *look.inner):
                mine = frozenset(k for n in named if n.text == shown.name for k in n.keys)
                if shown.name and mine:
                    self._told.append((change, shown, mine))

    def _made(self, facts: Facts, named: list[Named]) -> None:
        """Remember what a new thing was made under."""
        for new in (n for n in facts.makes if is_own_name(n)):
            above = frozenset(k for n in named if n is not new for k in n.keys) - {*new.keys}
            for key in new.keys if len(self._parents) < PARENTS_MAX else ():
                self._parents.setdefault(key, above)

    def _with_above(self, about: Keys) -> Keys:
        found, left = set(about), list(about)
        while left and len(found) < TOUCHED_MAX:
            fresh = self._parents.get(left.pop(), frozenset()) - found
            found |= fresh
            left += fresh
        return frozenset(found)

    def _name(self) -> None:
        """Values of requests that nothing but a reading's path shows to be names: `"to": 17`."""
        known: defaultdict[str, set[str]] = defaultdict(set)
        for view in self.views.values():
            for _, text in view.params[-1:]:
                known[text] |= view.subjects
        for change, texts in self._unnamed:
            meant = frozenset(key for text in texts for key in known.get(text, ()))
            change.about |= self._with_above(meant)

    def _attach(self) -> None:
        """What changes were answered with shows things as a reading would."""
        owned: defaultdict[str, list[View]] = defaultdict(list)
        for view in self.views.values():
            for key in view.subjects if view.own else ():
                owned[key].append(view)
        for change, shown, keys in self._told:
            views = {id(view): view for key in keys for view in owned.get(key, ())}
            for view in views.values():
                known = view.sightings[0].shown.numbers
                if known.keys() <= shown.numbers.keys():
                    view.sightings.append(Sighting(look=change.look, shown=shown, change=change))

    def about(self, view: View) -> list[Change]:
        """Changes of what VIEW is about, by time."""
        if not view.subjects:
            return self.changes
        found = {id(c): c for key in view.subjects for c in self._by_key.get(key, ())}
        return sorted(found.values(), key=attrgetter("look.began"))

    def spans(self, view: View) -> Iterator[Span]:
        """The spans of VIEW, by time."""
        changes = self.about(view)
        times = [change.look.began for change in changes]
        sightings = sorted(view.sightings, key=attrgetter("look.began"))
        for before, after in pairwise(sightings):
            start = max(0, bisect_left(times, before.look.began) - BACK_MAX)
            end = bisect_left(times, after.look.ended)
            if end - start > BETWEEN_MAX + BACK_MAX:
                continue
            inside = _between(changes[start:end], before, after)
            if inside is not None:
                yield Span(
                    view=view,
                    before=before,
                    after=after,
                    changes=tuple(c for c in inside if not c.refused),
                    refused=tuple(c for c in inside if c.refused),
                )


def _between(
    changes: Iterable[Change], before: Sighting, after: Sighting
) -> tuple[Change, ...] | None:
    """Those of CHANGES that lie between the two; None: that cannot be told."""
    found: list[Change] = []
    for change in changes:
        if change is before.change:
            continue
        if change is not after.change:
            late = _follows(change.look, before.look)
            early = _follows(after.look, change.look)
            if _follows(before.look, change.look) or _follows(change.look, after.look):
                continue
            if not (late and early):
                return None
        if change.unclear:
            return None
        found.append(change)
    return tuple(found)


def _follows(later: Look, look: Look) -> bool:
    """Whether LATER surely began after LOOK had ended."""
    # One client's clock is one clock, and recordings round it.
    slack_s = ROUNDING_S if later.session and later.session == look.session else 0.0
    return later.began >= look.ended - slack_s and later.began > look.began


def _names(named: Named) -> bool:
    return named.place.part in ("path", "query", "body") and not is_once(named)
