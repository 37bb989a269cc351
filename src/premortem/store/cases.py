"""Cases, the sequences that bring them into their state, and rejections."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, select

from premortem.domain.rejection import Rejection, RejectionRule
from premortem.domain.run import Case, Sequence
from premortem.errors import InputError
from premortem.store.batch import (
    BODY,
    CASE,
    Batch,
    batch,
    find_all,
    next_number,
    read_pieces,
    span_columns,
    starts_with,
)
from premortem.store.blocks import BlockReader, Span
from premortem.store.cipher import Cipher, pack
from premortem.store.database import Database
from premortem.store.tables import cases, pieces, rejections, sequences

SEQUENCES_AT_ONCE_MAX = 1000
"""Sequences written in one transaction."""
REJECTIONS_KEPT_MAX = 10_000
"""Rejections that are kept; the oldest go first."""
ENCLOSED_BYTES_MAX = 4096
"""Bodies up to this length lie in their case or result: generated ones differ anyway. Larger
ones come from recordings and repeat, so they are stored once, as pieces."""


class _Packed(Struct, frozen=True, array_like=True):
    case: Case
    body: bytes = b""
    """Digest of the request's body where that is a piece of its own."""


_decoder = msgspec.msgpack.Decoder(_Packed)


def put_cases(current: Batch, given: list[Case]) -> list[int]:
    """The piece numbers of the cases GIVEN; equal ones are stored once."""
    large = [case.request.body for case in given if len(case.request.body) > ENCLOSED_BYTES_MAX]
    current.pieces(large, kind=BODY)
    return current.pieces([_pack(case, current.cipher) for case in given], kind=CASE)


def _pack(case: Case, cipher: Cipher) -> bytes:
    body = case.request.body
    if len(body) <= ENCLOSED_BYTES_MAX:
        return pack(_Packed(case))
    request = msgspec.structs.replace(case.request, body=b"")
    bare = msgspec.structs.replace(case, request=request)
    return pack(_Packed(bare, cipher.digest(body, kind=BODY)))


def read_cases(
    connection: Connection, reader: BlockReader, cipher: Cipher, numbers: Iterable[int]
) -> dict[int, Case]:
    """Piece number -> case."""
    packed = read_pieces(connection, reader, set(numbers))
    read = {n: cipher.unpack(_decoder, data) for n, data in packed.items() if n is not None}
    digests = {item.body for item in read.values() if item.body}
    found = find_all(
        connection,
        lambda part: select(pieces.c.digest, *span_columns(pieces)).where(
            pieces.c.digest.in_(part)
        ),
        digests,
    )
    values = reader.read(connection, [Span(*row[1:]) for row in found])
    bodies = {row[0]: value for row, value in zip(found, values, strict=True)}
    return {number: _unpacked(item, bodies) for number, item in read.items()}


def bodies_of_cases(database: Database, reader: BlockReader, cipher: Cipher) -> set[bytes]:
    """Digests of the bodies that stored cases name; their pieces are referred to by no column."""
    found: set[bytes] = set()
    after = 0
    while True:
        query = select(pieces.c.id, *span_columns(pieces)).where(
            pieces.c.kind == CASE, pieces.c.id > after
        )
        with database.reading() as connection:
            page = query.order_by(pieces.c.id).limit(SEQUENCES_AT_ONCE_MAX)
            rows = connection.execute(page).all()
            values = reader.read(connection, [Span(*row[1:]) for row in rows])
        found |= {cipher.unpack(_decoder, value).body for value in values}
        if len(rows) < SEQUENCES_AT_ONCE_MAX:
            return found - {b""}
        after = rows[-1].id


def _unpacked(item: _Packed, bodies: dict[bytes, bytes]) -> Case:
    if not item.body:
        return item.case
    request = msgspec.structs.replace(item.case.request, body=bodies[item.body])
    return msgspec.structs.replace(item.case, request=request)


class Cases:
    """Writes and reads cases."""

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        reader: BlockReader,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._reader = reader
        self._clock = clock

    def save(self, batch_id: str, given: Iterable[Sequence]) -> int:
        """Add the sequences that BATCH_ID does not hold yet; how many those were."""
        saved = 0
        rest = iter(given)
        while part := list(islice(rest, SEQUENCES_AT_ONCE_MAX)):
            saved += self._save_part(batch_id, {sequence.id: sequence for sequence in part})
        return saved

    def _save_part(self, batch_id: str, by_id: dict[str, Sequence]) -> int:
        with batch(self._database, self._cipher) as current:
            in_batch = sequences.c.batch_id == batch_id
            known = find_all(
                current.connection,
                lambda part: select(sequences.c.id).where(in_batch, sequences.c.id.in_(part)),
                by_id,
            )
            for row in known:
                del by_id[row[0]]
            numbers = iter(put_cases(current, [c for s in by_id.values() for c in s.cases]))
            first = next_number(current.connection, sequences.c.seq)
            case_seq = next_number(current.connection, cases.c.seq)
            now = self._clock()
            for seq, (sequence_id, sequence) in enumerate(by_id.items(), first):
                row = {"seq": seq, "id": sequence_id, "batch_id": batch_id, "created_at": now}
                current.row(sequences, row)
                for position, case in enumerate(sequence.cases):
                    self._add_case(current, case_seq, seq, position, case, next(numbers))
                    case_seq += 1
        return len(by_id)

    def _add_case(
        self, current: Batch, seq: int, sequence: int, position: int, case: Case, piece: int
    ) -> None:
        row = {
            "seq": seq,
            "id": case.id,
            "sequence": sequence,
            "position": position,
            "operation": self._operation(case.operation_id),
            "source": case.origin.source,
            "kind": case.intent.kind,
            "role": case.role,
            "setup": case.setup,
            "piece": piece,
        }
        current.row(cases, row)

    def _operation(self, operation_id: str) -> bytes:
        # A template can hold captured values where too little traffic was seen to tell, so it
        # stands in the clear columns as a keyed digest.
        return self._cipher.digest(operation_id.encode(), kind="operation")

    def listed(
        self, *, limit: int, operation: str, source: str, batch_id: str, setup: bool
    ) -> list[Case]:
        """Newest first."""
        query = select(cases.c.piece).order_by(cases.c.seq.desc()).limit(limit)
        if operation:
            query = query.where(cases.c.operation == self._operation(operation))
        if source:
            query = query.where(cases.c.source == source)
        if not setup:
            query = query.where(cases.c.setup.is_(False))
        if batch_id:
            in_batch = select(sequences.c.seq).where(sequences.c.batch_id == batch_id)
            query = query.where(cases.c.sequence.in_(in_batch))
        with self._database.reading() as connection:
            numbers = list(connection.execute(query).scalars())
            found = read_cases(connection, self._reader, self._cipher, numbers)
        return [found[number] for number in numbers]

    def ending_in(self, prefix: str) -> Sequence:
        """The sequence that ends in the case whose id starts with PREFIX."""
        with self._database.reading() as connection:
            query = select(cases.c.id).where(starts_with(cases.c.id, prefix)).distinct().limit(2)
            ids = list(connection.execute(query).scalars())
            if len(ids) != 1:
                raise InputError(_not_one(prefix, ids))
            # The newest sequence in which it is the aim rather than a step on the way.
            order = (cases.c.setup, cases.c.seq.desc())
            chosen = select(cases).where(cases.c.id == ids[0]).order_by(*order).limit(1)
            row = connection.execute(chosen).one()
            steps = (
                select(cases.c.piece)
                .where(cases.c.sequence == row.sequence, cases.c.position <= row.position)
                .order_by(cases.c.position)
            )
            numbers = list(connection.execute(steps).scalars())
            found = read_cases(connection, self._reader, self._cipher, numbers)
        return Sequence(cases=tuple(found[number] for number in numbers))

    def sequence(self, batch_id: str, sequence_id: str) -> Sequence | None:
        """A saved sequence of a batch; None: it is not there."""
        there = (sequences.c.batch_id == batch_id) & (sequences.c.id == sequence_id)
        steps = (
            select(cases.c.piece)
            .where(cases.c.sequence.in_(select(sequences.c.seq).where(there)))
            .order_by(cases.c.position)
        )
        with self._database.reading() as connection:
            numbers = list(connection.execute(steps).scalars())
            found = read_cases(connection, self._reader, self._cipher, numbers)
        return Sequence(cases=tuple(found[number] for number in numbers)) if numbers else None

    def save_rejections(self, given: Iterable[Rejection]) -> None:
        """Keep the rejections GIVEN, and of all the newest REJECTIONS_KEPT_MAX."""
        rest = iter(given)
        while part := list(islice(rest, SEQUENCES_AT_ONCE_MAX)):
            with batch(self._database, self._cipher) as current:
                numbers = put_cases(current, [rejection.case for rejection in part])
                first = next_number(current.connection, rejections.c.seq)
                for index, (rejection, piece) in enumerate(zip(part, numbers, strict=True)):
                    row = {
                        "seq": first + index,
                        "case_id": rejection.case.id,
                        "rule": rejection.rule,
                        "created_at": self._clock(),
                        "piece": piece,
                    }
                    current.row(rejections, row | current.record(_written(rejection))._asdict())
                oldest = first + len(part) - REJECTIONS_KEPT_MAX
                current.connection.execute(delete(rejections).where(rejections.c.seq < oldest))

    def rejections(self, *, limit: int) -> list[Rejection]:
        """Newest first."""
        query = select(rejections).order_by(rejections.c.seq.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            spans = [Span(row.block, row.start, row.length) for row in rows]
            reasons = self._reader.read(connection, spans)
            numbers = [row.piece for row in rows]
            found = read_cases(connection, self._reader, self._cipher, numbers)
        return [
            _rejection(found[row.piece], row.rule, reason)
            for row, reason in zip(rows, reasons, strict=True)
        ]


_BETWEEN = "\0"
"""Between reason, prompt and output; older stores hold the reason alone."""


def _written(rejection: Rejection) -> bytes:
    parts = (rejection.reason, rejection.prompt)
    told = [part.replace(_BETWEEN, " ") for part in parts]
    return _BETWEEN.join((*told, rejection.output)).encode("utf-8", "replace")


def _rejection(case: Case, rule: RejectionRule, record: bytes) -> Rejection:
    reason, prompt, output = (*record.decode().split(_BETWEEN, 2), "", "")[:3]
    return Rejection(case=case, rule=rule, reason=reason, prompt=prompt, output=output)


def _not_one(prefix: str, ids: list[str]) -> str:
    if ids:
        return f"more than one case starts with {prefix!r}; give more of its id"
    return f"no case {prefix!r}; list them with `premortem cases`"
