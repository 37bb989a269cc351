"""Questions as people ask them: does the first scenario mean what was asked?

The goals, written before the planner: operation, failure mode and outcome class of the first
scenario are all three right in 85 % of the development questions and in 80 % of those for the
end; every scenario that is shown binds; the first one is planned in two seconds.

The questions for the end are read only where PREMORTEM_PROMPTS_END says so: they are asked once.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from premortem.agent.ask import generate_feature_scenario
from premortem.agent.steps.bind import bind
from premortem.agent.steps.bindings import Bindings
from premortem.agent.understanding.index import Index
from premortem.agent.understanding.understand import understand
from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import InputError
from premortem.learn import learn_profile, load_spec
from tests.agent.conftest import Ledger
from tests.services import ledger
from tests.shared import shared

HERE = Path(__file__).parent
END = "PREMORTEM_PROMPTS_END"
RIGHT_MIN, RIGHT_MIN_END = 0.85, 0.80
RIGHT_MIN_SECOND = 0.70
"""Of questions that were asked once before anybody looked at them (docs/understanding.md)."""
FIRST_S_MAX = 2.0
"""Median time to the first scenario."""
DIMENSIONS = ("operation", "mode", "outcome")
ROLES = {
    "ledger": ("Guest", "Cashier", "SupportAgent", "Analyst", "FinanceManager", "CFO"),
    "kinto": ("alice", "bob", "carol"),
    "phoenix": ("admin", "member", "viewer"),
}

pytestmark = pytest.mark.quality


@pytest.fixture(scope="module")
def services(tmp_path_factory) -> dict[str, tuple[Profile, dict[str, Exchange]]]:
    found = {service: recorded(service) for service in ("kinto", "phoenix")}
    with ledger() as base:
        books = Ledger(base, tmp_path_factory.mktemp("books"))
        found["ledger"] = (books.profile, books.exchanges)
    return found


def recorded(service: str) -> tuple[Profile, dict[str, Exchange]]:
    exchanges = {
        exchange.id: exchange
        for exchange in capture_har(
            shared(f"targets/{service}/production.har.gz"),
            config=Config(capture=CaptureConfig(hosts=("*",))),
            redaction_key=b"k" * 32,
            counts=CaptureCounts(),
        )
    }
    spec = load_spec(shared(f"targets/{service}/openapi.json.gz"))
    return learn_profile(lambda: iter(exchanges.values()), spec=spec, now=0.0), exchanges


class Asked:
    """What came of all questions."""

    def __init__(self) -> None:
        self.right: Counter[str] = Counter()
        self.count: Counter[str] = Counter()
        self.missed: list[str] = []
        self.failing: Counter[str] = Counter()
        self.shown = self.unbound = 0
        self.seconds: list[float] = []

    def ask(self, service: str, row: dict[str, Any], profile: Profile, index: Index, exchanges):
        self.count[service] += 1
        start = time.perf_counter()
        try:
            understood = understand(row["ask"], profile, roles=ROLES[service], index=index)
            scenarios = generate_feature_scenario(
                understood, profile=profile, exchanges=exchanges, roles=ROLES[service]
            )
        except InputError as error:
            self.failing["no scenario"] += 1
            self.missed.append(f"{service}: {row['ask'][:90]}\n    {str(error)[:160]}")
            return
        finally:
            self.seconds.append(time.perf_counter() - start)
        self.shown += len(scenarios)
        self.unbound += sum(not binds(scenario, ROLES[service]) for scenario in scenarios)
        wrong = failing(scenarios[0], row)
        self.right[service] += not wrong
        self.failing.update(wrong.keys())
        if wrong:
            said = ", ".join(f"{name}: {got}" for name, got in wrong.items())
            self.missed.append(f"{service}: {row['ask'][:90]}\n    {said}")

    def report(self) -> str:
        per = ", ".join(f"{s} {self.right[s]}/{self.count[s]}" for s in self.count)
        total = f"{self.right.total()}/{self.count.total()}"
        what = ", ".join(f"{name} {n}" for name, n in self.failing.most_common()) or "nothing"
        median = sorted(self.seconds)[len(self.seconds) // 2]
        return (
            f"all three right: {total} ({per}); failing: {what}; shown {self.shown}, "
            f"unbound {self.unbound}; median {median * 1000:.0f} ms\n" + "\n".join(self.missed)
        )


def failing(scenario: Scenario, row: dict[str, Any]) -> dict[str, str]:
    """The dimensions that SCENARIO misses, and what it has there."""
    wanted = {
        "operation": {row["operation"], row.get("or", row["operation"])},
        "mode": {row["mode"]},
        "outcome": set(row["outcome"]),
    }
    origin = scenario.origin
    got = {
        "operation": scenario.operation_id,
        "mode": origin.failure_mode,
        "outcome": origin.outcome,
    }
    return {name: got[name] for name in DIMENSIONS if got[name] not in wanted[name]}


def binds(scenario: Scenario, roles: tuple[str, ...]) -> bool:
    return not any(step.problem for step in bind(scenario, bindings=Bindings(), roles=roles))


def asked(path: Path, services) -> Asked:
    result = Asked()
    for service, rows in yaml.safe_load(path.read_text()).items():
        profile, exchanges = services[service]
        index = Index(profile)
        for row in rows:
            result.ask(service, row, profile, index, exchanges)
    return result


def check(result: Asked, share_min: float) -> None:
    assert result.unbound == 0, result.report()
    assert result.right.total() >= share_min * result.count.total(), result.report()
    assert sorted(result.seconds)[len(result.seconds) // 2] < FIRST_S_MAX, result.report()


def test_the_first_scenario_is_what_was_asked(services, capsys):
    result = asked(HERE / "prompts.yaml", services)
    with capsys.disabled():
        print(f"\ndevelopment questions, {result.report()}")
    check(result, RIGHT_MIN)


def test_questions_that_were_mended_for_keep_their_score(services, capsys):
    result = asked(HERE / "prompts_second.yaml", services)
    with capsys.disabled():
        print(f"\nthe second questions, {result.report()}")
    check(result, RIGHT_MIN_SECOND)


@pytest.mark.skipif(END not in os.environ, reason=f"asked once, at the end: {END} is not set")
def test_the_first_scenario_is_what_was_asked_by_others(services, capsys):
    result = asked(HERE / "prompts_end.yaml", services)
    with capsys.disabled():
        print(f"\nquestions for the end, {result.report()}")
    check(result, RIGHT_MIN_END)
