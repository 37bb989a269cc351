"""A Studio in this process: a real store, a real repository, no server and no target."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from premortem.config import Config, load
from premortem.domain.scenario import (
    Evidence,
    Heard,
    Scenario,
    ScenarioOrigin,
    ScenarioVerdict,
    Step,
    StepResult,
)
from premortem.store import Store, open_store
from premortem.studio.desk import Desk
from premortem.studio.pages import Studio
from premortem.studio.serving import application

PORT = 8123
HOST = f"127.0.0.1:{PORT}"
CONFIG = """
[target]
base_url = "http://127.0.0.1:9"
disposable = true
ready_timeout_s = 0.1
[roles.Cashier]
basic = "cashier:${PASSWORD}"
[roles.Guest]
basic = "guest:${PASSWORD}"
"""
QUESTION = "What if a refund is issued twice?"


def a_proposal(title: str = "Refund is issued twice", *, status: int = 409) -> Scenario:
    return Scenario(
        title=title,
        feature="Refunds",
        operation_id="POST /payments/{payment_id}/refunds",
        role="Cashier",
        trace_id="ask-1",
        tags=("edge",),
        steps=(
            Step(keyword="Given", text='the actor "cashier" has role "Cashier"'),
            Step(
                keyword="When",
                text='"cashier" sends "POST" to "/payments/p1/refunds" with:',
                docstring='{"amount": 5}',
            ),
            Step(keyword="And", text="the last request is repeated 1 times"),
            Step(keyword="Then", text=f"the response status is {status}"),
        ),
        origin=ScenarioOrigin(
            prompt=QUESTION,
            failure_mode="duplicate",
            expectation="its siblings refuse a repetition with 409",
            outcome="conflict",
        ),
    )


def a_verdict(scenario: Scenario, *, answered: int = 201, answer: str = "{}") -> ScenarioVerdict:
    steps = [StepResult(step=step, status="passed") for step in scenario.steps[:-1]]
    detail = f"the status is {answered}, not 409"
    heard = Heard(
        phase="question",
        role="Cashier",
        request="POST /payments/p1/refunds",
        status=answered,
        answer=answer,
    )
    red = answered < 400
    return ScenarioVerdict(
        outcome="finding" if red else "regression",
        reason="red in 5 of 5 runs" if red else "green in 5 of 5 runs",
        runs=("red",) * 5 if red else ("green",) * 5,
        steps=(
            *steps,
            StepResult(
                step=scenario.steps[-1],
                status="failed" if red else "passed",
                detail=detail if red else "",
            ),
        ),
        faults_killed=() if red else ("the second request has the same effect",),
        evidence=Evidence(heard=(heard,)),
    )


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def a_repository(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Alex K")
    git(folder, "config", "user.email", "alex@example.org")
    (folder / "premortem.toml").write_text(CONFIG)
    (folder / ".gitignore").write_text(".premortem/\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "start")
    return folder


class Browser:
    """Asks the application as a browser would that holds this cookie and page."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.app = application(studio, port=PORT)
        self.cookies: dict[str, str] = {}

    def send(self, method: str, path: str, **more) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            base = f"http://{HOST}"
            async with httpx.AsyncClient(
                transport=transport, base_url=base, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, **more)
                self.cookies |= dict(client.cookies)
                return answer

        return asyncio.run(go())

    def enter(self) -> httpx.Response:
        return self.send("GET", f"/enter?token={self.studio.keys.link}")

    def get(self, path: str) -> str:
        answer = self.send("GET", path, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return seen(answer.text)

    def post(self, path: str, *, status: int = 200, **form: str) -> str:
        headers = {"origin": f"http://{HOST}", "x-csrf-token": self.studio.keys.csrf}
        answer = self.send("POST", path, data=form, headers=headers, follow_redirects=True)
        assert answer.status_code == status, answer.text
        return seen(answer.text)


def seen(html: str) -> str:
    """What a reader gets of a page, without its dialog and its head."""
    body = re.sub(r"<(head|dialog|noscript)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture
def folder(tmp_path) -> Path:
    return a_repository(tmp_path / "repository")


@pytest.fixture
def config(folder) -> Config:
    return load(folder / "premortem.toml")


@pytest.fixture
def store(config, folder) -> Iterator[Store]:
    with open_store(config.store, folder, environment={}) as opened:
        yield opened


@pytest.fixture
def studio(config, folder, store) -> Iterator[Studio]:
    def again():
        return open_store(config.store, folder, environment={})

    ticks = iter(range(1_000_000, 2_000_000))
    clock = lambda: float(next(ticks))  # noqa: E731
    desk = Desk(config=config, open_store=again, clock=clock)
    yield Studio(config=config, store=store, desk=desk, by="alex.k", clock=clock)
    desk.close()


@pytest.fixture
def browser(studio) -> Browser:
    opened = Browser(studio)
    opened.enter()
    return opened


@pytest.fixture
def proposed(store) -> Scenario:
    """One proposal in the store: a finding."""
    scenario = a_proposal()
    store.save_scenario(scenario, a_verdict(scenario), 1.0)
    return scenario
