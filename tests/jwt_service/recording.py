"""What people do with the notes, asked of the running service and written down as HAR."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.jwt_service.service import PASSWORDS, PEOPLE


class Recorder:
    """Asks BASE and keeps what was asked and answered."""

    def __init__(self, base: str) -> None:
        self._base = base
        self.entries: list[dict[str, Any]] = []

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "") -> tuple[int, Any]:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            self._base + path, data=data, headers=headers, method=method
        )
        began = time.time()
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status, said, kept = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, said, kept = error.code, error.headers, error.read()
        self._keep(method, path, headers, data, status, list(said.items()), kept, began)
        told = "json" in (said.get("content-type") or "")
        return status, json.loads(kept) if told else None

    def _keep(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        data: bytes | None,
        status: int,
        said: list[tuple[str, str]],
        kept: bytes,
        began: float,
    ) -> None:
        asked: dict[str, Any] = {
            "method": method,
            "url": self._base + path,
            "httpVersion": "HTTP/1.1",
            "headers": _pairs(headers.items()),
            "queryString": [],
            "cookies": [],
            "headersSize": -1,
            "bodySize": len(data or b""),
        }
        if data is not None:
            asked["postData"] = {"mimeType": "application/json", "text": data.decode()}
        mime = next((v for n, v in said if n.lower() == "content-type"), "")
        self.entries.append(
            {
                "startedDateTime": datetime.fromtimestamp(began, UTC).isoformat(),
                "time": (time.time() - began) * 1000,
                "request": asked,
                "response": {
                    "status": status,
                    "statusText": "",
                    "httpVersion": "HTTP/1.1",
                    "headers": _pairs(said),
                    "cookies": [],
                    "content": {"size": len(kept), "mimeType": mime, "text": kept.decode()},
                    "redirectURL": "",
                    "headersSize": -1,
                    "bodySize": len(kept),
                },
                "cache": {},
                "timings": {"send": 0, "wait": 1, "receive": 0},
            }
        )

    def write(self, path: Path) -> None:
        log = {"version": "1.2", "creator": {"name": "tests", "version": "1"}}
        path.write_text(json.dumps({"log": {**log, "entries": self.entries}}))


def record(base: str, path: Path, *, visits: int = 24) -> None:
    """VISITS of the service's people, the same ones each time, written to PATH."""
    recorder, chance = Recorder(base), random.Random(7)
    for number in range(visits):
        _visit(recorder, chance, list(PEOPLE)[number % len(PEOPLE)], number)
    recorder.write(path)


def _visit(recorder: Recorder, chance: random.Random, name: str, number: int) -> None:
    tenant = PEOPLE[name]["tenant"]
    other = "globex" if tenant == "acme" else "acme"
    if not number % 5:
        recorder.ask("POST", "/login", {"username": name, "password": "mistyped"})
    _, opened = recorder.ask("POST", "/login", {"username": name, "password": PASSWORDS[name]})
    token = opened["access_token"]
    recorder.ask("GET", "/me", token=token)
    recorder.ask("GET", f"/tenants/{tenant}/notes", token=token)
    title = f"note {number} of {chance.randint(100, 999)}"
    _, note = recorder.ask("POST", f"/tenants/{tenant}/notes", {"title": title}, token=token)
    recorder.ask("GET", f"/tenants/{tenant}/notes/{note['id']}", token=token)
    recorder.ask("GET", "/users", token=token)
    recorder.ask("GET", f"/tenants/{other}/notes", token=token)
    recorder.ask("GET", "/health")
    if not number % 6:
        recorder.ask("GET", "/.well-known/jwks.json")
    if not number % 4:
        recorder.ask("GET", "/me")
    if not number % 2:
        recorder.ask("POST", "/logout", token=token)
        recorder.ask("GET", "/me", token=token)


def _pairs(pairs: Any) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]
