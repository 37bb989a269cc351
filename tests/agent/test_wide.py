"""Questions that name an operation and nothing that could go wrong."""

import pytest

from premortem.agent.ask import propose
from premortem.agent.steps.bindings import Bindings
from premortem.agent.understanding.wide import WAYS_MAX, ways_meant
from premortem.config import Config, RoleConfig
from premortem.domain.proposal import Signal
from premortem.errors import InputError
from tests.agent.small import EXCHANGES, shop

ROLES = {"Buyer": RoleConfig(), "Packer": RoleConfig()}
VAGUE = "What if an order is placed with strange pieces?"


def ways(prompt, **more):
    return ways_meant(prompt, shop(), roles=tuple(ROLES), **more)


def asked(prompt):
    return propose(
        prompt, profile=shop(), exchanges=EXCHANGES, config=Config(roles=ROLES), bindings=Bindings()
    )


def test_the_edges_of_the_field_that_is_named_come_first():
    first, second, *_ = ways(VAGUE)
    assert {way.operation_ids for way in ways(VAGUE)} == {("POST /orders",)}
    assert (first.failure_mode, first.field, first.values) == (
        "boundary", "pieces", ("zero", "negative"),
    )  # fmt: skip
    assert (second.field, second.values) == ("pieces", ("too_large",))
    assert first.not_understood == ("strange",)


def test_without_a_field_the_likeliest_ways_come_each_once():
    found = ways("What about an order being placed?")
    modes = [way.failure_mode for way in found]
    assert 2 <= len(modes) == len(set(modes)) <= WAYS_MAX
    assert len({way.prompt for way in found}) == len(found)


@pytest.mark.parametrize(
    "prompt",
    [
        "colourless green ideas sleep furiously",
        "What if the moon falls onto my orders tomorrow at dawn without any warning?",
        "{order_id} %s ${HOME} [bold red] [/nothing]",
        "🦄🦄🦄",
    ],
)
def test_what_is_mostly_about_something_else_is_not_guessed_at(prompt):
    assert ways(prompt) == ()


def test_what_it_came_with_is_kept():
    signal = Signal(kind="prompt", trace_id="t-1", field_values=(("pieces", "3"),))
    assert {way.trace_id for way in ways(VAGUE, came_with=signal)} == {"t-1"}
    assert {way.given for way in ways(VAGUE, came_with=signal)} == {(("pieces", "3"),)}


def test_its_scenarios_say_what_was_asked_and_differ():
    understanding, scenarios = asked(VAGUE)
    assert understanding.prompt == VAGUE
    assert {scenario.origin.prompt for scenario in scenarios} == {VAGUE}
    assert len({scenario.trace_id for scenario in scenarios}) == 1
    assert len({scenario.title for scenario in scenarios}) == len(scenarios) >= 3


def test_a_scenario_that_could_not_be_run_here_is_not_shown():
    with pytest.raises(InputError, match="cannot be run here: unbound"):
        propose(
            "What if an order is placed twice?",
            profile=shop(),
            exchanges=EXCHANGES,
            config=Config(),
            bindings=Bindings(),
        )
