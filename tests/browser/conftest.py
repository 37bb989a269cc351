"""The Studio as its users have it: a server of its own, a real browser, a running service."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from premortem.studio.pages import FRONT_END, HERE
from tests.services import PASSWORDS, free_port, ledger
from tests.shared import ROOT

LEDGER = ROOT / "examples" / "ledger"
REQUESTS = 400
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
"""For containers: no user namespaces, a small /dev/shm, no graphics card."""
PATIENCE_MS = 90_000
"""A scenario is run twenty times and more, on a machine that does other things, too."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """A repository with a Studio in front of it."""

    folder: Path
    link: str
    """It was used."""
    address: str
    context: BrowserContext
    """Of the browser that used it."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Of one file of tests: Playwright's loop is in the way of every other one in this process."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("chromium is not installed; run `make browser`")
    if not all((HERE / "static" / "vendor" / name).is_file() for name in FRONT_END):
        pytest.skip("the Studio's front end is not there; run `make front-end`")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """The ledger, correct."""
    with ledger(port=free_port()) as base:
        yield base


def run(*command: str, cwd: Path) -> str:
    environment = {**os.environ, **PASSWORDS}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def recorded(service, tmp_path_factory) -> Path:
    """A configuration and a store that has learned from the service; nobody writes into it."""
    folder = tmp_path_factory.mktemp("recorded")
    text = (LEDGER / "premortem.toml").read_text()
    (folder / "premortem.toml").write_text(text.replace(":8700", f":{service.rsplit(':', 1)[1]}"))
    recording = folder / "production.har.gz"
    document = urllib.request.urlopen(f"{service}/openapi.json", timeout=10).read()
    (folder / "openapi.json").write_bytes(document)
    client = (sys.executable, "-m", "ledger.client", "--base", service, "--seed", "7")
    run(*client, "--requests", str(REQUESTS), "--har", str(recording), cwd=LEDGER)
    premortem = (sys.executable, "-m", "premortem")
    run(*premortem, "capture", "har", str(recording), cwd=folder)
    run(*premortem, "learn", cwd=folder)
    return folder


def a_repository(recorded: Path, folder: Path) -> Path:
    """A git repository in FOLDER with a copy of RECORDED."""
    shutil.copytree(recorded, folder)
    (folder / ".gitignore").write_text(".premortem/\nopenapi.json\n*.har.gz\n")
    run("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
    for name, value in (("user.name", "Alex K"), ("user.email", "alex@example.org")):
        run("git", "config", name, value, cwd=folder)
    run("git", "add", ".", cwd=folder)
    run("git", "commit", "--quiet", "--message", "start", cwd=folder)
    return folder


@contextmanager
def opened(chromium: Browser, folder: Path) -> Iterator[Room]:
    """A Studio in front of the repository FOLDER, and a browser that was let in."""
    process = subprocess.Popen(
        [sys.executable, "-m", "premortem", "studio", "--as", "alex.k", "--json"],
        cwd=folder,
        env={**os.environ, **PASSWORDS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = ""
        while not lines.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, "the Studio did not open"
            lines += line
        told = json.loads(lines)
        context = chromium.new_context()
        page = context.new_page()
        page.goto(told["link"])
        page.wait_for_url(lambda url: "/enter" not in url)
        page.close()
        yield Room(folder=folder, link=told["link"], address=told["address"], context=context)
        # The window stays open: whoever ends the Studio has it open, too.
        process.send_signal(signal.SIGINT)
        code, said = process.wait(timeout=30), process.stderr.read()
        assert (code, said) == (130, "premortem: stopped\n")
        context.close()
    finally:
        process.kill()
        process.wait(timeout=30)


@contextmanager
def window(room: Room) -> Iterator[Page]:
    """A page of ROOM; whatever its console complains about fails the test."""
    page = room.context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else 0)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{room.address}/console")
    yield page
    page.close()
    # A refusal (409, 422) is an answer like others here; the browser calls it an error.
    assert [c for c in complaints if not c.startswith("Failed to load resource")] == []


@pytest.fixture(scope="module")
def room(chromium, recorded, tmp_path_factory) -> Iterator[Room]:
    """One that several tests come into, one after the other."""
    folder = a_repository(recorded, tmp_path_factory.mktemp("shared") / "repository")
    with opened(chromium, folder) as ready:
        yield ready


@pytest.fixture
def page(room) -> Iterator[Page]:
    with window(room) as ready:
        yield ready
