"""The C# class: compiled against what it uses of Reqnroll, and run over the real engine."""

import os
import shutil
import subprocess
import sys

import pytest

from premortem.agent.emit.reqnroll import reqnroll_class
from premortem.errors import InputError
from tests.agent.till import environment, till
from tests.shared import ROOT

STUBS = ROOT / "tests" / "agent" / "reqnroll_stubs.cs"
COMPILED = shutil.which("mcs") is not None and shutil.which("mono") is not None


@pytest.mark.skipif(not COMPILED, reason="mono-mcs is not installed")
def test_the_class_compiles_and_its_steps_run_over_the_engine(tmp_path):
    source = reqnroll_class(
        namespace="Till.Specs",
        phrases=["a sale of {string} was made", "{string} refunds the sale {int} times at once"],
    )
    (tmp_path / "PremortemSteps.cs").write_text(source)
    made = subprocess.run(
        ["mcs", "-warnaserror", "-out:steps.exe", "PremortemSteps.cs", str(STUBS)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    command = f"{sys.executable} -m premortem"
    with till(tmp_path):
        ran = subprocess.run(
            ["mono", "steps.exe"],
            cwd=tmp_path,
            env={**os.environ, **environment(), "PREMORTEM_COMMAND": command},
            capture_output=True,
            text=True,
            timeout=100,
        )
    said = ("passed", "no step", "Premortem")  # mono itself may say more
    lines = [line for line in ran.stdout.splitlines() if line.startswith(said)]
    assert lines[:-1] == ["passed"] * 9, ran.stdout + ran.stderr
    assert lines[-1].startswith('PremortemStepException: {"status":"failed","detail":"the status')


def test_every_step_of_the_catalogue_is_in_the_class():
    source = reqnroll_class()
    assert source.count("[StepDefinition(") == 32
    assert "namespace Premortem.Specs" in source


@pytest.mark.parametrize("namespace", ["", "1.2", "A B", "A;}"])
def test_what_is_no_namespace_is_refused(namespace):
    with pytest.raises(InputError, match="namespace"):
        reqnroll_class(namespace=namespace)
