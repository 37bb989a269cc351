"""How production brought about the state an operation needs: backward slices of flows.

A slice holds the exchanges that made an identifier the last one needs, directly or through
another, and the successful unsafe requests about those resources: an approval makes nothing,
and without it the payment is refused. (Weiser 1981, Program slicing, over recorded exchanges.)

Before a refusal everything counts that was done to the same resource: three refunds were possible,
and the fourth was not because of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from premortem.domain.traffic import Flow, Recipe, RecipeStep
from premortem.learn.facts import Facts, FactSheet, strong
from premortem.learn.flows import note_makers, note_tellers

EXEMPLARS_MAX = 20
"""Recorded exchanges tried per operation and status."""
STEPS_MAX = 16
"""Steps of a recipe; where a slice is longer, only what makes an identifier is kept."""
RECIPES_MAX = 12
"""Kinds of answers per operation that get a recipe."""
TOLD_MAX = 8
"""Identifiers that one list told, of those a request uses, whose tellers belong to its slice."""
WAYS_MAX = 3
"""Recipes of one refusal, by what was done just before: what is cancelled and what is still a draft
are both not to be paid, for reasons of one name."""
ROUNDS_MAX = 4
"""A change may need something made that others changed, and so on."""
REPEATS_MAX = 3
"""Changes by one operation; the latest count. Before a refusal all do."""
_OF_STATE = frozenset({400, 402, 409, 410, 422, 423, 424})
"""What services refuse with because of what was done before, as far as the status can tell."""


@dataclass(slots=True)
class _Slice:
    """Positions in a flow, and how many identifiers nobody in it made."""

    positions: list[int]
    missing: int
    cut: bool
    """It was too long, and changes were left out."""
    last_word: bool
    """Of a refusal: the same was never done to the same thing afterwards. Where it was, nothing
    but what was wrong with this very request can be why it was refused."""

    @property
    def cost(self) -> tuple[int, bool, bool, int, int]:
        """Complete ones first, then clear ones, then short ones, then early ones."""
        length = len(self.positions)
        return (self.missing, self.cut, self.last_word, length, self.positions[-1])


@dataclass(slots=True)
class _Row:
    """An exchange of a flow, as the slicer sees it."""

    facts: Facts
    needs: dict[int, list[str]] = field(default_factory=dict)
    """Position of the maker of identifiers it uses -> the keys they are known by, TOLD_MAX at
    most."""
    about: tuple[int, ...] = ()
    """Makers of the identifiers in its path, in the path's order."""
    bare: bool = False
    """Its path ends in an identifier that nobody made before."""
    missing: int = 0
    """Identifiers it uses that the service must have made, but not in this flow."""
    made_more: bool = False
    """It was the first to make an identifier."""
    earlier: tuple[int, ...] = ()
    """Of a refusal: positions of successes of its operation that told the same identifiers."""

    @property
    def subjects(self) -> set[int]:
        """Makers of what it is about: the last of its path, else those in its body."""
        return {self.about[-1]} if self.about else set(self.needs)


class _Story:
    """A flow, indexed for slicing."""

    def __init__(self, rows: list[Facts]) -> None:
        self.rows: list[_Row] = []
        self._makers: dict[str, int] = {}
        """Key -> position of the first exchange that made it."""
        self._told: dict[str, int] = {}
        """Key -> position of the first unsafe success that told it the service."""
        self._changes: defaultdict[int, list[int]] = defaultdict(list)
        """Maker -> positions of unsafe successes whose path names what it made."""
        self._mentions: defaultdict[int, list[int]] = defaultdict(list)
        """Maker -> positions of unsafe successes whose body names what it made."""
        self._done: dict[tuple[str, int], int] = {}
        """(operation, maker of what it is about) -> position of its last unsafe success."""
        for position, facts in enumerate(rows):
            self._add(position, facts)

    def _add(self, position: int, facts: Facts) -> None:
        row = _Row(facts=facts)
        about: list[int] = []
        for used in facts.uses:
            key = next((key for key in used.keys if key in self._makers), None)
            in_path = used.place.part == "path"
            row.bare = (row.bare or key is None) if in_path else row.bare
            if key is None:
                row.missing += used.place.part in ("path", "body") and strong(used.text)
            else:
                keys = row.needs.setdefault(self._makers[key], [])
                if len(keys) < TOLD_MAX and key not in keys:
                    keys.append(key)
                if in_path:
                    about.append(self._makers[key])
        row.about = tuple(about)
        row.earlier = tuple(self._same_values(row)) if facts.status in _OF_STATE else ()
        self.rows.append(row)
        if not facts.safe and facts.succeeded:
            for maker in set(about):
                self._changes[maker].append(position)
            for maker in row.needs.keys() - set(about):
                self._mentions[maker].append(position)
            for maker in row.subjects:
                self._done[facts.operation_id, maker] = position
        note_tellers(facts, position, self._told)
        known = len(self._makers)
        note_makers(facts, position, self._makers)
        row.made_more = len(self._makers) > known

    def _same_values(self, row: _Row) -> Iterator[int]:
        """Where what ROW names was told before by its own operation: it is refused as known."""
        for used in row.facts.uses:
            told = next((self._told[key] for key in used.keys if key in self._told), None)
            if told is None or used.place.part == "path":
                continue
            if self.rows[told].facts.operation_id == row.facts.operation_id:
                yield told

    def slice(self, last: int) -> _Slice:
        """What has to come before position LAST, and LAST."""
        made = self._makers_for(last)
        chosen = set(made)
        effects: set[int] = set()
        for _ in range(ROUNDS_MAX):
            effects |= self._effects_on(last, effects)
            changes = self._changes_for(last, chosen) | effects
            if changes <= chosen:
                break
            for position in changes:
                chosen |= {position, *self._makers_for(position)}
        chosen.discard(last)
        cut = len(chosen) >= STEPS_MAX
        positions = [*sorted(made - {last} if cut else chosen), last]
        missing = sum(self.rows[p].missing for p in positions)
        own = self.rows[last]
        later = (self._done.get((own.facts.operation_id, m), -1) > last for m in own.subjects)
        final = own.facts.status in _OF_STATE and not any(later)
        return _Slice(positions=positions, missing=missing, cut=cut, last_word=final)

    def _effects_on(self, last: int, effects: set[int]) -> set[int]:
        """What was done, before LAST was refused, to the thing that it is about, or to what one
        of EFFECTS made of it: the payout of a refund that was requested."""
        own = self.rows[last]
        if own.facts.status not in _OF_STATE:
            return set()
        found = set(own.earlier)
        for subject in own.subjects | effects:
            about = (p for p in self._changes[subject] if self.rows[p].about[-1] == subject)
            found |= {p for p in (*about, *self._mentions[subject]) if p < last}
        return {p for p in found if not self.rows[p].facts.login}

    def _makers_for(self, last: int) -> set[int]:
        """Positions that made what LAST needs, or what those need.

        What a safe request found must have been put there: by whoever told the service first.
        """
        found: set[int] = set()
        waiting = [last]
        while waiting and len(found) <= STEPS_MAX:
            for maker, keys in self.rows[waiting.pop()].needs.items():
                told = keys if self.rows[maker].facts.safe else ()
                sources = {min(self._told.get(key, maker), maker) for key in told}
                for position in {maker, *sources}:
                    if position not in found and not self.rows[position].facts.login:
                        found.add(position)
                        waiting.append(position)
        return found

    def _changes_for(self, last: int, chosen: set[int]) -> set[int]:
        """Successful unsafe requests before LAST about nothing but what CHOSEN made.

        One that made something of its own counts only if it is about the very thing that LAST
        is about: another payment of the invoice says nothing about this payment's refund.
        """
        own = self.rows[last]
        creates = not own.facts.safe and bool(own.about) and not own.bare
        found: defaultdict[str, set[int]] = defaultdict(set)
        for maker in chosen:
            for position in self._changes[maker]:
                row = self.rows[position]
                if position >= last or row.facts.login or not chosen.issuperset(row.about):
                    continue
                if not row.made_more or (creates and row.about[-1] == own.about[-1]):
                    found[row.facts.operation_id].add(position)
        most = len(self.rows) if own.facts.status in _OF_STATE else REPEATS_MAX
        return {p for same in found.values() for p in sorted(same)[-most:]}


def find_recipes(sheet: FactSheet, flows: tuple[Flow, ...]) -> dict[str, tuple[Recipe, ...]]:
    """Operation id -> its recipes: 2xx first, then the most frequent.

    One per status, and per reason that refusals of one status name: being paid twice and being
    paid too much are two states, though both are a 409. Up to WAYS_MAX where one reason has several
    ways to it.

    Logins get none, and are in none: credentials are the sender's to bring.
    """
    by_id = {facts.id: facts for facts in sheet.rows}
    places: defaultdict[tuple[str, int, str], list[tuple[int, int]]] = defaultdict(list)
    for number, flow in enumerate(flows):
        for position, exchange_id in enumerate(flow.exchange_ids):
            facts = by_id[exchange_id]
            if not facts.login and facts.status:
                places[facts.operation_id, facts.status, facts.reason].append((number, position))
    stories: dict[int, _Story] = {}
    best: defaultdict[str, list[tuple[int, Recipe]]] = defaultdict(list)
    for (operation_id, status, _), spots in places.items():
        slices = []
        for number, position in _spread(spots):
            if number not in stories:
                stories[number] = _Story([by_id[i] for i in flows[number].exchange_ids])
            slices.append((stories[number].slice(position), number))
        slices.sort(key=lambda pair: (pair[0].cost, pair[1]))
        ways: dict[str, tuple[RecipeStep, ...]] = {}
        for chosen, number in slices if status in _OF_STATE else slices[:1]:
            if status in _OF_STATE and (chosen.cut or chosen.missing > slices[0][0].missing):
                continue  # without what made it so, it would be let through
            steps = tuple(_steps(stories[number].rows, chosen.positions))
            ways.setdefault(steps[-2].operation_id if len(steps) > 1 else "", steps)
        for steps in list(ways.values())[:WAYS_MAX]:
            recipe = Recipe(operation_id=operation_id, status=status, steps=steps)
            best[operation_id].append((len(spots), recipe))
    return {operation_id: _ordered(found) for operation_id, found in best.items()}


def _spread(spots: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most EXEMPLARS_MAX of SPOTS, evenly over all."""
    if len(spots) <= EXEMPLARS_MAX:
        return spots
    return [spots[i * len(spots) // EXEMPLARS_MAX] for i in range(EXEMPLARS_MAX)]


def _steps(rows: list[_Row], positions: list[int]) -> Iterator[RecipeStep]:
    for position in positions:
        facts = rows[position].facts
        yield RecipeStep(exchange_id=facts.id, operation_id=facts.operation_id, role=facts.role)


def _ordered(found: list[tuple[int, Recipe]]) -> tuple[Recipe, ...]:
    ranked = sorted(found, key=lambda pair: (pair[1].status // 100 != 2, -pair[0], pair[1].status))
    return tuple(recipe for _, recipe in ranked[:RECIPES_MAX])
