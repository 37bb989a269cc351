"""The ledger's defects, switched on one by one, each asked after by one plain question.

A defect counts as killed when a scenario of its question is a finding with the defect on, and none
on the correct ledger. `SCENARIOS_ONLY=L08,L20` asks for these alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest
import yaml
from msgspec import Struct

from premortem.agent.ask import propose
from premortem.agent.steps.bindings import load_bindings
from premortem.domain.scenario import Scenario, ScenarioVerdict, Understanding
from premortem.errors import InputError
from premortem.pipeline.judging import judging, read_exchanges
from tests.pipeline.conftest import Project, recorded
from tests.shared import ROOT

GOAL = 0.8
pytestmark = pytest.mark.quality


class Asked(Struct, frozen=True, kw_only=True):
    """What came of one question."""

    defect: str
    question: str
    said: str = ""
    """Why nothing was planned."""
    understood: Understanding | None = None
    scenarios: tuple[Scenario, ...] = ()
    correct: tuple[ScenarioVerdict, ...] = ()
    defective: tuple[ScenarioVerdict, ...] = ()

    @property
    def killed(self) -> list[int]:
        """Positions of the scenarios that kill it."""
        pairs = zip(self.correct, self.defective, strict=True)
        return [
            at
            for at, (before, with_it) in enumerate(pairs)
            if before.outcome != "finding" and with_it.outcome == "finding"
        ]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The ledger as its users would set Premortem up for it: editions and time can be switched."""
    directory = tmp_path_factory.mktemp("scenarios")
    example = ROOT / "examples" / "ledger" / "premortem.bindings.toml"
    (directory / example.name).write_text(example.read_text())
    with recorded(directory, target='edition_header = "X-Edition"') as made:
        yield made


def questions() -> list[dict[str, str]]:
    path = ROOT / "tests" / "quality" / "ledger_questions.yaml"
    only = {name for name in os.environ.get("SCENARIOS_ONLY", "").split(",") if name}
    listed: list[dict[str, str]] = yaml.safe_load(path.read_text())
    return [row for row in listed if not only or row["defect"] in only]


def asked_all(project: Project) -> list[Asked]:
    found: list[Asked] = []
    config = project.config
    with project.opened() as store:
        profile = store.profile()
        exchanges = read_exchanges(profile, store)
        bindings = load_bindings(config)
        with judging(config=config, store=store, profile=profile, exchanges=exchanges) as judge:
            for row in questions():
                asked = Asked(defect=row["defect"], question=row["question"])
                try:
                    understood, scenarios = propose(
                        row["question"],
                        profile=profile,
                        exchanges=exchanges,
                        config=config,
                        bindings=bindings,
                    )
                except InputError as error:
                    found.append(msgspec.structs.replace(asked, said=str(error)))
                    continue
                project.switch()
                correct = tuple(map(judge, scenarios))
                project.switch(row["defect"])
                defective = tuple(map(judge, scenarios))
                project.switch()
                found.append(
                    msgspec.structs.replace(
                        asked,
                        understood=understood,
                        scenarios=tuple(scenarios),
                        correct=correct,
                        defective=defective,
                    )
                )
    return found


def told(asked: Asked) -> str:
    """What one question came to, for whoever reads the log."""
    lines = [f"{asked.defect} {'killed' if asked.killed else 'MISSED'}  {asked.question}"]
    if asked.said:
        return "\n".join([*lines, f"      nothing planned: {asked.said[:200]}"])
    if asked.understood is not None:
        lines.append(f"      {asked.understood.failure_mode} {asked.understood.operation_ids}")
    for scenario, before, with_it in zip(
        asked.scenarios, asked.correct, asked.defective, strict=True
    ):
        lines.append(f"      {before.outcome} -> {with_it.outcome}  {scenario.title}")
        said = with_it if with_it.outcome == "finding" else before
        lines.append(f"          {said.reason[:200]}")
    return "\n".join(lines)


def test_most_defects_are_killed_by_a_plain_question(project):
    found = asked_all(project)
    print()
    for asked in found:
        print(told(asked))
    killed = [asked for asked in found if asked.killed]
    first = [asked for asked in killed if asked.killed[0] == 0]
    false = [
        f"{asked.defect}: {scenario.title}: {verdict.reason[:160]}"
        for asked in found
        for scenario, verdict in zip(asked.scenarios, asked.correct, strict=True)
        if verdict.outcome == "finding"
    ]
    outcomes = Counter(verdict.outcome for asked in found for verdict in asked.correct)
    took = sorted(v.evidence.duration_s for asked in found for v in asked.correct if v.runs)
    print(f"\nkilled {len(killed)} of {len(found)}; by the first scenario {len(first)}")
    print(f"missed: {' '.join(asked.defect for asked in found if not asked.killed)}")
    print(f"on the correct ledger: {dict(outcomes)}")
    if took:
        print(f"a verdict took {took[len(took) // 2]:.2f} s in the middle, {took[-1]:.2f} at most")
    print(f"false: {false}")
    assert not false, "a finding on the correct ledger is a false one"
    assert len(killed) >= GOAL * len(found)
