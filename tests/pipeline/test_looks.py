"""One role's own request: what is waited for, left out, and not believed."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import msgspec

from premortem.config import Config, RoleConfig
from premortem.domain.access import merged
from premortem.domain.traffic import Answer, Operation, OperationProfile, Response
from premortem.pipeline.observing_looks import LOST, Watching
from premortem.run.resting import ACCEPTED_REST_S
from tests.agent.small import EXCHANGES, SHIP, ScriptedClient, shop

ALL = Operation(method="GET", template="/orders")
CONFIG = Config(roles={"Buyer": RoleConfig(bearer="b"), "Packer": RoleConfig(bearer="p")})
TABLE = merged(())
ORDERED = {"id": "ord-1", "state": "open"}


def answer(status, body=None):
    return Response(
        status=status,
        headers=(("content-type", "application/json"),),
        body=json.dumps({} if body is None else body).encode(),
    )


class Shop:
    """Watches a shop that gives ANSWERS one after the other."""

    def __init__(self, *answers, resets=False):
        self.client = ScriptedClient(*answers)
        self.naps = []
        self.resets = resets
        listed = OperationProfile(
            operation=ALL,
            count=3,
            roles={"Buyer": {"200": 3}},
            answers=(Answer(status=200, count=3),),
        )
        profile = shop()
        self.watching = Watching(
            config=CONFIG,
            profile=msgspec.structs.replace(profile, operations=(*profile.operations, listed)),
            exchanges=EXCHANGES,
            factory=self.opened,
            clock=lambda: 0.0,
            sleep=self.nap,
            again=self.again,
        )

    def again(self):
        self.watching.let_finish()
        return self.resets

    @asynccontextmanager
    async def opened(self):
        yield self.client

    async def nap(self, seconds):
        self.naps.append(seconds)

    @property
    def sent(self):
        return [f"{case.request.method} {case.request.path}" for case in self.client.cases]

    def look(self, operation, role):
        return self.watching.look(TABLE, operation.id, role, "")


def test_what_was_accepted_is_waited_for_where_it_is_not_there_yet():
    asked = Shop(answer(202, ORDERED), answer(404), answer(202, ORDERED), answer(200))
    assert asked.look(SHIP, "Packer").status == 200
    assert asked.naps == [ACCEPTED_REST_S] * 2  # to let it be done, and before it is asked again


def test_nothing_is_waited_for_where_it_is_there():
    asked = Shop(answer(202, ORDERED), answer(200))
    assert asked.look(SHIP, "Packer").status == 200
    assert asked.naps == []


def test_a_list_is_read_as_it_is_where_nothing_can_be_put_into_it():
    asked = Shop(answer(400), answer(200, []))
    assert asked.look(ALL, "Buyer").status == 200
    assert asked.sent == ["POST /orders", "GET /orders"]


def test_nothing_else_is_asked_before_a_role_is_refused_something():
    asked = Shop(answer(201, ORDERED), answer(403, {"code": "NotYours"}))
    seen = asked.look(SHIP, "Buyer")
    assert asked.sent[:2] == ["POST /orders", "POST /orders/ord-1/ship"]
    assert seen.said.startswith('{"code": "NotYours"')


def test_a_role_whose_credentials_stop_working_is_denied_nothing():
    asked = Shop(answer(201, ORDERED), answer(200), *[answer(201, ORDERED), answer(401)] * 8)
    assert asked.look(SHIP, "Packer").status == 200
    asked.watching.trust("Packer")
    seen = asked.look(SHIP, "Packer")
    assert (seen.status, seen.why_not) == (0, LOST)


def test_a_role_that_is_refused_with_401_while_its_credentials_work_is_denied_it():
    ordered = answer(201, ORDERED)
    asked = Shop(answer(201, ORDERED), answer(200), ordered, answer(401), ordered, answer(200))
    asked.look(SHIP, "Packer")
    asked.watching.trust("Packer")
    asked.client.answers += [ordered, answer(401)]
    assert asked.look(SHIP, "Packer").status == 401
