"""The step catalogue for behave: one step definition per expression, over the same engine.

    # features/steps/premortem_steps.py
    from premortem.agent.adapters.behave import *

The configuration is PREMORTEM_CONFIG, or the nearest premortem.toml upwards. The target is
brought back to a fresh state before each scenario's first step of ours; that works without any
hook in environment.py.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from behave import given, then, use_step_matcher, when
from behave.cucumber_expression import use_step_matcher_for_cucumber_expressions

from premortem import config as configuration
from premortem.agent.bind import bind_match
from premortem.agent.bindings import load_bindings
from premortem.agent.catalogue import CATALOGUE, CatalogueStep, StepMatch
from premortem.agent.catalogue import match as match_step
from premortem.agent.connection import client_factory
from premortem.agent.engine import Engine, refuse_unsafe
from premortem.agent.world import World
from premortem.config import Config
from premortem.domain.scenario import Keyword, Step
from premortem.errors import ConfigError

__all__ = ["before_scenario"]

_SESSION = "_premortem"


class Session:
    """One scenario's run: its own loop, client and world."""

    def __init__(self, scenario: Any, config: Config) -> None:
        self.scenario = scenario
        self._config = config
        self._bindings = load_bindings(config)
        self._loop = asyncio.new_event_loop()
        self._opened = client_factory(config, environment=os.environ)()
        client = self._loop.run_until_complete(self._opened.__aenter__())
        keyed = any(_name(step.name) == "repeat_key" for step in scenario.all_steps)
        self._engine = Engine(
            client,
            world=World(),
            bindings=self._bindings,
            clock=time.time,
            new_key=(lambda: str(uuid4())) if keyed else None,
        )
        self._loop.run_until_complete(client.reset())

    def perform(self, found: StepMatch, docstring: str, keyword: Keyword) -> None:
        """One step. Raises AssertionError when it does not hold."""
        step = Step(keyword=keyword, text=found.entry.expression, docstring=docstring)
        bound = bind_match(
            step, found, keyword=keyword, bindings=self._bindings, roles=self._config.roles
        )
        if not self._config.target.disposable:
            refuse_unsafe((bound,), self._bindings, target=self._config.target.base_url)
        result = self._loop.run_until_complete(self._engine.perform(bound))
        if result.status != "passed":
            raise AssertionError(f"{result.status}: {result.detail}")

    def close(self) -> None:
        """Give back what was opened."""
        self._loop.run_until_complete(self._opened.__aexit__(None, None, None))
        self._loop.close()


def before_scenario(context: Any, scenario: Any) -> None:
    """behave's hook: a fresh state before SCENARIO, where it has steps of ours."""
    if any(_name(step.name) for step in scenario.all_steps):
        _session(context, scenario)


def _session(context: Any, scenario: Any) -> Session:
    found = getattr(context, _SESSION, None)
    if found is not None and found.scenario is scenario:
        return found  # type: ignore[no-any-return]
    session = Session(scenario, configuration.load(_config_path()))
    setattr(context, _SESSION, session)
    context.add_cleanup(session.close)
    return session


def _config_path() -> Path:
    named = os.environ.get("PREMORTEM_CONFIG")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / configuration.FILE_NAME).is_file():
            return folder / configuration.FILE_NAME
    raise ConfigError(
        f"no {configuration.FILE_NAME} in {here} or above; run behave below it, or set "
        f"PREMORTEM_CONFIG to its path"
    )


def _name(text: str) -> str:
    found = match_step(text)
    return found.entry.name if found else ""


def _register(entry: CatalogueStep, keyword: Keyword, define: Any) -> None:
    def perform(context: Any, *arguments: Any) -> None:
        found = StepMatch(entry=entry, arguments=arguments)
        _session(context, context.scenario).perform(found, context.text or "", keyword)

    define(entry.expression)(perform)


use_step_matcher_for_cucumber_expressions()
for _entry in CATALOGUE:
    # Once per keyword: the engine has to know what is given, and behave does not say.
    for _keyword, _define in (("Given", given), ("When", when), ("Then", then)):
        _register(_entry, _keyword, _define)  # type: ignore[arg-type]
use_step_matcher("parse")
