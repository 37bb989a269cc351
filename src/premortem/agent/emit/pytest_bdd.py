"""What pytest-bdd needs beside feature files: a module that names each, and our steps."""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path, PurePosixPath

from premortem.agent.emit.files import Change, newline_of, read, text_of
from premortem.errors import InputError

ADAPTER = "premortem.agent.adapters.pytest_bdd"
_CONFTEST = (
    f'"""Premortem\'s step catalogue, for pytest-bdd."""\n\nfrom {ADAPTER} import *  # noqa: F403\n'
)
_MODULE = '''"""The scenarios of {name}, for pytest-bdd."""

from pathlib import Path

from pytest_bdd import scenarios

scenarios("{path}", features_base_dir=Path(__file__).parent)
'''


def pytest_bdd_changes(root: Path, feature: str, *, folder: str = "") -> tuple[Change, Change]:
    """conftest.py and a module in FOLDER below ROOT that run the feature file FEATURE.

    FOLDER empty: beside the feature file. A module that is there stays as it is; a conftest.py
    without our steps gets them at its end. Raises InputError when that is no Python.
    """
    where = PurePosixPath(folder) if folder else PurePosixPath(feature).parent
    stem = re.sub(r"\W+", "_", PurePosixPath(feature).stem).strip("_").lower()
    path = str(where / f"test_{stem or 'feature'}.py")
    there = read(root, path)
    made = _MODULE.format(
        name=PurePosixPath(feature).name.replace('"', "'").replace("\\", "/"),
        path=posixpath.relpath(feature, str(where)).replace("\\", "\\\\").replace('"', '\\"'),
    )
    after = made.encode() if there is None else there
    module = Change(path=path, before=there, after=after, kind="glue", test_kind="bdd")
    return _conftest(root, str(where / "conftest.py")), module


def _conftest(root: Path, path: str) -> Change:
    data = read(root, path)
    text = text_of(data, root / path)
    after = text
    if not text.strip():
        after = _CONFTEST
    elif ADAPTER not in _imported(text, root / path):
        newline = newline_of(text)
        gap = "" if text.endswith(("\n", "\r")) else newline
        after = f"{text}{gap}{newline}from {ADAPTER} import *  # noqa: E402, F403{newline}"
    return Change(path=path, before=data, after=after.encode(), kind="glue", test_kind="bdd")


def _imported(text: str, path: object) -> set[str]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path} cannot be read as Python ({error}); mend it there") from None
    return {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
