"""What behave needs beside feature files: the step library and the environment."""

from __future__ import annotations

from pathlib import Path

from premortem.agent.emit.files import Change, read, write

STEP_LIBRARY = "steps/premortem_steps.py"
_STEPS = '''"""Premortem's step catalogue, for behave."""

from premortem.agent.adapters.behave import *  # noqa: F403
'''
_ENVIRONMENT = '''"""Brings the target back to a fresh state before each scenario of Premortem's."""

from premortem.agent.adapters.behave import before_scenario  # noqa: F401
'''


def behave_changes(root: Path, folder: str = "") -> tuple[Change, ...]:
    """behave's steps and environment in FOLDER below ROOT; files there stay as they are."""
    changes: list[Change] = []
    for name, content in ((STEP_LIBRARY, _STEPS), ("environment.py", _ENVIRONMENT)):
        path = f"{folder}/{name}" if folder else name
        there = read(root, path)
        after = content.encode() if there is None else there
        changes.append(Change(path=path, before=there, after=after, kind="glue", test_kind="bdd"))
    return tuple(changes)


def write_step_library(folder: Path) -> None:
    """Write them into FOLDER."""
    for change in behave_changes(folder):
        write(folder, change)
