"""What a language model is fine-tuned on: questions as they will be asked, with answers to them."""

from __future__ import annotations

from msgspec import Struct


class Lesson(Struct, frozen=True, kw_only=True):
    """A question, and production's answers to it: read once for all of them, as when asking."""

    operation_id: str
    system: str
    user: str
    answers: tuple[str, ...]
