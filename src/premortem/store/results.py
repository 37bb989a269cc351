"""Results of runs: what was sent, what came back, and the verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Row, func, select

from premortem.domain.run import Case, Result, Sent, Verdict
from premortem.domain.traffic import Request, Response
from premortem.store.batch import BODY, Batch, batch, next_number, read_pieces
from premortem.store.blocks import BlockReader, Span
from premortem.store.cases import ENCLOSED_BYTES_MAX, put_cases, read_cases
from premortem.store.cipher import Cipher, pack
from premortem.store.database import Database
from premortem.store.tables import results

RESULTS_FULL_MAX = 100_000
"""Results that one run keeps in full; which ones, its pipeline chooses."""
RESULTS_AT_ONCE_MAX = 500
"""Results written in one transaction, or read at a time."""


class _Packed(Struct, frozen=True, array_like=True):
    sent: Sent
    """Without bodies that are pieces, and without a request that is the case's."""
    as_planned: bool
    """The request went out just as the case has it."""
    verdicts: tuple[Verdict, ...]


_decoder = msgspec.msgpack.Decoder(_Packed)
_NO_REQUEST = Request(method="", origin="", path="")


class Results:
    """Writes and reads results."""

    def __init__(self, database: Database, cipher: Cipher, reader: BlockReader) -> None:
        self._database = database
        self._cipher = cipher
        self._reader = reader

    def save(self, run_id: str, given: Iterable[Result]) -> int:
        """Keep what came of cases in run RUN_ID, up to RESULTS_FULL_MAX; how many were kept."""
        saved = 0
        rest = iter(given)
        while part := list(islice(rest, RESULTS_AT_ONCE_MAX)):
            with batch(self._database, self._cipher) as current:
                held = current.connection.execute(
                    select(func.count()).select_from(results).where(results.c.run_id == run_id)
                ).scalar_one()
                part = part[: max(0, RESULTS_FULL_MAX - held)]
                self.put(current, run_id, part)
            saved += len(part)
        return saved

    def put(self, current: Batch, run_id: str, part: list[Result]) -> None:
        """Keep PART as a part of CURRENT; the caller sees to RESULTS_FULL_MAX."""
        numbers = put_cases(current, [result.case for result in part])
        bodies = [body for result in part for body in _bodies(result) if _apart(body)]
        apart = iter(current.pieces(bodies, kind=BODY))
        first = next_number(current.connection, results.c.seq)
        for index, (result, piece) in enumerate(zip(part, numbers, strict=True)):
            asked, answered = _bodies(result)
            response = result.sent.response
            row = {
                "seq": first + index,
                "run_id": run_id,
                "sequence_id": result.sequence_id,
                "position": result.position,
                "case_id": result.case.id,
                "outcome": result.outcome,
                "status": response.status if response else None,
                "failed": bool(result.verdicts),
                "intended_at": result.sent.intended_at,
                "duration_ms": result.sent.duration_ms,
                "piece": piece,
                "request_body": next(apart) if _apart(asked) else None,
                "response_body": next(apart) if _apart(answered) else None,
            }
            current.row(results, row | current.record(pack(_packed(result)))._asdict())

    def of_run(self, run_id: str, *, limit: int, failed: bool | None) -> list[Result]:
        """In the order in which they were saved."""
        query = select(results).where(results.c.run_id == run_id).order_by(results.c.seq)
        if failed is not None:
            query = query.where(results.c.failed.is_(failed))
        read: list[Result] = []
        after = 0
        while len(read) < limit:
            size = min(RESULTS_AT_ONCE_MAX, limit - len(read))
            with self._database.reading() as connection:
                page = query.where(results.c.seq > after).limit(size)
                rows = list(connection.execute(page))
                spans = [Span(row.block, row.start, row.length) for row in rows]
                packed = self._reader.read(connection, spans)
                found = read_cases(
                    connection, self._reader, self._cipher, [row.piece for row in rows]
                )
                wanted = [n for row in rows for n in (row.request_body, row.response_body)]
                bodies = read_pieces(connection, self._reader, wanted)
            for row, data in zip(rows, packed, strict=True):
                item = self._cipher.unpack(_decoder, data)
                read.append(_result(row, item, found[row.piece], bodies))
            if len(rows) < size:
                break
            after = rows[-1].seq
        return read


def _bodies(result: Result) -> tuple[bytes, bytes]:
    sent = result.sent
    asked = b"" if sent.request == result.case.request else sent.request.body
    return asked, sent.response.body if sent.response else b""


def _apart(body: bytes) -> bool:
    return len(body) > ENCLOSED_BYTES_MAX


def _packed(result: Result) -> _Packed:
    sent = result.sent
    as_planned = sent.request == result.case.request
    request = _NO_REQUEST if as_planned else sent.request
    if _apart(request.body):
        request = msgspec.structs.replace(request, body=b"")
    response = sent.response
    if response is not None and _apart(response.body):
        response = msgspec.structs.replace(response, body=b"")
    bare = msgspec.structs.replace(sent, request=request, response=response)
    return _Packed(bare, as_planned, result.verdicts)


def _result(row: Row[Any], item: _Packed, case: Case, bodies: dict[int | None, bytes]) -> Result:
    sent = item.sent
    request: Request = case.request if item.as_planned else sent.request
    response: Response | None = sent.response
    if row.request_body is not None:
        request = msgspec.structs.replace(request, body=bodies[row.request_body])
    if row.response_body is not None and response is not None:
        response = msgspec.structs.replace(response, body=bodies[row.response_body])
    return Result(
        case=case,
        sequence_id=row.sequence_id,
        position=row.position,
        sent=msgspec.structs.replace(sent, request=request, response=response),
        verdicts=item.verdicts,
    )
