"""How long somebody waits for the first scenario, and for its verdict.

Offline, over the ledger as recorded: the first card is to be there in less than 2 s (median) and
5 s (95th percentile), counted from the start of `premortem ask --no-run` as a process, and a
verdict (five runs from a fresh state, and one under each fault) in less than 15 s. The floor
beside it is a Python process that imports the command and ends.

    python benches/bench_ask.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from premortem.config import load  # noqa: E402
from premortem.errors import PremortemError  # noqa: E402
from premortem.pipeline import asking  # noqa: E402
from premortem.pipeline.asking import Judged  # noqa: E402
from premortem.store import open_store  # noqa: E402
from tests.pipeline.conftest import recorded  # noqa: E402

PROCESSES = 20
JUDGED = 8
FIRST_CARD_MEDIAN_S, FIRST_CARD_P95_S, VERDICT_S = 2.0, 5.0, 15.0


def questions() -> list[str]:
    """Those about the ledger's defects: plain ones, by different ways of going wrong."""
    rows = yaml.safe_load((ROOT / "tests" / "quality" / "ledger_questions.yaml").read_text())
    return [row["question"] for row in rows]


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cards(directory: Path) -> list[float]:
    """Seconds until `ask --no-run` had shown what it plans, a process each."""
    command = [sys.executable, "-m", "premortem", "ask", "--no-run", "--json"]

    def ask(question: str) -> None:
        subprocess.run([*command, question], cwd=directory, check=False, capture_output=True)

    return [timed(lambda q=question: ask(q)) for question in questions()[:PROCESSES]]


def verdicts(directory: Path) -> list[float]:
    """Seconds that verdicts took, as their evidence has it."""
    config = load(directory / "premortem.toml")
    taken: list[float] = []
    with open_store(config.store, directory) as store:
        for question in questions():
            try:
                events = list(asking.ask(question, config=config, store=store))
            except PremortemError:
                continue
            judged = [event for event in events if isinstance(event, Judged)]
            taken += [j.verdict.evidence.duration_s for j in judged if j.verdict.runs]
            if len(taken) >= JUDGED:
                break
    return taken


def told(name: str, seconds: list[float]) -> tuple[float, float]:
    middle = statistics.median(seconds)
    late = sorted(seconds)[min(len(seconds) - 1, round(0.95 * len(seconds)))]
    print(f"{name:<24} n={len(seconds):<3} median {middle:6.2f} s   p95 {late:6.2f} s")
    return middle, late


def main() -> int:
    with TemporaryDirectory() as folder, recorded(Path(folder)) as project:
        directory = project.directory
        bare = [sys.executable, "-c", "import premortem.cli.app"]
        floor = [timed(lambda: subprocess.run(bare, check=True)) for _ in range(5)]
        told("floor: import and end", floor)
        middle, late = told("first card", cards(directory))
        _, slowest = told("verdict", verdicts(directory))
    goals = {
        f"first card, median < {FIRST_CARD_MEDIAN_S} s": middle < FIRST_CARD_MEDIAN_S,
        f"first card, p95 < {FIRST_CARD_P95_S} s": late < FIRST_CARD_P95_S,
        f"verdict, p95 < {VERDICT_S} s": slowest < VERDICT_S,
    }
    for goal, met in goals.items():
        print(f"{'met   ' if met else 'MISSED'}  {goal}")
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
