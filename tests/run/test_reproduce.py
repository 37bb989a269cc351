from __future__ import annotations

from premortem.domain.run import Sequence
from premortem.run.reproduce import RACE_TRIES, suffices, tries_for
from tests.send.cases import case, get

SEQUENCE = Sequence(cases=(case(get("/setup")), case(get("/fails"))))


def test_a_race_is_tried_more_often_and_once_is_enough():
    alone, group = (
        SEQUENCE,
        Sequence(cases=(case(get("/a"), together=1), case(get("/b"), together=1))),
    )
    assert [tries_for(s, 2) for s in (alone, group)] == [2, RACE_TRIES]
    assert tries_for(group, 0) == 0
    assert suffices(group, 1, RACE_TRIES)
    assert not suffices(group, 0, RACE_TRIES)
    assert suffices(alone, 2, 2)
    assert not suffices(alone, 1, 2)
