"""Runs the `premortem` command in this process and keeps what it printed."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import pytest

from premortem.cli.app import main


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on standard error of a command that could not do its work."""
        [line] = self._complained()
        return line

    @property
    def not_understood(self) -> str:
        """The three lines on standard error about a question of which nothing can be made."""
        lines = self._complained()
        assert len(lines) == 3, self.err
        return "\n".join(lines)

    def _complained(self) -> list[str]:
        assert self.code == 2, self
        assert self.out == "" or "message" in self.json, self
        lines = self.err.splitlines()
        assert lines[0].startswith("premortem: "), self.err
        assert "Traceback" not in self.err
        return lines


def premortem(*arguments: object) -> Ran:
    """`premortem ARGUMENTS...`, here."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    code = ended.value.code
    assert isinstance(code, int), code
    return Ran(code=code, out=out.getvalue(), err=err.getvalue())
