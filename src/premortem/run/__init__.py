"""A plan's cases sent: controllers cut it into jobs, workers send them, typed events come out."""

from premortem.run.happenings import (
    Event,
    Gathered,
    Paused,
    Recovered,
    RunEnded,
    RunStarted,
    Steered,
    Stopping,
    Tick,
    Tried,
    WorkerChanged,
)

__all__ = [
    "Event",
    "Gathered",
    "Paused",
    "Recovered",
    "RunEnded",
    "RunStarted",
    "Steered",
    "Stopping",
    "Tick",
    "Tried",
    "WorkerChanged",
]
