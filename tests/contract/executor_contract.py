"""What threads, processes and a cluster's actors have in common as hosts of workers.

The modules that import these tests say which `kind` they are held against.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import msgspec
import pytest

from premortem.config import Config, RoleConfig, TargetConfig
from premortem.domain.jobs import ResultBatch
from premortem.domain.run import Sequence
from premortem.run.messages import Drain, Hello, Pace, Setup, Stop
from tests.contract.executors import WAIT_S_MAX, Kind, Turned
from tests.run.controlling import jobs_of, setup_of, singles
from tests.send.cases import case, get
from tests.send.server import answering, ok

NOWHERE = "http://127.0.0.1:9"


def setups(url: str, **changes: object) -> Callable[[str], Setup]:
    return lambda worker_id: msgspec.structs.replace(setup_of(url, **changes), worker_id=worker_id)


def test_workers_work_off_all_jobs_and_each_is_heard_in_order(kind: Kind):
    with answering(lambda _: ok()) as server:
        jobs = jobs_of(singles(600), size=100, rate=1000)
        with Turned(kind, setups(server.url), jobs) as turned:
            for worker_id in ("w1", "w2"):
                turned.executor.start_worker(worker_id)
            turned.turn(lambda t: t.hello("w1") and t.hello("w2"))
            turned.turn(lambda t: t.finals == len(jobs))
    assert turned.outcomes == {"answered": 600}
    assert not turned.gone
    assert len(server.requests) == 600
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for worker_id, message in turned.heard:
        if isinstance(message, ResultBatch):
            assert message.worker_id == worker_id
            numbers[worker_id, message.job_id].append(message.sequence_number)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    first = dict(reversed(turned.heard))
    assert all(isinstance(message, Hello) for message in first.values())


def test_a_stopped_worker_reports_what_it_did_and_leaves(kind: Kind):
    with answering(lambda _: ok()) as server:
        jobs = jobs_of(singles(1000), size=1000, rate=100)
        with Turned(kind, setups(server.url), jobs) as turned:
            turned.executor.start_worker("w1")
            turned.turn(lambda t: t.outcomes["answered"])
            turned.executor.send("w1", Stop(why="enough", grace_s=2.0))
            turned.turn(lambda t: t.left("w1"))
            turned.executor.end_worker("w1")
    assert turned.outcomes == {"answered": len(server.requests)}
    assert 0 < len(server.requests) < 1000


def test_a_drained_worker_finishes_what_it_holds_and_leaves(kind: Kind):
    with answering(lambda _: ok()) as server:
        jobs = jobs_of(singles(200), size=200, rate=400)
        with Turned(kind, setups(server.url), jobs) as turned:
            turned.executor.start_worker("w1")
            turned.turn(lambda t: t.outcomes["answered"])
            turned.executor.send("w1", Drain())
            turned.turn(lambda t: t.left("w1"))
    assert turned.outcomes == {"answered": 200}


def test_what_is_said_to_a_worker_that_is_coming_up_reaches_it(kind: Kind):
    with Turned(kind, setups(NOWHERE)) as turned:
        turned.executor.start_worker("w1")
        turned.executor.send("w1", Stop(why="never mind", grace_s=0.0))
        turned.turn(lambda t: t.left("w1"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_death_is_noticed_and_the_others_work_on(kind: Kind):
    with answering(lambda _: ok()) as server:
        jobs = jobs_of(singles(400), size=400, rate=200)
        with Turned(kind, setups(server.url), jobs) as turned:
            turned.executor.start_worker("w1")
            turned.turn(lambda t: t.outcomes["answered"])
            turned.executor.start_worker("w2")
            turned.turn(lambda t: t.hello("w2"))
            hello = turned.hello("w2")
            assert hello is not None
            kind.kill(turned.executor, hello)
            turned.turn(lambda t: t.gone)
            # To one that is gone nothing can be said, and that is no error.
            turned.executor.send("w2", Pace(elapsed_s=0.0, speed=1.0))
            turned.executor.end_worker("w2")
            turned.turn(lambda t: t.finals == 1)
    assert [gone.worker_id for gone in turned.gone] == ["w2"]
    assert turned.gone[0].why
    assert turned.outcomes == {"answered": 400}


def test_one_that_was_let_go_makes_room_for_another(kind: Kind):
    with Turned(kind, setups(NOWHERE)) as turned:
        for worker_id in ("w1", "w2", "w3"):  # more than a cluster of two CPUs has room for
            turned.executor.start_worker(worker_id)
            turned.turn(lambda t, id_=worker_id: t.hello(id_))
            turned.executor.send(worker_id, Stop(why="enough", grace_s=0.0))
            turned.turn(lambda t, id_=worker_id: t.left(id_))
            turned.executor.end_worker(worker_id)


def test_the_end_leaves_nothing_behind(kind: Kind):
    with Turned(kind, setups(NOWHERE)) as turned:
        for worker_id in ("w1", "w2"):
            turned.executor.start_worker(worker_id)
        turned.turn(lambda t: t.hello("w1") and t.hello("w2"))
    ends = time.monotonic() + WAIT_S_MAX
    while any(kind.lives(hello) for hello in turned.of(Hello)):
        assert time.monotonic() < ends


def test_a_role_s_credentials_reach_the_worker(kind: Kind, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONTRACT_TOKEN", "t-1")
    with answering(lambda _: ok()) as server:
        config = Config(
            target=TargetConfig(base_url=server.url, disposable=True),
            roles={"ann": RoleConfig(bearer="${CONTRACT_TOKEN}")},
        )
        sequences = [Sequence(cases=(case(get("/mine"), role="ann"),))]
        with Turned(kind, setups(server.url, config=config), jobs_of(sequences, size=1)) as turned:
            turned.executor.start_worker("w1")
            turned.turn(lambda t: t.finals)
    assert turned.outcomes == {"answered": 1}
    assert b"authorization: Bearer t-1" in server.requests[0]
