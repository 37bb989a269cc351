"""How good a redaction is: pure functions from a way to redact to numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from premortem.domain.traffic import Exchange
from tests.quality.redaction.corpus import corpus, joined
from tests.quality.redaction.places import Place, read, stands, views
from tests.quality.redaction.scenes import Corpus, Half, Join, Ordinary, Planted

Redact = Callable[[Exchange], Exchange]


class Miss(Struct, frozen=True, kw_only=True):
    """A planted value that remained."""

    planted: Planted
    left: str
    """The text that was found."""


class Measured(Struct, frozen=True, kw_only=True):
    """What a redaction did to the corpus."""

    planted: tuple[Planted, ...]
    misses: tuple[Miss, ...]
    """Of both halves; `of_half` gives those that may be looked at."""
    ordinary: int
    changed: tuple[tuple[Ordinary, str | None], ...]
    """Ordinary values that are not what they were, with what stands there now."""
    joins: int
    joins_lost: tuple[tuple[Join, str], ...]
    """With what is wrong."""

    @property
    def gone(self) -> float:
        """Share of planted values that are gone, in 0..1."""
        return self.gone_where(self.planted)

    @property
    def changed_ratio(self) -> float:
        """Share of ordinary values that were changed, in 0..1."""
        return len(self.changed) / self.ordinary

    @property
    def joined(self) -> float:
        """Share of joins kept, in 0..1."""
        return 1 - len(self.joins_lost) / self.joins

    def gone_where(self, items: Iterable[Planted]) -> float:
        """Share of ITEMS that are gone; 1 of none."""
        ids = {item.id for item in items}
        missed = sum(miss.planted.id in ids for miss in self.misses)
        return 1 - missed / len(ids) if ids else 1.0

    def of_half(self, half: Half) -> tuple[Planted, ...]:
        """The planted values of one half."""
        return tuple(item for item in self.planted if item.half == half)

    def open_misses(self) -> tuple[Miss, ...]:
        """The misses that those who write rules may look at."""
        return tuple(miss for miss in self.misses if miss.planted.half == "open")

    def per(self, attribute: str) -> dict[str, tuple[int, int]]:
        """Value of ATTRIBUTE (`format`, `cls`, `kind`) -> (planted, gone)."""
        missed = {miss.planted.id for miss in self.misses}
        table: dict[str, tuple[int, int]] = {}
        for item in self.planted:
            count, gone = table.get(getattr(item, attribute), (0, 0))
            table[getattr(item, attribute)] = (count + 1, gone + (item.id not in missed))
        return dict(sorted(table.items()))


def measure(redact: Redact) -> Measured:
    """Redact every exchange of the corpus and count."""
    data, cases = corpus(), joined()
    after = [redact(exchange) for exchange in data.exchanges]
    return Measured(
        planted=data.planted,
        misses=tuple(misses_of(data, after)),
        ordinary=len(data.ordinary),
        changed=tuple(changed_of(data, after)),
        joins=len(cases),
        joins_lost=tuple(
            (case, why) for case in cases if (why := what_is_lost(case, redact)) is not None
        ),
    )


def misses_of(data: Corpus, after: list[Exchange]) -> list[Miss]:
    """The planted values of DATA that stand in AFTER, its exchanges redacted."""
    said: dict[int, set[str]] = {}
    misses = []
    for item in data.planted:
        texts = said.setdefault(item.exchange, views(after[item.exchange]))
        left = next((t for t in item.texts if any(stands(t, text) for text in texts)), None)
        if left is not None:
            misses.append(Miss(planted=item, left=left))
    return misses


def changed_of(data: Corpus, after: list[Exchange]) -> list[tuple[Ordinary, str | None]]:
    """The ordinary values of DATA that AFTER does not have, with what stands there."""
    found = [(item, read(after[item.exchange], item.place)) for item in data.ordinary]
    return [(item, now) for item, now in found if now != item.value]


def what_is_lost(case: Join, redact: Redact) -> str | None:
    """Why CASE is not kept, or None."""
    before = [read(case.exchanges[index], place) for index, place in case.places]
    after = [redact(exchange) for exchange in case.exchanges]
    now = [_at(after, spot) for spot in case.places]
    if None in now:
        return "nothing stands there any more"
    if before[0] in now:
        return "not replaced everywhere"
    if len(set(now)) != 1:
        return "replaced in different ways"
    if _at(after, case.other) == now[0]:
        return "another value became the same text"
    return None


def _at(exchanges: list[Exchange], spot: tuple[int, Place]) -> str | None:
    index, place = spot
    return read(exchanges[index], place)
