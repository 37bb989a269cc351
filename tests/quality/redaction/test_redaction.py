"""Redaction on the corpus that was written before its rules."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import pytest

from premortem.capture import Redactor
from premortem.config import RedactConfig
from premortem.domain.traffic import Exchange
from tests.quality.redaction.corpus import corpus, joined
from tests.quality.redaction.measure import Measured, measure
from tests.quality.redaction.places import read, stands, views

GONE_MIN = 0.99
CHANGED_MAX = 0.01
MISSES_SHOWN_MAX = 40
"""All of issue 3, part 2."""


@lru_cache(maxsize=1)
def measured() -> Measured:
    redactor, counter = Redactor(b"k" * 32, RedactConfig()), Counter[str]()
    return measure(lambda exchange: redactor.exchange(exchange, counter))


def table(result: Measured) -> str:
    """One line per format, then the misses that may be seen: those of the open half."""
    lines = [f"{'format':<28}{'planted':>8}{'gone':>6}"]
    for attribute in ("format", "cls"):
        lines += [f"{n:<28}{c:>8}{g:>6}" for n, (c, g) in result.per(attribute).items()]
    opened, sealed = (result.gone_where(result.of_half(half)) for half in ("open", "sealed"))
    lines.append(f"gone {result.gone:.4f} (open {opened:.4f}, sealed {sealed:.4f})")
    lines.append(f"ordinary changed {len(result.changed)} of {result.ordinary}")
    lines.append(f"joins kept {result.joins - len(result.joins_lost)} of {result.joins}")
    for miss in result.open_misses()[:MISSES_SHOWN_MAX]:
        lines.append(f"  open miss {miss.planted.id}: {miss.left[:60]!r}")
    return "\n".join(lines)


def test_the_corpus_is_as_large_as_it_says_and_every_planted_text_stands_in_it():
    data = corpus()
    said = [views(exchange) for exchange in data.exchanges]
    assert len(data.planted) >= 300
    assert len({item.format for item in data.planted}) >= 20
    assert len({item.id for item in data.planted}) == len(data.planted)
    assert len(data.ordinary) >= 3000
    assert len(joined()) >= 40
    for item in data.planted:
        found = said[item.exchange]
        assert all(any(stands(t, text) for text in found) for t in item.texts), item.id
    for item in data.ordinary:
        assert read(data.exchanges[item.exchange], item.place) == item.value, item


def test_a_redaction_that_does_nothing_is_measured_as_nothing():
    result = measure(lambda exchange: exchange)
    assert result.gone == 0
    assert result.changed_ratio == 0
    assert result.joined == 0


def test_a_redaction_that_drops_everything_is_measured_as_such():
    def drop(exchange: Exchange) -> Exchange:
        request, response = exchange.request, exchange.response
        return Exchange(
            request=type(request)(method=request.method, origin="", path="/"),
            response=type(response)(status=response.status),
            started_at=exchange.started_at,
            duration_ms=exchange.duration_ms,
        )

    result = measure(drop)
    assert result.gone == 1
    assert result.changed_ratio == 1
    assert result.joined == 0


@pytest.mark.quality
def test_planted_secrets_and_personal_data_are_gone_before_the_disk():
    print(table(measured()))
    assert measured().gone >= GONE_MIN


@pytest.mark.quality
def test_ordinary_values_stay_as_they_are():
    changed = [f"{item.place} {item.value!r} -> {now!r}" for item, now in measured().changed]
    assert measured().changed_ratio < CHANGED_MAX, "\n".join(changed[:MISSES_SHOWN_MAX])


@pytest.mark.quality
def test_a_value_is_replaced_alike_wherever_it_stands():
    lost = [f"{case.id}: {why}" for case, why in measured().joins_lost]
    assert not lost, "\n".join(lost)
