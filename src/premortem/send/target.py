"""Whether the target is there, and how it gets back to a fresh state."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from premortem.config import Reset, TargetConfig
from premortem.domain.traffic import Request
from premortem.errors import TargetDown, TargetError
from premortem.send.auth import Credentials, request_line
from premortem.send.transport import Transport

POLL_S = 0.1
"""Between two looks at a target that is not up yet."""
OUTPUT_CHARS_MAX = 300
"""Of a reset's output in a message."""


async def wait_ready(
    sender: Transport, target: TargetConfig, *, timeout_s: float | None = None
) -> None:
    """Return once the target gives any HTTP answer to `ready`.

    Waits `ready_timeout_s` at most, or TIMEOUT_S. Raises TargetDown when nothing listens there,
    TargetError when something does but never answers, or does not speak HTTP.
    """
    loop = asyncio.get_running_loop()
    limit_s = target.ready_timeout_s if timeout_s is None else timeout_s
    deadline = loop.time() + limit_s
    path, _, query = target.ready.partition("?")
    pairs = tuple((k, v) for k, _, v in (p.partition("=") for p in query.split("&")) if k)
    request = Request(method="GET", origin="", path=path or "/", query=pairs)
    while True:
        left_s = max(POLL_S, deadline - loop.time())
        sent = await sender.send(request, timeout_s=left_s)
        if sent.response is not None:
            return
        assert sent.fault is not None  # noqa: S101 - one of the two is there
        kind, detail = sent.fault.kind, sent.fault.detail
        if kind in ("garbage", "too_large"):
            raise TargetError(
                f"something listens at {target.base_url} but does not answer as HTTP "
                f"({detail}); mend `base_url` under [target] (http or https?)"
            )
        if kind == "tls":
            raise TargetError(f"no secure connection to {target.base_url}: {detail}")
        if loop.time() + POLL_S >= deadline:
            if sent.fault.sent:
                raise TargetError(
                    f"{target.base_url} accepts connections but did not answer GET "
                    f"{target.ready} within {limit_s:g} s; restart it, or name another path as "
                    f"`ready` under [target]"
                )
            raise TargetDown(target=target.base_url, detail=detail)
        await asyncio.sleep(POLL_S)


def can_reset(target: TargetConfig) -> bool:
    """Whether a way to bring TARGET to a fresh state is configured, and its data may be lost."""
    return target.disposable and bool(target.reset.command or target.reset.request)


async def reset(
    target: TargetConfig, *, sender: Transport, credentials: Credentials, directory: Path
) -> bool:
    """Bring the target back to a fresh state; False when no way to do so is configured, and
    when the target is not disposable: its data is not ours to throw away.

    The command runs in DIRECTORY. Afterwards kept connections and tokens are dropped and the
    target is waited for. Raises TargetError with the last line that the reset said.
    """
    how = target.reset
    if not can_reset(target):
        return False
    if how.command:
        await _run(how, directory)
    if how.request:
        await _ask(how, sender, credentials)
    credentials.forget()
    sender.drop_idle()
    await wait_ready(sender, target)
    return True


async def _run(how: Reset, directory: Path) -> None:
    process = subprocess.Popen(  # noqa: S602 - the user's own command, from their own file
        how.command,
        shell=True,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await asyncio.to_thread(process.communicate, timeout=how.timeout_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        process.communicate()
        raise TargetError(
            f"the reset command `{how.command}` did not end within {how.timeout_s:g} s; mend it, "
            f"or raise `timeout_s` under [target.reset]"
        ) from None
    except asyncio.CancelledError:
        # The thread that waits for it would keep the whole program from ending.
        _kill(process)
        raise
    if process.returncode:
        raise TargetError(
            f"the reset command `{how.command}` failed with status {process.returncode}: "
            f"{_last_line(output) or 'it said nothing'}"
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _ask(how: Reset, sender: Transport, credentials: Credentials) -> None:
    method, target = request_line(how.request, key="`request` under [target.reset]")
    path, _, query = target.partition("?")
    pairs = tuple((k, v) for k, _, v in (p.partition("=") for p in query.split("&")) if k)
    request = Request(method=method, origin="", path=path, query=pairs)
    headers = await credentials.headers(how.role, sender)
    sent = await sender.send(request, credentials=headers, timeout_s=how.timeout_s)
    if sent.fault is not None:
        raise TargetError(f"the reset request {how.request} failed: {sent.fault.detail}")
    answer = sent.response
    if answer is not None and not 200 <= answer.status < 300:
        said = _last_line(answer.body)
        raise TargetError(
            f"the reset request {how.request} answered {answer.status}"
            + (f": {said}" if said else "")
            + "; mend [target.reset]"
        )


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:OUTPUT_CHARS_MAX] if lines else ""
