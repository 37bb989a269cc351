"""The request in a session that ended: signed in, signed out, and the same token once more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from premortem.agent.outcomes.role import of_credentials, of_ended
from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.declared import made_body
from premortem.agent.planning.draft import CannotWrite, Draft
from premortem.agent.planning.identity import identity_of
from premortem.agent.planning.reach import Reached, reach
from premortem.agent.plans.ground import Ground, is_meant, say_outcome, to_scenario
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import tokens
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario
from premortem.domain.template import parameter_names, split_template
from premortem.domain.traffic import OperationProfile

_OVER = re.compile(
    r"\b(?:(?:log|logs|logged|logging|sign|signs|signed|signing)[- ]?(?:out|off)|revok\w+|"
    r"(?:session|token|login|key)s?\b.{0,40}\b(?:end(?:s|ed)?|over|closed|terminated|killed|deleted|"
    r"removed|invalidated|withdrawn)|(?:end(?:s|ed)?|closed?|terminated?|killed?|invalidated?)\b"
    r".{0,20}\bsessions?)\b",
    re.IGNORECASE,
)
"""How a question says that a session is over."""
_USED = re.compile(
    r"\b(?:us(?:e[sd]?|ing)|works?|valid|accepted|still|again|keeps?|call\w*|afterwards|after|once|"
    r"reuse[sd]?|continue[sd]?|go(?:es)? on|token|cookie)\b",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"(?:log|sign)[-_]?(?:out|off)|(?:end|revoke|close|terminate)[-_]?(?:sessions?|tokens?)|revoke"
)
_SESSIONS = re.compile(r"sessions?|(?:access|auth|refresh)?[-_]?tokens?|logins?")
_OPENS = re.compile(r"log[-_]?in|sign[-_]?in|sessions?|tokens?|auth(?:enticate|orize)?")


def ends_session(operation: OperationProfile) -> bool:
    """Whether OPERATION, by its path, ends a session: `DELETE /sessions/{id}`, `POST /logout`."""
    literal = [s for s in split_template(operation.operation.template) if "{" not in s]
    last = literal[-1].lower() if literal else ""
    if operation.operation.method == "DELETE":
        return _SESSIONS.fullmatch(last) is not None
    return operation.operation.method == "POST" and _ENDS.fullmatch(last) is not None


def is_of_ended_session(ground: Ground, operation: OperationProfile) -> bool:
    """Whether the question is about what comes after a session's end."""
    prompt = ground.understood.prompt
    if _OVER.search(prompt) is None:
        return False
    asked = ground.understood.failure_mode == "invalid_token" or ends_session(operation)
    return asked and _USED.search(prompt) is not None and _ender(ground, operation) is not None


def after_its_end(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """OPERATION, or where that is what ends sessions a reading, in a session that ended."""
    ender = _ender(ground, operation)
    if ender is None:
        raise CannotWrite("no operation is known that ends a session")
    role = _named(ground)
    if ends_session(operation):
        role, operation, reached = _reading(ground, ender, role)
    role = role or reached.cases[-1].role or next(iter(ground.roles), "")
    if not role:
        raise CannotWrite("no role is configured that could sign in")
    draft = Draft(reached.cases)
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    name = "_".join((*tokens(role), "leaving"))
    draft.add("Given", text("sign_in", name, role))
    path = _path(ground, ender, draft)
    if operation.operation.method in SAFE_METHODS:
        draft.request("Given", last, actor=name)
    draft.add("Given", text("send", name, ender.operation.method, path))
    draft.request("When", last, actor=name)
    expected = of_ended(ender, operation, ground.evidence)
    say_outcome(draft, expected)
    meant = replace(ground.understood, failure_mode="invalid_token")
    said = titles.from_prompt(ground.understood.prompt)
    named = is_meant(ground, operation) or is_meant(ground, ender)
    title = (said if named else "") or state_titles.in_ended_session(operation)
    asked = replace(ground, understood=meant)
    yield to_scenario(asked, operation, draft, expected, title, role=role)


def _ender(ground: Ground, operation: OperationProfile) -> OperationProfile | None:
    """What ends a session: OPERATION itself, else the first operation that does."""
    found = [o for o in (operation, *ground.profile.operations) if ends_session(o)]
    # One that wants more than the session's id, such as a token in its body, is not for steps.
    usable = [o for o in found if len(parameter_names(o.operation.template)) <= 1]
    return next((o for o in usable if made_body(o) == b""), None)


def _named(ground: Ground) -> str:
    """The role that the question names; empty: none."""
    asked = ground.understood.role
    return asked if asked != ANONYMOUS else ""


def _reading(
    ground: Ground, ender: OperationProfile, wanted: str
) -> tuple[str, OperationProfile, Reached]:
    """Who could read what in a session, and nobody without credentials: something that needs
    nothing before it. WANTED: the role, where one is."""
    found: list[tuple[bool, int, str, str, OperationProfile, Reached]] = []
    for other in ground.profile.operations:
        if other.operation.method != "GET" or "{" in other.operation.template:
            continue
        refused = of_credentials(other, ground.evidence)
        may = [r for r in ground.roles if wanted in ("", r) and _may(ground, r, other)]
        both = [r for r in may if _may(ground, r, ender)]
        way = reach(other, ground.profile, ground.exchanges, roles=ground.roles)
        known = refused.refused and refused.certain and bool(may) and not isinstance(way, str)
        if known and not isinstance(way, str) and len(way.cases) == 1:
            role = (*both, *may)[0]
            found.append((not both, -other.count, other.id, role, other, way))
    if not found:
        raise CannotWrite("nothing is known that could be read in the session")
    *_, role, operation, reached = min(found, key=lambda one: one[:3])
    return role, operation, reached


def _may(ground: Ground, role: str, operation: OperationProfile) -> bool:
    """Whether ROLE may do OPERATION, as far as production or the specification tells."""
    if operation.roles and ground.kit.passes(role, operation):
        return True
    if operation.allowed_roles:
        return role in operation.allowed_roles
    return not operation.roles


def _path(ground: Ground, ender: OperationProfile, draft: Draft) -> str:
    """ENDER's path, with the session's id as the login that was just made gave it."""
    template = split_template(ender.operation.template)
    names = parameter_names(ender.operation.template)
    if not names:
        return ender.operation.template
    pointer = _given(ground, ender, names[0])
    if not pointer:
        raise CannotWrite("nothing tells where a login says which session it opened")
    draft.add("Given", text("save", pointer, "session_id"))
    return "/" + "/".join("${session_id}" if "{" in segment else segment for segment in template)


def _given(ground: Ground, ender: OperationProfile, name: str) -> str:
    """The pointer in a login's answer of what ENDER's path names; empty: none is known."""
    for link in ground.profile.links:
        if link.consumer == ender.id and link.place.name == name and link.select.part == "body":
            producer = ground.profile.operation(link.producer)
            if producer is not None and _opens_session(producer):
                return link.select.name
    template = split_template(ender.operation.template)
    prefix = template[: next(i for i, s in enumerate(template) if "{" in s)]
    for producer in filter(_opens_session, ground.profile.operations):
        select = identity_of(producer, prefix, name)
        if select is not None:
            return select.name
    return ""


def _opens_session(operation: OperationProfile) -> bool:
    literal = [s for s in split_template(operation.operation.template) if "{" not in s]
    return (
        operation.operation.method == "POST"
        and bool(literal)
        and _OPENS.fullmatch(literal[-1].lower()) is not None
    )
