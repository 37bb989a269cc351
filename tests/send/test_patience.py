"""Waiting where the target refuses for the rate: as long as it says, and no longer than it may."""

from __future__ import annotations

import asyncio

import pytest

from premortem.config import TargetConfig
from premortem.domain.traffic import Response
from premortem.send.opening import new_sender
from premortem.send.patience import PAUSE_S_MAX, PAUSED_S_MAX, TRIES_MAX, Patience
from tests.send.cases import get, run
from tests.send.server import Peer, ok, serving


class Naps:
    """Sleeps at once, and keeps how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def refused(retry_after: str = "") -> Response:
    headers = (("retry-after", retry_after),) if retry_after else ()
    return Response(status=429, headers=headers, body=b"")


def asked_until_no(answer: Response, patience: Patience) -> int:
    """Tries until no more is waited."""

    async def all_() -> int:
        tries = 1
        while await patience.over(answer, tries=tries, now=0.0):
            tries += 1
        return tries

    return asyncio.run(all_())


def test_pauses_double_where_the_target_names_none_and_come_to_an_end():
    naps = Naps()
    assert asked_until_no(refused(), Patience(sleep=naps)) == TRIES_MAX
    assert naps.seconds == [1, 2, 4, 8, 16, 30, 30]


def test_a_pause_is_as_long_as_the_target_asks_for():
    naps = Naps()
    asked_until_no(refused("7"), Patience(sleep=naps))
    assert set(naps.seconds) == {7.0}


def test_nobody_waits_for_longer_than_the_longest_pause():
    naps = Naps()
    assert asked_until_no(refused(str(int(PAUSE_S_MAX) + 1)), Patience(sleep=naps)) == 1
    assert naps.seconds == []


def test_all_pauses_together_have_an_end():
    naps = Naps()
    patience = Patience(sleep=naps)
    for _ in range(100):
        asked_until_no(refused("50"), patience)
    assert sum(naps.seconds) == patience.paused_s <= PAUSED_S_MAX


@pytest.mark.parametrize("status", [200, 401, 403, 404, 503])
def test_what_is_no_refusal_for_the_rate_is_not_waited_for(status):
    naps = Naps()
    answer = Response(status=status, headers=(("retry-after", "7"),), body=b"")
    assert asked_until_no(answer, Patience(sleep=naps)) == 1


def test_a_request_refused_for_the_rate_is_sent_again_by_who_is_patient():
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        while request := peer.request():
            seen.append(request)
            status = "429 Too Many Requests" if len(seen) % 3 else "200 OK"
            peer.send(ok(b"{}", status=status))

    async def sent(base: str, patience: Patience | None) -> int:
        sender = new_sender(TargetConfig(base_url=base))
        sender.patience = patience
        async with sender:
            answer = (await sender.send(get("/limited"))).response
        assert answer is not None
        return answer.status

    naps = Naps()
    with serving(handle) as server:
        assert run(lambda: sent(server.url, Patience(sleep=naps))) == 200
        assert len(seen) == 3
        assert naps.seconds == [1, 2]
        assert run(lambda: sent(server.url, None)) == 429
        assert len(seen) == 4
