"""`premortem init` and `premortem doctor`."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from cyclopts import App

from premortem.cli.context import COMMON, EXIT_CLEAN, EXIT_FAILED, Common, out, print_json
from premortem.config import FILE_NAME
from premortem.errors import ConfigError
from premortem.pipeline.doctor import examine


def register(app: App) -> None:
    """Add the commands to APP."""
    app.command(init)
    app.command(doctor)


def init(directory: Path = Path(), *, force: bool = False) -> int:
    """Write a commented premortem.toml into DIRECTORY.

    Parameters
    ----------
    directory
        Where to write it; default: here.
    force
        Replace one that is there; the old one is kept as premortem.toml.bak.
    """
    path = directory / FILE_NAME
    if path.exists():
        if not force:
            raise ConfigError(f"{path} is there already; edit it, or replace it with --force")
        path.replace(path.with_suffix(".toml.bak"))
    try:
        path.write_text(files("premortem.cli").joinpath("premortem.template.toml").read_text())
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror}; name a writable folder"
        ) from None
    out.print(f"wrote {path}; next: name your service in it under \\[target], then")
    out.print("  premortem doctor")
    out.print("  premortem capture har recording.har")
    return EXIT_CLEAN


def doctor(*, common: Common = COMMON) -> int:
    """Say what is missing or wrong, and how to mend it."""
    diagnoses = list(examine(common.load, python=sys.version_info[:3]))
    if common.json:
        print_json(diagnoses)
    else:
        marks = {"ok": "[green]ok[/]    ", "note": "[yellow]note[/]  ", "wrong": "[red]wrong[/] "}
        for diagnosis in diagnoses:
            out.print(f"{marks[diagnosis.state]} {diagnosis.subject}: {diagnosis.detail}")
            if diagnosis.mend:
                out.print(f"        -> {diagnosis.mend}", markup=False)
    return EXIT_FAILED if any(d.state == "wrong" for d in diagnoses) else EXIT_CLEAN
