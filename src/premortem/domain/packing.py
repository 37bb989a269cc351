"""Jobs as bytes: what cases have in common is written once, and is one object when read again.

The cases of a job have few distinct sets of headers, operations, origins and intents. Read again
as objects of their own they would cost a worker a third of its time: memory, decoding, and texts
whose hash nobody knows yet.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec
from msgspec import Struct

from premortem.domain.jobs import Job
from premortem.domain.run import Binding, Case, Intent, Origin, Sequence
from premortem.domain.traffic import Pairs, Request


class _Case(Struct, frozen=True, array_like=True, gc=False):
    """A case; numbers are places in the tables of its job."""

    path: str
    body: bytes
    line: int
    """Of (method, origin, operation id, role)."""
    headers: int
    origin: int
    intent: int
    query: Pairs = ()
    bindings: tuple[Binding, ...] = ()
    recorded_status: int = 0
    recorded_reason: str = ""
    setup: bool = False


class _Job(Struct, frozen=True, array_like=True):
    bare: Job
    """Without its sequences."""
    lines: list[tuple[str, str, str, str]]
    headers: list[Pairs]
    origins: list[Origin]
    intents: list[Intent]
    sequences: list[list[_Case]]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Job)


class _Table(dict[Any, int]):
    """Values in the order in which they were first seen, with their places."""

    def place(self, value: Hashable) -> int:
        return self.setdefault(value, len(self))


def pack_job(job: Job) -> bytes:
    """JOB as bytes."""
    lines, headers, origins, intents = _Table(), _Table(), _Table(), _Table()
    sequences = [
        [
            _Case(
                path=case.request.path,
                body=case.request.body,
                line=lines.place(
                    (case.request.method, case.request.origin, case.operation_id, case.role)
                ),
                headers=headers.place(case.request.headers),
                origin=origins.place(case.origin),
                intent=intents.place(case.intent),
                query=case.request.query,
                bindings=case.bindings,
                recorded_status=case.recorded_status,
                recorded_reason=case.recorded_reason,
                setup=case.setup,
            )
            for case in sequence.cases
        ]
        for sequence in job.sequences
    ]
    return _encoder.encode(
        _Job(
            bare=msgspec.structs.replace(job, sequences=()),
            lines=list(lines),
            headers=list(headers),
            origins=list(origins),
            intents=list(intents),
            sequences=sequences,
        )
    )


def unpack_job(data: bytes) -> Job:
    """The job that was packed. Raises msgspec.DecodeError for other bytes."""
    packed = _decoder.decode(data)
    lines, headers, origins, intents = (
        packed.lines,
        packed.headers,
        packed.origins,
        packed.intents,
    )
    sequences: list[Sequence] = []
    for given in packed.sequences:
        cases: list[Case] = []
        for item in given:
            method, origin, operation_id, role = lines[item.line]
            request = Request(
                method=method,
                origin=origin,
                path=item.path,
                query=item.query,
                headers=headers[item.headers],
                body=item.body,
            )
            cases.append(
                Case(
                    request=request,
                    operation_id=operation_id,
                    origin=origins[item.origin],
                    intent=intents[item.intent],
                    role=role,
                    bindings=item.bindings,
                    recorded_status=item.recorded_status,
                    recorded_reason=item.recorded_reason,
                    setup=item.setup,
                )
            )
        sequences.append(Sequence(cases=tuple(cases)))
    return msgspec.structs.replace(packed.bare, sequences=tuple(sequences))
