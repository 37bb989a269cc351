"""What our own run says of one mutant."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from benches.mutants.program import PROGRAM, mutated
from premortem.config import Config, load
from premortem.domain.goals import Goals
from premortem.domain.run import Finding, Plan
from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from premortem.pipeline.run import Reported, execute, prepare
from premortem.store import Store, open_store
from tests.services import PASSWORDS
from tests.shared import ROOT

RECORDED = 2_000
"""Requests of production that are learned from."""
RATE = 250.0


class Project:
    """A store learned from the correct ledger."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        os.environ.update(PASSWORDS)
        text = (ROOT / "examples" / "ledger" / "premortem.toml").read_text()
        (folder / "premortem.toml").write_text(text.replace(":8700", f":{port}"))
        recording = folder / "production.har.gz"
        with mutated(None, folder=folder, port=port) as base:
            document = urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read()
            (folder / "openapi.json").write_bytes(document)
            client = [sys.executable, "-m", "ledger.client", "--base", base, "--seed", "7"]
            subprocess.run(
                [*client, "--requests", str(RECORDED), "--har", str(recording)],
                cwd=PROGRAM.parent,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            with self.opened() as store:
                capture([recording], config=self.config, store=store)
                learn(config=self.config, store=store)

    @property
    def config(self) -> Config:
        return load(self.folder / "premortem.toml")

    def opened(self) -> Store:
        return open_store(self.config.store, self.folder)


def findings(project: Project, plan: Plan) -> tuple[Finding, ...]:
    """What a run of PLAN finds on the ledger that listens."""
    with project.opened() as store:
        prepared = prepare(plan, config=project.config, store=store)
        events = list(execute(prepared, config=project.config, store=store, stop=threading.Event()))
    reported = events[-1]
    assert isinstance(reported, Reported)
    return reported.findings


WAYS: Mapping[str, Mapping[str, object]] = {
    "ours": {},
    "ours without mutation": {"sources": {"sample": 55, "schema": 45}},
    "ours without sequences": {"sequences": False},
    "ours with goals": {"goals": Goals(coverage=True)},
}
"""Keys of the plan by which a run differs from the whole."""


def plan_of(requests: int, seed: int, options: Mapping[str, object]) -> Plan:
    """REQUESTS as fast as the ledger is to be asked; OPTIONS: further keys of the plan."""
    seconds = requests / RATE + 60
    return Plan(
        rate_per_second=RATE,
        duration_s=seconds,
        requests_max=requests,
        seed=seed,
        **options,  # type: ignore[arg-type]
    )
