"""The house rules that linters do not know."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from premortem.cli.app import COMMANDS
from tests.shared import ROOT

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
BANNED_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|managers?|junkdrawer|misc)($|_)")
SOURCES = sorted(
    path
    for folder in ("src", "tests", "benches", "examples")
    for path in (ROOT / folder).rglob("*.py")
)


def names(path: str) -> str:
    return path.removeprefix(str(ROOT)).lstrip("/")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: names(str(path)))
def test_a_file_is_short_and_so_are_its_functions(path):
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES_MAX
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long


def test_no_file_has_a_name_that_says_nothing():
    assert not [str(path) for path in SOURCES if BANNED_NAMES.search(path.stem)]


def imported(path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_module_is_used_by_another_one_or_by_the_user():
    modules = {
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts): path
        for path in (ROOT / "src").rglob("*.py")
        if path.stem != "__init__"
    }
    used = {name for path in modules.values() for name in imported(path)}
    packages = list((ROOT / "src").rglob("__init__.py"))
    used |= {name for path in packages for name in imported(path)}
    used |= {f"premortem.cli.{path.partition(':')[0]}" for path, *_ in COMMANDS}
    entry_points = {
        "premortem.api.plugin",  # pytest loads it
        "premortem.cli.app",  # the console script
        "premortem.agent.adapters.behave",  # imported by a user's steps
        "premortem.agent.adapters.plain",
        "premortem.agent.adapters.pytest_bdd",
        "premortem.__main__",
        "premortem.pipeline.assistant",  # a process of its own, as the next one
        "premortem.run.worker_process",
    }
    assert not sorted(set(modules) - used - entry_points)


def test_every_dependency_has_a_pin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    wanted = {re.split(r"[>=;\[ ]", line)[0].lower().replace("_", "-") for line in wanted}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert wanted <= pinned


def test_nothing_committed_names_a_download_address():
    files = [ROOT / "constraints.txt", ROOT / "pyproject.toml", ROOT / "Makefile"]
    assert not [str(path) for path in files if re.search(r"https?://", path.read_text())]
