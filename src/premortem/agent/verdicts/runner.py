"""Whether the test runner of the feature files sees a scenario that was written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct

RUNNER = "behave"
TIMEOUT_S = 60.0
OUTPUT_CHARACTERS_MAX = 300


class Sighting(Struct, frozen=True, kw_only=True):
    """What a runner says of one scenario."""

    runner: str
    """Empty: there is none here to ask."""
    sees: bool
    said: str = ""
    """Why it does not see it, or why nobody was asked."""


def sighting(path: Path, *, tag: str, title: str) -> Sighting:
    """Whether behave, told to run nothing (`--dry-run`), finds in PATH the scenario with TAG
    (without `@`) or called TITLE, and a definition for each of its steps."""
    if find_spec(RUNNER) is None:
        return Sighting(runner="", sees=False, said="behave is not installed (premortem[behave])")
    command = [sys.executable, "-m", RUNNER, "--dry-run", "--no-summary", "--no-color"]
    try:
        ran = subprocess.run(  # noqa: S603 - our own interpreter and a path as one argument
            [*command, "--format", "json", str(path.absolute())],
            cwd=path.parent,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Sighting(runner=RUNNER, sees=False, said=f"it did not answer: {error}")
    found = [e for e in _elements(ran.stdout) if tag in _tags(e) or e.get("name") == title]
    if not found:
        return Sighting(runner=RUNNER, sees=False, said=_complaint(ran.stderr, ran.stdout))
    undefined = [step["name"] for step in found[0].get("steps", ()) if "match" not in step]
    if undefined:
        said = f"it has no definition for the step {undefined[0]!r}"
        return Sighting(runner=RUNNER, sees=False, said=said)
    return Sighting(runner=RUNNER, sees=True)


def _complaint(errors: str, output: str) -> str:
    """What the runner says is wrong; of a traceback its last line, which names the error."""
    lines = [line for line in (errors.strip() or output.strip()).splitlines() if line.strip()]
    if "Traceback" in errors:
        lines = lines[-1:]
    said = " ".join(" ".join(lines).split())[:OUTPUT_CHARACTERS_MAX]
    return said or "it does not list the scenario"


def _elements(output: str) -> Iterator[dict[str, Any]]:
    """The scenarios in the JSON that stands in OUTPUT, those of rules too."""
    start, end = output.find("["), output.rfind("]")
    try:
        features = json.loads(output[start : end + 1])
    except ValueError:
        return
    waiting = [part for part in features if isinstance(part, dict)]
    while waiting:
        part = waiting.pop()
        waiting += [p for p in part.get("elements") or () if isinstance(p, dict)]
        if "steps" in part:
            yield part


def _tags(element: dict[str, Any]) -> list[str]:
    return [str(tag) for tag in element.get("tags") or ()]
