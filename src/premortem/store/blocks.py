"""Blocks: many values side by side, compressed and sealed together, at most 256 KiB each.

A value is found by its span: the block in which it starts, where, and its length. It may flow
on into the following blocks of its lane, so a value of any size fits.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from premortem.errors import StoreError
from premortem.store.cipher import Cipher
from premortem.store.facets import state_of
from premortem.store.insertion import insert_rows
from premortem.store.tables import blocks

BLOCK_BYTES_MAX = 256 * 1024
BLOCK_PLAIN_BYTES_MAX = BLOCK_BYTES_MAX - 2048
"""Before compression; what cannot be compressed grows by less than the difference."""
LANES = 2
"""Values that are read without each other lie in blocks of their own. Block numbers go round
the lanes, so the blocks of one lane are LANES apart, whichever are written at the same time."""
HEADS, BODIES = range(LANES)
LAST_BLOCK = "last_block"
"""In `state`: the highest number that a removed block had."""
BLOCKS_CACHED_MAX = 256
"""Opened blocks that are kept: 64 MiB."""
BLOCKS_FETCHED_MAX = 64
"""Blocks read or written in one statement: 16 MiB."""


class Span(NamedTuple):
    """Where a value lies."""

    block: int
    start: int
    """Offset in the block's plain bytes."""
    length: int

    @property
    def blocks(self) -> range:
        """The numbers of the blocks it lies in."""
        count = max(1, -(-(self.start + self.length) // BLOCK_PLAIN_BYTES_MAX))
        return range(self.block, self.block + count * LANES, LANES)


class BlockWriter:
    """Lays values end to end into the blocks of one lane; part of one write transaction."""

    def __init__(self, connection: Connection, cipher: Cipher, *, first: int) -> None:
        self._connection = connection
        self._cipher = cipher
        self._number = first
        self._open = bytearray()
        self._sealed: list[dict[str, Any]] = []

    def append(self, value: bytes) -> Span:
        """Take VALUE in; its block is in the store after `finish`."""
        span = Span(self._number, len(self._open), len(value))
        rest = memoryview(value)
        while len(rest) >= (room := BLOCK_PLAIN_BYTES_MAX - len(self._open)):
            self._open += rest[:room]
            rest = rest[room:]
            self._seal()
        self._open += rest
        return span

    def finish(self) -> None:
        """Seal what is left and write all."""
        # An empty value may point at a block that holds nothing else: it must exist.
        self._seal()
        self._write()

    def _seal(self) -> None:
        payload = self._cipher.seal(self._open, place=place_of(self._number))
        self._sealed.append({"id": self._number, "payload": payload})
        self._number += LANES
        self._open.clear()
        if len(self._sealed) >= BLOCKS_FETCHED_MAX:
            self._write()

    def _write(self) -> None:
        if self._sealed:
            insert_rows(self._connection, blocks, self._sealed)
            self._sealed = []


def place_of(number: int) -> str:
    """What binds a block's bytes to its number."""
    return f"block {number}"


def next_block(connection: Connection) -> int:
    """The first free block number of lane 0; lane n starts n later."""
    last = connection.execute(select(func.max(blocks.c.id))).scalar()
    # Numbers of blocks that were removed are not given again: another process may remember them.
    last = max(-1 if last is None else last, state_of(connection, LAST_BLOCK) or -1)
    return (last // LANES + 1) * LANES


class BlockReader:
    """Reads spans; the blocks used last stay open."""

    def __init__(self, cipher: Cipher, *, blocks_cached_max: int = BLOCKS_CACHED_MAX) -> None:
        self._cipher = cipher
        self._cached_max = blocks_cached_max
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, connection: Connection, spans: Sequence[Span]) -> list[bytes]:
        """The values at SPANS, in their order; each block is opened once."""
        values = [b""] * len(spans)
        group: list[int] = []
        wanted: dict[int, None] = {}
        for index in sorted(range(len(spans)), key=spans.__getitem__):
            numbers = spans[index].blocks
            if len(numbers) > BLOCKS_FETCHED_MAX:
                values[index] = self._read_long(connection, spans[index])
                continue
            if group and len(wanted) + len(numbers) > BLOCKS_FETCHED_MAX:
                self._read_group(connection, spans, group, wanted, values)
                group, wanted = [], {}
            group.append(index)
            wanted.update(dict.fromkeys(numbers))
        self._read_group(connection, spans, group, wanted, values)
        return values

    def _read_group(
        self,
        connection: Connection,
        spans: Sequence[Span],
        group: Iterable[int],
        wanted: Iterable[int],
        values: list[bytes],
    ) -> None:
        opened = self._opened(connection, wanted)
        for index in group:
            block, start, length = spans[index]
            plain = opened[block]
            if start + length <= len(plain):
                values[index] = plain[start : start + length]
            else:
                whole = b"".join(opened[number] for number in spans[index].blocks)
                values[index] = whole[start : start + length]

    def _read_long(self, connection: Connection, span: Span) -> bytes:
        # Past the cache: one document of many megabytes would push everything else out.
        whole = bytearray()
        numbers = span.blocks
        for first in range(0, len(numbers), BLOCKS_FETCHED_MAX):
            part = numbers[first : first + BLOCKS_FETCHED_MAX]
            opened = self._fetched(connection, part)
            for number in part:
                whole += opened[number]
        return bytes(memoryview(whole)[span.start : span.start + span.length])

    def _opened(self, connection: Connection, wanted: Iterable[int]) -> dict[int, bytes]:
        opened: dict[int, bytes] = {}
        with self._lock:
            for number in wanted:
                if number in self._cache:
                    self._cache.move_to_end(number)
                    opened[number] = self._cache[number]
        missing = [number for number in wanted if number not in opened]
        if missing:
            fetched = self._fetched(connection, missing)
            opened |= fetched
            with self._lock:
                self._cache |= fetched
                while len(self._cache) > self._cached_max:
                    self._cache.popitem(last=False)
        return opened

    def _fetched(self, connection: Connection, numbers: Sequence[int]) -> dict[int, bytes]:
        query = select(blocks.c.id, blocks.c.payload).where(blocks.c.id.in_(numbers))
        opened = {
            number: self._cipher.open(payload, place=place_of(number))
            for number, payload in connection.execute(query)
        }
        lost = next((number for number in numbers if number not in opened), None)
        if lost is not None:
            raise StoreError(
                f"{place_of(lost)} of the store is gone; put back a copy of the store, or move it "
                f"away and import the recordings again"
            )
        return opened
