"""What `import premortem` offers."""

from __future__ import annotations

import subprocess
import sys

import premortem


def test_all_names_are_sorted_there_and_described():
    assert premortem.__all__ == sorted(premortem.__all__)
    for name in premortem.__all__:
        assert getattr(premortem, name).__doc__, name


def test_every_name_stands_in_the_documentation():
    from tests.shared import ROOT

    page = (ROOT / "docs" / "python.md").read_text()
    assert [name for name in premortem.__all__ if f"`{name}" not in page] == []


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(premortem, "nothing_of_the_kind")


def test_importing_the_package_loads_nothing_else():
    code = "import sys, premortem; print(sum(m.startswith('premortem.') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
