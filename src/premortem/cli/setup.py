"""`premortem init` and `premortem doctor`."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FAILED,
    Common,
    print_json,
    say,
)
from premortem.config import FILE_NAME, find
from premortem.errors import ConfigError
from premortem.pipeline.doctor import examine


def init(directory: Path = Path(), /, *, force: bool = False, json: bool = False) -> int:
    """Write a commented premortem.toml into DIRECTORY.

    Parameters
    ----------
    directory
        Where to write it; default: here.
    force
        Replace one that is there; the old one is kept as premortem.toml.bak.
    json
        Print JSON for machines, and nothing else, on standard output.
    """
    path = directory / FILE_NAME
    kept = path.with_suffix(".toml.bak")
    replaced = path.exists()
    if replaced and not force:
        raise ConfigError(f"{path} is there already; edit it, or replace it with --force")
    try:
        if replaced:
            path.replace(kept)
        path.write_text(files("premortem.cli").joinpath("premortem.template.toml").read_text())
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror}; name a folder that is there and writable"
        ) from None
    if json:
        print_json({"file": str(path), "kept": str(kept) if replaced else None})
        return EXIT_CLEAN
    if replaced:
        say(f"kept the old one as {kept}")
    say("wrote ", (str(path), "bold"), "; name your service in it under [target], then:")
    say("  premortem doctor")
    say("  premortem capture har recording.har")
    return EXIT_CLEAN


_MARKS = {"ok": ("ok   ", "green"), "note": ("note ", "yellow"), "wrong": ("wrong", "red")}


def doctor(*, common: Common = COMMON) -> int:
    """Say what is missing or wrong, and how to mend it. Exit 2 if something is wrong.

    Looks at premortem.toml, the store and its key, the specification, the roles'
    variables, and whether the target answers: one GET of its ready path is all
    that is sent.
    """
    file = common.config or find(Path.cwd())
    diagnoses = list(examine(common.load, file=file, python=sys.version_info[:3]))
    if common.json:
        print_json(diagnoses)
    else:
        for diagnosis in diagnoses:
            say(_MARKS[diagnosis.state], f"  {diagnosis.subject}: {diagnosis.detail}")
            if diagnosis.mend:
                say(f"       -> {diagnosis.mend}")
    return EXIT_FAILED if any(d.state == "wrong" for d in diagnoses) else EXIT_CLEAN
