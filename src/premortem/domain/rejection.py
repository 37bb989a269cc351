"""Why a case is not sent."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from premortem.domain.run import Case

RejectionRule = Literal[
    "syntax", "shape", "links", "safety", "duplicate", "redaction", "runaway", "copied", "operator"
]
"""The rule that a case broke. Of language models alone: `runaway`, an answer that was cut off;
`copied`, an example of production's given back; `operator`, a change that is not the one asked
for."""


class Rejection(Struct, frozen=True, kw_only=True):
    """A case that failed validation, or a language model's answer that became none."""

    case: Case
    """Of an answer that became none: the request that it was to go into."""
    rule: RejectionRule
    reason: str
    prompt: str = ""
    """What the model was asked; empty: no model was."""
    output: str = ""
    """What it answered, as far as it is kept."""
