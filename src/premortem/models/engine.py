"""What a language model is to us: asks in, texts out, with what they took."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from premortem.domain.traffic import Document

PROMPT_CHARS_MAX = 12_000
"""Of one ask, system and user text together."""
REPLY_TOKENS_MAX = 1024
"""Of one answer, whatever was asked for: a grammar does not stop a runaway."""


class Ask(Struct, frozen=True, kw_only=True):
    """One question to a model, and how many answers to it."""

    system: str
    user: str
    count: int = 1
    """Answers wanted, at most the engine's `batch`: the question is read once for all of them."""
    schema: Document = ""
    """What the answer has to look like, of the keywords `grammar.grammar_of` knows; empty: text."""
    tokens_max: int = 256
    temperature: float = 0.8
    seed: int = 0
    """Of the first answer; the others have seeds of their own, made from it."""


class Reply(Struct, frozen=True, kw_only=True):
    """A model's answer. Whether it is what was asked for, who asked has to see."""

    text: str
    tokens_in: int
    """0 where the question was read for an earlier answer."""
    tokens_out: int
    """Estimated from the length where an engine counts only all answers together."""
    complete: bool
    """False: it was cut off at `tokens_max`."""


class Failed(Struct, frozen=True, kw_only=True):
    """No answer, or one of several is missing."""

    reason: str


Outcome = Reply | Failed


class Usage(Struct, frozen=True, kw_only=True):
    """What an engine has taken since it was opened."""

    answers: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    """In the currency of the configured prices; 0 without prices."""


def added(usage: Usage, outcomes: list[Outcome], *, price_in: float, price_out: float) -> Usage:
    """USAGE and what OUTCOMES took; prices per million tokens."""
    replies = [outcome for outcome in outcomes if isinstance(outcome, Reply)]
    tokens_in = sum(reply.tokens_in for reply in replies)
    tokens_out = sum(reply.tokens_out for reply in replies)
    return Usage(
        answers=usage.answers + len(outcomes),
        failed=usage.failed + len(outcomes) - len(replies),
        tokens_in=usage.tokens_in + tokens_in,
        tokens_out=usage.tokens_out + tokens_out,
        cost=usage.cost + (tokens_in * price_in + tokens_out * price_out) / 1e6,
    )


class Engine(Protocol):
    """A model that answers.

    Two implementations pass one suite: `llamacpp.LlamaCpp` (in this process) and
    `openai.OpenAICompatible` (over HTTP).
    """

    @property
    def name(self) -> str:
        """Engine, model and version, as an Origin carries it."""
        ...

    @property
    def batch(self) -> int:
        """Answers that it works on at once."""
        ...

    @property
    def usage(self) -> Usage:
        """What was taken so far."""
        ...

    def answers(self, ask: Ask) -> list[Outcome]:
        """`ask.count` outcomes. Raises ModelError when nobody answers: no credentials, no such
        model, nobody there."""
        ...

    def close(self) -> None:
        """Give back memory and connections. It answers no more."""
        ...
