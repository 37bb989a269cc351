"""What it takes to perform a step: the shape that all of them have."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from premortem.agent.steps.bind import BoundStep
from premortem.agent.steps.stage import Stage

Perform = Callable[[Stage, BoundStep], Coroutine[Any, Any, None]]
"""Raises StepFailed for what is not true of the target, StepBroken for what cannot be done."""


def texts(step: BoundStep) -> list[str]:
    """The arguments of STEP as texts."""
    return [str(argument) for argument in step.arguments]
