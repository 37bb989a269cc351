"""Jobs as bytes: what cases have in common is written once, and is one object when read again.

Cases that differ in path, query, body, bindings and origin alone are of one kind; a job has few
kinds. What differs lies in columns, so that opening a job costs a fraction of making its cases:
a worker sends most of them without ever making them.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from premortem.domain.jobs import Job
from premortem.domain.run import Binding, Case, Intent, Origin, Sequence, SourceName
from premortem.domain.token_change import TokenChange
from premortem.domain.traffic import Pairs, Request


class _Kind(NamedTuple):
    """What the cases of one kind have in common; numbers are places in the tables of the job."""

    method: str
    origin: str
    operation_id: str
    role: str
    source: SourceName
    headers: int
    intent: int
    recorded_status: int
    recorded_reason: str
    setup: bool
    together: int
    token: TokenChange | None


class _Job(Struct, frozen=True, array_like=True):
    bare: Job
    """Without its sequences."""
    headers: list[Pairs]
    intents: list[Intent]
    origins: list[bytes]
    kinds: list[_Kind]
    lengths: list[int]
    """Of the sequences; empty: all of them have one case."""
    kind_of: list[int]
    """Of each case of all sequences laid end to end, as all below."""
    origin_of: bytes
    """Little-endian, four bytes each."""
    paths: list[str]
    bodies: list[bytes]
    queries: dict[int, Pairs]
    """Of those that have one."""
    bindings: dict[int, tuple[Binding, ...]]
    """Of those that have some."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Job)
_origin_decoder = msgspec.msgpack.Decoder(Origin)


class _Table(dict[Any, int]):
    """Values in the order in which they were first seen, with their places."""

    def place(self, value: Hashable) -> int:
        return self.setdefault(value, len(self))


def pack_job(job: Job) -> bytes:
    """JOB as bytes."""
    headers, intents, origins, kinds = _Table(), _Table(), _Table(), _Table()
    cases = [case for sequence in job.sequences for case in sequence.cases]
    lengths = [len(sequence.cases) for sequence in job.sequences]
    kind_of = [
        kinds.place(
            (
                case.request.method,
                case.request.origin,
                case.operation_id,
                case.role,
                case.origin.source,
                headers.place(case.request.headers),
                intents.place(case.intent),
                case.recorded_status,
                case.recorded_reason,
                case.setup,
                case.together,
                case.token,
            )
        )
        for case in cases
    ]
    origin_of = np.array([origins.place(case.origin) for case in cases], dtype="<u4").tobytes()
    return _encoder.encode(
        _Job(
            bare=msgspec.structs.replace(job, sequences=()),
            headers=list(headers),
            intents=list(intents),
            origins=[_encoder.encode(origin) for origin in origins],
            kinds=[_Kind(*kind) for kind in kinds],
            lengths=lengths if any(length != 1 for length in lengths) else [],
            kind_of=kind_of,
            origin_of=origin_of,
            paths=[case.request.path for case in cases],
            bodies=[case.request.body for case in cases],
            queries={n: case.request.query for n, case in enumerate(cases) if case.request.query},
            bindings={n: case.bindings for n, case in enumerate(cases) if case.bindings},
        )
    )


def unpack_job(data: bytes) -> Job:
    """The job that was packed. Raises msgspec.DecodeError for other bytes."""
    parcel = Parcel(data)
    return msgspec.structs.replace(parcel.job, sequences=parcel.sequences)


class Parcel:
    """A packed job, opened: its cases are made when somebody asks for them.

    Cases are counted from 0, all sequences laid end to end; sequences from 0, too.
    """

    __slots__ = (
        "_headers",
        "_intents",
        "_kinds",
        "_origin_of",
        "_origins",
        "_read",
        "_starts",
        "bindings",
        "bodies",
        "job",
        "kind_of",
        "lengths",
        "paths",
        "queries",
    )

    def __init__(self, data: bytes) -> None:
        """Raises msgspec.DecodeError when DATA is no packed job."""
        packed = _decoder.decode(data)
        self.job = packed.bare
        """Without its sequences."""
        self._headers, self._intents = packed.headers, packed.intents
        self._kinds = packed.kinds
        self._origins, self._origin_of = packed.origins, packed.origin_of
        self._read: dict[int, Origin] = {}
        self.kind_of, self.paths, self.bodies = packed.kind_of, packed.paths, packed.bodies
        """Of each case."""
        self.queries, self.bindings = packed.queries, packed.bindings
        """Of the cases that have any."""
        self.lengths = packed.lengths
        """Cases of each sequence; empty: one each."""
        self._starts = list(accumulate(packed.lengths, initial=0))

    def __len__(self) -> int:
        """Its cases."""
        return len(self.paths)

    @property
    def kinds(self) -> int:
        """How many kinds of cases there are."""
        return len(self._kinds)

    def like(self, kind: int) -> Case:
        """A case of KIND as far as its cases are alike: without path, query, body and bindings,
        its origin without all but the source."""
        source = self._kinds[kind].source
        return self._made(kind, Origin(source=source), path="", query=(), body=b"", bindings=())

    def case(self, number: int) -> Case:
        """The case with NUMBER."""
        return self._made(
            self.kind_of[number],
            self._origin(number),
            path=self.paths[number],
            query=self.queries.get(number, ()),
            body=self.bodies[number],
            bindings=self.bindings.get(number, ()),
        )

    def sequence(self, index: int) -> Sequence:
        """The sequence with INDEX."""
        if not self.lengths:
            return Sequence(cases=(self.case(index),))
        start, end = self._starts[index], self._starts[index + 1]
        return Sequence(cases=tuple(self.case(number) for number in range(start, end)))

    def sequence_of(self, number: int) -> Sequence:
        """The sequence that the case with NUMBER is all of."""
        return Sequence(cases=(self.case(number),))

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """All of them."""
        return tuple(self.sequence(i) for i in range(len(self.lengths) or len(self.paths)))

    def _origin(self, number: int) -> Origin:
        place = int.from_bytes(self._origin_of[4 * number : 4 * number + 4], "little")
        origin = self._read.get(place)
        if origin is None:
            origin = self._read[place] = _origin_decoder.decode(self._origins[place])
        return origin

    def _made(
        self,
        kind: int,
        origin: Origin,
        *,
        path: str,
        query: Pairs,
        body: bytes,
        bindings: tuple[Binding, ...],
    ) -> Case:
        alike = self._kinds[kind]
        return Case(
            request=Request(
                method=alike.method,
                origin=alike.origin,
                path=path,
                query=query,
                headers=self._headers[alike.headers],
                body=body,
            ),
            operation_id=alike.operation_id,
            origin=origin,
            intent=self._intents[alike.intent],
            role=alike.role,
            bindings=bindings,
            recorded_status=alike.recorded_status,
            recorded_reason=alike.recorded_reason,
            setup=alike.setup,
            together=alike.together,
            token=alike.token,
        )
