"""Cases out: live values in, credentials added, sent, signed in again when refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from premortem.config import Config
from premortem.domain.run import Case, Fault, Sent
from premortem.domain.run import Sequence as Cases
from premortem.domain.traffic import Response
from premortem.errors import TargetError
from premortem.send.auth import Credentials, ends_session
from premortem.send.bind import bind
from premortem.send.http import Sender
from premortem.send.target import reset, wait_ready


class Client:
    """Sends cases to the configured target."""

    def __init__(self, config: Config, sender: Sender, credentials: Credentials) -> None:
        self.config = config
        self.sender = sender
        self.credentials = credentials

    async def send_case(
        self, case: Case, answers: Sequence[Response | None] = (), intended_at: float = 0.0
    ) -> Sent:
        """CASE sent once, with values from ANSWERS, the sequence's earlier ones by index.

        `Sent.request` is what went out but for credentials, which are stored nowhere. A 401 makes
        the role sign in again, once, and the case is sent again: a refused request did nothing.
        Not sent and a fault `unbound`: a value never came, or the role cannot sign in.
        """
        bound = bind(case, answers) if case.bindings else case.request
        if isinstance(bound, Fault):
            return self._unsent(case, bound, intended_at)
        request, role = self.credentials.restore(bound), case.role
        try:
            apart = role and ends_session(request)
            # Others go on with the role's session while this one is ended.
            headers = (
                await self.credentials.headers_apart(role, self.sender)
                if apart
                else self.credentials.held(role)
            )
            if headers is None:
                headers = await self.credentials.headers(role, self.sender)
            sent = await self.sender.send(request, intended_at=intended_at, credentials=headers)
            refused = sent.response is not None and sent.response.status == 401
            if refused and role and case.recorded_status != 401:
                now = self.sender.now()
                if self.credentials.renew(role, headers, now=now):
                    headers = await self.credentials.headers(role, self.sender)
                    sent = await self.sender.send(
                        request, intended_at=intended_at, credentials=headers
                    )
                    if sent.response is not None and sent.response.status == 401:
                        self.credentials.useless(role, now=now)
        except TargetError as error:
            fault = Fault(kind="unbound", detail=str(error), sent=False)
            return self._unsent(case, fault, intended_at)
        return sent if request is bound else msgspec.structs.replace(sent, request=bound)

    async def send_sequence(self, sequence: Cases) -> tuple[Sent, ...]:
        """The cases of SEQUENCE one after the other, later ones with values of earlier answers."""
        sent: list[Sent] = []
        answers: list[Response | None] = []
        for case in sequence.cases:
            sent.append(await self.send_case(case, answers))
            answers.append(sent[-1].response)
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
