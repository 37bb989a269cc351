"""An engine that answers by rule: what cannot be had in a fast test."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from premortem.models import Ask, Failed, Outcome, Reply, Usage

Rule = Callable[[Any, int], Any]
"""(schema, number of the answer) -> JSON value, or a text that is sent as it is."""


def made(schema: Any, number: int) -> Any:
    """A valid value of SCHEMA, another one for another number as far as that goes."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][number % len(schema["enum"])]
    if "anyOf" in schema:
        return made(schema["anyOf"][number % len(schema["anyOf"])], number)
    kind = schema["type"]
    if kind == "object":
        return {name: made(inner, number) for name, inner in schema["properties"].items()}
    if kind == "array":
        return [made(schema["items"], number + i) for i in range(schema["minItems"])]
    if kind in ("integer", "number"):
        low, high = schema["minimum"], schema["maximum"]
        value = low + (number * 7 + 1) % max(1, int(high - low))
        return int(value) if kind == "integer" else float(value)
    if kind == "boolean":
        return number % 2 == 0
    if "format" in schema:
        year = schema.get("x-years", [2024])[0]
        return f"{year}-03-{number % 28 + 1:02d}"
    return f"text {number}"[: schema["maxLength"]]


class RuledEngine:
    """Answers as its rule says, four at a time."""

    name = "ruled 1"
    batch = 4

    def __init__(self, rule: Rule = made, *, complete: bool = True) -> None:
        self.asked: list[Ask] = []
        self.usage = Usage()
        self._rule, self._complete, self._number = rule, complete, 0

    def answers(self, ask: Ask) -> list[Outcome]:
        self.asked.append(ask)
        out: list[Outcome] = []
        for _ in range(ask.count):
            value = self._rule(json.loads(ask.schema), self._number)
            self._number += 1
            text = value if isinstance(value, str) else json.dumps(value)
            out.append(
                Failed(reason="no")
                if value is None
                else Reply(text=text, tokens_in=10, tokens_out=10, complete=self._complete)
            )
        used = self.usage
        self.usage = Usage(
            answers=used.answers + len(out),
            tokens_in=used.tokens_in + 10,
            tokens_out=used.tokens_out + 10 * len(out),
        )
        return out

    def close(self) -> None:
        pass
