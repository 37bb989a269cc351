"""Sequences made slice by slice, each with what came of earlier ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Sequence as Many
from itertools import islice

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.coverage import Gap
from premortem.domain.goals import Goals
from premortem.domain.run import SAFE_METHODS, Case, Origin, Sent, Sequence, Verdict
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.domain.value_class import cells_of
from premortem.generate.alteration import on_live_things, together
from premortem.generate.breadth import Breadth, may_be_alone
from premortem.generate.compose import Composer
from premortem.generate.corpus import Corpus, Live
from premortem.generate.novelty import News, Novelty
from premortem.generate.source import AimedSource, SequenceSource
from premortem.generate.splice import Splicer
from premortem.generate.target import Targeting
from premortem.generate.ways import Aim
from premortem.generate.whole_turns import WholeTurns

FINALS_AT_ONCE = 8
"""Cases that one operation is given at a time: as many as share a setup."""
REALISTIC_CHANGES_MAX = 2
"""Of those behind one setup, unsafe ones that are meant to be let through."""
CHANGES_MAX = 6
"""Of those behind one setup, unsafe ones that may be."""
DELETIONS_MAX = 2
STACKED_MAX = 4
"""Alterations of one request at once."""
STACK_ON = 0.5
"""Chance of one more alteration."""
BARREN_TURNS_MAX = 8
"""Operations in a row that had nothing to give, or nothing that fits: the slice is full."""
TAGS_MAX = 100_000
"""Cases that are under way or may still be told of."""
CORPUS_WORTH_MIN = 0.5
FAILED_SHARE = 0.25
"""Of the worth of a request that made the target fail, as one to alter: it mostly does so again."""
STRANGER = "auth "
"""What is broken where credentials are, as its names begin."""
WHOLE_ROAD = "order "
"""Before a source's name: the whole sequences that it makes."""
SPLICE = "splice"
BARE = "by itself"
"""The road of requests without setup."""
PRESSING_EVERY = 20
"""Requests of a slice for each sequence that goes before all others."""
BREADTH_SHARE = 0.6
"""Of a slice, at most, for operations that were never let through."""
FAIR_SHARE = 0.35
"""Of all turns, for what had fewest, whatever came of it: checks object to much that is no news."""
LIVE_SHARE = 0.5
"""Of what is altered, on things that are there instead of behind a setup."""
LIVE_PATH = "live path"
SPLICES_TRIED = 5
"""Ways to splice that are tried on one request until one fits."""
OTHER_ROLE = 0.4
"""Chance that what was never let through is sent by another role."""
STACKS = ("schema", "mutate")
"""Sources whose alterations are stacked."""


class Tag(Struct, frozen=True, kw_only=True, gc=False):
    """Why a case was made."""

    case: Case
    road: str
    aims: tuple[tuple[str, Aim], ...] = ()


class Aiming:
    """The state of a run with goals: see `Targeting` for how it chooses.

    COMPOSER: sources, validation and what was made so far. WEIGHTS: source -> how much it is
    wanted. OPERATIONS: those to make cases for. ROLES: whose credentials there are. The same SEED
    makes the same slices, given the same answers to those before.
    """

    def __init__(
        self,
        profile: Profile,
        composer: Composer,
        operations: Many[OperationProfile],
        *,
        goals: Goals,
        novelty: Novelty,
        weights: Mapping[str, int],
        roles: Many[str] = (),
        changed: Collection[str] = (),
        declared: Many[OperationProfile] = (),
        seed: int = 1,
    ) -> None:
        """DECLARED: operations that may be called, those that nothing can be started from, too."""
        self._composer = composer
        self._profiles = {o.id: o for o in profile.operations}
        starts = composer.starts
        self._setups = {o.id: start.setup for o in operations if (start := starts.of(o.id))}
        known = [
            (o, start.final.role) for o in operations if (start := starts.of(o.id)) is not None
        ]
        started = {o.id for o, _ in known}
        known += [(o, "") for o in declared if o.id not in started and may_be_alone(o)]
        self.targeting = Targeting(known, goals, changed=changed)
        self._started = started
        self._usable = [o.id for o, _ in known]
        self._alone: dict[str, None] = {}
        """Ids of cases that need no setup."""
        self._novelty = novelty
        self._live, self._corpus, self._roles = Live(), Corpus(), tuple(roles)
        self._splicer = Splicer(
            profile, seed, live=self._live, corpus=self._corpus, roles=self._roles
        )
        self._breadth = Breadth(
            profile,
            seed,
            live=self._live,
            roles={o.id: role for o, role in known},
            last=[o.id for o in declared if not may_be_alone(o)],
        )
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        self._seed = seed
        self._slices, self._pressing = 0, composer.pressing(operations)
        names = (o.id for o in operations)
        self._whole = WholeTurns(composer, names, self._weights, share=goals.sequences)
        self._tags: dict[str, Tag] = {}

    def learn(
        self, case: Case, sent: Sent, *, verdicts: Many[Verdict] = (), at: float = 0.0
    ) -> News:
        """What came of CASE, and what checks said of it; of those that were not made here (replay,
        setup) only the target is learned. AT: seconds since the epoch."""
        news = self._novelty.look(case, sent, verdicts)
        operation = self._profiles.get(case.operation_id)
        response = sent.response
        if operation is None:
            return news
        status = response.status if response is not None else 0
        if not case.intent.breaks.startswith(STRANGER):
            self._breadth.learn(case.role, status)
        if not case.setup:
            self.targeting.coverage.add(cells_of(case, operation), status, at=at)
        if response is not None:
            self._live.learn(case, operation.operation.template, response)
        tag = self._tags.pop(case.id, None) if not case.setup else None
        if tag is not None:
            self.targeting.learn(case.operation_id, tag.road, tag.aims, news)
            # Under another method, or as a stranger, it is none to go on from.
            own = _stackable(tag.case, operation.operation.method)
            if own and news.worth >= CORPUS_WORTH_MIN:
                self._corpus.add(tag.case, news.worth * (FAILED_SHARE if news.failed else 1.0))
        return news

    def recorded(self, exchange: Exchange) -> None:
        """Production showed EXCHANGE: no news any more."""
        request = exchange.request
        match = self._composer.starts.replayer.matcher.match(request.method, request.path)
        if match is None or exchange.recorded != "all":
            return
        origin = Origin(source="replay")
        case = Case(request=request, operation_id=match.operation.id, origin=origin)
        self._novelty.look(case, Sent(request=request, response=exchange.response))

    def slice(self, requests: int, *, finals_max: int, late: bool = False) -> list[Sequence]:
        """Sequences of at most REQUESTS cases, FINALS_MAX of them no setup. LATE: little is left
        to be sent, so what does lasting harm may be tried."""
        rng = np.random.default_rng([self._seed, 11, self._slices])
        self._slices += 1
        self.targeting.next_slice()
        finals: dict[str, list[Case]] = {}
        whole = list(islice(self._pressing, requests // PRESSING_EVERY))
        whole += self._widened(int(min(requests, finals_max) * BREADTH_SHARE), rng, late=late)
        for source, sequence in self._whole.take(requests, finals_max=finals_max):
            self._remember(Tag(case=sequence.cases[-1], road=WHOLE_ROAD + source))
            whole.append(sequence)
        spent, made = _length(whole), len(whole)
        barren = 0
        open_: dict[str, float] = {}
        while spent < requests and made < finals_max and barren < BARREN_TURNS_MAX:
            # One turn a round: what comes of it is to be known before the next.
            open_ = open_ or {name: self._cost(name) for name in self._usable}
            if not open_:
                break
            fair = bool(rng.random() < FAIR_SHARE)
            name = self.targeting.operation(open_, self._novelty.statuses, rng, fair=fair)
            count = min(FINALS_AT_ONCE, finals_max - made)
            cases, sequences = self._batch(name, count, rng, fair=fair)
            spent_before = spent
            before = _length(self._grouped(name, finals.get(name, [])))
            fitting = self._fitting(name, finals.get(name, []), cases, requests - spent + before)
            spent += _length(self._grouped(name, fitting)) - before
            made += len(fitting) - len(finals.get(name, []))
            if fitting:
                finals[name] = fitting
            for source, sequence in sequences:
                if spent + len(sequence.cases) <= requests and made < finals_max:
                    whole.append(sequence)
                    spent += len(sequence.cases)
                    made += 1
                else:
                    self._whole.keep(source, sequence)
            barren = 0 if spent > spent_before else barren + 1
            del open_[name]
        out = [s for name, cases in finals.items() for s in self._grouped(name, cases)] + whole
        return [out[i] for i in rng.permutation(len(out)).tolist()]

    def _widened(self, count: int, rng: np.random.Generator, *, late: bool) -> list[Sequence]:
        """Up to COUNT requests by themselves, of operations that were never let through."""
        sequences: list[Sequence] = []
        for name in self._breadth.names(count, self._novelty.passed, late=late):
            for tag in self._by_itself(name, 1, rng):
                sequences += self._admitted(tag)
        return sequences

    def _by_itself(self, name: str, count: int, rng: np.random.Generator) -> Iterator[Tag]:
        for _ in range(count):
            case = self._breadth.case(name, rng)
            if case is not None:
                yield Tag(case=case, road=BARE)

    def _admitted(self, tag: Tag) -> list[Sequence]:
        narrowed = list(self._composer.narrowed([tag.case]))
        if not narrowed or not self._composer.accepts(narrowed[0]):
            return []
        case = self._needs_none(narrowed[0])
        self._remember(replace(tag, case=case))
        return [Sequence(cases=(case,))]

    def _needs_none(self, case: Case) -> Case:
        self._alone[case.id] = None
        if len(self._alone) > TAGS_MAX:
            del self._alone[next(iter(self._alone))]
        live = "{" in case.operation_id
        return replace(case, intent=replace(case.intent, live=live)) if live else case

    def _cost(self, name: str) -> float:
        """Requests that a case of the operation takes, its share of the setup included."""
        return 1.0 + len(self._setups.get(name, ())) / FINALS_AT_ONCE * 2

    def _fitting(self, name: str, before: list[Case], cases: list[Case], room: int) -> list[Case]:
        """BEFORE with as many of CASES as take no more than ROOM requests."""
        count = len(cases)
        while count and _length(self._grouped(name, [*before, *cases[:count]])) > room:
            count -= 1
        return [*before, *cases[:count]]

    def _batch(
        self, name: str, count: int, rng: np.random.Generator, *, fair: bool
    ) -> tuple[list[Case], list[tuple[str, Sequence]]]:
        """(cases, whole sequences with their source): COUNT for the operation NAME in all, by roads
        worth it."""
        roads = self._roads(name)
        chosen = self.targeting.roads(name, roads, count, rng, fair=fair)
        cases: list[Case] = []
        whole: list[tuple[str, Sequence]] = []
        for road in dict.fromkeys(chosen):
            wanted = chosen.count(road)
            if road.startswith(WHOLE_ROAD):
                source = road.removeprefix(WHOLE_ROAD)
                whole += ((source, s) for s in self._ordered(name, road, source, wanted))
                continue
            for tag in self._made(name, road, wanted, rng):
                narrowed = list(self._composer.narrowed([tag.case]))
                if narrowed and self._composer.accepts(narrowed[0]):
                    cases.append(narrowed[0])
                    self._remember(replace(tag, case=narrowed[0]))
        return cases, whole

    def _roads(self, name: str) -> dict[str, float]:
        """Roads to cases of the operation NAME -> how much they are wanted."""
        total = sum(self._weights.values()) or 1
        found: dict[str, float] = {}
        if self._weights.get("schema") or self._weights.get("mutate"):
            found[BARE] = 0.5
        if name not in self._started:
            return found | {SPLICE: 0.5, "stack": 0.5}
        for source, weight in self._weights.items():
            share = weight * len(self._weights) / total
            maker = self._composer.sources.get(source)
            if maker is None:
                continue
            found[source] = share
            if isinstance(maker, SequenceSource):
                found[WHOLE_ROAD + source] = share / (1 + 0.5 * len(self._setups[name]))
            if source == "mutate":
                found |= {"stack": share, SPLICE: share}
                if name not in self._novelty.passed:
                    found["reach"] = share * 2
        return found

    def _ordered(self, name: str, road: str, source: str, count: int) -> list[Sequence]:
        made = self._composer.ordered(source, name, count)
        for sequence in made:
            self._remember(Tag(case=sequence.cases[-1], road=road))
        return made

    def _remember(self, tag: Tag) -> None:
        self._tags[tag.case.id] = tag
        if len(self._tags) > TAGS_MAX:
            del self._tags[next(iter(self._tags))]

    def _made(self, name: str, road: str, count: int, rng: np.random.Generator) -> Iterator[Tag]:
        maker = self._composer.sources.get(road)
        if road == BARE:
            for tag in self._by_itself(name, count, rng):
                yield replace(tag, case=self._needs_none(tag.case))
        elif road == "stack":
            yield from self._stacked(name, count, rng)
        elif road in (SPLICE, "reach"):
            yield from self._spliced(name, road, count, rng)
        elif isinstance(maker, AimedSource):
            yield from self._aimed(maker, name, road, count, rng)
        elif maker is not None:
            yield from (Tag(case=case, road=road) for case in maker.cases(name, count))

    def _aimed(
        self, maker: AimedSource, name: str, road: str, count: int, rng: np.random.Generator
    ) -> Iterator[Tag]:
        for gap, aim in self._gaps(maker, name, road, count, rng):
            live = self._live_base(name, rng)
            for case in maker.aimed(gap, 1, (live,) if live is not None else ()):
                if live is not None:
                    case = self._needs_none(on_live_things(case))
                yield Tag(case=case, road=road, aims=((road, aim),))

    def _live_base(self, name: str, rng: np.random.Generator) -> Case | None:
        """A request of the operation NAME on things that are there, for which it has a setup."""
        start = self._composer.starts.of(name)
        if start is None or not start.setup or rng.random() >= LIVE_SHARE:
            return None
        base = self._base(name, rng)
        made = self._splicer.path(base, rng) if base is not None else None
        return made if made is not None and not made.bindings else None

    def _gaps(
        self, maker: AimedSource, name: str, road: str, count: int, rng: np.random.Generator
    ) -> list[tuple[Gap, Aim]]:
        aims = maker.aims(name)
        passed = name in self._novelty.passed
        return self.targeting.gaps(name, road, aims, count, rng, passed=passed)

    def _base(self, name: str, rng: np.random.Generator) -> Case | None:
        """A request to alter: one that was news, or else one like production's."""
        known = self._corpus.pick(name, rng) if rng.random() < 0.8 else None
        if known is not None:
            return known
        if name not in self._started:
            return next((tag.case for tag in self._by_itself(name, 1, rng)), None)
        sampler = self._composer.sources.get("sample")
        drawn = sampler.cases(name, 1) if sampler is not None else []
        if drawn:
            return drawn[0]
        known = self._corpus.pick(name, rng)
        start = self._composer.starts.of(name)
        return known or (start.final if start is not None else None)

    def _stacked(self, name: str, count: int, rng: np.random.Generator) -> Iterator[Tag]:
        """Several alterations of one request at once; nothing is expected but a sane answer."""
        makers: dict[str, AimedSource] = {}
        for source in STACKS:
            maker = self._composer.sources.get(source)
            if isinstance(maker, AimedSource) and self._weights.get(source):
                makers[source] = maker
        for _ in range(count):
            base = case = self._base(name, rng)
            if base is None or case is None:
                return
            done: list[tuple[str, Aim]] = []
            told: list[str] = []
            depth = 2
            while depth < STACKED_MAX and rng.random() < STACK_ON:
                depth += 1
            for _ in range(depth):
                case = self._altered(case, name, makers, done, rng)
                if case.intent.breaks:
                    told.append(case.intent.breaks)
            if case.request != base.request:
                made = together(case, base, told)
                if base.id in self._alone or name not in self._started:
                    made = self._needs_none(made)
                yield Tag(case=made, road="stack", aims=tuple(done))

    def _altered(
        self,
        case: Case,
        name: str,
        makers: Mapping[str, AimedSource],
        done: list[tuple[str, Aim]],
        rng: np.random.Generator,
    ) -> Case:
        """CASE altered once more; as it is where what was chosen does not fit."""
        sources = (*makers, SPLICE)
        source = sources[int(rng.integers(len(sources)))]
        if source == SPLICE:
            made, aims = self._splice(case, name, rng)
            done += aims
            return made or case
        maker = makers[source]
        for gap, aim in self._gaps(maker, name, source, 3, rng):
            altered = maker.aimed(gap, 1, (case,))
            if altered and _stackable(altered[0], case.request.method):
                done.append((source, aim))
                return altered[0]
        return case

    def _splice(
        self, case: Case, name: str, rng: np.random.Generator
    ) -> tuple[Case | None, tuple[tuple[str, Aim], ...]]:
        """CASE with one thing of this run, or an odd one, in it, and what was done."""
        aims = self._splicer.aims
        passed = name in self._novelty.passed
        for _, aim in self.targeting.gaps(name, SPLICE, aims, SPLICES_TRIED, rng, passed=passed):
            made = self._splicer.ways[aim.operator](case, rng)
            if made is not None:
                return made, ((SPLICE, aim),)
        return None, ()

    def _spliced(self, name: str, road: str, count: int, rng: np.random.Generator) -> Iterator[Tag]:
        for _ in range(count):
            base = self._base(name, rng)
            if base is None:
                return
            aims: tuple[tuple[str, Aim], ...] = ()
            made: Case | None
            if road == SPLICE:
                made, aims = self._splice(base, name, rng)
            else:
                made = self._splicer.path(base, rng) or base
                if rng.random() < OTHER_ROLE:
                    made = self._splicer.role(made, rng) or made
                if rng.random() < STACK_ON:
                    made = self._splice(made, name, rng)[0] or made
            if made is not None and made is not base:
                live = made.origin.operator == LIVE_PATH and not made.bindings
                if live or base.id in self._alone or name not in self._started:
                    made = self._needs_none(made)
                yield Tag(case=made, road=road, aims=aims)

    # Composing.

    def _grouped(self, name: str, finals: list[Case]) -> list[Sequence]:
        """FINALS behind the setup of the operation NAME: refused ones first, then those that may
        change something, so that each finds the state that it needs."""
        setup = self._setups.get(name, ())
        if not setup:
            return [Sequence(cases=(case,)) for case in finals]
        alone = [case for case in finals if case.id in self._alone]
        if alone:
            rest = [case for case in finals if case.id not in self._alone]
            return [*(Sequence(cases=(c,)) for c in alone), *self._grouped(name, rest)]
        if not finals:
            return []
        refused = [c for c in finals if c.intent.expects == "refusal"]
        tried = [
            c for c in finals if c.intent.expects != "refusal" and c.intent.kind != "realistic"
        ]
        passing = [c for c in finals if c.intent.kind == "realistic"]
        method = self._profiles[name].operation.method
        parts = -(-len(finals) // FINALS_AT_ONCE)
        if method == "DELETE":
            parts = max(parts, -(-(len(tried) + len(passing)) // DELETIONS_MAX))
        elif method not in SAFE_METHODS:
            parts = max(parts, -(-len(passing) // REALISTIC_CHANGES_MAX))
            parts = max(parts, -(-len(tried) // CHANGES_MAX))
        return [
            Sequence(cases=(*setup, *refused[i::parts], *tried[i::parts], *passing[i::parts]))
            for i in range(parts)
        ]


def _stackable(case: Case, method: str) -> bool:
    """Whether what CASE does leaves it a request of an operation with METHOD by somebody known:
    what is expected of others is nothing that further alterations leave as it is."""
    return case.request.method == method and not case.intent.breaks.startswith(STRANGER)


def _length(sequences: list[Sequence]) -> int:
    return sum(len(sequence.cases) for sequence in sequences)
