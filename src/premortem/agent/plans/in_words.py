"""Plans that a question's own words ask for, whichever failure mode it was taken for."""

from __future__ import annotations

from collections.abc import Iterator

from premortem.agent.plans.fresh import is_of_something_new, nothing_yet
from premortem.agent.plans.ground import Ground, Plan
from premortem.agent.plans.owners import decided_by_maker, is_by_themselves
from premortem.agent.plans.sessions import after_its_end, is_of_ended_session
from premortem.domain.traffic import OperationProfile

_OF_ELSE = frozenset(
    {"invalid_token", "forbidden_role", "others_data", "unknown_value", "wrong_type", "injection"}
    | {"unit_switch"}
)
"""Failure modes in which `nothing` and `no` are said of something else than the thing."""


def plans_in_words(ground: Ground, operation: OperationProfile) -> Iterator[Plan]:
    """What the question asks of OPERATION besides what its failure mode does; mostly nothing."""
    if is_of_ended_session(ground, operation):
        yield after_its_end
    if is_by_themselves(ground, operation):
        yield decided_by_maker
    of_else = ground.understood.failure_mode in _OF_ELSE
    if is_of_something_new(ground, operation, surely=of_else):
        yield nothing_yet
