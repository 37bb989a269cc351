"""The sample's project, learned from its OpenAPI document alone; each test gets a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from premortem import config as configuration
from premortem.pipeline.learning import learn
from premortem.pipeline.skills import open_room, skill_named
from premortem.pipeline.skills.skill import Performed, Room, perform
from premortem.store import open_store
from tests.shared import ROOT

Skilled = Callable[..., Performed]


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned") / "payments"
    shutil.copytree(ROOT / "examples" / "payments", folder)
    config = configuration.load(folder / "premortem.toml")
    with open_store(config.store, folder) as store:
        learn(config=config, store=store, clock=lambda: 0.0)
    return folder


@pytest.fixture
def payments(learned: Path, tmp_path: Path) -> Path:
    """A copy of the learned project."""
    folder = tmp_path / "payments"
    shutil.copytree(learned, folder)
    return folder


@pytest.fixture
def room(payments: Path) -> Iterator[Room]:
    config = configuration.load(payments / "premortem.toml")
    with open_room(config) as opened:
        yield msgspec.structs.replace(opened, clock=lambda: 1_000.0)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Room]:
    """A room without a store: skills that do not plan need none."""
    shutil.copytree(ROOT / "examples" / "payments", tmp_path / "bare")
    config = configuration.load(tmp_path / "bare" / "premortem.toml")
    with open_room(config) as opened:
        yield opened


@pytest.fixture
def skilled(room: Room) -> Skilled:
    """Performs a skill by its name, asked with keywords, twice: the same both times."""

    def perform_twice(name: str, /, **asked: object) -> object:
        request = msgspec.json.encode(asked)
        first = perform(skill_named(name), request, room)
        if not asked.get("write"):
            again = perform(skill_named(name), request, room)
            assert msgspec.json.encode(again.result) == msgspec.json.encode(first.result)
        assert first.span == f"testgen.{name}"
        return first.result

    return perform_twice
