"""The step catalogue for plain pytest, or any runner that calls functions.

    def test_a_refund_is_issued_twice():
        play(
            given('the actor "ann" has role "SupportAgent"'),
            when('"ann" sends "POST" to "/refunds" with:', '{"amount": 10}'),
            then("the response status is 409"),
        )

The configuration is PREMORTEM_CONFIG, or the nearest premortem.toml upwards. The target is
brought back to a fresh state before each `play`.
"""

from __future__ import annotations

from premortem.agent.adapters.session import Session, configured
from premortem.domain.scenario import Step

__all__ = ["given", "play", "then", "when"]

Table = tuple[tuple[str, ...], ...]


def given(text: str, docstring: str = "", *, table: Table = ()) -> Step:
    """What is so before."""
    return Step(keyword="Given", text=text, docstring=docstring, table=table)


def when(text: str, docstring: str = "", *, table: Table = ()) -> Step:
    """What is done."""
    return Step(keyword="When", text=text, docstring=docstring, table=table)


def then(text: str, docstring: str = "", *, table: Table = ()) -> Step:
    """What must hold."""
    return Step(keyword="Then", text=text, docstring=docstring, table=table)


def play(*steps: Step) -> None:
    """Run STEPS against the target from a fresh state.

    Raises AssertionError at the first that does not hold, ConfigError where nothing is
    configured, TargetError when the target cannot be used.
    """
    session = Session(steps, config=configured())
    try:
        for step in steps:
            session.perform(step)
    finally:
        session.close()
