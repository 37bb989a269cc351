"""One HTTP request to a model's endpoint, and how long to wait before the next one."""

from __future__ import annotations

import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from http.client import HTTPException
from typing import IO

from msgspec import Struct

ANSWER_BYTES_MAX = 8 * 1024 * 1024
"""Of one answer; more is cut off, and then is no JSON."""


class Answered(Struct, frozen=True, kw_only=True):
    """What an endpoint said; status 0: nothing came, and `body` says why."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


Post = Callable[[str, Mapping[str, str], bytes, float], Answered]
"""(URL, headers, body, timeout in seconds) -> what came of it. Network faults are data."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody: a redirect would carry data and key to a host that nobody named."""

    def redirect_request(
        self,
        req: urllib.request.Request,  # noqa: ARG002
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: Message,  # noqa: ARG002
        newurl: str,  # noqa: ARG002
    ) -> None:
        return None


def post(url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answered:
    """POST BODY to URL (http or https); proxies as the environment says."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310 - http(s) only, checked by the engine
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return Answered(
                status=answer.status,
                headers={k.lower(): v for k, v in answer.headers.items()},
                body=answer.read(ANSWER_BYTES_MAX),
            )
    except urllib.error.HTTPError as error:
        with error:
            said = {k.lower(): v for k, v in error.headers.items()}
            return Answered(status=error.code, headers=said, body=error.read(ANSWER_BYTES_MAX))
    except urllib.error.URLError as error:
        return Answered(status=0, headers={}, body=str(error.reason).encode())
    except (OSError, HTTPException, ssl.SSLError) as error:
        return Answered(status=0, headers={}, body=f"{type(error).__name__} {error}".encode())


class Pace:
    """Spaces out requests of several threads: no more than so many a minute."""

    def __init__(
        self,
        per_minute_max: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """PER_MINUTE_MAX 0: no limit."""
        self._gap_s = 60 / per_minute_max if per_minute_max > 0 else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        if not self._gap_s:
            return
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._gap_s
        if turn > now:
            self._sleep(turn - now)
