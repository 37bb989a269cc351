"""One recorded, learned project for all tests of a worker; each test gets a copy of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.console import premortem
from tests.services import PASSWORDS, ledger
from tests.shared import ROOT

REQUESTS = 400
LEDGER = ROOT / "examples" / "ledger"
QUICK = "[target]\nready_timeout_s = 1.0"
"""A target that is gone is given up soon."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder with premortem.toml, a recording, a specification and a store."""

    folder: Path
    base: str
    """Where its target listens."""

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder / "premortem.toml"

    def configure(self, old: str, new: str) -> None:
        """Replace OLD, which has to be there, by NEW in the configuration."""
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def counts(self) -> tuple[int, int]:
        """Exchanges and operations in the store: what no failure may change."""
        exchanges = premortem("traffic", "--json", "--config", self.config).json["total"]
        profile = premortem("profile", "--json", "--config", self.config)
        return exchanges, len(profile.json["operations"]) if profile.code == 0 else 0


@pytest.fixture(scope="session")
def target() -> Iterator[str]:
    """The ledger, without defects at first."""
    with ledger() as base:
        yield base


@pytest.fixture(scope="session")
def recorded(target: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Recorded, captured and learned; nobody writes into this one."""
    folder = tmp_path_factory.mktemp("recorded")
    project = Project(folder=folder, base=target)
    sample = (LEDGER / "premortem.toml").read_text()
    project.config.write_text(sample.replace(":8700", f":{urlsplit(target).port}"))
    project.configure("[target]", QUICK)
    document = urllib.request.urlopen(f"{target}/openapi.json", timeout=10).read()
    (folder / "openapi.json").write_bytes(document)
    client = [sys.executable, "-m", "ledger.client", "--base", target, "--seed", "7"]
    recording = ["--requests", str(REQUESTS), "--har", str(folder / "production.har.gz")]
    subprocess.run(
        [*client, *recording],
        cwd=LEDGER,
        env={**os.environ, **PASSWORDS},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    place = ["--config", str(project.config)]
    for command in (["capture", "har", str(folder / "production.har.gz")], ["learn"]):
        ran = premortem(*command, *place)
        assert ran.code == 0, ran
    return project


@pytest.fixture(autouse=True)
def roles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The roles' passwords, as a user would export them."""
    for name, value in PASSWORDS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def project(recorded: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the recorded project, entered."""
    return copied(recorded, tmp_path / "project", monkeypatch)


def copied(original: Project, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of ORIGINAL in FOLDER, entered."""
    shutil.copytree(original.folder, folder)
    monkeypatch.chdir(folder)
    return Project(folder=folder, base=original.base)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, entered."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def switch(base: str, *ids: str) -> None:
    """Exactly the defects IDS of the ledger at BASE are on from now on."""
    body = json.dumps({"on": ids}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/_test/defects", data=body, headers=headers)
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture
def defects(target: str) -> Iterator[Callable[..., None]]:
    """Switches exactly the given defects of the target on; off again afterwards."""
    yield partial(switch, target)
    switch(target)


@pytest.fixture
def small_plan(project: Project) -> Path:
    """plan.toml: 150 requests in half a second."""
    return build_small_plan(project)


def build_small_plan(project: Project) -> Path:
    """150 requests in half a second, for PROJECT."""
    path = project.folder / "plan.toml"
    numbers = ["--rate", "300/s", "--duration", "0.5s", "--dynamic", "40%"]
    built = premortem("plan", "build", *numbers, "--out", path, "--config", project.config)
    assert built.code == 0, built
    return path
