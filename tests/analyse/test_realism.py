"""The eyes: what is broken is seen, and what is alike is not."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from premortem.analyse.realism import (
    Specimen,
    of_exchanges,
    quality,
    render_quality_html,
    shuffled,
    told_apart,
)
from premortem.analyse.realism.copies import copies
from premortem.analyse.realism.specimens import identifier, masked
from premortem.analyse.realism.variation import total_variation, variation
from premortem.analyse.realism.view import headline, measures
from tests.generate import bazaar


def specimens(count: int, seed: int, *, group: str = "session") -> list[Specimen]:
    """Requests whose currency follows the country, and whose note is there for guests only."""
    rng = np.random.default_rng(seed)
    out = []
    for number in range(count):
        country = ("DE", "US", "JP")[int(rng.integers(3))]
        role = ("clerk", "guest")[int(rng.integers(2))]
        values = [
            ("body:/country", country),
            ("body:/currency", bazaar.CURRENCIES[country]),
            ("body:/amount", round(float(rng.gamma(2.0, 40.0)), 2)),
        ]
        if country == "US":
            values.append(("body:/state", ("NY", "CA")[int(rng.integers(2))]))
        out.append(
            Specimen(
                operation_id=bazaar.ORDERS,
                group=f"{group} {seed} {number}",
                role=role,
                values=tuple(values),
            )
        )
    return out


def test_alike_requests_are_not_told_apart():
    seen = told_apart(specimens(400, 1), specimens(400, 2))
    assert seen is not None
    assert 0.4 < seen.auc < 0.6
    assert seen.compared == 400


def test_shuffled_fields_are_seen():
    seen = told_apart(specimens(400, 1), shuffled(specimens(400, 2)))
    assert seen is not None
    assert seen.auc > 0.7


def test_values_that_production_never_sent_are_seen():
    strange = [
        replace(s, values=tuple((p, "XX" if p == "body:/country" else v) for p, v in s.values))
        for s in specimens(200, 2)
    ]
    seen = told_apart(specimens(200, 1), strange)
    assert seen is not None
    assert seen.auc > 0.99


def test_the_same_requests_are_judged_alike_twice():
    one, two = specimens(60, 1), specimens(60, 2)
    assert told_apart(one, two) == told_apart(one, two)


def test_too_little_is_not_judged():
    assert told_apart(specimens(5, 1), specimens(5, 2)) is None


def test_shuffling_keeps_every_column_and_breaks_pairs():
    before, after = specimens(600, 1), shuffled(specimens(600, 1))
    apart = variation(before, after)
    assert apart.marginal == pytest.approx(0, abs=1e-9)
    assert apart.pairwise > 0.15
    assert variation(before, before).pairwise == 0


def test_distances_are_those_of_the_definition():
    assert total_variation("aab", "aab") == 0
    assert total_variation("aa", "bb") == 1
    assert total_variation("aabb", "aaab") == pytest.approx(0.25)
    with pytest.raises(ValueError, match="without values"):
        total_variation("", "a")


def test_what_one_session_alone_sent_counts_as_copied():
    training = specimens(100, 1)
    assert copies(training, training).values == 1.0
    assert copies(specimens(100, 2), training).values < 0.1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("inv_0f3c9a12be77", "inv_xxxxxxxxxxxx"),
        ("6fa459ea-ee8a-3ca4-894e-db77e160355e", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
        ("EUR", "EUR"),
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        ("late delivery of 12 boxes", "late delivery of 12 boxes"),
    ],
)
def test_identifiers_count_by_their_form(text, shown):
    assert masked(text) == shown
    assert identifier(text) == (text != shown)


def test_references_are_known_when_an_earlier_answer_of_the_session_brought_them():
    exchanges = bazaar.traffic(20)
    found = list(of_exchanges(exchanges, bazaar.profile_of(exchanges)))
    read = [s for s in found if s.operation_id == "GET /orders/{order_id}"]
    assert {(s.references, s.brought) for s in read} == {(1, 1)}
    assert {s.before for s in read} == {bazaar.ORDERS}


@cache
def judged():
    return quality(
        training=specimens(300, 3),
        held_out=specimens(300, 1),
        other=specimens(300, 2),
        made={"traffic": (specimens(300, 4), 3.0, 0.9)},
        profile_version="abc",
    )


def test_what_was_measured_is_told_beside_production_and_shuffled_production():
    found = judged()
    assert found.eyes
    (candidate,) = found.candidates
    assert found.passes(candidate)
    assert headline(found) == "traffic passes"
    cells = dict(measures(found))
    assert cells["requests a CPU-second"] == ["", "", "100"]
    assert cells["valid"] == ["", "", "90.0%"]
    assert json.loads(json.dumps(cells)) == cells


def test_the_page_needs_nothing_else():
    page = render_quality_html(judged())
    assert "<svg" in page
    assert "<script" not in page
    assert "://" not in page
    assert "traffic" in page
