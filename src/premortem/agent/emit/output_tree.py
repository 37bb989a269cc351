"""Where each kind of file goes.

Tests/
├── PaymentsService.Specs/Features/refund_flow.feature
├── PaymentsService.UnitTests/IssueRefundHandlerTests.cs
├── PaymentsService.IntegrationTests/RefundsControllerTests.cs
├── test-augmentation-metadata.yaml
└── qa-report.md
"""

from __future__ import annotations

import re

from msgspec import Struct

from premortem.domain.proposal import TestKind
from premortem.errors import InputError

_FOLDERS: dict[TestKind, str] = {
    "bdd": "Specs/Features",
    "unit": "UnitTests",
    "integration": "IntegrationTests",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class OutputTree(Struct, frozen=True, kw_only=True):
    """The folders of one service's tests; without a service everything lies in `folder`."""

    service: str = ""
    """`PaymentsService`."""
    folder: str = "Tests"
    """Below the repository, with `/`."""

    def path(self, kind: TestKind, name: str) -> str:
        """Where the test file NAME of KIND goes. Raises InputError for names that are none."""
        plain_name(name)
        if not self.service:
            return self.beside(name)
        plain_name(self.service)
        return self.beside(f"{self.service}.{_FOLDERS[kind]}/{name}")

    @property
    def features(self) -> str:
        """The folder of feature files."""
        inside = f"{self.service}.{_FOLDERS['bdd']}" if self.service else ""
        return "/".join(part for part in (self.folder, inside) if part)

    def beside(self, name: str) -> str:
        """Where what is told of all tests goes: metadata, logs, reports."""
        return f"{self.folder}/{name}" if self.folder else name


def plain_name(name: str) -> str:
    """NAME, which must be a file's name and no path. Raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for a file; use letters, digits, `.`, `_`, `-`")
    return name
