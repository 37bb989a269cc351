from __future__ import annotations

import msgspec
import pytest

from premortem.domain.run import Sent, Sequence, Verdict
from premortem.domain.traffic import Response
from premortem.run import reproduce
from tests.send.cases import case, get

SEQUENCE = Sequence(cases=(case(get("/setup")), case(get("/fails"))))
VERDICT = Verdict(check="server_error", title="t", signature="NullPointer", evidence="first")


class Service:
    """Fails on the last case in the tries that `fails` names."""

    def __init__(self, *fails: bool) -> None:
        self.fails = list(fails)
        self.log: list[str] = []

    def reset(self) -> bool:
        self.log.append("reset")
        return True

    def send_sequence(self, sequence: Sequence) -> tuple[Sent, ...]:
        self.log.append("sent")
        status = 500 if self.fails.pop(0) else 200
        return tuple(
            Sent(request=c.request, response=Response(status=status)) for c in sequence.cases
        )


def check(case, sent):
    if sent.response.status != 500:
        return ()
    return (msgspec.structs.replace(VERDICT, evidence="another time"),)


@pytest.mark.parametrize(
    ("fails", "times"), [((True, True), 2), ((True, False), 1), ((False, False), 0)]
)
def test_it_says_how_often_the_same_verdict_came_again(fails, times):
    service = Service(*fails)
    again = reproduce(SEQUENCE, VERDICT, client=service, reset=service.reset, checker=check)
    assert again == times
    assert service.log == ["reset", "sent"] * 2


def test_another_signature_is_not_the_same():
    service = Service(True, True, True)
    other = msgspec.structs.replace(VERDICT, signature="KeyError")
    assert not reproduce(SEQUENCE, other, client=service, reset=None, checker=check, tries=3)
    assert service.log == ["sent"] * 3
