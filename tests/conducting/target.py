"""A target that remembers what it read, in a process of its own: it outlives what is killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Target:
    """What a test asks of it."""

    def __init__(self, base: str) -> None:
        self.base = base

    def _ask(self, path: str) -> dict[str, object]:
        with urllib.request.urlopen(self.base + path, timeout=10) as answer:
            return json.loads(answer.read())

    def seen(self) -> Counter[str]:
        """`METHOD /path` -> how often its request was read."""
        return Counter(self._ask("/_seen"))

    def behave(self, **settings: float) -> None:
        """`delay_s` of every answer; its `status`; `cut=1`: every seventh request is cut off."""
        query = "&".join(f"{name}={value}" for name, value in settings.items())
        self._ask(f"/_behave?{query}")


@contextmanager
def target() -> Iterator[Target]:
    """One on a port of its own, ended by its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.conducting.target"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Target(process.stdout.readline().strip())
    finally:
        process.kill()
        process.wait()


async def _served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: dict) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method, url, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            await reader.readexactly(length)
            parts = urlsplit(url)
            if parts.path == "/_seen":
                _write(writer, 200, json.dumps(state["seen"]).encode())
            elif parts.path == "/_behave":
                state |= {name: float(v[0]) for name, v in parse_qs(parts.query).items()}
                _write(writer, 200, b"{}")
            else:
                key = f"{method} {parts.path}"
                state["seen"][key] = state["seen"].get(key, 0) + 1
                if state["cut"] and len(state["seen"]) % 7 == 0:
                    writer.transport.abort()
                    return
                if state["delay_s"]:
                    await asyncio.sleep(state["delay_s"])
                if state["status"] == 200:
                    writer.write(ANSWER)
                else:
                    _write(writer, int(state["status"]), b"{}")
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


def _write(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    writer.write(
        b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (status, len(body), body)
    )


async def _main() -> None:
    state: dict = {"seen": {}, "delay_s": 0.0, "status": 200, "cut": 0}
    server = await asyncio.start_server(lambda r, w: _served(r, w, state), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
