"""Schemathesis as its own documentation says it finds most: all phases, all default checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from benches.defects.operations import named_in
from benches.defects.services import BUILD, Service

VERSION = "4.32.5"
VENV = BUILD / "schemathesis"
EXTRA_S_MAX = 420
"""It keeps its own time; beyond that and this it is ended."""
_UNIQUE = re.compile(r"(\d+) unique failures?")


def arguments(service: Service, *, port: int, seed: int, seconds: int, spec: Path) -> list[str]:
    """Its command line for a run of SECONDS against the loopback's PORT.

    Excluded operations are named one by one; its own checks for unsupported methods still see
    them in the document.
    """
    known = named_in(spec)
    excluded = [
        word for name in service.excluded if name in known for word in ("--exclude-name", name)
    ]
    return [
        str(VENV / "bin" / "schemathesis"),
        "run",
        str(spec),
        *("--url", f"http://127.0.0.1:{port}{service.base_path}"),
        *("--max-time", str(seconds)),
        "--continue-on-failure",
        *("--seed", str(seed)),
        "--no-color",
        *service.peer_credentials,
        *excluded,
    ]


def environment() -> Mapping[str, str]:
    """What it needs of the environment."""
    return {"COLUMNS": "160"}


def failures(output: str) -> int:
    """How many unique failures it says it found."""
    found = _UNIQUE.findall(output)
    return int(found[-1]) if found else 0
