"""What a running scenario knows: its actors, its variables, the last request and its answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import quote

import msgspec

from premortem.agent.steps.hooks import Switch
from premortem.domain.bodies import at, text_of
from premortem.domain.places import Place
from premortem.domain.run import Case, Sent
from premortem.domain.template import encode_segment
from premortem.domain.traffic import Response

Phase = Literal["before", "question", "after"]
"""Before the request in question, that request, and what is looked at afterwards."""

VARIABLES_MAX = 200
DETAIL_CHARACTERS_MAX = 400
"""Characters of a value that a step's detail shows."""

SIGNS_IN = "sign_in"
"""Operator of the request that signs an actor in: what it carries is shown nowhere."""
IN_SESSION = "in a session"
"""Operator of a request that carries the session which an actor was signed in to."""
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class StepFailed(Exception):
    """The step says something that is not true of the target. Becomes a StepResult."""


class StepBroken(Exception):
    """The step could not be carried out. Becomes a StepResult."""


class ScenarioClient(Protocol):
    """What scenarios are sent through; `send.Client` is one."""

    async def send_case(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        """Send CASE with the credentials of its role and read the whole answer."""
        ...


@dataclass(kw_only=True)
class World:
    """The changing part of one run of one scenario."""

    actors: dict[str, str] = field(default_factory=dict)
    """Actor -> configured role; empty: not signed in."""
    variables: dict[str, Any] = field(default_factory=dict)
    """Saved name -> JSON value."""
    next_headers: dict[str, str] = field(default_factory=dict)
    """Of the next request only, names in lower case."""
    phase: Phase = "before"
    case: Case | None = None
    sent: Sent | None = None
    round: list[Sent] = field(default_factory=list)
    """All that the last sending step sent."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of every request from now on, names in lower case."""
    claims: dict[str, dict[str, str]] = field(default_factory=dict)
    """Actor -> claim -> what their token says in place of the truth."""
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Actor -> the header that they present instead of their role's credentials."""
    rows_before: dict[str, Counter[str]] = field(default_factory=dict)
    """Table -> its rows before the last request under When."""
    events_before: dict[str, int] = field(default_factory=dict)
    """Event -> how often it was recorded before the first request under When."""
    switched: list[tuple[str, Switch, str]] = field(default_factory=list)
    """Where it stands in the binding file, what was switched, and to what value."""
    key: str = ""
    """The idempotency key of the last request; empty: it had none."""

    @property
    def response(self) -> Response:
        """The last answer. Raises StepBroken when there is none."""
        if self.sent is None:
            raise StepBroken("no request was sent before this step")
        if self.sent.response is None:
            raise StepBroken("the last request was not answered")
        return self.sent.response

    def actor(self, name: str) -> str:
        """The role of actor NAME. Raises StepBroken when nobody introduced them."""
        try:
            return self.actors[name]
        except KeyError:
            raise StepBroken(
                f'nobody said who "{name}" is; write first: the actor "{name}" has role "..."'
            ) from None

    def save(self, name: str, value: Any) -> None:
        """Keep VALUE under NAME. Raises StepBroken when there are too many."""
        if name not in self.variables and len(self.variables) >= VARIABLES_MAX:
            raise StepBroken(f"a scenario may save at most {VARIABLES_MAX} values")
        self.variables[name] = value

    def value(self, name: str) -> Any:
        """What was saved as NAME. Raises StepBroken when nothing was."""
        if name not in self.variables:
            raise StepBroken(f"nothing was saved as {name} before this step")
        return self.variables[name]

    def text(self, text: str) -> str:
        """TEXT with every `${name}` replaced by the text of what was saved."""
        return _VARIABLE.sub(lambda found: text_of(self.value(found[1])), text)

    def path(self, text: str) -> str:
        """TEXT as a path with its query: saved values are percent-encoded."""
        path, mark, query = text.partition("?")
        path = _VARIABLE.sub(lambda m: encode_segment(text_of(self.value(m[1]))), path)
        query = _VARIABLE.sub(lambda m: quote(text_of(self.value(m[1])), safe=""), query)
        return path + mark + query

    def expected(self, text: str) -> Any:
        """TEXT as a value to compare with: a lone `${name}` keeps its type, else it is text."""
        alone = _VARIABLE.fullmatch(text)
        return self.value(alone[1]) if alone else self.text(text)

    def document(self, docstring: str) -> tuple[bytes, str]:
        """DOCSTRING as body and media type: JSON, where it is JSON, else a form, else text."""
        try:
            value = json.loads(docstring)
        except ValueError:
            body = self.text(docstring).strip()
            media = "application/x-www-form-urlencoded" if _FORM.fullmatch(body) else "text/plain"
            return body.encode(), media
        return msgspec.json.encode(self.fill(value)), "application/json"

    def fill(self, value: Any) -> Any:
        """VALUE with `${name}` replaced in every text inside; a lone one keeps its type."""
        if isinstance(value, str):
            return self.expected(value)
        if isinstance(value, dict):
            return {self.text(key): self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return value


_FORM = re.compile(r"[^=&\s]+=[^&\s]*(&[^=&\s]+=[^&\s]*)*")


def json_body(response: Response) -> Any:
    """The answer's body as JSON. Raises StepFailed when it is none."""
    try:
        return msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StepFailed(
            f"the answer ({response.status}) is not JSON: {shown_bytes(response.body)}"
        ) from None


def field_of(response: Response, name: str) -> Any:
    """What the answer holds at NAME: a JSON pointer, a top-level name, or empty for the whole.

    Raises StepFailed when nothing stands there.
    """
    value = json_body(response)
    pointer = name if not name or name.startswith("/") else "/" + name
    try:
        return at(value, Place(part="body", name=pointer).tokens)
    except (LookupError, IndexError):
        raise StepFailed(f"the answer ({response.status}) has no field {name!r}") from None


def same(actual: Any, expected: Any) -> bool:
    """Whether ACTUAL is what EXPECTED says; a text also means the JSON value it spells."""
    if _equal(actual, expected):
        return True
    if isinstance(expected, str) and not isinstance(actual, str):
        try:
            return _equal(actual, json.loads(expected))
        except ValueError:
            return False
    # A number that was saved may be compared with its text, as in a path or a header.
    return (
        isinstance(actual, str)
        and not isinstance(expected, str | dict | list)
        and (actual == text_of(expected))
    )


def mismatch(actual: Any, pattern: Any, where: str = "") -> str:
    """Where ACTUAL is not as PATTERN says: objects may hold more, the rest is equal; or empty."""
    if isinstance(pattern, dict) and isinstance(actual, dict):
        for key, item in pattern.items():
            if key not in actual:
                return f"{where}/{key} is missing"
            if found := mismatch(actual[key], item, f"{where}/{key}"):
                return found
        return ""
    if isinstance(pattern, list) and isinstance(actual, list) and len(pattern) == len(actual):
        for index, item in enumerate(pattern):
            if found := mismatch(actual[index], item, f"{where}/{index}"):
                return found
        return ""
    if _equal(actual, pattern):
        return ""
    return f"{where or 'the whole'} is {shown(actual)}, not {shown(pattern)}"


def _equal(left: Any, right: Any) -> bool:
    # In JSON true is not 1, whatever Python thinks.
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def shown(value: Any) -> str:
    """VALUE as JSON, cut to what a line can hold."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= DETAIL_CHARACTERS_MAX else text[:DETAIL_CHARACTERS_MAX] + "..."


def shown_bytes(body: bytes) -> str:
    """BODY as text, cut to what a line can hold."""
    return repr(body[:DETAIL_CHARACTERS_MAX].decode("utf-8", "replace"))
