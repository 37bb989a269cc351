"""What a change always did to the numbers that readings show: `balance changes by -sent.amount`.

All readings of one kind make a system of equations: between two of them a number changed by as
much as everything that was done in between adds up to. What solves it is looked for greedily, a
term of one change at a time (one more, one less, what was sent, what was answered), each of which
has to explain spans that nothing explained before; what is left over has to be nothing. Kinds of
changes with which that does not come out are left aside, with all spans that they are in.

Nothing is told from values that were always the same, nor from numbers that a change may as well
have set as added to.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from premortem.domain.relations import Effect
from premortem.learn.chance import lower_bound
from premortem.learn.change_kinds import Kind, Pairs, answered, bound, rooted, sent
from premortem.learn.facts import Facts
from premortem.learn.looks import Looks, Numbers
from premortem.learn.spans import Change, History, Sighting, Span, View

SUPPORT_MIN = 6
"""Spans that must show an effect."""
SUPPORT_ONE_MIN = 8
"""The same for one more or one less, which chance hits more easily."""
THINGS_MIN = 3
"""Different things that must show it, where readings are of things."""
DISTINCT_MIN = 3
"""Different amounts that it must have followed."""
BEFORE_MIN = 2
"""Spans in which the number was not zero before, so that it was added to and not set; for one
more or one less: in which it was another number than in most."""
APART_MIN = 3
"""Spans that must tell one change's effect from that of another, which mostly comes with it."""
PAGE_MIN = 10
"""Items that a page has at least; a list that is as long three times, and never longer, may be
one."""
FAILED_SHARE_MAX = 0.02
"""Of the spans of a change in which its effect may be off; some of what others did at the same
time is never seen."""
RESTLESS_SHARE_MAX = 0.05
"""Of the spans in which nothing was done: a number that changes in more changes by itself."""
SPANS_MAX = 600
"""Of one reading that are looked at, evenly taken."""
KINDS_MAX = 60
"""Changes that are told apart for one reading, the most frequent ones."""
TERMS_MAX = 400
"""Of them all."""
STEPS_MAX = 12
"""Terms of one number."""
VIEWS_MAX = 2_000
"""Kinds of readings."""
EFFECTS_MAX = 500
TOLERANCE = 1e-6
OFF = 1e-5
"""What floats leave over of a sum of several."""

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]


def find_effects(rows: Iterable[Facts], looks: Looks) -> tuple[Effect, ...]:
    """What LOOKS, with the facts of the same exchanges, show."""
    history = History(rows, looks)
    together: defaultdict[tuple[str, Pairs], list[View]] = defaultdict(list)
    for view in history.views.values():
        asked = tuple((n, "*" if n in view.naming else v) for n, v in view.query)
        together[view.operation_id, asked].append(view)
    found: list[Effect] = []
    most = sorted(together.values(), key=len, reverse=True)[:VIEWS_MAX]
    for views in most:
        spans = [span for view in views for span in history.spans(view)]
        found += _System(spans).effects()
    return ranked(found)


class _System:
    """The spans of one kind of reading."""

    def __init__(self, spans: list[Span]) -> None:
        busy = [s for s in spans if s.changes]
        self._spans = busy[:: len(busy) // SPANS_MAX + 1]
        quiet = [s for s in spans if not s.changes]
        self._quiet = [s for s in quiet if not s.refused]
        self._refused = [s for s in quiet if s.refused]
        self._subjects: Counter[str] = Counter()
        for view in {id(s.view): s.view for s in spans}.values():
            self._subjects.update(view.subjects)
        self._pages = _pages(self._spans)
        self._paged = any(
            text.isdigit() and name not in span.view.naming
            for span in spans[:1]
            for name, text in span.view.query
        )
        """Lists may be cut off where the query says."""
        self._kinds = [[self._kind(c, s.view) for c in s.changes] for s in self._spans]

    def effects(self) -> Iterator[Effect]:
        """What they show."""
        carried_out = list(self._carried_out()) if len(self._spans) >= SUPPORT_MIN else []
        yield from carried_out
        yield from self._nothing_changed({(e.after, e.where) for e in carried_out})

    def _carried_out(self) -> Iterator[Effect]:
        terms = self._terms()
        names = Counter(n for s in self._spans for n in _both(s.before, s.after))
        solved: dict[str, list[_Solved]] = {}
        for name in (n for n, count in names.items() if count >= SUPPORT_MIN):
            if (self._paged and "(" in name) or self._is_restless(name):
                continue
            solved[name] = list(self._solve(name, terms))
            for one in solved[name]:
                words = f"{name} changes by {one.term.words}"
                yield self._effect(one.term.kind, words, one.rows, failed=one.failed)
        yield from self._conserved(solved)

    # What a change is called by.

    def _kind(self, change: Change, view: View) -> Kind:
        look = change.look
        where, query = bound(change, view)
        sure = not any(name in view.naming and value[:1] != "{" for name, value in query)
        if any(not place for _, place in where):
            shared = [k for k in change.about if k in self._subjects and k not in view.subjects]
            sure = sure and not shared
        return Kind(operation_id=look.operation_id, where=where, query=query, sure=sure)

    def _terms(self) -> list[_Term]:
        """Terms of the kinds of changes, each with what it comes to in every span."""
        counts = Counter(kind for kinds in self._kinds for kind in set(kinds))
        found: list[_Term] = []
        for kind, count in counts.most_common(KINDS_MAX):
            if count < SUPPORT_MIN or not kind.sure or len(found) >= TERMS_MAX:
                continue
            mine = [
                [c for c, k in zip(s.changes, kinds, strict=True) if k == kind]
                for s, kinds in zip(self._spans, self._kinds, strict=True)
            ]
            there = np.array([bool(changes) for changes in mine])
            ones = np.array([float(len(changes)) for changes in mine])
            found.append(_Term(kind=kind, words="1", there=there, values=ones))
            for root, pick in (("sent", sent), ("answer", answered)):
                names = Counter(n for changes in mine for c in changes for n in pick(c))
                for name in (n for n, times in names.items() if times >= SUPPORT_MIN):
                    if name.startswith("at("):
                        continue
                    values = [sum(pick(c).get(name, np.nan) for c in cs) for cs in mine]
                    words = rooted(name, root)
                    found.append(_Term(kind=kind, words=words, there=there, values=_array(values)))
        return [term for term in found[:TERMS_MAX] if np.any(term.values[term.there] != 0)]

    # One number.

    def _is_restless(self, name: str) -> bool:
        """Whether the number changes though nothing is done."""
        pairs = [(s.before.shown.numbers, s.after.shown.numbers) for s in self._quiet]
        known = [(a[name], b[name]) for a, b in pairs if name in a and name in b]
        changed = sum(not _near(a, b) for a, b in known)
        return changed > RESTLESS_SHARE_MAX * len(known)

    def _solve(self, name: str, terms: list[_Term]) -> Iterator[_Solved]:
        """Terms that add up to what the number NAME changed by."""
        before = _array([self._number(s.before, name) for s in self._spans])
        after = _array([self._number(s.after, name) for s in self._spans])
        delta = after - before
        known = ~np.isnan(delta)
        if not np.any(np.abs(delta[known]) > TOLERANCE):
            return
        left = np.where(known, delta, 0.0)
        chosen: list[_Term] = []
        for _ in range(STEPS_MAX):
            best = self._best(left, known, [t for t in terms if t not in chosen])
            if best is None:
                break
            chosen.append(best)
            left = left - np.where(best.there, best.values, 0.0)
        left = np.where(np.isnan(left), np.inf, left)
        kept, unruly = self._settle(left, known, chosen)
        for term in chosen:
            here = kept & term.there
            rows = here & (np.abs(left) <= OFF)
            if term.kind not in unruly and self._convinces(term, terms, rows, before):
                yield _Solved(term=term, rows=rows, failed=int(np.sum(here & ~rows)))

    def _number(self, sighting: Sighting, name: str) -> float:
        """The number NAME; none where it may be of one page of several."""
        numbers = sighting.shown.numbers
        _, bracket, rest = name.partition("(")
        if bracket:
            for words, longest in self._pages.items():
                about = rest[: len(words)] == words and rest[len(words) :][:1] in (")", ".")
                if about and numbers.get(f"count({words})") == longest:
                    return float("nan")
        return numbers.get(name, float("nan"))

    def _best(self, left: _Floats, known: _Flags, terms: list[_Term]) -> _Term | None:
        """The one of TERMS, or its negative, that explains most spans that nothing explains."""
        best, most = None, 0
        open_ = known & (np.abs(left) > TOLERANCE)
        for term in terms:
            here = term.there & known
            for sign in (1.0, -1.0):
                rest = left - sign * term.values
                gained = int(np.sum(here & open_ & (np.abs(rest) <= _slack(term.values))))
                if gained <= most:
                    continue
                lost = int(np.sum(here & ~open_ & ~(np.abs(rest) <= _slack(term.values))))
                if gained - lost > most:
                    best, most = (term if sign > 0 else term.negative()), gained - lost
        return best

    def _settle(
        self, left: _Floats, known: _Flags, chosen: list[_Term]
    ) -> tuple[_Flags, set[Kind]]:
        """The spans in which all comes out, and the kinds of changes with which it does not."""
        kept = known.copy()
        wrong = kept & (np.abs(left) > OFF)
        unruly: set[Kind] = set()
        mine = {term.kind for term in chosen}
        while np.any(wrong & kept):
            bad, all_ = Counter[Kind](), Counter[Kind]()
            for row in np.flatnonzero(kept):
                kinds = set(self._kinds[row])
                all_.update(kinds)
                bad.update(kinds if wrong[row] else ())
            shares = {k: (n / all_[k], k not in mine) for k, n in bad.items()}
            if all(share <= FAILED_SHARE_MAX for share, _ in shares.values()):
                break
            worst = max(shares, key=lambda k: (shares[k], repr(k)))
            unruly.add(worst)
            kept &= ~np.array([worst in kinds for kinds in self._kinds])
        return kept, unruly

    def _convinces(self, term: _Term, terms: list[_Term], rows: _Flags, before: _Floats) -> bool:
        values = term.values[rows]
        things = {id(self._spans[row].view) for row in np.flatnonzero(rows)}
        one = term.words in ("1", "-1")
        if len(values) < (SUPPORT_ONE_MIN if one else SUPPORT_MIN):
            return False
        if self._shared(term, terms, rows):
            return False
        if self._spans[0].view.subjects and len(things) < THINGS_MIN:
            return False
        if one:
            held = Counter(np.round(before[rows], 6).tolist())
            usual = max(held.values(), default=0)
            return len(values) - usual >= BEFORE_MIN and not self._told(term, terms, rows)
        distinct = {round(float(v), 6) for v in values}
        if len(distinct) < DISTINCT_MIN:
            return False
        return int(np.sum(np.abs(before[rows]) > TOLERANCE)) >= BEFORE_MIN

    def _shared(self, term: _Term, terms: list[_Term], rows: _Flags) -> bool:
        """Whether what another change came to explains as much: both always came together."""
        mine = np.abs(term.values[rows])
        for other in terms:
            if other.kind != term.kind:
                theirs = np.where(other.there, np.abs(other.values), 0.0)[rows]
                if np.sum(~(np.abs(theirs - mine) <= TOLERANCE)) < APART_MIN:
                    return True
        return False

    def _told(self, term: _Term, terms: list[_Term], rows: _Flags) -> bool:
        """Whether something that was sent came to the same each time, by chance or not."""
        return any(
            other.kind == term.kind
            and other.words.lstrip("-").startswith("sent.")
            and bool(np.all(np.abs(np.abs(other.values[rows]) - np.abs(term.values[rows])) < 1e-9))
            for other in terms
        )

    # What is left as it was.

    def _conserved(self, solved: dict[str, list[_Solved]]) -> Iterator[Effect]:
        """Sums that stayed while what they add up moved."""
        for kind in self._alone():
            rows = [i for i, kinds in enumerate(self._kinds) if set(kinds) == {kind}]
            done = {n for n, found in solved.items() if any(s.term.kind == kind for s in found)}
            for name in () if self._paged else self._moved_parts(rows):
                yield self._stays(kind, name, rows)
            for one, other in self._moved_pairs(rows):
                if not {one, other} <= done:
                    yield self._stays(kind, f"{one} + {other}", rows)

    def _alone(self) -> list[Kind]:
        """Kinds of changes that were alone between two readings often enough."""
        counts = Counter(kinds[0] for kinds in self._kinds if len(set(kinds)) == 1)
        return [k for k, count in counts.items() if count >= SUPPORT_MIN and k.sure]

    def _moved_parts(self, rows: list[int]) -> Iterator[str]:
        names = Counter(n for row in rows for n in self._spans[row].after.shown.parts)
        for name in names:
            moves: list[float] = []
            for row in rows:
                was, now = self._spans[row].before.shown, self._spans[row].after.shown
                one, other = was.parts.get(name), now.parts.get(name)
                if not one or not other:
                    continue
                if one.keys() != other.keys() or not _near(was.numbers[name], now.numbers[name]):
                    moves = []
                    break
                most = max((abs(other[key] - one[key]) for key in one), default=0.0)
                moves += [most] if most > TOLERANCE else []
            if _vary(moves):
                yield name

    def _moved_pairs(self, rows: list[int]) -> Iterator[tuple[str, str]]:
        deltas = [_deltas(self._spans[row]) for row in rows]
        names = dict.fromkeys(n for d in deltas for n in d if "(" not in n)
        moving = [n for n in names if _vary([d[n] for d in deltas if d.get(n)])]
        for one, other in combinations(moving, 2):
            both = [(d[one], d[other]) for d in deltas if one in d and other in d]
            if all(_near(a, -b) for a, b in both) and _vary([a for a, _ in both if a]):
                yield one, other

    def _stays(self, kind: Kind, what: str, rows: list[int]) -> Effect:
        mask = np.zeros(len(self._spans), dtype=bool)
        mask[rows] = True
        return self._effect(kind, f"{what} stays", mask)

    def _nothing_changed(self, moving: set[tuple[str, Pairs]]) -> Iterator[Effect]:
        """What was refused, and left the whole answer as it was. MOVING: operations, and where
        they name what is read, that change it when they are carried out; only those are meant
        where the path does not say what is."""
        counts: defaultdict[Kind, list[tuple[Span, bool]]] = defaultdict(list)
        for span in self._refused:
            same = span.before.shown.digest == span.after.shown.digest
            if not same and (span.before.change is not None or span.after.change is not None):
                continue  # a change need not be answered as a reading is
            for kind in {self._kind(change, span.view) for change in span.refused}:
                counts[kind].append((span, same))
        for kind, shown in counts.items():
            spans = [span for span, _ in shown]
            things = {id(span.view) for span in spans}
            direct = kind.sure and all(place for _, place in kind.where)
            direct = direct and (not kind.where or (kind.operation_id, kind.where) in moving)
            about = bool(spans[0].view.subjects) and direct and len(things) >= THINGS_MIN
            if about and all(same for _, same in shown):
                yield _told_of(kind, spans, "everything stays", refused=True)

    def _effect(self, kind: Kind, holds: str, rows: _Flags, *, failed: int = 0) -> Effect:
        spans = [self._spans[row] for row in np.flatnonzero(rows)]
        return _told_of(kind, spans, holds, failed=failed)


@dataclass(slots=True, eq=False)
class _Term:
    """What one kind of change may add to a number."""

    kind: Kind
    words: str
    there: _Flags
    """Spans in which such a change lies."""
    values: _Floats

    def negative(self) -> _Term:
        """The same taken away."""
        return _Term(self.kind, f"-{self.words}", self.there, -self.values)


@dataclass(slots=True, eq=False)
class _Solved:
    term: _Term
    rows: _Flags
    failed: int


def _pages(spans: list[Span]) -> dict[str, float]:
    """Lists that may have been cut off -> the items of a page."""
    lengths: defaultdict[str, Counter[float]] = defaultdict(Counter)
    for span in spans:
        for name, number in span.after.shown.numbers.items():
            if name.startswith("count("):
                lengths[name[6:-1]][number] += 1
    longest = {words: max(counts) for words, counts in lengths.items()}
    return {w: most for w, most in longest.items() if most >= PAGE_MIN and lengths[w][most] >= 3}


def _told_of(
    kind: Kind, spans: list[Span], holds: str, *, refused: bool = False, failed: int = 0
) -> Effect:
    return Effect(
        after=kind.operation_id,
        refused=refused,
        read=spans[0].view.operation_id,
        where=kind.where,
        query=kind.query,
        holds=holds,
        support=len(spans),
        things=len({id(span.view) for span in spans}),
        sessions=len({span.after.look.session for span in spans}),
        failed=failed,
        confidence=round(lower_bound(len(spans), len(spans) + failed), 4),
    )


def _both(before: Sighting, after: Sighting) -> list[str]:
    return [name for name in before.shown.numbers if name in after.shown.numbers]


def _deltas(span: Span) -> Numbers:
    was, now = span.before.shown.numbers, span.after.shown.numbers
    return {n: round(now[n] - was[n], 9) for n in was if n in now}


def _vary(moves: list[float]) -> bool:
    """Whether MOVES are enough, and different ones."""
    return len(moves) >= SUPPORT_MIN and len({round(abs(m), 6) for m in moves}) >= DISTINCT_MIN


def _array(values: list[float]) -> _Floats:
    return np.array(values, dtype=np.float64)


def _slack(values: _Floats) -> _Floats:
    return TOLERANCE * np.maximum(1.0, np.abs(values))


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b))


def ranked(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """EFFECTS by their text; of more than EFFECTS_MAX those that were seen most."""
    most = islice(sorted(effects, key=lambda e: (-e.support, e.text)), EFFECTS_MAX)
    return tuple(sorted(most, key=lambda e: e.text))


def merge_effects(a: Iterable[Effect], b: Iterable[Effect]) -> tuple[Effect, ...]:
    """Those of both, counts added; things and sessions of both are taken to be different ones."""
    together: dict[str, Effect] = {}
    for effect in (*a, *b):
        known = together.get(effect.text)
        together[effect.text] = effect if known is None else _sum(known, effect)
    return ranked(together.values())


def _sum(a: Effect, b: Effect) -> Effect:
    support, failed = a.support + b.support, a.failed + b.failed
    return replace(
        a,
        support=support,
        things=a.things + b.things,
        sessions=a.sessions + b.sessions,
        failed=failed,
        confidence=round(lower_bound(support, support + failed), 4),
    )
