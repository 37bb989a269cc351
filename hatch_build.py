"""Puts the Studio's front end into what is built: users need no npm.

A checkout that is installed to work in (`pip install -e`) gets it by `make front-end`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before a wheel or a source archive is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch the files; they are ignored by git, so they are named here."""
        if version == "editable":
            return
        fetch = Path(self.root) / "front-end" / "fetch.py"
        subprocess.run([sys.executable, str(fetch)], check=True)  # noqa: S603
        build_data["artifacts"].append("src/premortem/studio/static/vendor/*.js")
