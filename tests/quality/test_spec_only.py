"""Scenarios planned from the ledger's document alone: none is a false finding on a correct ledger.

Every operation with every failure mode of values and credentials, each scenario run once.
"""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from premortem import config as configuration
from premortem.agent.planning.planner import plan_scenarios
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.connection import client_factory
from premortem.agent.steps.engine import run_scenario
from premortem.config import Config
from premortem.domain.proposal import FailureModeName
from premortem.domain.scenario import UNCERTAIN, Scenario, StepResult, Understanding
from premortem.domain.traffic import Profile
from premortem.errors import InputError
from premortem.learn import learn_profile, load_spec
from tests.services import PASSWORDS, ledger
from tests.shared import ROOT

pytestmark = pytest.mark.quality

QUESTIONS: dict[FailureModeName, tuple[str, ...]] = {
    "boundary": ("the number is too high", "too low", "an amount with three decimals"),
    "missing_value": ("it is left out", "it is null"),
    "wrong_type": ("of the wrong type",),
    "unknown_value": ("an unknown status",),
    "unit_switch": ("in another currency",),
    "pagination_edge": ("a page behind the last", "a page size too big", "an unknown cursor"),
    "time_edge": ("on the 30th of February", "in the past", "in the future"),
    "injection": ("an sql injection", "a script tag"),
    "mass_assignment": ("a client sets its own id", "a client sets the status"),
    "invalid_token": ("an invalid token",),
    "forbidden_role": ("somebody who may not",),
}
GREEN_MIN = 0.9
"""Share of the scenarios that hold on a correct service: measured 0.98."""


class Target:
    """A running ledger of which only the document is known."""

    def __init__(self, base: str, folder: Path) -> None:
        self.base = base
        document = folder / "openapi.json"
        with urllib.request.urlopen(f"{base}/openapi.json") as answer:
            document.write_bytes(answer.read())
        self.profile: Profile = learn_profile(lambda: iter(()), spec=load_spec(document), now=0.0)
        config = configuration.load(ROOT / "examples" / "ledger" / "premortem.toml")
        target = msgspec.structs.replace(config.target, base_url=base)
        self.config: Config = msgspec.structs.replace(config, target=target)

    def reset(self) -> None:
        request = urllib.request.Request(f"{self.base}/_test/reset", data=b"{}", method="POST")
        request.add_header("content-type", "application/json")
        urllib.request.urlopen(request).close()

    def run(self, scenario: Scenario) -> tuple[StepResult, ...]:
        self.reset()
        return run_scenario(
            scenario,
            client_factory=client_factory(self.config, environment=PASSWORDS),
            bindings=Bindings(),
            roles=self.config.roles,
            clock=lambda: 0.0,
        )


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with ledger() as base:
        yield Target(base, tmp_path_factory.mktemp("document"))


def scenarios(target: Target, mode: FailureModeName) -> Iterator[Scenario]:
    for operation in target.profile.operations:
        for prompt in QUESTIONS[mode]:
            meant = Understanding(prompt=prompt, failure_mode=mode, operation_ids=(operation.id,))
            try:
                yield from plan_scenarios(
                    meant, profile=target.profile, exchanges={}, roles=tuple(target.config.roles)
                )
            except InputError:
                continue  # the operation has no such value


@pytest.mark.parametrize("mode", QUESTIONS)
def test_a_correct_ledger_has_no_finding(target: Target, mode: FailureModeName) -> None:
    counts: Counter[str] = Counter()
    findings: list[str] = []
    for scenario in {s.id: s for s in scenarios(target, mode)}.values():
        stopped = next((r for r in target.run(scenario) if r.status != "passed"), None)
        counts[stopped.status if stopped else "passed"] += 1
        if stopped is not None and stopped.status == "failed" and UNCERTAIN not in scenario.tags:
            findings.append(f"{scenario.operation_id}: {scenario.title}: {stopped.detail}")
    print(json.dumps({mode: counts}))
    assert findings == []
    assert counts["passed"] >= GREEN_MIN * counts.total()
