"""What steps are performed on: one client, one world, the bindings of one target."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.hooks import HookRequest
from premortem.agent.steps.tables import Tables
from premortem.agent.steps.world import (
    IN_SESSION,
    SIGNS_IN,
    ScenarioClient,
    StepBroken,
    StepFailed,
    World,
    field_of,
)
from premortem.config import Login
from premortem.domain.bodies import text_of
from premortem.domain.run import SAFE_METHODS, Case, Origin, Sent
from premortem.domain.token_change import TokenChange
from premortem.domain.traffic import Request, Response
from premortem.send.auth import login_request

_TARGETS_FAULT = frozenset({"timeout", "reset", "garbage"})
"""It was there, took the request and then gave no usable answer."""


class Stage:
    """One run of one scenario: what its steps change, and what they go through."""

    def __init__(
        self,
        client: ScenarioClient,
        *,
        world: World,
        bindings: Bindings,
        clock: Callable[[], float],
        new_key: Callable[[], str] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.client = client
        self.world = world
        self.bindings = bindings
        self.environment = environment
        self._clock = clock
        self._new_key = new_key
        self._tables: Tables | None = None

    @property
    def tables(self) -> Tables:
        """The target's database. Raises StepBroken when none is named."""
        if self._tables is None:
            if self.bindings.database is None:
                raise StepBroken("there is no [database] in the binding file")
            self._tables = Tables(
                self.bindings.database,
                aliases=self.bindings.tables,
                directory=self.bindings.directory,
                environment=self.environment,
            )
        return self._tables

    def close(self) -> None:
        """Give back what was opened beside the client."""
        if self._tables is not None:
            self._tables.close()

    def case(self, actor: str, method: str, target: str, *, docstring: str = "") -> Case:
        """The request that ACTOR sends, with everything that the world puts on it."""
        world = self.world
        role = world.actor(actor)
        body, media = world.document(docstring) if docstring else (b"", "")
        made = request_case(method, world.path(target), role=role, body=body, media=media)
        made = carrying(made, world.headers)
        if world.next_headers:
            made = carrying(made, world.next_headers)
            world.next_headers = {}
        made = self._with_token(made, actor)
        world.key = ""
        keyed = self._new_key is not None and method not in SAFE_METHODS
        return self.keyed(made) if keyed else made

    def keyed(self, case: Case) -> Case:
        """CASE with a fresh idempotency key."""
        self.world.key = self._new_key() if self._new_key else ""
        return carrying(case, {self.bindings.idempotency_header.lower(): self.world.key})

    def last(self) -> Case:
        """The last request. Raises StepBroken when there is none."""
        if self.world.case is None:
            raise StepBroken("no request was sent that could be repeated")
        return self.world.case

    async def deliver(self, *cases: Case) -> None:
        """Send CASES, all of one step: several at once.

        No answer to the request in question is a failure of the target's.
        """
        now = self._clock()
        sent = await asyncio.gather(*(self.client.send_case(case, (), now) for case in cases))
        self.world.case = cases[-1]
        self.world.sent = next((s for s in reversed(sent) if s.response is not None), sent[-1])
        self.world.round += sent
        for one in sent:
            if one.fault is None:
                continue
            fault = one.fault
            what = f"no answer to {cases[0].operation_id} ({fault.kind}: {fault.detail})"
            if self.world.phase == "question" and fault.kind in _TARGETS_FAULT:
                raise StepFailed(what)
            raise StepBroken(what)

    async def sign_in(self, actor: str, role: str) -> None:
        """Sign ACTOR in as ROLE: from now on they are in the session that the answer gave, which is
        the last answer. The request in question, if one was sent, stays what it was."""
        login = self.bindings.logins.get(role)
        if login is None:
            raise StepBroken(f"the role {role!r} has no login in premortem.toml")
        request = login_request(role, login, self.environment)
        origin = Origin(source="scenario", operator=SIGNS_IN)
        before = self.world.case
        made = Case(request=request, operation_id=f"{request.method} {request.path}", origin=origin)
        await self.deliver(made)
        self.world.case = before
        response = self.world.response
        if response.status >= 400:
            raise StepBroken(f"{role} cannot sign in: {login.request} answered {response.status}")
        self.world.actors[actor] = role
        self.world.claims.pop(actor, None)
        self.world.tokens[actor] = _session(response, login)

    async def ask(self, request: HookRequest, values: Mapping[str, Any]) -> Sent:
        """Send a hook's REQUEST beside the scenario's own, VALUES for its `${...}`.

        The scenario's last answer stays what it was.
        """
        inner = World(variables=dict(values))
        body, media = b"", ""
        if request.json is not None:
            body, media = msgspec.json.encode(inner.fill(request.json)), "application/json"
        case = request_case(
            request.method, inner.path(request.path), role=request.role, body=body, media=media
        )
        return await self.client.send_case(case, (), self._clock())

    async def ask_all(
        self, requests: Sequence[HookRequest], values: Mapping[str, Any], where: str
    ) -> Sent | None:
        """Send REQUESTS, which stand at WHERE, in order; the last answer.

        Raises StepBroken when one does not succeed.
        """
        sent: Sent | None = None
        for request in requests:
            sent = await self.ask(request, values)
            status = sent.response.status if sent.response else 0
            if not 200 <= status < 300:
                said = f"{status or 'not at all'}"
                raise StepBroken(f"{request.request} of {where} was answered {said}")
        return sent

    def _with_token(self, case: Case, actor: str) -> Case:
        if actor in self.world.tokens:
            origin = msgspec.structs.replace(case.origin, operator=IN_SESSION)
            anonymous = msgspec.structs.replace(case, role="", origin=origin)
            return carrying(anonymous, dict([self.world.tokens[actor]]))
        claims = self.world.claims.get(actor)
        if not claims or not case.role:
            return case
        tokens = self.bindings.tokens
        change = TokenChange(
            claims=tuple(claims.items()),
            key=tokens.key if tokens else "",
            algorithm=tokens.algorithm if tokens else "",
        )
        return msgspec.structs.replace(case, token=change)


def _session(response: Response, login: Login) -> tuple[str, str]:
    """The header that carries the session which RESPONSE to LOGIN gave."""
    if login.token:
        token = text_of(field_of(response, login.token))
        return login.header.lower(), f"{login.prefix}{token}"
    cookies = [value.partition(";")[0] for name, value in response.headers if name == "set-cookie"]
    if not cookies:
        raise StepBroken(f"the answer to {login.request} gives no session: no token, no cookie")
    return "cookie", "; ".join(cookies)


def carrying(case: Case, headers: Mapping[str, str]) -> Case:
    """CASE with HEADERS, names in lower case, in the place of those of the same names."""
    if not headers:
        return case
    kept = tuple(pair for pair in case.request.headers if pair[0] not in headers)
    request = msgspec.structs.replace(case.request, headers=(*kept, *headers.items()))
    return msgspec.structs.replace(case, request=request)


def request_case(method: str, target: str, *, role: str, body: bytes, media: str) -> Case:
    """A request of a scenario, or of a hook, as the client takes it."""
    path, _, query = target.partition("?")
    headers: tuple[tuple[str, str], ...] = (("accept", "application/json, */*;q=0.5"),)
    if media:
        headers = (*headers, ("content-type", media))
    return Case(
        request=Request(
            method=method,
            origin="",
            path=path,
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            body=body,
        ),
        operation_id=f"{method} {unquote(path)}",
        origin=Origin(source="scenario"),
        role=role,
    )
