"""The step catalogue for pytest-bdd, over the same engine.

    # conftest.py
    from premortem.agent.adapters.pytest_bdd import *

    # test_features.py
    from pytest_bdd import scenarios
    scenarios("features")

The configuration is PREMORTEM_CONFIG, or the nearest premortem.toml upwards; the phrases of the
binding file beside it are steps, too. The target is brought back to a fresh state before each
scenario. Tags become markers that need no registration: `@regression` is
`pytest -m regression`, `@edition:lite` is `pytest -m "edition(value='lite')"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_bdd import given, then, when
from pytest_bdd.parsers import StepParser

from premortem.agent.adapters.session import (
    Session,
    configured,
    elsewhere,
    is_ours,
    known_bindings,
    step_of,
)
from premortem.agent.steps.bindings import Bindings

_SCENARIO = pytest.StashKey[Any]()
_WORD = re.compile(r"[A-Za-z]\w*")


class _Ours(StepParser):
    """Every step of the catalogue, and every phrase: what they mean is the engine's to say."""

    def __init__(self) -> None:
        super().__init__("premortem")
        self._bindings: Bindings | None = None

    def is_matching(self, name: str) -> bool:
        """Whether NAME is a step of ours."""
        if self._bindings is None:
            self._bindings = known_bindings()
        return is_ours(name, self._bindings)

    def parse_arguments(self, name: str) -> dict[str, Any]:
        """The whole text: the engine reads the arguments in it."""
        return {"premortem_text": name}


@pytest.fixture
def premortem_session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The run of the scenario that asks for it, from a fresh state of the target."""
    scenario = request.node.stash[_SCENARIO]
    steps = [step_of(s.type, s.name, s.docstring, _rows(s.datatable)) for s in scenario.steps]
    session = Session(steps, config=configured())
    try:
        yield session
    finally:
        session.close()


def pytest_bdd_before_scenario(request: pytest.FixtureRequest, scenario: Any) -> None:
    """Keep which SCENARIO it is: its steps decide what is watched while it runs. One that is for
    another edition is skipped."""
    reason = elsewhere((*scenario.tags, *scenario.feature.tags))
    if reason:
        pytest.skip(reason)
    request.node.stash[_SCENARIO] = scenario


def pytest_bdd_apply_tag(tag: str, function: Any) -> bool | None:
    """A scenario's TAG as a marker; one with a colon becomes a marker with a value."""
    name, colon, value = tag.partition(":")
    marker = re.sub(r"\W", "_", name)
    if _CONFIG is None or _WORD.fullmatch(marker) is None:
        return None
    _CONFIG.addinivalue_line("markers", f"{marker}: a tag of scenarios")
    mark = getattr(pytest.mark, marker)
    (mark(value=value) if colon else mark)(function)
    return True


_CONFIG: pytest.Config | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Keep CONFIG: tags are registered there as they are met."""
    global _CONFIG
    _CONFIG = config


def _rows(table: Any) -> list[list[str]]:
    return [] if table is None else [list(row) for row in table.raw()]


def _perform(keyword: str) -> Any:
    def perform(
        premortem_session: Session,
        premortem_text: str,
        docstring: str = "",
        datatable: Any = (),
    ) -> None:
        premortem_session.perform(step_of(keyword, premortem_text, docstring, datatable))

    return perform


for _keyword, _define in (("given", given), ("when", when), ("then", then)):
    _define(_Ours())(_perform(_keyword))

__all__ = [
    "premortem_session",
    "pytest_bdd_apply_tag",
    "pytest_bdd_before_scenario",
    "pytest_configure",
    *(name for name in dict(globals()) if name.startswith("pytestbdd_")),
]
