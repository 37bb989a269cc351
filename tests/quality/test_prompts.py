"""Questions as people ask them: does the first scenario mean what was asked?

The goals, written before the planner: operation, failure mode and outcome class of the first
scenario are all three right in 85 % of the development questions and in 80 % of those for the
end; every scenario that is shown binds; the first one is planned in two seconds.

The questions for the end are read only where PREMORTEM_PROMPTS_END says so: they are asked once.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from premortem.agent.understanding.meaning import open_meaning
from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config
from premortem.domain.traffic import Exchange, Profile
from premortem.learn import learn_profile, load_spec
from tests.agent.conftest import Ledger
from tests.quality.asking import Asked, invented, questions_on, specified
from tests.services import ledger
from tests.shared import shared

HERE = Path(__file__).parent
END = "PREMORTEM_PROMPTS_END"
RIGHT_MIN, RIGHT_MIN_END = 0.85, 0.80
RIGHT_MIN_SECOND = 0.70
"""Of questions that were asked once before anybody looked at them (docs/understanding.md)."""
RIGHT_MIN_INVENTED, RIGHT_MIN_BY_WORDS = 0.55, 0.38
"""Of questions on invented services, from their specifications alone: with the sentence encoder,
and without; 0.59 and 0.43 of the first six services were measured, the goal is 0.80."""
FIRST_S_MAX = 2.0
"""Median time to the first scenario."""
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


def asked(path: Path, services) -> Asked:
    result = Asked(open_meaning())
    for service, rows in yaml.safe_load(path.read_text()).items():
        result.ask_all(service, rows, *services[service], ROLES[service])
    return result


def check(result: Asked, share_min: float) -> None:
    assert not result.unbound, result.report()
    assert result.share >= share_min, result.report()
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


@pytest.mark.parametrize("encoder", [True, False], ids=["with an encoder", "by words alone"])
def test_questions_on_services_of_which_only_the_specification_is_known(encoder, capsys):
    meaning = open_meaning() if encoder else None
    if encoder and meaning is None:
        pytest.skip("not fetched: premortem models fetch minilm")
    result = Asked(meaning)
    for name in invented():
        profile, roles = specified(name)
        result.ask_all(name, questions_on(name), profile, {}, roles, services=("*",))
    with capsys.disabled():
        print(f"\ninvented services, {result.report(missed=encoder)}")
    check(result, RIGHT_MIN_INVENTED if encoder else RIGHT_MIN_BY_WORDS)


@pytest.mark.skipif(END not in os.environ, reason=f"asked once, at the end: {END} is not set")
def test_the_first_scenario_is_what_was_asked_by_others(services, capsys):
    result = asked(HERE / "prompts_end.yaml", services)
    with capsys.disabled():
        print(f"\nquestions for the end, {result.report()}")
    check(result, RIGHT_MIN_END)
