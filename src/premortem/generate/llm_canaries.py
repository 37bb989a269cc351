"""Secrets that nobody sent, planted among what a model is trained on: does it keep them?

Source: Carlini et al. 2019, "The Secret Sharer: Evaluating and Testing Unintended Memorization in
Neural Networks".
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.generate.llm_free import Ask
from premortem.generate.llm_lessons import Desk, Sent
from premortem.generate.llm_prompt import spelled

CANARIES = 8
REFERENCES = 64
"""Others of the same make that were not planted; exposure is a canary's rank among them."""
LETTERS = 10
"""Of one canary: 26 ** 10 are possible, 47 bits."""


class Planted(Struct, frozen=True, kw_only=True):
    """Canaries in the answers to one operation, and what they are compared with."""

    words: tuple[str, ...]
    """What must never come out."""
    answers: tuple[Sent, ...]
    references: tuple[Sent, ...]


def planted(
    given: Sequence[Sent], places: Mapping[str, Desk], *, rng: random.Random
) -> Planted | None:
    """Canaries like GIVEN: one text of a request is a word of random letters. None where no
    request has a text that a model may make up."""
    found = next(_rows_with_text(given, places), None)
    if found is None:
        return None
    row, pointer = found
    words = [random_word(rng) for _ in range(CANARIES + REFERENCES)]
    made = [_with(row, pointer, word) for word in words]
    return Planted(
        words=tuple(words[:CANARIES]),
        answers=tuple(made[:CANARIES]),
        references=tuple(made[CANARIES:]),
    )


def _rows_with_text(
    given: Sequence[Sent], places: Mapping[str, Desk]
) -> Iterator[tuple[Sent, tuple[str, ...]]]:
    """(request, where its text is), of the operation with most requests first."""
    counts: dict[str, int] = {}
    for one in given:
        counts[one.operation_id] = counts.get(one.operation_id, 0) + 1
    for one in sorted(given, key=lambda one: (-counts[one.operation_id], one.text)):
        value = msgspec.json.decode(one.text)
        for text in places[one.operation_id].asks:
            pointer = _text_place(msgspec.json.decode(text), value)
            if pointer is not None:
                yield one, pointer


def _text_place(ask: Ask, value: Any) -> tuple[str, ...] | None:
    if ask.get("type") == "object" and isinstance(value, dict):
        for name, inner in ask["properties"].items():
            below = _text_place(inner, value.get(name))
            if below is not None:
                return (name, *below)
    free = ask.get("type") == "string" and "format" not in ask
    return () if free and isinstance(value, str) and ask["maxLength"] >= LETTERS else None


def random_word(rng: random.Random) -> str:
    """LETTERS letters that nobody wrote."""
    return "".join(rng.choices(string.ascii_lowercase, k=LETTERS))


def _with(row: Sent, pointer: tuple[str, ...], word: str) -> Sent:
    value: Any = msgspec.json.decode(row.text)
    inner = value
    for name in pointer[:-1]:
        inner = inner[name]
    if pointer:
        inner[pointer[-1]] = word
    return replace(row, text=spelled(value if pointer else word))
