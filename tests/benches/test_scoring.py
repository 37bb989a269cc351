from __future__ import annotations

import pytest

from benches.defects.outcome import Defect, Outcome
from benches.defects.scoring import RATIO_MAX, Cycle, geometric_mean, held, ratio, score
from benches.defects.showing import differences, table


def cycle(kind: str, seed: int, errors: str, lines: range) -> Cycle:
    found = tuple(Defect(signature=name, count=1, message="") for name in errors)
    outcome = Outcome(
        service="shop",
        kind=kind,
        seed=seed,
        requests=100,
        turned_away=0,
        statuses={},
        wall_s=1.0,
        cpu_s=1.0,
        reached=len(lines),
        reported=0,
        errors=found,
        operations={},
    )
    return Cycle(outcome=outcome, reached=frozenset(("a.py", line, 0) for line in lines))


REPLAY = cycle("replay", 0, "r", range(10))


def scored():
    peer = [cycle("peer", 1, "ab", range(5, 14)), cycle("peer", 2, "bc", range(5, 16))]
    ours = [cycle("ours", 1, "abx", range(18)), cycle("ours", 2, "yr", range(2, 20))]
    return score("shop", "lines", REPLAY, peer, ours)


def test_errors_are_united_over_seeds_and_the_replay_counts_for_the_peer_alone():
    found = scored()
    assert found.peer_errors == len("abcr")
    assert found.ours_errors == len("abxyr")
    assert found.errors_ratio == pytest.approx(5 / 4)
    assert found.ceiling_errors == len("abcrxy")


def test_only_what_the_plain_replay_did_not_reach_is_gained():
    found = scored()
    assert [seed.gained for seed in found.peer] == [4, 6]
    assert [seed.gained for seed in found.ours] == [8, 10]
    assert found.reached_ratio == pytest.approx(9 / 5)
    assert (found.peer_gained, found.ours_gained, found.ceiling_gained) == (6, 10, 10)
    assert found.code_only_ours == {"a.py": (16, 17, 18, 19)}
    assert found.code_only_peer == {}


def test_what_only_one_side_found_is_told_apart():
    found = scored()
    assert [defect.signature for defect in found.only_peer] == ["c"]
    assert [defect.signature for defect in found.only_ours] == ["x", "y"]
    assert found.both == ("a", "b", "r")


def test_a_ratio_to_nothing_is_bounded():
    assert ratio(0, 0) == 1
    assert ratio(3, 0) == RATIO_MAX
    assert ratio(0, 3) == 0


def test_geometric_means():
    assert geometric_mean([2, 0.5]) == pytest.approx(1)
    assert geometric_mean([1.3, 1.3, 1.3]) == pytest.approx(1.3)
    assert geometric_mean([0, 5]) == 0


def test_goals_hold_only_where_every_service_does_its_part():
    figures = held({"shop": scored()})
    assert figures["reached_held"]
    assert figures["least_held"]
    assert not figures["errors_held"]


def test_the_table_and_the_differences_name_what_was_scored():
    found = scored()
    text = "\n".join([*table({"shop": found}), *differences(found)])
    assert "1.25" in text
    assert "1.80" in text
    assert "only Premortem: 2" in text
