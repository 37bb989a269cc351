"""The engine for test runners of other languages: lines of JSON in, lines of JSON out.

    {"start": "Refund is issued twice"}
    {"keyword": "given", "step": "the actor {string} has role {string}", "arguments": ["a", "CFO"]}
    {"end": true}

A step may have a `docstring` and a `table` (rows of texts, the first one the columns). Each line
is answered by one: `{"status":"passed"}`, or another status and a `detail`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from premortem.agent.adapters.session import Session, step_of
from premortem.agent.steps.catalogue import text_of
from premortem.config import Config
from premortem.errors import PremortemError

LINE_BYTES_MAX = 4 * 1024 * 1024


class Asked(Struct, frozen=True, kw_only=True):
    """One line of a runner's."""

    start: str = ""
    """Title of the scenario that begins."""
    end: bool = False
    keyword: Literal["given", "when", "then", ""] = ""
    step: str = ""
    """A step's or phrase's own text, with its parameters."""
    arguments: tuple[str | int, ...] = ()
    docstring: str = ""
    table: tuple[tuple[str, ...], ...] = ()


class Answered(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it."""

    status: Literal["passed", "failed", "undefined", "broken", "error"]
    """`error`: the line itself, the configuration or the target is at fault."""
    detail: str = ""


def serve(lines: Iterable[bytes], answer: Callable[[bytes], None], *, config: Config) -> None:
    """Carry out LINES one by one until they end; ANSWER gets a line for each."""
    session: Session | None = None
    try:
        for line in lines:
            try:
                asked = _read(line)
                if asked.start or asked.end:
                    if session is not None:
                        ended, session = session, None
                        ended.close()
                    if asked.start:
                        session = Session(None, config=config)
                    answered = Answered(status="passed")
                else:
                    answered = _performed(asked, session)
            except (PremortemError, ValueError) as error:
                answered = Answered(status="error", detail=str(error))
            answer(msgspec.json.encode(answered) + b"\n")
    finally:
        if session is not None:
            session.close()


def _read(line: bytes) -> Asked:
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"a line has {len(line)} bytes; at most {LINE_BYTES_MAX} are read")
    return msgspec.json.decode(line, type=Asked)


def _performed(asked: Asked, session: Session | None) -> Answered:
    if session is None:
        return Answered(status="error", detail="no scenario was started")
    if not asked.keyword:
        return Answered(status="error", detail="a step needs its keyword: given, when or then")
    text = text_of(asked.step, asked.arguments)
    step = step_of(asked.keyword, text, asked.docstring, asked.table)
    try:
        session.perform(step)
    except AssertionError as error:
        status, _, detail = str(error).partition(": ")
        known: Literal["failed", "undefined", "broken"] = "failed"
        for name in ("undefined", "broken"):
            known = name if status == name else known
        return Answered(status=known, detail=detail)
    return Answered(status="passed")
