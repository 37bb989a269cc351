"""What the ordinary checks say of a scenario's answers: it runs through them as cases do."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from premortem.agent.verdicts.hearing import Notice
from premortem.checks import CHECKS, open_checker
from premortem.config import Config
from premortem.domain.run import Case, Intent, Sent
from premortem.domain.template import Matcher
from premortem.domain.traffic import Profile

NOTICED = frozenset(
    {
        "server_error",
        "undeclared_status",
        "response_shape",
        "content_type",
        "invariant",
        "wrong_data",
        "role_view",
        "broken_rule",
    }
)
"""Checks that judge an answer by itself. The others ask what a request was meant to be, and of
scenarios their steps say that."""

LEARNED = frozenset({"wrong_data", "role_view", "broken_rule"})
"""Those of them that hold production's habits against an answer: a what-if is unlike production,
so they have to be sure."""
WHAT_IF = Intent(kind="adversarial", breaks="what if")
"""What a scenario's requests are meant to be: where a learned shape does not fit, that is no
surprise."""


def noticing(profile: Profile, config: Config) -> Notice:
    """What speaks against an answer by what PROFILE knows. Raises ConfigError, as the checks of
    CONFIG do."""
    off = [check.name for check in CHECKS if check.name not in NOTICED]
    checker = open_checker(profile, config, off=off)
    matcher = Matcher(operation.operation for operation in profile.operations)

    def notice(case: Case, sent: Sent) -> Iterator[str]:
        match = matcher.match_request(sent.request)
        if match is None:
            return
        # A step names a path, so its operation is to be looked up.
        known = msgspec.structs.replace(case, operation_id=match.operation.id, intent=WHAT_IF)
        for verdict in checker.check(known, sent):
            sure = verdict.check not in LEARNED or verdict.severity == "high"
            if sure and verdict.severity != "low":
                yield f"{match.operation.id} {verdict.title} ({verdict.evidence})"

    return notice
