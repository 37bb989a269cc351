"""A project that has learned from the service with no hole open, which goes on running."""

from __future__ import annotations

import os
import random
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from tests.jwt_service.recording import Recorder
from tests.leaky_service.service import GUESSES_MAX, KEYS, PASSWORDS
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
[security]
attempts_max = {guesses}
burst_max = 14
[roles.ann]
bearer = "${{LEAKY_KEY_ANN}}"
[roles.bob]
bearer = "${{LEAKY_KEY_BOB}}"
[roles.root]
bearer = "${{LEAKY_KEY_ROOT}}"
"""
VISITS = 30


@contextmanager
def leaky(directory: Path) -> Iterator[Project]:
    """A project in DIRECTORY, learned from visits to the service with no hole open."""
    os.environ.update({f"LEAKY_KEY_{name.upper()}": key for key, name in KEYS.items()})
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    (directory / "premortem.toml").write_text(CONFIG.format(base=base, guesses=GUESSES_MAX))
    command = [sys.executable, "-m", "tests.leaky_service", "--port", str(port)]
    with running(command, cwd=ROOT, ready=f"{base}/health"):
        document = urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read()
        (directory / "openapi.json").write_bytes(document)
        recorder, chance = Recorder(base), random.Random(3)
        for number in range(VISITS):
            _visit(recorder, chance, list(KEYS)[number % len(KEYS)], number)
        recorder.write(directory / "production.har")
        made = Project(directory=directory, base=base)
        with made.opened() as store:
            capture([directory / "production.har"], config=made.config, store=store)
            learn(config=made.config, store=store)
        yield made


def _visit(recorder: Recorder, chance: random.Random, key: str, number: int) -> None:
    title = f"{chance.choice(['shopping', 'garden', 'travel'])} {chance.randint(10, 99)}"
    _, note = recorder.ask("POST", "/notes", {"title": title}, token=key)
    recorder.ask("GET", "/notes", token=key)
    recorder.ask("GET", f"/notes/{note['id']}", token=key)
    recorder.ask("GET", f"/search?q={title.replace(' ', '%20')}", token=key)
    recorder.ask("GET", f"/greeting?name={KEYS[key]}", token=key)
    recorder.ask("GET", "/files/terms.txt", token=key)
    recorder.ask("POST", "/hooks", {"url": "http://127.0.0.1/hook"}, token=key)
    status, user = recorder.ask("POST", "/users", {"name": f"user {number}"}, token=key)
    if status == 201:
        recorder.ask("GET", f"/users/{user['id']}", token=key)
        for other in KEYS:
            recorder.ask("POST", f"/users/{user['id']}/promote", token=other)
        recorder.ask("GET", f"/users/{user['id']}", token=key)
    if number < 5:
        recorder.ask("GET", "/quota", token=key)
    if not number % 3:
        recorder.ask("DELETE", f"/notes/{note['id']}", token=key)
    if not number % 4:
        recorder.ask("GET", "/notes")
    name = KEYS[key]
    recorder.ask("POST", "/login", {"user": name, "password": PASSWORDS[name]})
