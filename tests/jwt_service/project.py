"""A project that has learned from the correct service, which goes on running."""

from __future__ import annotations

import os
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from premortem.domain.run import Finding, Plan
from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from premortem.pipeline.reporting import replay_findings
from premortem.pipeline.run import Reported, execute, prepare
from premortem.pipeline.securing import secured
from tests.jwt_service.recording import record
from tests.jwt_service.service import PASSWORDS
from tests.jwt_service.tokens import new_key
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
[tokens]
key = "${{NOTES_KEY}}"
"""
ROLE = """
[roles.{role}.login]
request = "POST /login"
json = {{ username = "{name}", password = "${{NOTES_PASSWORD_{upper}}}" }}
token = "/access_token"
"""
ROLES = {"member": "ann", "stranger": "bob", "admin": "root"}


@contextmanager
def notes(directory: Path) -> Iterator[Project]:
    """A project in DIRECTORY, learned from visits to the correct service."""
    key = new_key()
    os.environ["NOTES_KEY"] = key
    os.environ.update({f"NOTES_PASSWORD_{n.upper()}": word for n, word in PASSWORDS.items()})
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    roles = (ROLE.format(role=r, name=n, upper=n.upper()) for r, n in ROLES.items())
    (directory / "premortem.toml").write_text(CONFIG.format(base=base) + "".join(roles))
    command = [sys.executable, "-m", "tests.jwt_service", "--port", str(port)]
    with running(command, cwd=ROOT, ready=f"{base}/health", JWT_SERVICE_KEY=key):
        document = urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read()
        (directory / "openapi.json").write_bytes(document)
        record(base, directory / "production.har")
        made = Project(directory=directory, base=base)
        with made.opened() as store:
            capture([directory / "production.har"], config=made.config, store=store)
            learn(config=made.config, store=store)
        yield made


def run(project: Project, *, requests: int, operations: tuple[str, ...] = ()) -> Reported:
    """A plan for security of so many REQUESTS; OPERATIONS: these alone, if any are named."""
    plan = Plan(
        rate_per_second=300.0,
        duration_s=60.0,
        requests_max=requests,
        operations=operations,
        seed=1,
    )
    with project.opened() as store:
        prepared = prepare(secured(plan), config=project.config, store=store)
        events = list(
            execute(
                prepared,
                config=project.config,
                store=store,
                stop=threading.Event(),
                shorter=False,
            )
        )
    assert isinstance(events[-1], Reported)
    return events[-1]


def failing(project: Project, findings: tuple[Finding, ...], *defects: str) -> set[str]:
    """Ids of those of FINDINGS that fail again with exactly DEFECTS on."""
    project.switch(*defects)
    with project.opened() as store:
        again = replay_findings(list(findings), config=project.config, store=store)
    return {f.id for f, failed in zip(findings, again, strict=True) if failed}
