"""Cases out: live values in, credentials added, sent, signed in again when refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from premortem.config import Config
from premortem.domain.run import Case, Fault, Sent
from premortem.domain.run import Sequence as Cases
from premortem.domain.token_change import TokenChange
from premortem.domain.tracing import traceparent
from premortem.domain.traffic import Pairs, Request, Response
from premortem.errors import ConfigError, TargetError
from premortem.send.auth import Credentials, ends_session
from premortem.send.bind import bind
from premortem.send.forging import Forger
from premortem.send.target import reset, wait_ready
from premortem.send.token_change import altered
from premortem.send.transport import Transport
from premortem.send.users import Users, Visit


class Client:
    """Sends cases to the configured target."""

    def __init__(
        self,
        config: Config,
        sender: Transport,
        credentials: Credentials,
        *,
        users_per_role: int = 1,
    ) -> None:
        self.config = config
        self.sender = sender
        self.credentials = credentials
        self.users = Users(credentials, sender, per_role=users_per_role)
        self._forger = Forger(
            sender, environment=credentials.environment, directory=Path(config.directory)
        )

    async def send_case(
        self,
        case: Case,
        answers: Sequence[Response | None] = (),
        intended_at: float = 0.0,
        *,
        visit: Visit | None = None,
    ) -> Sent:
        """CASE sent once, with values from ANSWERS, the sequence's earlier ones by index.

        VISIT: its sequence's, whose user and cookies it goes out with; it keeps those of the
        answer. None: a visit of its own.
        `Sent.request` is what went out but for credentials, which are stored nowhere. A 401 makes
        the user sign in again, once, and the case is sent again: a refused request did nothing.
        Not sent and a fault `unbound`: a value never came, or the role cannot sign in.
        """
        bound = bind(case, answers) if case.bindings else case.request
        if isinstance(bound, Fault):
            return self._unsent(case, bound, intended_at)
        visit = visit or self.users.visit()
        request, role = self.credentials.restore(bound), case.role
        if self.config.target.trace:
            traced = (*request.headers, ("traceparent", traceparent(case)))
            request = msgspec.structs.replace(request, headers=traced)
        try:
            # Others go on with the user's session while this one is ended.
            if role and ends_session(request):
                headers = await visit.headers_apart(case, request)
            else:
                held = visit.held(case, request)
                headers = await visit.headers(case, request) if held is None else held
            if case.token is not None:
                headers = await self._changed(headers, case.token, request)
            sent = await self.sender.send(request, intended_at=intended_at, credentials=headers)
            refused = sent.response is not None and sent.response.status == 401
            if refused and role and case.recorded_status != 401 and case.token is None:
                now = self.sender.now()
                if visit.renew(case, headers, now=now):
                    headers = await visit.headers(case, request)
                    sent = await self.sender.send(
                        request, intended_at=intended_at, credentials=headers
                    )
                    if sent.response is not None and sent.response.status == 401:
                        visit.useless(case, now=now)
        except TargetError as error:
            fault = Fault(kind="unbound", detail=str(error), sent=False)
            return self._unsent(case, fault, intended_at)
        if sent.response is not None:
            visit.take(case, request, sent.response)
        return sent if request is bound else msgspec.structs.replace(sent, request=bound)

    async def send_sequence(
        self, sequence: Cases, *, number: int = 0, apart: bool = False
    ) -> tuple[Sent, ...]:
        """The cases of SEQUENCE one after the other, later ones with values of earlier answers;
        those that belong together at once.

        NUMBER: of the sequence; it says which of each role's users sends it. APART: the last go
        over connections of their own, which nothing before them can have brought down.
        """
        sent: list[Sent] = []
        answers: list[Response | None] = []
        visit = self.users.visit(number)
        for index, group in enumerate(sequence.groups, 1):
            if apart and index == len(sequence.groups):
                self.sender.drop_idle()
            if len(group) == 1:
                came = [await self.send_case(group[0], answers, visit=visit)]
            else:
                at_once = (self.send_case(case, answers, visit=visit) for case in group)
                came = await asyncio.gather(*at_once)
            sent += came
            answers += [one.response for one in came]
        return tuple(sent)

    async def sign_in(self, roles: Iterable[str]) -> None:
        """Make the credentials of ROLES. Raises ConfigError or TargetError for one that cannot."""
        for role in roles:
            await self.credentials.headers(role, self.sender)

    async def wait_ready(self, *, timeout_s: float | None = None) -> None:
        """Return once the target answers. Raises TargetDown or TargetError."""
        await wait_ready(self.sender, self.config.target, timeout_s=timeout_s)

    async def reset(self) -> bool:
        """Bring the target to a fresh state; False when no way is configured."""
        return await reset(
            self.config.target,
            sender=self.sender,
            credentials=self.credentials,
            directory=Path(self.config.directory),
        )

    def _unsent(self, case: Case, fault: Fault, intended_at: float) -> Sent:
        return Sent(request=case.request, fault=fault, intended_at=intended_at or self.sender.now())

    async def _changed(self, headers: Pairs, change: TokenChange, request: Request) -> Pairs:
        """HEADERS, which hold a role's credentials, as CHANGE says. Raises TargetError."""
        if not change.forgery:
            return altered(headers, change, environment=self.credentials.environment)
        other: Pairs = ()
        if change.other:
            try:
                other = await self.credentials.headers(change.other, self.sender)
            except ConfigError as error:
                raise TargetError(f"the token of {change.other} is needed: {error}") from None
        return await self._forger.forged(headers, change, other=other, request=request)
