"""The quick look at answers, on the ledger's own traffic: it passes nothing that is objected to."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from premortem.checks import Checker
from premortem.domain.run import Case, Origin, Sent
from premortem.domain.traffic import Exchange, Response

STATUSES = (200, 204, 400, 404, 418, 500)


def altered(exchange: Exchange, number: int) -> list[Response]:
    """The answer as it was, and broken in a few ways."""
    was = exchange.response
    replace = msgspec.structs.replace
    return [
        was,
        replace(was, status=STATUSES[number % len(STATUSES)]),
        replace(was, body=was.body[: len(was.body) // 2]),
        replace(was, body=was.body.replace(b":", b':null,"x":', 1)),
        replace(was, body=was.body.replace(b'"', b"1", 2)),
        replace(was, headers=(("content-type", "text/html"),)),
    ]


LEARNED = {"broken_rule", "role_view", "unusual_value", "wrong_data"}
"""These look into the first answers of each kind, which are all that there are here."""


@pytest.mark.parametrize("off", [frozenset(), LEARNED], ids=["all checks", "none that learned"])
def test_on_ledger_traffic_what_passes_quickly_passes_every_check(project, off):
    looks: Counter[bool] = Counter()
    with project.opened() as store:
        profile = store.profile("latest")
        checker = Checker(profile, off)
        whose = {id_: o.id for o in profile.operations for id_ in o.exemplars[:12]}
        found = store.exchanges_by_id(list(whose))
        for number, exchange in enumerate(found.values()):
            case = Case(
                request=exchange.request,
                operation_id=whose[exchange.id],
                origin=Origin(source="replay"),
                recorded_status=exchange.response.status if number % 3 else 0,
                role=exchange.tags.role,
            )
            for response in altered(exchange, number):
                quick = checker.quick(case, response)
                looks[quick] += 1
                if quick:
                    assert checker.check(case, Sent(request=case.request, response=response)) == ()
    assert looks[False] > 100
    assert looks[True] > (100 if off else 0)
