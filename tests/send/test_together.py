"""A sequence sent by a client: cases that belong together are under way at once."""

from __future__ import annotations

import threading

from premortem.domain.run import Sequence
from tests.send.cases import binding, case, get, post
from tests.send.server import answering, ok
from tests.send.test_users import line_to


def test_cases_that_belong_together_are_under_way_at_once_and_what_follows_waits_for_all():
    barrier, order = threading.Barrier(3), []

    def reply(request: bytes) -> bytes:
        path = request.split(b" ", 2)[1].decode()
        if path.startswith("/at-once"):
            barrier.wait(5)
        order.append(path)
        return ok(b'{"id": "i7"}')

    group = [case(post(f"/at-once{n}"), together=1) for n in range(3)]
    after = case(get("/things/old"), binding("body:/id", "path:1", "old", step=2))
    with answering(reply) as server, line_to(server.url) as line:
        sent = line.send_sequence(Sequence(cases=(case(get("/first")), *group, after)))
    assert [one.response.status for one in sent] == [200] * 5
    assert [one.request.path for one in sent[1:4]] == ["/at-once0", "/at-once1", "/at-once2"]
    assert (order[0], order[-1]) == ("/first", "/things/i7")
