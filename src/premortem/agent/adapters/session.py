"""One scenario, run by somebody else's test runner: what behave, pytest-bdd and Reqnroll share.

The runner finds the steps and says when each is due; what they mean, and what holds, is the
engine's.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from msgspec import Struct

from premortem import config as configuration
from premortem.agent.steps import phrases
from premortem.agent.steps.bind import BoundStep, bind_line
from premortem.agent.steps.bindings import Bindings, load_bindings
from premortem.agent.steps.catalogue import match, text_of
from premortem.agent.steps.connection import client_factory
from premortem.agent.steps.engine import Engine, refuse_unsafe
from premortem.agent.steps.world import World
from premortem.config import Config
from premortem.domain.access import folded
from premortem.domain.scenario import Keyword, Step
from premortem.errors import ConfigError

T = TypeVar("T")


class Line(Struct, frozen=True, kw_only=True):
    """One line of a scenario, and where the steps it stands for are among all of them."""

    step: Step
    start: int
    bound: tuple[BoundStep, ...]


class Session:
    """One run of one scenario: its own loop, client and world."""

    def __init__(
        self,
        steps: Sequence[Step] | None,
        *,
        config: Config,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
        new_key: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        """Bring the target of CONFIG to a fresh state for the scenario with STEPS.

        STEPS have keywords other than And; those that are not ours are passed over. None: the
        runner does not tell them beforehand. Raises ConfigError and TargetError as the client does.
        """
        self._config = config
        self._bindings = load_bindings(config)
        self._next = 0
        self._lines: list[Line] = []
        start = 0
        for step in steps or ():
            if not is_ours(step.text, self._bindings):
                continue
            line = self._plain(step)
            bound = self._bind(line)
            self._lines.append(Line(step=line, start=start, bound=bound))
            start += len(bound)
        self._loop = asyncio.new_event_loop()
        self._opened = client_factory(config, environment=environment)()
        client = self._wait(self._opened.__aenter__())
        self._engine = Engine(
            client,
            steps=None if steps is None else [s for line in self._lines for s in line.bound],
            world=World(),
            bindings=self._bindings,
            clock=clock,
            new_key=new_key,
            environment=environment,
        )
        self._wait(client.reset())

    def perform(self, step: Step) -> None:
        """STEP, which is due. Raises AssertionError when it does not hold or cannot be done."""
        line = self._due(self._plain(step))
        for index, bound in enumerate(line.bound, start=line.start):
            if not self._config.target.disposable:
                target = self._config.target.base_url
                refuse_unsafe((bound,), self._bindings, target=target)
            result = self._wait(self._engine.perform(bound, index))
            if result.status != "passed":
                of = f" ({bound.step.text})" if bound.phrase else ""
                raise AssertionError(f"{result.status}: {result.detail}{of}")

    def close(self) -> None:
        """Switch back what was switched, and give back what was opened."""
        try:
            self._wait(self._engine.finish())
        finally:
            self._wait(self._opened.__aexit__(None, None, None))
            self._loop.close()

    def _due(self, step: Step) -> Line:
        """The line that STEP is; one that another step calls stands on its own."""
        for index in range(self._next, len(self._lines)):
            if self._lines[index].step == step:
                self._next = index + 1
                return self._lines[index]
        start = self._lines[self._next].start if self._next < len(self._lines) else -1
        return Line(step=step, start=start, bound=self._bind(step))

    def _plain(self, step: Step) -> Step:
        return msgspec.structs.replace(step, text=canonical(step.text, self._bindings))

    def _bind(self, step: Step) -> tuple[BoundStep, ...]:
        return bind_line(
            step, keyword=step.keyword, bindings=self._bindings, roles=self._config.roles
        )

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)


def is_ours(text: str, bindings: Bindings) -> bool:
    """Whether TEXT is a step of the catalogue or one of the target's phrases."""
    return match(text) is not None or phrases.find(text, bindings.phrases) is not None


def canonical(text: str, bindings: Bindings) -> str:
    """TEXT, a step of ours, with its arguments in double quotes, however it is written."""
    found = match(text)
    phrase = None if found else phrases.find(text, bindings.phrases)
    try:
        if found is not None:
            return text_of(found.entry.expression, found.arguments)
        return text_of(phrase.text, phrase.arguments) if phrase is not None else text
    except ValueError:
        return text  # nothing that we would write ourselves, but it can be read


def step_of(
    keyword: str, text: str, docstring: str | None, table: Sequence[Sequence[str]] | None
) -> Step:
    """A runner's step as ours; KEYWORD is given, when or then in any case."""
    known: Mapping[str, Keyword] = {"given": "Given", "when": "When", "then": "Then"}
    return Step(
        keyword=known[keyword.lower()],
        text=text,
        # behave's texts are a kind of str that the JSON decoder does not take.
        docstring=str(docstring or ""),
        table=tuple(tuple(str(cell) for cell in row) for row in table or ()),
    )


def configured() -> Config:
    """The configuration: PREMORTEM_CONFIG, or the nearest premortem.toml upwards.

    Raises ConfigError when there is none.
    """
    found = _config_path()
    if found is None:
        raise ConfigError(
            f"no {configuration.FILE_NAME} in {Path.cwd()} or above; run the tests below it, or "
            f"set PREMORTEM_CONFIG to its path"
        )
    return configuration.load(found)


def known_bindings() -> Bindings:
    """What the target's binding file says; nothing where no target is configured yet.

    Raises ConfigError when what is configured cannot be read.
    """
    return load_bindings(configured()) if _config_path() is not None else Bindings()


def _config_path() -> Path | None:
    named = os.environ.get("PREMORTEM_CONFIG")
    return Path(named) if named else configuration.find(Path.cwd())


def elsewhere(tags: Iterable[str], environment: Mapping[str, str] = os.environ) -> str:
    """Why a scenario with TAGS is none for here; empty: it is one.

    PREMORTEM_EDITION names the edition that the target runs in, where it is one for good. A
    scenario of another is then left out, unless the binding file can switch to it.
    """
    here = environment.get("PREMORTEM_EDITION", "").strip()
    wanted = [tag.partition(":")[2] for tag in tags if tag.startswith("edition:")]
    if not here or not wanted or folded(here) in map(folded, wanted):
        return ""
    if any(known_bindings().edition(name) is not None for name in wanted):
        return ""
    return f"it is for the edition {', '.join(wanted)}, and this is {here}"
