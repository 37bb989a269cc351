"""What the privacy gate counts: secrets that were planted, copies, and who was trained on."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from premortem.analyse.privacy import (
    EXPOSURE_MAX,
    Losses,
    Spoken,
    canary_guards,
    copy_guards,
    exposure,
    membership_guard,
)

REFERENCES = [40.0 + number % 20 for number in range(128)]
WRITTEN = [f'{{"note":"text {number}"}}' for number in range(30)]


def spoken(texts, *, who="training"):
    return [
        Spoken(operation_id="POST /notes", session=f"{who} {number}", text=json.dumps(text))
        for number, text in enumerate(texts)
    ]


def notes(word: str, count: int = 40):
    return [{"note": f"{word} {sha256(f'{word}{n}'.encode()).hexdigest()}"} for n in range(count)]


def test_a_canary_in_the_middle_is_not_exposed_and_one_below_all_others_is():
    assert exposure(49.0, REFERENCES) < 2
    assert exposure(40.0, REFERENCES) < 5
    assert exposure(1.0, REFERENCES) > EXPOSURE_MAX
    assert exposure(-1e6, REFERENCES) > 100


def test_a_canary_that_never_varied_is_ranked_only():
    assert exposure(3.0, [3.0] * 7) == 0.0
    assert exposure(2.0, [3.0] * 7) == pytest.approx(3.0)


def test_a_planted_secret_that_comes_out_fails_and_one_that_is_likely_too():
    came, likely = canary_guards(["abcdefghij"], WRITTEN, [45.0], REFERENCES)
    assert (came.passed, likely.passed) == (True, True)
    told = [*WRITTEN, '{"note":"abcdefghij"}']
    came, likely = canary_guards(["abcdefghij"], told, [5.0], REFERENCES)
    assert (came.passed, came.found) == (False, 1)
    assert not likely.passed
    assert "1 of 1 planted secrets came out in 31 answers" in came.says


def test_a_gate_that_saw_too_little_is_not_passed():
    came, _ = canary_guards(["abcdefghij"], WRITTEN[:5], [45.0], REFERENCES)
    assert not came.passed
    assert "20 are needed" in came.says
    copied, overlap = copy_guards(spoken([]), spoken(notes("a")), spoken(notes("b")))
    assert not copied.passed
    assert not overlap.passed
    assert not membership_guard([], []).passed


def test_values_of_one_session_that_come_again_fail_and_new_ones_pass():
    training, others = spoken(notes("lamp")), spoken(notes("chair"), who="other")
    copied, overlap = copy_guards(spoken(notes("lamp"), who="made"), training, others)
    assert (copied.found, copied.passed) == (1.0, False)
    assert not overlap.passed
    assert "100.0% of 40 values at 1 free places" in copied.says
    copied, overlap = copy_guards(spoken(notes("table"), who="made"), training, others)
    assert (copied.found, copied.passed, overlap.passed) == (0.0, True, True)


def test_what_comes_again_among_others_by_chance_as_often_is_no_copy():
    training = spoken([{"amount": number} for number in range(40)])
    again = [{"amount": number} for number in range(0, 80, 2)]
    copied, _ = copy_guards(spoken(again, who="made"), training, spoken(again, who="other"))
    assert copied.found == pytest.approx(0.5)
    assert copied.passed


def test_membership_is_told_by_either_attack_within_an_operation_only():
    def side(tuned, base=9.0, operation="POST /notes"):
        return [Losses(operation_id=operation, tuned=tuned + n / 100, base=base) for n in range(30)]

    assert membership_guard(side(5.0), side(5.0)).passed
    assert not membership_guard(side(3.0), side(5.0)).passed
    # Harder answers, learned by heart: only beside the base model do they stand out.
    assert not membership_guard(side(7.0, base=12.0), side(5.0, base=6.0)).passed
    other = membership_guard(side(3.0), side(5.0, operation="POST /others"))
    assert other.found == 0.5
