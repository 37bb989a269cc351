"""Runs in Schemathesis' own environment: positive cases of one operation of a document.

Line by line: `{"document": ..., "path": ..., "method": ..., "count": n}` -> the bodies as JSON
texts and the CPU seconds that they took.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings


def made(asked: dict[str, Any]) -> list[str]:
    operation = schemathesis.openapi.from_dict(asked["document"])[asked["path"]][asked["method"]]
    bodies: list[str] = []

    @seed(1)
    @given(case=operation.as_strategy())
    @settings(
        max_examples=asked["count"],
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(case: Any) -> None:
        bodies.append(json.dumps(case.body))

    collect()
    return bodies


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        made({**asked, "count": 2})
        started = time.process_time()
        bodies = made(asked)
        spent = time.process_time() - started
        print(json.dumps({"bodies": bodies, "cpu_s": spent}), flush=True)


if __name__ == "__main__":
    main()
