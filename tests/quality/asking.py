"""Labelled questions, and what comes of asking them: is the first scenario what was asked?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from premortem.agent.ask import generate_feature_scenario
from premortem.agent.steps.bind import bind
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.hooks import Switch
from premortem.agent.understanding.index import Index
from premortem.agent.understanding.meaning import Meaning
from premortem.agent.understanding.understand import understand
from premortem.config import Login
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import InputError
from premortem.learn import learn_profile, load_spec

QUESTIONS = Path(__file__).parent / "questions"
"""Of invented services, each by somebody who saw only its specification."""
USERS = ("kim", "lee")
"""Configured where a specification names no roles: whoever asks has somebody to send requests."""
DIMENSIONS = ("operation", "mode", "outcome")
SHOWN_CHARACTERS_MAX = 110


class Asked:
    """What came of all questions."""

    def __init__(self, meaning: Meaning | None = None) -> None:
        self.meaning = meaning
        self.right: Counter[str] = Counter()
        self.count: Counter[str] = Counter()
        self.missed: list[str] = []
        self.failing: Counter[str] = Counter()
        self.shown = 0
        self.unbound: list[str] = []
        self.seconds: list[float] = []

    def ask_all(
        self,
        service: str,
        rows: list[dict[str, Any]],
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        roles: tuple[str, ...],
        services: tuple[str, ...] = (),
    ) -> None:
        index = Index(profile, self.meaning)
        for row in rows:
            self.count[service] += 1
            start = time.perf_counter()
            try:
                understood = understand(row["ask"], profile, roles=roles, index=index)
                scenarios = generate_feature_scenario(
                    understood,
                    profile=profile,
                    exchanges=exchanges,
                    roles=roles,
                    services=services,
                )
            except InputError as error:
                self._miss(service, row, "no scenario", " ".join(str(error).split()))
                continue
            finally:
                self.seconds.append(time.perf_counter() - start)
            self.shown += len(scenarios)
            self.unbound += [p for scenario in scenarios for p in problems(scenario, roles)]
            wrong = failing(scenarios[0], row)
            self.right[service] += not wrong
            if wrong:
                said = ", ".join(f"{name}: {got}" for name, got in wrong.items())
                self._miss(service, row, *wrong.keys(), said)

    def _miss(self, service: str, row: dict[str, Any], *what: str) -> None:
        *wrong, said = what
        self.failing.update(wrong)
        shown = row["ask"][:SHOWN_CHARACTERS_MAX]
        self.missed.append(f"{service}: {shown}\n    {said[: 2 * SHOWN_CHARACTERS_MAX]}")

    @property
    def share(self) -> float:
        """Of questions with all three right."""
        return self.right.total() / self.count.total()

    def report(self, *, missed: bool = True) -> str:
        per = ", ".join(f"{s} {self.right[s]}/{self.count[s]}" for s in self.count)
        total = f"{self.right.total()}/{self.count.total()}"
        what = ", ".join(f"{name} {n}" for name, n in self.failing.most_common()) or "nothing"
        median = sorted(self.seconds)[len(self.seconds) // 2]
        return (
            f"all three right: {total} ({per}); failing: {what}; shown {self.shown}, "
            f"unbound {self.unbound or 'none'}; median {median * 1000:.0f} ms\n"
            + "\n".join(self.missed if missed else ())
        )


def failing(scenario: Scenario, row: dict[str, Any]) -> dict[str, str]:
    """The dimensions that SCENARIO misses, and what it has there."""
    wanted = {
        "operation": {row["operation"], row.get("or", row["operation"])},
        "mode": {row["mode"]},
        # [] was written for an orderly 5xx before it had a class of its own.
        "outcome": set(row["outcome"] or ("unavailable", "")),
    }
    origin = scenario.origin
    got = {
        "operation": scenario.operation_id,
        "mode": origin.failure_mode,
        "outcome": origin.outcome,
    }
    return {name: got[name] for name in DIMENSIONS if got[name] not in wanted[name]}


def problems(scenario: Scenario, roles: tuple[str, ...]) -> list[str]:
    """What stands in the way of running SCENARIO, where every service behind can be switched."""
    bindings = Bindings(
        services={"*": Switch(requests=("POST /behind/${value}",))},
        logins=dict.fromkeys(roles, Login()),
    )
    return [step.problem for step in bind(scenario, bindings=bindings, roles=roles) if step.problem]


def invented() -> Iterator[str]:
    """Names of the invented services."""
    for path in sorted(QUESTIONS.glob("*.questions.yaml")):
        yield path.name.removesuffix(".questions.yaml")


@cache
def specified(name: str) -> tuple[Profile, tuple[str, ...]]:
    """The invented service NAME as its specification alone has it, and the roles in it."""
    spec = load_spec(QUESTIONS / f"{name}.openapi.yaml")
    profile = learn_profile(lambda: iter(()), spec=spec, now=0.0)
    roles = {role for operation in profile.operations for role in operation.allowed_roles}
    return profile, tuple(sorted(roles)) or USERS


def questions_on(name: str) -> list[dict[str, Any]]:
    """The labelled questions on NAME; operations with the path that the server's address has."""
    document = yaml.safe_load((QUESTIONS / f"{name}.openapi.yaml").read_text())
    servers = document.get("servers") or [{"url": ""}]
    below = urlsplit(servers[0]["url"]).path.rstrip("/")
    found: list[dict[str, Any]] = yaml.safe_load((QUESTIONS / f"{name}.questions.yaml").read_text())
    for row in found:
        for key in {"operation", "or"} & row.keys():
            method, _, path = row[key].partition(" ")
            row[key] = f"{method} {below}{path}"
    return found
