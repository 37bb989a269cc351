"""The service of the worked examples: the sample's code beside a document that has more of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from premortem import config as configuration
from premortem.agent.understanding.prompt_input import PromptContext, PromptInput, signal_of
from premortem.domain.proposal import Signal
from premortem.pipeline.augmenting import Augmented, Recipe, augment
from premortem.pipeline.learning import learn
from premortem.pipeline.skills import open_room
from premortem.pipeline.skills.skill import Room
from premortem.store import open_store
from tests.shared import ROOT


@pytest.fixture(scope="session")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("larger") / "payments"
    shutil.copytree(ROOT / "examples" / "payments", folder)
    shutil.copy(Path(__file__).with_name("payments.yaml"), folder / "openapi.yaml")
    config = configuration.load(folder / "premortem.toml")
    with open_store(config.store, folder) as store:
        learn(config=config, store=store, clock=lambda: 0.0)
    return folder


@pytest.fixture
def desk(larger: Path, tmp_path: Path) -> Iterator[Room]:
    """A room over a copy of it."""
    folder = tmp_path / "payments"
    shutil.copytree(larger, folder)
    with open_room(configuration.load(folder / "premortem.toml")) as room:
        yield msgspec.structs.replace(room, clock=lambda: 1_000.0)


@pytest.fixture
def augmented(desk: Room) -> Callable[..., Augmented]:
    """What a question, a note or a signal leads to, written."""

    def go(said: str | Signal, **context: object) -> Augmented:
        signal = said
        if isinstance(said, str):
            given = PromptInput(context=msgspec.convert(context, PromptContext))
            signal = signal_of(said, given)
        *_, end = augment(signal, room=desk, recipe=Recipe(write=True))
        return end

    return go
