"""One project learned from the correct ledger, for all tests of the whole road."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from premortem.config import Config, load
from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from premortem.store import Store, open_store
from tests.services import PASSWORDS, free_port, ledger
from tests.shared import ROOT

PRODUCTION_REQUESTS = 2_000


class Project(Struct, frozen=True, kw_only=True):
    """A folder with a configuration and a store, and a ledger that runs beside it."""

    directory: Path
    base: str

    @property
    def config(self) -> Config:
        return load(self.directory / "premortem.toml")

    def opened(self) -> Store:
        return open_store(self.config.store, self.directory)

    def switch(self, *defects: str) -> None:
        """Exactly DEFECTS on; none: the correct service."""
        request = urllib.request.Request(
            f"{self.base}/_test/defects",
            data=json.dumps({"on": list(defects)}).encode(),
            headers={"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def recorded(directory: Path, *, target: str = "") -> Iterator[Project]:
    """A project in DIRECTORY that has learned from the correct ledger, which goes on running.

    TARGET: lines of its `[target]` besides.
    """
    os.environ.update(PASSWORDS)
    port = free_port()
    text = (ROOT / "examples" / "ledger" / "premortem.toml").read_text()
    text = text.replace("[target]", f"[target]\n{target}", 1).replace(":8700", f":{port}")
    (directory / "premortem.toml").write_text(text)
    recording = directory / "production.har.gz"
    with ledger(port=port) as base:
        document = urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read()
        (directory / "openapi.json").write_bytes(document)
        client = [sys.executable, "-m", "ledger.client", "--base", base, "--seed", "7"]
        subprocess.run(
            [*client, "--requests", str(PRODUCTION_REQUESTS), "--har", str(recording)],
            cwd=ROOT / "examples" / "ledger",
            check=True,
            stdout=subprocess.DEVNULL,
        )
        made = Project(directory=directory, base=base)
        with made.opened() as store:
            capture([recording], config=made.config, store=store)
            learn(config=made.config, store=store)
        yield made


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with recorded(tmp_path_factory.mktemp("project")) as made:
        yield made
