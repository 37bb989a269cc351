"""Brings what the comparison needs into .build, once: the services and Schemathesis."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benches.defects import peer
from benches.defects.network import bring_up_loopback, free_port
from benches.defects.services import (
    BUILD,
    TARGETS,
    Service,
    directus_command,
    directus_environment,
    environment,
)
from benches.defects.serving import asked

DIRECTUS_PACKAGES = ("directus@11.3.5", "sqlite3@5.1.7")
INSTALL_S_MAX = 1800
READY_TRIES = 300


def install(service: Service) -> None:
    """SERVICE and Schemathesis, where they are not there yet. Raises CalledProcessError."""
    _venv(peer.VENV, "pip", [f"schemathesis=={peer.VERSION}"], peer.VERSION)
    if service.language == "python":
        wanted = TARGETS / service.name / "requirements.txt"
        _venv(BUILD / service.name, service.name, ["-r", str(wanted)], "")
    else:
        _directus()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(command: list[str], *, cwd: Path, extra: Mapping[str, str] | None = None) -> None:
    subprocess.run(
        command, cwd=cwd, check=True, timeout=INSTALL_S_MAX, env=environment(extra or {})
    )


def _venv(place: Path, what: str, wanted: list[str], version: str) -> None:
    done = place / ".installed"
    if done.exists() and done.read_text() in ("", version):
        return
    _say(f"installing {what} into {place} ...")
    place.parent.mkdir(exist_ok=True)
    _run([sys.executable, "-m", "venv", str(place)], cwd=BUILD)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install"]
    _run([*pip, "--quiet", "--disable-pip-version-check", *wanted], cwd=BUILD)
    done.write_text(version)


def _directus() -> None:
    place = BUILD / "directus"
    if not (place / ".installed").exists():
        _say(f"installing Directus into {place}; it takes eight minutes ...")
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text('{"private": true}\n')
        npm = ["npm", "install", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"]
        _run([*npm, *DIRECTUS_PACKAGES], cwd=place)
        (place / ".installed").touch()
    seed = place / "seed"
    if not (seed / "db.sqlite").exists():
        _say("filling Directus's first database ...")
        _seed(seed)


def _seed(seed: Path) -> None:
    """A database with the small blog of the target's own setup.py in it."""
    seed.mkdir(exist_ok=True)
    for name in ("uploads", "ext"):
        (seed / name).mkdir(exist_ok=True)
    bring_up_loopback()
    port = free_port()
    settings = {**directus_environment(port), "DB_FILENAME": "./fresh.sqlite"}
    (seed / "fresh.sqlite").unlink(missing_ok=True)
    start = directus_command(seed, port=port)
    _run([*start[:-1], "bootstrap"], cwd=seed, extra=settings)
    with (seed / "seed.log").open("wb") as log:
        process = subprocess.Popen(
            start, cwd=seed, env=environment(settings), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(process, port)
            python = str(peer.VENV / "bin" / "python")
            setup = str(TARGETS / "directus" / "setup.py")
            _run([python, setup, f"http://127.0.0.1:{port}"], cwd=seed)
        finally:
            process.terminate()
            process.wait(timeout=30)
    (seed / "fresh.sqlite").rename(seed / "db.sqlite")


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    import time

    for _ in range(READY_TRIES):
        try:
            if asked(port, "GET", "/server/ping") < 500:
                return
        except OSError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise TimeoutError("Directus did not start; its log: .build/directus/seed/seed.log")
