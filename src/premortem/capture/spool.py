"""The spool: exchanges on their way to the store, redacted, in encrypted append-only segments.

A recorder must not wait for the store, whose one writer may be busy, so it writes files of its
own: one segment after the other, each closed after so many bytes or seconds and then taken in by
whoever owns the store. A segment that was never closed (a crash, a full disk) is readable up to
its last whole block.

    segment = "PMSPOOL1" key-id[8] salt[16] block*
    block   = length[4] kind[1] AES-256-GCM(zstd(MessagePack of exchanges))

Every segment has a key of its own (HKDF-SHA-256 over the spool's key and the salt), so the
number of a block is its nonce (NIST SP 800-38D, 8.2.1); the number and the kind are sealed with
it, so blocks cannot be changed, moved or left out unnoticed.
"""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from premortem.config import CaptureConfig
from premortem.domain.traffic import Exchange
from premortem.errors import InputError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: a segment is free once its writer closed it
    fcntl = None  # type: ignore[assignment]

MAGIC = b"PMSPOOL1"
KEY_BYTES = 32
BLOCK_PLAIN_BYTES = 256 * 1024
"""A block is sealed once it holds as much; one exchange may be larger."""
BLOCK_BYTES_MAX = 256 * 1024 * 1024
"""Of one block, sealed or plain: two bodies of the largest size that `body_bytes_max` is set to."""
FLUSH_S = 1.0
"""What a crash loses at most."""
LEVEL = 1
"""zstd: the store compresses again, harder; here CPU counts."""
SEGMENTS_MAX = 100_000
"""Files of one directory that are looked at."""
OPEN, CLOSED = ".open", ".spool"

_HEADER = struct.Struct(">8s8s16s")
_BLOCK = struct.Struct(">IB")
_DATA, _END = 0, 1
_NAME = re.compile(r"\d{13}-\d+-[0-9a-f]{8}-\d{6}\.(?:spool|open)")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Exchange])


class Limits(Struct, frozen=True, kw_only=True):
    """How long segments get, and how many may wait."""

    rotate_bytes: int = 64 * 1024 * 1024
    rotate_s: float = 300.0
    keep_bytes: int = 1024 * 1024 * 1024
    keep_s: float = 7 * 86_400.0
    keep_segments: int = 1000

    @classmethod
    def of(cls, config: CaptureConfig) -> Limits:
        """As `[capture]` says."""
        return cls(
            rotate_bytes=config.rotate_bytes,
            rotate_s=config.rotate_s,
            keep_bytes=config.keep_bytes,
            keep_s=config.keep_days * 86_400,
            keep_segments=config.keep_segments,
        )


class SpoolWriter:
    """Appends exchanges, already redacted, to segments in DIRECTORY; for one thread.

    Several writers, of one process or of many, may share a directory: each has its own files.
    NOW gives seconds since the epoch. `write`, `flush` and `close` raise OSError when the disk
    does not take it; then the exchanges of the open block are lost, `lost` counts them, and the
    next `write` begins a new segment.
    """

    def __init__(
        self, directory: Path, key: bytes, *, limits: Limits, now: Callable[[], float]
    ) -> None:
        self._directory, self._key, self._limits, self._now = directory, key, limits, now
        self._name = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._number = 0
        self._file: IO[bytes] | None = None
        self._path = directory
        self._packed: list[bytes] = []
        self._plain_bytes = self._exchanges = 0
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.written = 0
        """Exchanges on the disk."""
        self.lost = 0
        """Exchanges that the disk did not take."""
        self.removed = 0
        """Segments that had to go to keep the spool within its limits."""
        self.closed = 0
        """Segments closed."""

    def write(self, exchange: Exchange) -> None:
        """Take EXCHANGE in; it is on the disk after FLUSH_S, or with the next full block."""
        packed = _encoder.encode(exchange)
        if len(packed) > BLOCK_BYTES_MAX // 2:
            self.lost += 1
            return
        if not self._packed:
            self._since = self._now()
        self._packed.append(packed)
        self._plain_bytes += len(packed)
        if self._plain_bytes >= BLOCK_PLAIN_BYTES:
            self.flush()

    def tick(self) -> None:
        """To be called every second or so: flushes and rotates what is due."""
        now = self._now()
        if self._packed and now - self._since >= FLUSH_S:
            self.flush()
        if self._file is not None and now - self._begun >= self._limits.rotate_s:
            self.rotate()

    def flush(self) -> None:
        """Put what was taken in on the disk."""
        if not self._packed:
            return
        packed, self._packed, self._plain_bytes = self._packed, [], 0
        try:
            if self._file is None:
                self._begin()
            self._block(_array(packed), _DATA)
        except OSError:
            self.lost += len(packed)
            self._abandon()
            raise
        self.written += len(packed)
        self._exchanges += len(packed)
        if self._bytes >= self._limits.rotate_bytes:
            self.rotate()

    def rotate(self) -> None:
        """Close the segment, so that it can be taken in; the next `write` begins another."""
        self.flush()
        if self._file is None:
            return
        try:
            self._block(_encoder.encode(self._exchanges), _END)
            os.fsync(self._file.fileno())
        finally:
            self._abandon()
        self.closed += 1
        self.removed += retain(self._directory, self._limits, now=self._now())

    def close(self) -> None:
        """Close the last segment."""
        self.rotate()

    def _begin(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.removed += retain(self._directory, self._limits, now=self._now())
        self._begun = self._now()
        name = f"{int(self._begun * 1000):013d}-{self._name}-{self._number:06d}"
        self._path = self._directory / (name + OPEN)
        self._number += 1
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # Unbuffered: after an error nothing is left that a later close would try to write.
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        _lock(self._file)
        salt = os.urandom(16)
        self._aead = AESGCM(_segment_key(self._key, salt))
        self._blocks = self._bytes = 0
        self._append(_HEADER.pack(MAGIC, key_id(self._key), salt))

    def _block(self, plain: bytes, kind: int) -> None:
        sealed = self._aead.encrypt(
            _nonce(self._blocks), self._compressor.compress(plain), bytes((kind,))
        )
        self._blocks += 1
        self._append(_BLOCK.pack(len(sealed), kind) + sealed)

    def _append(self, data: bytes) -> None:
        assert self._file is not None  # noqa: S101 - begun by the caller
        view = memoryview(data)
        while view:  # a raw write may be short
            view = view[self._file.write(view) :]
        self._bytes += len(data)

    def _abandon(self) -> None:
        """Leave the segment as it is; what it holds is readable."""
        file, self._file = self._file, None
        held, self._exchanges = self._exchanges, 0
        if file is None:
            return
        with suppress(OSError):
            if held:
                self._path.rename(self._path.with_suffix(CLOSED))
            else:
                self._path.unlink()
        with suppress(OSError):
            file.close()


def segments(directory: Path, *, waiting: bool = True) -> list[Path]:
    """The segments in DIRECTORY that nobody writes to any more, oldest first.

    Not WAITING: those that are being written, too.
    """
    try:
        names = sorted(name for name in os.listdir(directory) if _NAME.fullmatch(name))  # noqa: PTH208 - names
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(
            f"cannot read the spool {directory}: {error.strerror}; name a readable directory"
        ) from None
    paths = [directory / name for name in names[:SEGMENTS_MAX]]
    return [path for path in paths if not waiting or path.suffix == CLOSED or _free(path)]


def read_spool(
    path: Path, *, key: bytes, progress: Callable[[int], None] | None = None
) -> Iterator[Exchange]:
    """The exchanges in PATH, a segment or a directory of them, in the order they were written.

    Of a segment that was cut short, those before the cut. PROGRESS is called with the bytes of
    the segment read so far. Raises InputError when it is no segment, was changed, or was written
    under another key than KEY.
    """
    if path.is_dir():
        for segment in segments(path):
            yield from read_spool(segment, key=key)
        return
    try:
        with path.open("rb") as file:
            yield from _read(file, path, key, progress)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a spool's segment") from None


def _read(
    file: IO[bytes], path: Path, key: bytes, progress: Callable[[int], None] | None
) -> Iterator[Exchange]:
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size and MAGIC.startswith(head[: len(MAGIC)]):
        return  # cut before anything was written
    if head[: len(MAGIC)] != MAGIC or len(head) < _HEADER.size:
        raise InputError(f"{path} is not a spool's segment; name one that Premortem wrote")
    _, known, salt = _HEADER.unpack(head)
    if known != key_id(key):
        raise InputError(
            f"{path} was written under another key; take it in with the store whose key the "
            f"recorder had (`premortem spool key`)"
        )
    aead, number = AESGCM(_segment_key(key, salt)), 0
    decompressor = zstandard.ZstdDecompressor()
    while True:
        head = file.read(_BLOCK.size)
        if len(head) < _BLOCK.size:
            return
        length, kind = _BLOCK.unpack(head)
        if length > BLOCK_BYTES_MAX or kind not in (_DATA, _END):
            raise _damaged(path, number)
        sealed = file.read(length)
        if len(sealed) < length:
            return
        try:
            packed = aead.decrypt(_nonce(number), sealed, bytes((kind,)))
            plain = decompressor.decompress(packed, max_output_size=BLOCK_BYTES_MAX)
            exchanges = _decoder.decode(plain) if kind == _DATA else []
        except (InvalidTag, zstandard.ZstdError, msgspec.DecodeError):
            raise _damaged(path, number) from None
        number += 1
        if progress is not None:
            progress(file.tell())
        if kind == _END:
            return
        yield from exchanges


def _damaged(path: Path, number: int) -> InputError:
    return InputError(
        f"block {number} of {path} is damaged; what is before it was read. Move the file away"
    )


def retain(directory: Path, limits: Limits, *, now: float) -> int:
    """Remove the oldest segments that wait in DIRECTORY beyond LIMITS; how many it were."""
    waiting = []
    for path in segments(directory):
        with suppress(OSError):
            found = path.stat()
            waiting.append((path, found.st_size, found.st_mtime))
    total = sum(size for _, size, _ in waiting)
    removed = 0
    for path, size, written_at in waiting:
        over = total > limits.keep_bytes or len(waiting) - removed > limits.keep_segments
        if not over and now - written_at <= limits.keep_s:
            break
        with suppress(OSError):
            path.unlink()
            removed += 1
            total -= size
    return removed


def key_id(key: bytes) -> bytes:
    """8 bytes that tell keys apart and nothing about them."""
    return _derived(key, b"premortem spool id")[:8]


def is_full(error: OSError) -> bool:
    """ERROR says that the disk, or the share of it that is ours, is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _segment_key(key: bytes, salt: bytes) -> bytes:
    return _derived(key, b"premortem spool", salt)


def _derived(key: bytes, purpose: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=purpose).derive(key)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _array(packed: list[bytes]) -> bytes:
    """PACKED values as one MessagePack array."""
    return b"\xdd" + len(packed).to_bytes(4, "big") + b"".join(packed)


def _lock(file: IO[bytes]) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _free(path: Path) -> bool:
    """Nobody writes to PATH: its writer ended without closing it."""
    if fcntl is None:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
