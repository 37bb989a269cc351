"""A plan's cases sent at a constant rate; typed events come out."""

from premortem.run.events import Event, Paused, ResultBatch, RunEnded, RunStarted, Tick
from premortem.run.reproduce import reproduce
from premortem.run.runner import run_plan

__all__ = [
    "Event",
    "Paused",
    "ResultBatch",
    "RunEnded",
    "RunStarted",
    "Tick",
    "reproduce",
    "run_plan",
]
