from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from premortem import config as configuration
from premortem.capture import CaptureCounts, capture_har
from premortem.config import Config
from premortem.domain.traffic import Exchange, Profile
from premortem.learn import learn_profile, load_spec
from tests.services import PASSWORDS, ledger
from tests.shared import ROOT

REQUESTS = 700
KEY = b"agent tests key ".ljust(32, b"-")


class Ledger:
    """The running sample service, what was recorded of it, and what was learned."""

    def __init__(self, base: str, folder: Path) -> None:
        self.base = base
        self.spec = folder / "openapi.json"
        with urllib.request.urlopen(f"{base}/openapi.json") as answer:
            self.spec.write_bytes(answer.read())
        recording = folder / "production.har.gz"
        subprocess.run(
            [
                *(sys.executable, "-m", "ledger.client", "--base", base),
                *("--requests", str(REQUESTS), "--har", str(recording)),
            ],
            cwd=ROOT / "examples" / "ledger",
            check=True,
            capture_output=True,
        )
        written = (ROOT / "examples" / "ledger" / "premortem.toml").read_text()
        (folder / "premortem.toml").write_text(written)
        config = configuration.load(folder / "premortem.toml")
        target = msgspec.structs.replace(config.target, base_url=base)
        self.config: Config = msgspec.structs.replace(config, target=target)
        self.exchanges: dict[str, Exchange] = {
            exchange.id: exchange
            for exchange in capture_har(
                recording,
                config=self.config,
                redaction_key=KEY,
                counts=CaptureCounts(),
                environment=PASSWORDS,
            )
        }
        self.profile: Profile = learn_profile(
            lambda: iter(self.exchanges.values()), spec=load_spec(self.spec), now=0.0
        )

    def post(self, path: str, body: object) -> None:
        request = urllib.request.Request(
            self.base + path,
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        urllib.request.urlopen(request).close()

    def reset(self) -> None:
        self.post("/_test/reset", {})

    def switch(self, *defects: str) -> None:
        """These defects on, all others off."""
        self.post("/_test/defects", {"on": list(defects)})


@pytest.fixture(scope="session")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with ledger() as base:
        yield Ledger(base, tmp_path_factory.mktemp("books"))


@pytest.fixture(scope="session")
def ledger_spec(books: Ledger) -> Path:
    return books.spec
