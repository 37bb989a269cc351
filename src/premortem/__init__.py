"""Premortem: ask what could go wrong before it does.

    import premortem

    with premortem.open_project() as project:      # the folder's premortem.toml and store
        project.capture("monday.har")
        project.learn()
        for finding in project.run(premortem.Plan(requests_max=500)).findings:
            print(finding.title)

    @premortem.cases("POST /invoices", count=50)   # in a test file: a test per generated request
    def test_invoices(case):
        case.send()

    app = premortem.record(app)                    # WSGI or ASGI: its traffic, redacted, recorded

docs/python.md describes each name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from premortem.api.live import Answer, FindingError, LiveCase
    from premortem.api.project import Project, open_project
    from premortem.api.wanted import cases
    from premortem.capture.middleware import record
    from premortem.checks import Failure, Known, check
    from premortem.config import Config
    from premortem.domain.context import Context, Range, User
    from premortem.domain.run import Case, Finding, Plan, Sent, Sequence
    from premortem.domain.traffic import Exchange, Profile, Request, Response
    from premortem.errors import PremortemError

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Case",
    "Config",
    "Context",
    "Exchange",
    "Failure",
    "Finding",
    "FindingError",
    "Known",
    "LiveCase",
    "Plan",
    "PremortemError",
    "Profile",
    "Project",
    "Range",
    "Request",
    "Response",
    "Sent",
    "Sequence",
    "User",
    "cases",
    "check",
    "open_project",
    "record",
]

_HOMES = {
    "premortem.api.live": ("Answer", "FindingError", "LiveCase"),
    "premortem.api.project": ("Project", "open_project"),
    "premortem.api.wanted": ("cases",),
    "premortem.capture.middleware": ("record",),
    "premortem.checks": ("Failure", "Known", "check"),
    "premortem.config": ("Config",),
    "premortem.domain.context": ("Context", "Range", "User"),
    "premortem.domain.run": ("Case", "Finding", "Plan", "Sent", "Sequence"),
    "premortem.domain.traffic": ("Exchange", "Profile", "Request", "Response"),
    "premortem.errors": ("PremortemError",),
}


def __getattr__(name: str) -> Any:
    # Every module of ours imports this one first; what it offers is loaded when it is asked for.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'premortem' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
