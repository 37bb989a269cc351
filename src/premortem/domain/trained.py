"""Models that were trained on recorded traffic: where they come from, how they did, who let them
be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

ModelState = Literal["training", "candidate", "promoted", "superseded", "withdrawn"]
"""`training`: a checkpoint; it can be gone on with. `candidate`: finished, used by nobody.
`promoted`: the one in use for its profile. `superseded`: it was, until the next was promoted.
`withdrawn`: it was, until somebody went back to the one before."""
HISTORY_MAX = 200
"""Turns kept of one model, the latest ones."""
LOSSES_MAX = 2_000
"""Points kept of one loss curve."""


class Recipe(Struct, frozen=True, kw_only=True):
    """How a language model is fine-tuned: LoRA (Hu et al. 2021), low-rank additions to every
    linear layer of a model that itself stays as it is."""

    rank: int = 8
    alpha: float = 16.0
    """Additions are scaled by alpha / rank."""
    rate: float = 1e-3
    """Highest learning rate: reached after a tenth of the steps, then falling to a tenth."""
    epochs: int = 2
    """Times that the sample is gone through; each time beside other examples."""
    answers_max: int = 2_000
    """Requests in the sample."""
    pack_tokens: int = 640
    """Of one step: a question and as many answers as there is room for."""
    steps_max: int = 400
    seconds_max: float = 3_600.0
    """Of wall clock, spent on steps by one command."""
    seed: int = 1


class Point(Struct, frozen=True, kw_only=True):
    """One point of a loss curve, in nats per token of an answer."""

    step: int
    loss: float
    watched: float = 0.0
    """On sessions set aside to watch training by; 0: not looked at in this step."""


class Guard(Struct, frozen=True, kw_only=True):
    """One check of the privacy gate."""

    name: Literal["canaries", "exposure", "copies", "overlap", "membership"]
    found: float
    limit: float
    passed: bool
    says: str
    """In words: what was counted, of how many."""


class StateChange(Struct, frozen=True, kw_only=True):
    """A change of state, and whose."""

    at: float
    """Seconds since the epoch."""
    by: str
    state: ModelState


class TrainedModel(Struct, frozen=True, kw_only=True):
    """The card of a trained model; its weights lie beside it."""

    id: str
    """12 hex digits of what it was trained from, and how."""
    kind: Literal["llm"] = "llm"
    profile_version: str
    base: str
    """Name and version of the model that it adds to, as its engine calls it."""
    parent: str = ""
    """The model in use for the profile when this one was trained; empty: the base alone."""
    created_at: float
    state: ModelState
    window: tuple[float, float]
    """First and last start of the requests it was trained on, seconds since the epoch."""
    sessions: int
    """Trained on."""
    sessions_held_out: int
    requests: int
    """Recorded requests that the sample was taken from."""
    distinct: int
    """Different answers among them."""
    sample: Mapping[str, int]
    """Operation -> answers in the sample, repetitions included."""
    recipe: Recipe
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Wall clock of the steps."""
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    """The most that the process had at once."""
    device: str = ""
    """`cpu float32`."""
    losses: tuple[Point, ...] = ()
    metrics: Mapping[str, float] = {}
    privacy: tuple[Guard, ...] = ()
    """Empty: the gate was not run, which is as good as failed."""
    bytes: int = 0
    """Of its weights."""
    history: tuple[StateChange, ...] = ()

    @property
    def guarded(self) -> bool:
        """Whether the privacy gate was run and passed."""
        return bool(self.privacy) and all(guard.passed for guard in self.privacy)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it may not be promoted; empty: it may."""
        if self.state == "training":
            return ("its training has not ended",)
        if not self.privacy:
            return ("its privacy was not checked",)
        return tuple(f"{g.name}: {g.says}" for g in self.privacy if not g.passed)
