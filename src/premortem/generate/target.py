"""Which case next: what deserves one most, after what came of those before.

Three choices, each by what is known so far. Which operation, and by which road (drawn, altered,
several alterations at once, live values, other roles, other orders): Thompson sampling (Thompson
1933; Chapelle, Li 2011, NIPS) over news per request, a Gamma prior on a Poisson rate. Which value
in which place: energy, production weight^0.5 / (1 + hits), times how often the operator brought
news anywhere, as the power schedules of grey-box fuzzers do (Boehme, Pham, Roychoudhury 2016, CCS).
What brought nothing for long gets its next turn when all else has brought nothing, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Sequence as Many

import numpy as np
from msgspec import Struct

from premortem.domain.coverage import Cell, Gap, StatusClass
from premortem.domain.goals import Goals
from premortem.domain.traffic import OperationProfile
from premortem.domain.value_class import Coverage, status_class_of
from premortem.generate.novelty import News
from premortem.generate.ways import Aim

PRIOR_CASES = 4.0
"""So many cases of average worth are taken for granted of what was never tried."""
OPTIMISM = 2.0
"""What was never tried is taken to be worth so many times the average."""
AVERAGE_MIN = 0.1
"""Worth per case that is always hoped for."""
AVERAGE_FIRST = 1.0
"""Hoped for before anything is known."""
KEPT_SHARE = 0.97
"""Of what is known of a choice after each of its cases: what brought news long ago may not now."""
WEIGHT_POWER = 0.25
"""Of production's weight^0.5 between operations: rare ones hide what nobody has met yet."""
CHANGED = 2.0
"""Times the energy of what the profile before did not have, or had otherwise."""
FAILED_TRIES = 3.0
"""A way that failed as known counts as tried so often: the same again is worth nothing."""
TRIED_POWER = 1.5
"""What one way was tried n times is worth 1 / (1 + n)^1.5 of its energy."""
GIVEN_UP = 1e-3
"""Of the energy of what brought nothing for long."""
UNTRIED_PLACE = 2.0
"""Times the energy of a place that nothing was done to yet."""

Columns = np.ndarray[tuple[int], np.dtype[np.float64]]
"""Shape (aims,)."""


class Arm(Struct, kw_only=True):
    """What is known of one choice."""

    cases: int = 0
    """All there were."""
    tried: float = 0.0
    """Of them those that still count."""
    worth: float = 0.0
    barren: int = 0
    """Cases in a row that were no news."""

    def learn(self, worth: float) -> None:
        """One more case, and what its news were worth."""
        self.cases += 1
        self.tried = self.tried * KEPT_SHARE + 1
        self.worth = self.worth * KEPT_SHARE + worth
        self.barren = 0 if worth > 0 else self.barren + 1

    def drawn(self, average: float, rng: np.random.Generator) -> float:
        """A rate that it may have, where AVERAGE is expected of what is not known."""
        prior = average * PRIOR_CASES
        return float(rng.gamma(self.worth + prior) / (self.tried + PRIOR_CASES))

    @property
    def rate(self) -> float:
        """Worth per case."""
        return self.worth / self.tried if self.tried else 0.0


class Shelf:
    """The aims of one source for one operation, as columns."""

    def __init__(self, aims: Many[Aim], operators: dict[str, int], role: str, op_id: str) -> None:
        self.aims = tuple(aims)
        names = [operators.setdefault(aim.operator, len(operators)) for aim in aims]
        self.operators = np.array(names, dtype=np.int64)
        places = {aim.place: 0 for aim in aims}
        self.place_index = {place: i for i, place in enumerate(places)}
        self.places = np.array([self.place_index[a.place] for a in aims], dtype=np.int64)
        self.place_tries = np.zeros(len(places))
        self.tries = np.zeros(len(aims))
        self.barren = np.zeros(len(aims))
        self.index = {aim: i for i, aim in enumerate(self.aims)}
        self.turn = -1
        self.energies: Columns = np.zeros(len(aims))
        """Of this turn, tries left aside: nothing comes in within a slice."""
        self.cells = [
            Cell(operation_id=op_id, place=_general(a.place), value_class=a.value_class, role=role)
            for a in aims
        ]


class Targeting:
    """See the module. OPERATIONS: those to make cases for, with the role that mostly sends them.
    CHANGED: ids of those that the profile before did not have or had otherwise."""

    def __init__(
        self,
        operations: Many[tuple[OperationProfile, str]],
        goals: Goals,
        *,
        changed: Collection[str] = (),
    ) -> None:
        self.goals = goals
        self.coverage = Coverage()
        self._operations = {o.id: o for o, _ in operations}
        self._roles = {o.id: role for o, role in operations}
        self._arms = {o.id: Arm() for o, _ in operations}
        self._roads: dict[str, Arm] = {}
        self._own_roads: dict[tuple[str, str], Arm] = {}
        self._operators: dict[str, int] = {}
        self._operator_arms: list[Arm] = []
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._whole = Arm()
        self._turn = 0
        self._drawn: Columns = np.zeros(0)
        most = max((o.count for o, _ in operations), default=1) or 1
        self._energies = {
            o.id: (max(1, o.count) / most) ** (0.5 * WEIGHT_POWER)
            * (CHANGED if o.id in changed else 1.0)
            * (goals.favour if o.id in goals.operations else 1.0)
            for o, _ in operations
        }

    # Choosing.

    def operation(
        self,
        costs: Mapping[str, float],
        statuses: Mapping[str, Collection[int]],
        rng: np.random.Generator,
        *,
        fair: bool = False,
    ) -> str:
        """The operation that deserves the next cases. COSTS: id -> requests that a case of it
        takes; those not in it are out of the question. STATUSES: id -> what it answered so far.
        FAIR: the one that had fewest cases, whatever came of them."""
        if fair:
            return min(costs, key=lambda n: (self._arms[n].cases / self._energies[n], n))
        best, chosen = -1.0, ""
        tired = self.goals.give_up_after**2
        average = self._hoped()
        for name, cost in costs.items():
            arm = self._arms[name]
            score = arm.drawn(average, rng) * self._energies[name] / cost
            if arm.barren >= tired:
                score *= tired / (tired + arm.barren) * 0.1
            if self.goals.statuses and self._lacks(statuses.get(name, ())):
                score *= self.goals.favour
            if score > best:
                best, chosen = score, name
        return chosen

    def _hoped(self) -> float:
        """Worth per case that is expected of what was never tried."""
        if not self._whole.tried:
            return AVERAGE_FIRST
        return max(OPTIMISM * self._whole.rate, AVERAGE_MIN)

    def _lacks(self, answered: Collection[int]) -> bool:
        seen = {status_class_of(status) for status in answered}
        return any(wanted not in seen for wanted in self.goals.statuses)

    def roads(
        self,
        operation_id: str,
        weights: Mapping[str, float],
        count: int,
        rng: np.random.Generator,
        *,
        fair: bool = False,
    ) -> list[str]:
        """COUNT times a road for cases of OPERATION_ID; WEIGHTS: road -> how much it is wanted.
        FAIR: those that were taken least for their weight."""
        chosen: list[str] = []
        if fair:
            given = {
                road: self._own_roads.get((operation_id, road), Arm()).cases for road in weights
            }
            for _ in range(count):
                road = min(weights, key=lambda r: ((given[r] + 1) / weights[r], r))
                given[road] += 1
                chosen.append(road)
            return chosen
        for _ in range(count):
            best, name = -1.0, ""
            for road, weight in weights.items():
                general = self._roads.get(road)
                known = general is not None and general.tried > 1
                average = max(general.rate, AVERAGE_MIN) if general and known else self._hoped()
                arm = self._own_roads.get((operation_id, road)) or Arm()
                score = arm.drawn(average, rng) * weight
                if arm.barren >= self.goals.give_up_after:
                    score *= self.goals.give_up_after / (arm.barren + 1) * 0.5
                if score > best:
                    best, name = score, road
            chosen.append(name)
        return chosen

    def gaps(
        self,
        operation_id: str,
        source: str,
        aims: Many[Aim],
        count: int,
        rng: np.random.Generator,
        *,
        passed: bool,
    ) -> list[tuple[Gap, Aim]]:
        """COUNT gaps of OPERATION_ID for SOURCE to fill, by energy; AIMS: all that it can do."""
        shelf = self._shelf(operation_id, source, aims)
        if not shelf.aims or count <= 0:
            return []
        energies = self._energies_of(shelf, operation_id, rng)
        # The count highest of log energy + Gumbel noise: drawn by energy, none twice
        # (Efraimidis, Spirakis 2006, Weighted random sampling with a reservoir).
        keys = np.log(energies + 1e-12) + rng.gumbel(size=len(energies))
        chosen = np.argsort(-keys)[:count]
        wanted: StatusClass = "5xx" if passed else "2xx"
        found: list[tuple[Gap, Aim]] = []
        for index in chosen.tolist():
            shelf.tries[index] += 0.5  # it is on its way
            aim = shelf.aims[index]
            found.append(
                (
                    Gap(
                        cell=_at(shelf.cells[index], aim.place),
                        operator=aim.operator,
                        status_wanted=wanted,
                        energy=float(energies[index]) or 1e-12,
                    ),
                    aim,
                )
            )
        return found

    def _shelf(self, operation_id: str, source: str, aims: Many[Aim]) -> Shelf:
        key = (operation_id, source)
        if key not in self._shelves:
            shelf = Shelf(aims, self._operators, self._roles[operation_id], operation_id)
            self._shelves[key] = shelf
            missing = len(self._operators) - len(self._operator_arms)
            self._operator_arms += [Arm() for _ in range(missing)]
        return self._shelves[key]

    def _energies_of(self, shelf: Shelf, operation_id: str, rng: np.random.Generator) -> Columns:
        if shelf.turn != self._turn:
            shelf.turn = self._turn
            hits = np.array([self.coverage.hits(cell) for cell in shelf.cells], dtype=np.float64)
            weight = max(1, self._operations[operation_id].count) ** 0.5
            energies: Columns = weight / (1 + hits) * self._rates(rng)[shelf.operators]
            energies *= np.where(shelf.place_tries[shelf.places] > 0, 1.0, UNTRIED_PLACE)
            energies[shelf.barren >= self.goals.give_up_after] *= GIVEN_UP
            energies[self._favoured(shelf)] *= self.goals.favour
            shelf.energies = energies
        tried: Columns = shelf.energies / (1 + shelf.tries) ** TRIED_POWER
        return tried

    def _rates(self, rng: np.random.Generator) -> Columns:
        """For each operator a rate of news that it may have; drawn once in a slice."""
        if len(self._drawn) < len(self._operator_arms):
            average = self._hoped()
            new = self._operator_arms[len(self._drawn) :]
            drawn = [arm.drawn(average, rng) for arm in new]
            self._drawn = np.concatenate([self._drawn, np.array(drawn)])
        return self._drawn

    def _favoured(self, shelf: Shelf) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        goals = self.goals
        return np.array(
            [
                cell.place in goals.places
                or cell.value_class in goals.value_classes
                or cell.role in goals.roles
                for cell in shelf.cells
            ],
            dtype=bool,
        )

    def next_slice(self) -> None:
        """What is chosen from now on is chosen with all that was learned until now."""
        self._turn += 1
        self._drawn = np.zeros(0)

    # Learning.

    def learn(
        self,
        operation_id: str,
        road: str,
        aims: Many[tuple[str, Aim]],
        news: News,
    ) -> None:
        """What came of a case of OPERATION_ID that went by ROAD and did what AIMS (source, aim)
        say."""
        worth = news.worth
        for arm in (
            self._arms.get(operation_id),
            self._roads.setdefault(road, Arm()),
            self._own_roads.setdefault((operation_id, road), Arm()),
            self._whole,
        ):
            if arm is not None:
                arm.learn(worth)
        for source, aim in aims:
            shelf = self._shelves.get((operation_id, source))
            index = shelf.index.get(aim) if shelf is not None else None
            if shelf is None or index is None:
                continue
            shelf.tries[index] += FAILED_TRIES if news.failed and not worth else 0.5
            shelf.barren[index] = 0 if worth else shelf.barren[index] + 1
            shelf.place_tries[shelf.places[index]] += 1
            self._operator_arms[shelf.operators[index]].learn(worth / len(aims))


def _general(place: str) -> str:
    if not any(c.isdigit() for c in place):
        return place
    return "/".join("*" if token.isdigit() else token for token in place.split("/"))


def _at(cell: Cell, place: str) -> Cell:
    return Cell(
        operation_id=cell.operation_id,
        place=place,
        value_class=cell.value_class,
        role=cell.role,
        edition=cell.edition,
    )
