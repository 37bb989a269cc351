"""A question with what it came with, as JSON: handler, validator, roles, blueprint, trace.

{"prompt": "What happens if the refund amount is negative?",
 "context": {"handler": "IssueRefundHandler", "roles": ["SupportAgent"]}}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from premortem.domain.proposal import Signal
from premortem.errors import InputError

INPUT_CHARACTERS_MAX = 200_000
"""Of a context file."""
SETTINGS_MAX = 50
"""`--set` options of one question."""
_SETTING = re.compile(r"([A-Za-z_$][\w$.\[\]/-]*)=(.*)", re.DOTALL)
_INSTRUCTION = re.compile(
    r"^(?:please |pls )?(?:add|write|create|generate|make|draft|propose|test|check|simulate|cover|"
    r"verify|try|ensure)\b",
    re.IGNORECASE,
)


class PromptContext(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a question came with; everything may be left out."""

    handler: str = ""
    """The class behind the operation: `IssueRefundHandler`."""
    validator: str = ""
    dto: str = ""
    role: str = ""
    """Who does it."""
    roles: tuple[str, ...] = ()
    """Who may be meant; a single one does it."""
    edition: str = ""
    blueprint_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    origin: str = ""
    """The system that it came from: `studio`."""
    event: str = ""
    """The name of the event that was logged."""
    status: int = 0
    """An HTTP status that was seen."""
    operation: str = ""
    """The operation's id, where it is known: `POST /payments/{payment_id}/refunds`."""
    payload: Any = None
    """The request that was seen: any JSON."""
    values: Mapping[str, Any] = {}
    """Field -> value to send."""


class PromptInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A context file."""

    prompt: str = ""
    """Empty: the question stands on the command line."""
    context: PromptContext = PromptContext()


def context_schema() -> dict[str, Any]:
    """The JSON Schema of a context file."""
    schema: dict[str, Any] = msgspec.json.schema(PromptInput)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def read_context(text: str, *, source: str) -> PromptInput:
    """What a context file says; SOURCE names it in messages.

    Fields of the context may also stand at the top. Raises InputError for anything else.
    """
    if len(text) > INPUT_CHARACTERS_MAX:
        raise InputError(f"{source} has more than {INPUT_CHARACTERS_MAX} characters; shorten it")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InputError(f"{source} is no JSON: {error}; see `ask --context-schema`") from None
    if not isinstance(document, dict):
        raise InputError(f"{source} holds no JSON object; see `ask --context-schema`")
    known = set(PromptContext.__struct_fields__)
    inside = document.get("context", {})
    outside = {key: value for key, value in document.items() if key in known}
    if not isinstance(inside, dict):
        raise InputError(f"{source}: `context` is no object; see `ask --context-schema`")
    rest = {key: value for key, value in document.items() if key not in known}
    try:
        return msgspec.convert({**rest, "context": {**outside, **inside}}, type=PromptInput)
    except msgspec.ValidationError as error:
        fields = ", ".join(("prompt", *PromptContext.__struct_fields__))
        raise InputError(f"{source}: {error}; there are: {fields}") from None


def signal_of(
    question: str, given: PromptInput | None = None, *, settings: Sequence[str] = ()
) -> Signal:
    """The Signal that QUESTION is, with what came with it.

    QUESTION stands before the file's own. SETTINGS: `field=value` each, the value JSON or else
    text; they stand before the file's values. Raises InputError for a setting that is none.
    """
    given = given or PromptInput()
    context = given.context
    text = question.strip() or given.prompt
    values = {name: json.dumps(value) for name, value in context.values.items()}
    values.update(_settings(settings))
    return Signal(
        kind="instruction" if _INSTRUCTION.match(text) else "prompt",
        text=text,
        trace_id=context.trace_id,
        span_id=context.span_id,
        blueprint_id=context.blueprint_id,
        handler=context.handler,
        validator=context.validator,
        dto=context.dto,
        role=context.role or (context.roles[0] if len(context.roles) == 1 else ""),
        roles=context.roles,
        edition=context.edition,
        origin=context.origin,
        event=context.event,
        status=context.status,
        operation_id=context.operation,
        payload="" if context.payload is None else json.dumps(context.payload),
        field_values=tuple(values.items()),
    )


def _settings(settings: Sequence[str]) -> dict[str, str]:
    if len(settings) > SETTINGS_MAX:
        raise InputError(f"{len(settings)} settings are given; at most {SETTINGS_MAX} are read")
    found: dict[str, str] = {}
    for setting in settings:
        parts = _SETTING.fullmatch(setting.strip())
        if parts is None:
            raise InputError(f"--set {setting!r} is no `field=value`; write it like amount=-5")
        found[parts[1]] = _json_of(parts[2])
    return found


def _json_of(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return json.dumps(text)
