"""A project that has learned from the depot with nothing switched on, which goes on running."""

from __future__ import annotations

import random
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from tests.jwt_service.recording import Recorder
from tests.pipeline.conftest import Project
from tests.services import free_port, running
from tests.shared import ROOT

CONFIG = """
[target]
base_url = "{base}"
disposable = true
ready = "/health"
spec = "openapi.json"
rate_per_second_max = 400.0
[target.reset]
request = "POST /_test/reset"
"""
VISITS = 45


@contextmanager
def depot(directory: Path) -> Iterator[Project]:
    """A project in DIRECTORY, learned from visits to the correct depot."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    (directory / "premortem.toml").write_text(CONFIG.format(base=base))
    command = [sys.executable, "-m", "tests.depot_service", "--port", str(port)]
    with running(command, cwd=ROOT, ready=f"{base}/health"):
        document = urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read()
        (directory / "openapi.json").write_bytes(document)
        recorder, chance = Recorder(base), random.Random(5)
        for number in range(VISITS):
            _money(recorder, chance, number)
            _goods(recorder, chance, number)
        recorder.write(directory / "production.har")
        made = Project(directory=directory, base=base)
        with made.opened() as store:
            capture([directory / "production.har"], config=made.config, store=store)
            learn(config=made.config, store=store)
        yield made


def _money(recorder: Recorder, chance: random.Random, number: int) -> None:
    names = [f"{who} {number}" for who in ("ann", "bob")]
    one, other = (recorder.ask("POST", "/wallets", {"owner": n})[1]["id"] for n in names)
    for _ in range(2):
        amount = round(chance.uniform(20, 140), 2)
        recorder.ask("POST", f"/wallets/{one}/top-ups", {"amount": amount})
        recorder.ask("GET", f"/wallets/{one}")
        if chance.random() < 0.5:
            recorder.ask("GET", "/totals")
    for amount in (round(chance.uniform(2, 15), 2), round(chance.uniform(2, 15), 2), 900.0):
        if chance.random() < 0.8:
            move = {"source_wallet": one, "target_wallet": other, "amount": amount}
            recorder.ask("POST", "/moves", move)
            for wallet in chance.sample([one, other], 2):
                recorder.ask("GET", f"/wallets/{wallet}")
    recorder.ask("GET", "/totals")


def _goods(recorder: Recorder, chance: random.Random, number: int) -> None:
    _, article = recorder.ask("POST", "/articles", {"title": f"box {number}"})
    path = f"/articles/{article['id']}"
    for _ in range(2):
        recorder.ask("POST", f"{path}/deliveries", {"quantity": chance.randint(20, 45)})
        recorder.ask("GET", path)
        recorder.ask("POST", f"{path}/reservations", {"quantity": chance.randint(2, 15)})
        if chance.random() < 0.7:
            recorder.ask("GET", path)
    if chance.random() < 0.5:
        recorder.ask("POST", f"{path}/reservations", {"quantity": 800})
        recorder.ask("GET", path)
