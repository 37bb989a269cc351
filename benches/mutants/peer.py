"""What Schemathesis reports of one mutant."""

from __future__ import annotations

import json
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from tests.services import PASSWORDS
from tests.shared import ROOT

PROGRAM = ROOT / ".build" / "schemathesis" / "bin" / "schemathesis"
MIGHTIEST = ("cfo", PASSWORDS["LEDGER_PASSWORD_CFO"])
PHASES = "examples,fuzzing,stateful"
"""Its coverage phase comes first and takes a few thousand requests: cut within it, a small budget
would understate it."""
RUN_S_MAX = 600


def reported(
    base: str,
    document: Path,
    *,
    per_operation: int,
    seed: int,
    who: tuple[str, str] = MIGHTIEST,
) -> frozenset[str]:
    """`TYPE OPERATION` of each failure that a run against BASE reports.

    PER_OPERATION: its own measure of a budget, test cases for each operation. WHO: user and
    password of whoever asks.
    """
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *(str(PROGRAM), "run", str(document), "--url", base),
                *("-H", f"Authorization: Bearer {_token(base, who)}"),
                *("--phases", PHASES, "-n", str(per_operation), "--seed", str(seed)),
                *("--continue-on-failure", "--report", "json"),
                *("--report-json-path", str(report)),
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=RUN_S_MAX,
            check=False,  # it ends with 1 when it reports something
        )
        said = json.loads(report.read_text())
    return frozenset(
        f"{failure['type']} {operation}"
        for failure in said["failures"]
        for operation in failure["operations"]
    )


def _token(base: str, who: tuple[str, str]) -> str:
    user, password = who
    body = json.dumps({"username": user, "password": password}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{base}/login", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["token"])
