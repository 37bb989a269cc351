"""Packages that load what they offer when it is asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

LAZY = ("premortem.analyse", "premortem.generate")


def named_for_type_checkers(package) -> dict[str, str]:
    """Name -> module, of the imports that only type checkers see."""
    tree = ast.parse(Path(package.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: str(node.module)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("name", LAZY)
def test_what_is_offered_is_what_type_checkers_see(name):
    package = import_module(name)
    homes = {one: f"{name}.{home}" for home, names in package._HOMES.items() for one in names}
    assert homes == named_for_type_checkers(package)
    assert sorted(package.__all__) == sorted(homes)
    for one in package.__all__:
        assert getattr(package, one) is getattr(import_module(homes[one]), one)


@pytest.mark.parametrize("name", LAZY)
def test_no_name_is_a_modules_who_would_stand_in_its_place(name):
    package = import_module(name)
    modules = {path.stem for path in Path(str(package.__file__)).parent.glob("*.py")}
    assert not modules & set(package.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'no'"):
        getattr(import_module("premortem.analyse"), "no")  # noqa: B009


def test_a_question_asked_on_the_command_line_loads_neither_pages_nor_generators():
    code = "import sys, premortem.cli.asking; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unwanted = {"jinja2", "premortem.generate.compose", "sqlalchemy.dialects.postgresql"}
    assert not unwanted & set(done.stdout.split())
