"""Finds the recordings and services that lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared(name: str) -> Path:
    """The shared file NAME; skips the test where a checkout has none beside it."""
    path = ROOT.parent / "shared" / name
    if not path.exists():
        pytest.skip(f"shared/{name} does not lie beside this checkout")
    return path
