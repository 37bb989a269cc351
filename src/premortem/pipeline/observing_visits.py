"""What only who has just signed in can ask about: their own session, named by the login's answer.

A recorded login cannot be sent again, for its password is gone; the configured one can.
"""

from __future__ import annotations

import os

from premortem.agent.steps.bindings import Bindings
from premortem.config import Config
from premortem.domain.access import NOBODY
from premortem.domain.bodies import at, read_body, text_of
from premortem.domain.places import Place
from premortem.domain.run import Case, Origin
from premortem.domain.template import encode_segment, parameter_names
from premortem.domain.traffic import OperationProfile, Profile, Request
from premortem.errors import TargetError
from premortem.send.auth import login_request
from premortem.send.line import Line


class Visits:
    """Signs in by the configured logins, and asks about what came of it."""

    def __init__(self, config: Config, profile: Profile, bindings: Bindings, line: Line) -> None:
        self._config, self._profile = config, profile
        self._bindings, self._line = bindings, line

    def ask(self, operation: OperationProfile, role: str, edition: str) -> int:
        """What OPERATION answers to ROLE about a session of its own (to nobody: about anybody's);
        0: it is about something else, or could not be asked."""
        owner = role if role != NOBODY else next(iter(self._logins()), "")
        names = parameter_names(operation.operation.template)
        where = self._named_by_login(operation) if len(names) == 1 else None
        login = self._config.roles[owner].login if owner in self._config.roles else None
        if where is None or login is None or operation.operation.method not in ("GET", "DELETE"):
            return 0
        first = Case(
            request=login_request(owner, login, os.environ),
            operation_id=login.request,
            origin=Origin(source="scenario"),
        )
        answer = self._line.send_case(first).response
        try:
            named = at(read_body(answer), where.tokens) if answer is not None else None
        except (ValueError, LookupError, TypeError):
            named = None
        if named is None:
            return 0
        path = operation.operation.template.replace(
            "{" + next(iter(names)) + "}", encode_segment(text_of(named))
        )
        case = Case(
            request=Request(
                method=operation.operation.method,
                origin="",
                path=path,
                headers=self._headers(edition),
            ),
            operation_id=operation.id,
            origin=Origin(source="scenario"),
            role="" if role == NOBODY else role,
        )
        try:
            sent = self._line.send_case(case)
        except TargetError:
            return 0
        return sent.response.status if sent.response is not None else 0

    def _logins(self) -> list[str]:
        return [name for name, role in self._config.roles.items() if role.login is not None]

    def _named_by_login(self, operation: OperationProfile) -> Place | None:
        """Where a login's answer holds what OPERATION's path names; None: production shows none."""
        logins = {r.login.request for r in self._config.roles.values() if r.login is not None}
        for link in self._profile.links:
            told = link.consumer == operation.id and link.place.part == "path"
            if told and link.producer in logins and link.select.part == "body":
                return link.select
        return None

    def _headers(self, edition: str) -> tuple[tuple[str, str], ...]:
        switch = self._bindings.edition(edition) if edition else None
        told = switch.headers if switch is not None else {}
        return tuple((k.lower(), v.replace("${value}", edition)) for k, v in told.items())
