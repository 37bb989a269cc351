"""Cases that start from recorded traffic are what they say, as independent validators see them.

Every adversarial case of `schema` breaks exactly the constraint that it names and nothing else;
every realistic one is valid. The certain ones of `mutate`, too. Judged by `tests/generate/proof`,
which shares nothing with the generator, against each service's own specification.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from premortem.config import load
from premortem.domain.traffic import Exchange, Profile
from premortem.generate.mutate import Mutator
from premortem.generate.sample import Sampler
from premortem.generate.schema import SchemaSource
from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from premortem.store import open_store
from tests.generate.proof import Prover
from tests.services import PASSWORDS, ledger
from tests.shared import ROOT, shared

pytestmark = pytest.mark.quality

PROJECT = """
[target]
base_url = "http://127.0.0.1:9"
spec = "{spec}"
[capture]
hosts = ["*"]
"""
PER_OPERATION = 120
"""Cases of one operation and source."""
PROVED_MIN = 1_000
UNJUDGED = (" unknown", "malformed")
"""What no schema says."""


def of_ledger(directory: Path) -> tuple[Path, Path]:
    """(specification, recording) of the sample service."""
    os.environ.update(PASSWORDS)
    spec, recording = directory / "openapi.json", directory / "production.har.gz"
    with ledger() as base:
        spec.write_bytes(urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read())
        client = [sys.executable, "-m", "ledger.client", "--base", base, "--seed", "7"]
        subprocess.run(
            [*client, "--requests", "2000", "--har", str(recording)],
            cwd=ROOT / "examples" / "ledger",
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return spec, recording


def learned(directory: Path, service: str) -> tuple[Profile, Mapping[str, Exchange]]:
    if service == "ledger":
        spec, recording = of_ledger(directory)
    else:
        spec = shared(f"targets/{service}/openapi.json.gz")
        recording = shared(f"targets/{service}/production.har.gz")
    (directory / "premortem.toml").write_text(PROJECT.format(spec=spec))
    config = load(directory / "premortem.toml")
    with open_store(config.store, directory) as store:
        capture([recording], config=config, store=store)
        learn(config=config, store=store)
        return store.profile(), {exchange.id: exchange for exchange in store.exchanges()}


@pytest.mark.parametrize("service", ["ledger", "kinto", "phoenix", "directus"])
def test_cases_from_recorded_traffic_break_exactly_what_they_say(service, tmp_path):
    profile, exchanges = learned(tmp_path, service)
    sampler = Sampler(profile, exchanges, 1)
    kinds: dict[str, Counter[str]] = {}
    wrong: Counter[str] = Counter()
    for source, made in (
        ("sample", sampler),
        ("schema", SchemaSource(profile, exchanges, 1, sampler=sampler)),
        ("mutate", Mutator(profile, exchanges, 1, sampler=sampler)),
    ):
        proved = kinds.setdefault(source, Counter())
        for operation in profile.operations:
            if operation.request_source != "spec" and operation.request_schema:
                continue  # what traffic shows is no constraint that anyone stated
            prover = Prover(operation)
            for case in made.cases(operation.id, PER_OPERATION):
                realistic = case.intent.kind == "realistic"
                judged = realistic or case.intent.certain
                if not judged or case.intent.breaks.endswith(UNJUDGED):
                    continue
                complaint = prover.complaint(case)
                if complaint:
                    wrong[f"{source} {operation.id} {case.intent.breaks}: {complaint}"[:300]] += 1
                proved["valid" if realistic else case.intent.breaks.rpartition(" ")[2]] += 1
    for source, found in kinds.items():
        print(f"\n{service} {source}: {sum(found.values())} proved, {dict(found.most_common())}")
    print(*(f"    {count} {what}" for what, count in wrong.most_common(20)), sep="\n")
    assert not wrong
    assert sum(sum(found.values()) for found in kinds.values()) >= PROVED_MIN
