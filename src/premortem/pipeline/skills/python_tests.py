"""Python handlers below a room's root: where they are imported from, and where their tests go."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct

from premortem.agent.code.code_tests import suggest_python_test
from premortem.agent.code.pytest_functions import (
    PyHandler,
    SuggestedFunction,
    handlers_in_python,
)
from premortem.agent.knowledge.reading import is_python_test
from premortem.domain.proposal import Signal
from premortem.errors import InputError
from premortem.pipeline.skills.material import code
from premortem.pipeline.skills.noted import files_below
from premortem.pipeline.skills.skill import Room

_NO_PACKAGE = frozenset({"src", "lib", "source"})
"""Folders that sources lie in and that nothing is imported from."""


class PyTarget(Struct, frozen=True, kw_only=True):
    """A handler in Python."""

    handler: PyHandler
    path: str
    """Of its source, below the root."""
    module: str
    """As tests import it: `shop.refunds`."""


class PlacedFunction(Struct, frozen=True, kw_only=True):
    """A pytest function, and the file that it belongs into."""

    path: str
    """Below the root, with `/`."""
    function: SuggestedFunction


def python_targets(room: Room) -> Mapping[str, PyTarget]:
    """The handlers by name; of two of one name the first."""
    if "python targets" not in room.memo:
        found: dict[str, PyTarget] = {}
        sources = code(room).python
        imported = {name for path in _tests(room.root) for name in _imports(room.root / path)}
        for path, data in sources:
            try:
                handlers = handlers_in_python(data, origin=path)
            except InputError:
                continue  # reading it said so already
            for handler in handlers:
                target = PyTarget(
                    handler=handler, path=path, module=_module(room.root, path, imported)
                )
                found.setdefault(handler.name, target)
        room.memo["python targets"] = found
    targets: Mapping[str, PyTarget] = room.memo["python targets"]
    return targets


def suggest_function(room: Room, prompt: str, signal: Signal, target: PyTarget) -> PlacedFunction:
    """The pytest function that answers PROMPT for TARGET. Raises InputError."""
    data = dict(code(room).python)[target.path]
    source = f"{target.module.replace('.', '/')}.py"
    function = suggest_python_test(
        prompt,
        {source: data},
        target.handler.name,
        trace_id=signal.trace_id,
        edition=signal.edition,
    )
    return PlacedFunction(path=_test_file(room.root, target), function=function)


def _test_file(root: Path, target: PyTarget) -> str:
    """Where tests of TARGET stand, else where they go: beside other tests."""
    named = f"test_{target.module.rpartition('.')[2]}.py"
    about = [path for path in _tests(root) if target.module in _imports(root / path)]
    beside = next((path for path in about if PurePosixPath(path).name == named), "")
    if about:
        return beside or about[0]
    folder = next((name for name in ("tests", "test", "Tests") if (root / name).is_dir()), "tests")
    return f"{folder}/{named}"


def _module(root: Path, path: str, imported: set[str]) -> str:
    """What the source PATH is imported as: as the tests do it, else by its packages."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    names = [".".join(parts[at:]) for at in range(len(parts))]
    known = next((name for name in names if name in imported), "")
    if known:
        return known
    start = len(parts) - 1
    while start and (root.joinpath(*parts[:start]) / "__init__.py").is_file():
        start -= 1
    if start == len(parts) - 1:  # no package: a plain folder, which Python takes for one
        start = 1 if parts[0] in _NO_PACKAGE and len(parts) > 1 else 0
    return ".".join(parts[start:])


def _tests(root: Path) -> list[str]:
    found = (path for path in files_below(root, "*.py") if is_python_test(path.name))
    return [path.relative_to(root).as_posix() for path in found]


def _imports(path: Path) -> Iterator[str]:
    """The modules that the file at PATH imports, or imports from."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
