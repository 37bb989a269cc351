"""A worker's sessions: signing in ahead, again after 401, and apart for what ends a session."""

from __future__ import annotations

import itertools
import json
import threading

from premortem.config import Config, Login, RoleConfig, TargetConfig
from premortem.domain.run import Sequence
from tests.run.controlling import Controller, job, setup_of, work
from tests.send.cases import case, get, post
from tests.send.server import answering, ok

LOGIN = Login(request="POST /login", json={"user": "ann", "password": "${ANN}"}, token="/token")


class Sessions:
    """Signs in with a token of its own each time; forgets those that it is told to."""

    def __init__(self, *, ends: int = 0) -> None:
        self.numbers = itertools.count()
        self.valid: set[str] = set()
        self.served = 0
        self.ends = ends
        """After so many answers all sessions end; 0: never."""
        self.lock = threading.Lock()

    def __call__(self, request: bytes) -> bytes:
        with self.lock:
            if request.startswith(b"POST /login"):
                token = f"t{next(self.numbers)}"
                self.valid.add(token)
                return ok(json.dumps({"token": token}).encode())
            sent = request.partition(b"authorization: Bearer ")[2].partition(b"\r\n")[0].decode()
            if sent not in self.valid:
                return ok(status="401 Unauthorized")
            if b"/logout" in request:
                self.valid.discard(sent)
            self.served += 1
            if self.served == self.ends:
                self.valid.clear()
            return ok()


def config_of(url: str) -> Config:
    target = TargetConfig(base_url=url, disposable=True)
    return Config(target=target, roles={"ann": RoleConfig(login=LOGIN)})


def test_a_role_signs_in_once_and_again_when_its_session_has_ended():
    sessions = Sessions(ends=40)
    with answering(sessions) as server:
        sequences = [Sequence(cases=(case(get(f"/{n}"), role="ann"),)) for n in range(100)]
        setup = setup_of(server.url, config=config_of(server.url))
        jobs = [job(sequences, rate=500)]
        heard = work(lambda: Controller(setup, jobs), environment={"ANN": "secret"})
    assert heard.adds_up() == {"answered": 100}
    assert {count.status for batch in heard.batches for count in batch.counts} == {200}
    assert next(sessions.numbers) == 2
    assert b"secret" not in b"".join(repr(m).encode() for m in heard.heard)


def test_a_case_that_ends_its_session_does_so_with_one_of_its_own():
    sessions = Sessions()
    around = [Sequence(cases=(case(get(f"/{n}"), role="ann"),)) for n in range(20)]
    leaving = Sequence(cases=(case(post("/logout"), role="ann"), case(get("/after"), role="ann")))
    with answering(sessions) as server:
        setup = setup_of(server.url, config=config_of(server.url))
        jobs = [job([*around[:10], leaving, *around[10:]], rate=500)]
        heard = work(lambda: Controller(setup, jobs), environment={"ANN": "secret"})
    assert heard.adds_up() == {"answered": 22}
    assert {count.status for batch in heard.batches for count in batch.counts} == {200}
    assert next(sessions.numbers) == 2


def test_a_role_that_cannot_sign_in_makes_its_cases_faults_and_nothing_else():
    def refuse(request: bytes) -> bytes:
        refused = request.startswith(b"POST /login")
        return ok(status="403 Forbidden") if refused else ok()

    with answering(refuse) as server:
        setup = setup_of(server.url, config=config_of(server.url))
        sequences = [
            Sequence(cases=(case(get(f"/{n}"), role=role),))
            for n, role in enumerate(["ann", ""] * 5)
        ]
        heard = work(lambda: Controller(setup, [job(sequences)]), environment={"ANN": "secret"})
    assert heard.adds_up() == {"answered": 5, "faulted": 5}
    assert heard.left.error == ""


def test_a_role_that_nobody_configured_breaks_the_worker_with_advice():
    with answering(lambda _: ok()) as server:
        sequences = [Sequence(cases=(case(get("/"), role="boss"),))]
        heard = work(lambda: Controller(setup_of(server.url), [job(sequences)]))
    assert "[roles.boss]" in heard.left.error


def test_users_of_a_role_have_sessions_of_their_own():
    sessions = Sessions()
    with answering(sessions) as server:
        sequences = [Sequence(cases=(case(get(f"/{n}"), role="ann"),)) for n in range(40)]
        setup = setup_of(server.url, config=config_of(server.url), users_per_role=4)
        heard = work(lambda: Controller(setup, [job(sequences)]), environment={"ANN": "secret"})
    assert heard.adds_up() == {"answered": 40}
    assert next(sessions.numbers) == 4
