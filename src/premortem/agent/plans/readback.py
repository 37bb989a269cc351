"""What became of a value: in the answer itself, and when the thing is read again."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from premortem.agent.planning.declared import usual_role
from premortem.agent.planning.draft import Draft
from premortem.agent.planning.identity import identity_of
from premortem.agent.planning.observation import good_answer
from premortem.agent.plans.ground import Ground
from premortem.agent.steps.catalogue import text
from premortem.domain.shape import read_shape
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile

MADE = "made_id"
"""The variable that keeps what the request in question made."""


class ReadBack(Struct, frozen=True, kw_only=True):
    """How the thing is read again after the request in question."""

    operation: OperationProfile
    """The one that reads it."""
    pointer: str
    """Where the value stands in its answer."""
    made: str = ""
    """Pointer of the thing's id in the answer to the request; empty: its own path names it."""
    role: str = ""
    """Who may; empty: nothing says, so whoever sends the request in question."""

    def look(self, draft: Draft) -> None:
        """The steps that read it."""
        last = len(draft.cases) - 1
        path = draft.path(last)
        if self.made:
            draft.add("Then", text("save", self.made, MADE))
            path = f"{path.rstrip('/')}/${{{MADE}}}"
        role = self.role or draft.cases[-1].role
        draft.add("Then", text("send", draft.actor(role), "GET", path))


def read_back(
    ground: Ground, operation: OperationProfile, tokens: Sequence[str]
) -> ReadBack | None:
    """How to see, later, what a request of OPERATION put at TOKENS; None: nothing shows it."""
    template = split_template(operation.operation.template)
    made = operation.operation.method == "POST"
    wanted = (*map(_shape, template), "{}") if made else tuple(map(_shape, template))
    for other in ground.profile.operations:
        shape = tuple(map(_shape, split_template(other.operation.template)))
        if other.operation.method != "GET" or shape != wanted:
            continue
        pointer = echo_of(other, tokens)
        select = identity_of(operation, template, "") if made else None
        if pointer is None or (made and select is None):
            return None
        return ReadBack(
            operation=other,
            pointer=pointer,
            made=select.name if select is not None else "",
            role=_reader(ground, other),
        )
    return None


def _reader(ground: Ground, other: OperationProfile) -> str:
    asked = ground.understood.role
    allowed = other.roles.get(asked, {})
    if asked in ground.roles and any(status.startswith("2") for status in allowed):
        return asked
    known = other.roles or other.allowed_roles
    return usual_role(other, ground.profile, ground.roles) if known else ""


def echo_of(operation: OperationProfile, tokens: Sequence[str]) -> str | None:
    """Where a good answer of OPERATION repeats what its request holds at TOKENS; None: nowhere."""
    answer = good_answer(operation)
    if answer is None or not tokens or "*" in tokens:
        return None
    captured = {f.place.tokens for f in answer.fields if f.place.part == "body"}
    name = tokens[-1]
    ways = (tuple(tokens), (name,), ("data", name), (*tokens[1:],))
    for way in dict.fromkeys(way for way in ways if way):
        if way in captured:
            return "/" + "/".join(way)
    shape = read_shape(answer.schema)
    for way in dict.fromkeys(way for way in ways if way):
        parent = shape.at(way[:-1]) if shape is not None else None
        if parent is not None and name in parent.names:
            return "/" + "/".join(way)
    return None


def _shape(segment: str) -> str:
    return "{}" if "{" in segment else segment
