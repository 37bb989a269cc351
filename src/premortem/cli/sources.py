"""Contradictions between sources, where findings are shown."""

from __future__ import annotations

from premortem.analyse import contradictions_view
from premortem.cli.context import show, warn
from premortem.pipeline.contradicting import Contradicting


def tell_sources(against: Contradicting) -> None:
    """Show what sources say against each other; nothing where they agree."""
    if against.trouble:
        warn((f"sources of access could not be compared: {against.trouble}", "yellow"))
    if against.found:
        show(contradictions_view(against.found))
