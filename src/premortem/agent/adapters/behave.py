"""The step catalogue for behave: one step definition per expression, over the same engine.

    # features/steps/premortem_steps.py
    from premortem.agent.adapters.behave import *

The configuration is PREMORTEM_CONFIG, or the nearest premortem.toml upwards; the phrases of the
binding file beside it are steps, too. The target is brought back to a fresh state before each
scenario's first step of ours; that works without any hook in environment.py.
"""

from __future__ import annotations

from typing import Any

from behave import given, then, use_step_matcher, when
from behave.cucumber_expression import use_step_matcher_for_cucumber_expressions

from premortem.agent.adapters.session import (
    Session,
    configured,
    elsewhere,
    is_ours,
    known_bindings,
    step_of,
)
from premortem.agent.steps.catalogue import CATALOGUE, text_of

__all__ = ["before_scenario"]

_SESSION = "_premortem"


def before_scenario(context: Any, scenario: Any) -> None:
    """behave's hook: a fresh state before SCENARIO, where it has steps of ours; one that is for
    another edition is skipped."""
    reason = elsewhere(scenario.effective_tags)
    if reason:
        scenario.skip(reason)
        return
    bindings = known_bindings()
    if any(is_ours(step.name, bindings) for step in scenario.all_steps):
        _session(context, scenario)


def _session(context: Any, scenario: Any) -> Session:
    held = getattr(context, _SESSION, None)
    if held is not None and held[0] is scenario:
        session: Session = held[1]
        return session
    steps = [step_of(s.step_type, s.name, s.text, _rows(s.table)) for s in scenario.all_steps]
    session = Session(steps, config=configured())
    setattr(context, _SESSION, (scenario, session))
    context.add_cleanup(session.close)
    return session


def _rows(table: Any) -> list[list[str]]:
    if table is None:
        return []
    return [list(table.headings), *(list(row.cells) for row in table.rows)]


def _register(expression: str, keyword: str, define: Any) -> None:
    def perform(context: Any, *arguments: Any) -> None:
        step = step_of(keyword, text_of(expression, arguments), context.text, _rows(context.table))
        _session(context, context.scenario).perform(step)

    define(expression)(perform)


use_step_matcher_for_cucumber_expressions()
for _expression in (*(entry.expression for entry in CATALOGUE), *known_bindings().phrases):
    # Once per keyword: the engine has to know what is given, and behave does not say.
    for _keyword, _define in (("given", given), ("when", when), ("then", then)):
        _register(_expression, _keyword, _define)
use_step_matcher("parse")
