import re
from typing import get_args

import pytest

from premortem.agent.modes.mode import NAMES, pattern_of
from premortem.agent.understanding.failure_modes import (
    FAILURE_MODES,
    mode_named,
    mode_words,
    modes_in,
    weights,
)
from premortem.domain.proposal import FailureModeName

PEOPLE_SAY = {
    "duplicate": ["clicks the button twice", "with the same name as an existing one"],
    "boundary": ["a name of five thousand characters", "one cent more than a million"],
    "missing_value": ["leaves the reason blank", "without a name", "forgets to give the date"],
    "wrong_type": ["letters instead of a number", "the body is broken JSON", "isn't even a date"],
    "unknown_value": ["a currency that we don't support", "with an unknown status"],
    "unit_switch": ["paid in dollars instead of euros", "the currency changes in between"],
    "forbidden_role": ["without permission", "somebody unauthorized", "an auth scenario"],
    "invalid_token": ["with an expired token", "after signing out", "mistypes his password"],
    "others_data": ["somebody else's invoice", "a project of another team"],
    "unknown_reference": ["an order that does not exist", "a customer who was deleted"],
    "forbidden_transition": ["after it was approved", "while the invoice is locked"],
    "wrong_order": ["before anyone has approved it", "skips the approval"],
    "stale_change": ["with an outdated version", "with the etag from yesterday"],
    "concurrent_change": ["at the very same moment", "two people simultaneously"],
    "retry_after_timeout": ["the answer never arrived, so sent again", "times out and is retried"],
    "over_total": ["60 and later another 60", "more than was paid", "which add up to more"],
    "pagination_edge": ["a page beyond the last one", "a made-up cursor"],
    "time_edge": ["on the 29th of February", "a date in the past", "a due date of 31 November"],
    "injection": ["a script tag in the name", "'; DROP TABLE users", "SQL in the filter"],
    "mass_assignment": ["brings its own id along", "smuggles in a role"],
    "dependency_failure": ["while the bank is down", "the provider answers with 503"],
}


def test_the_catalogue_has_every_failure_mode_once():
    assert sorted(mode.name for mode in FAILURE_MODES) == sorted(get_args(FailureModeName))


@pytest.mark.parametrize("mode", FAILURE_MODES, ids=lambda mode: mode.name)
def test_every_mode_says_what_it_needs_plans_and_expects(mode):
    assert all((mode.meaning, mode.needs, mode.examples, mode.expectation, mode.outcomes))
    assert len(mode.plan) >= 3
    assert set(mode.refines) < set(get_args(FailureModeName)) - {mode.name}
    for cue in mode.cues:
        re.compile(cue.pattern)


@pytest.mark.parametrize(("mode", "said"), [(m, s) for m, all_ in PEOPLE_SAY.items() for s in all_])
def test_people_s_words_for_a_mode_name_it_before_any_other(mode, said):
    assert modes_in(said)[:1] == (mode,) or weights(said)[mode] >= max(weights(said).values())


def test_contractions_are_read_as_two_words():
    for said in ("a currency that we don't support", "a status that isn't on the list"):
        assert "unknown_value" in modes_in(said)
    assert modes_in("dont write anything in it") == ("missing_value",)


def test_the_words_of_a_mode_are_those_that_name_it():
    assert mode_words("a refund is issued twice", "duplicate") == {"twice"}
    assert mode_words("the amount is negative", "boundary") == {"negative"}


def test_a_phrase_may_hold_up_to_four_words_and_any_ending():
    pattern = re.compile(pattern_of("loses .. connection\ntim~ out"))
    assert pattern.search("he loses the mobile connection")
    assert pattern.search("timing out")
    assert not pattern.search("loses one two three four five connection")


def test_a_phrase_goes_on_after_a_backslash():
    assert re.fullmatch(pattern_of("first|\\\n    second"), "second")


def test_the_clearest_cue_decides():
    assert weights("sent twice at the same moment")["concurrent_change"] >= NAMES
    assert mode_named("concurrent_change").refines[0] == "duplicate"
