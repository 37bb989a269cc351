"""Premortem's side, as a user would run it. What is worth trying is changed here and only here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Protocol

from benches.defects.services import Service

CONFIG = """[target]
base_url = "http://127.0.0.1:{port}"
disposable = true
ready = "{ready}"
spec = "{spec}"
ready_timeout_s = 10.0
rate_per_second_max = 2000
{roles}
[capture]
hosts = ["*"]
"""
PLAN = """name = "defects"
seed = {seed}
dynamic = "{dynamic}"
rate_per_second = {rate}
duration_s = {duration_s}
requests_max = {planned}
connections = 4
timeout_s = 30.0
exclude_operations = {excluded}

[sources]
{sources}
{more}"""
SOURCES = {"sample": 20, "schema": 45, "mutate": 35}
DYNAMIC = "85%"
MORE = """
[goals]
coverage = true
"""
"""Further tables of the plan."""
RATE = 400
PLANNED_SHARE = 0.97
"""Of the requests; the rest is for setup beyond the plan and for sending findings again."""
RUN_S_MAX = 900
ENDED_S_MAX = 1500
"""Running, and sending findings again."""
LEARN_S_MAX = 300
PREMORTEM = (sys.executable, "-m", "premortem")


class Runner(Protocol):
    """Runs a command in the project's folder and times it; `cycle.Side`."""

    output: str

    def run(self, command: list[str], *, seconds_max: float, extra: dict[str, str]) -> bool:
        """True: it ended by itself, with exit code 0 or 1."""


def sent(
    service: Service, folder: Path, side: Runner, *, port: int, seed: int, requests: int
) -> int:
    """All that premortem does for REQUESTS at the loopback's PORT; how many findings it reports."""
    spec = folder / "openapi.json"
    config = CONFIG.format(port=port, ready=service.ready, spec=spec, roles=service.roles)
    (folder / "premortem.toml").write_text(config)
    for words in (["capture", "har", str(service.recording)], ["learn"], ["profile", "--json"]):
        if not side.run([*PREMORTEM, *words], seconds_max=LEARN_S_MAX, extra={}):
            return 0
    planned = max(1, int(requests * PLANNED_SHARE))
    plan = PLAN.format(
        seed=seed,
        dynamic=DYNAMIC,
        rate=RATE,
        duration_s=RUN_S_MAX,
        planned=planned,
        more=MORE,
        excluded=json.dumps(refused_in(side.output, service)),
        sources="\n".join(f"{name} = {weight}" for name, weight in SOURCES.items()),
    )
    (folder / "plan.toml").write_text(plan)
    side.run([*PREMORTEM, "run", "plan.toml"], seconds_max=ENDED_S_MAX, extra={})
    listed = side.run([*PREMORTEM, "findings", "--json"], seconds_max=LEARN_S_MAX, extra={})
    return findings_in(side.output) if listed else 0


def refused_in(profile: str, service: Service) -> list[str]:
    """Of the operations that `premortem profile --json` printed, those that nobody may call."""
    answer = json.loads(profile[profile.index("{") :])
    refused = service.refused()
    names = []
    for one in (known["operation"] for known in answer["operations"]):
        plain = f"{one['method']} {one['template']}"
        if refused.fullmatch(plain):
            names.append(f"{plain} {one['variant']}".strip())
    return names


def findings_in(listing: str) -> int:
    """How many findings `premortem findings --json` printed."""
    try:
        answer = json.loads(listing)
    except ValueError:
        return 0
    return len(answer.get("findings", ()) if isinstance(answer, dict) else answer)
