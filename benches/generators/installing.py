"""Brings other makers of data into .build, once, each into an environment of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

BUILD = Path(__file__).resolve().parents[2] / ".build"
INSTALL_S_MAX = 1800


class Maker(NamedTuple):
    """What is installed, and where."""

    name: str
    wanted: tuple[tuple[str, ...], ...]
    """What pip gets, one call after the other."""
    unwanted: tuple[str, ...] = ()
    """What is taken out again."""


MOSTLY = Maker(
    "mostlyai",
    (("torch==2.13.0",), ("mostlyai-engine==2.7.3",)),
    # Built for another edition of torch than its processor-only one, and not used for tables.
    ("torchvision", "torchaudio"),
)
FAKES = Maker(
    "fakes",
    (
        (
            "faker==40.54.0",
            "mimesis==22.2.0",
            "polyfactory==3.5.0",
            "pydantic==2.14.3",
            "email-validator==2.4.0",
        ),
    ),
)
SCHEMATHESIS = Maker("schemathesis", (("schemathesis==4.32.5",),))


def python_of(maker: Maker) -> Path:
    """The interpreter of MAKER's environment, installed first where it is not there.

    Raises CalledProcessError where it cannot be.
    """
    place = BUILD / maker.name
    python, done = place / "bin" / "python", place / ".installed"
    if done.exists():
        return python
    print(f"installing {maker.name} into {place} ...", file=sys.stderr, flush=True)
    place.parent.mkdir(exist_ok=True)
    _run([sys.executable, "-m", "venv", str(place)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    for packages in maker.wanted:
        _run([*pip, "install", "--quiet", *packages])
    if maker.unwanted:
        _run([*pip, "uninstall", "--quiet", "--yes", *maker.unwanted])
    done.touch()
    return python


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=BUILD, check=True, timeout=INSTALL_S_MAX)
