"""Whole runs in seconds, held to the clock of a machine that other work may share."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A second try, shown as a rerun: a core taken away for a second breaks a run of three, and
    # says nothing about what is tested. A real defect fails twice.
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))
